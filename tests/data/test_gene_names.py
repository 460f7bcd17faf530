"""Official names, disease words and symbol families."""

import pytest

from bridge.data.gene_names import OfficialName, family, molecular_name, read_official_names, without_disease_words


def record(name, *designations):
    return OfficialName(1, "SYMBOL", (), name, designations)


def test_the_table_is_read_as_text_and_never_run(small_files):
    names = read_official_names(small_files.official_names)
    assert names.by_id[6323].name == "sodium channel, voltage-gated, type I alpha subunit"
    assert names.by_id[5978].name == "RE1-silencing 5' transcription factor"
    assert names.by_id[4204].aliases == ("RTT", "PPMX")


def test_a_gene_is_found_by_its_id_and_else_by_an_alias_of_one_gene_only(small_files):
    names = read_official_names(small_files.official_names)
    assert names.find("ANYTHING", 6323).symbol == "SCN1A"
    assert names.find("REST", 0).symbol == "NRSF"
    assert names.find("NONAME", 3) is None


def test_a_file_without_records_is_refused(tmp_path):
    path = tmp_path / "names.py"
    path.write_text("GENEID2NT = {}\n")
    with pytest.raises(ValueError, match="found no gene record"):
        read_official_names(path)


@pytest.mark.parametrize(
    ("name", "molecule"),
    [
        ("Bloom syndrome RecQ like helicase", "RecQ like helicase"),
        ("retinoblastoma binding protein 8", "binding protein 8"),
        ("DEAD-box helicase 3, X-linked", "DEAD-box helicase 3"),
        ("tumor necrosis factor", "tumor necrosis factor"),
        ("X-linked inhibitor of apoptosis", "inhibitor of apoptosis"),
        ("protein O-linked mannose N-acetylglucosaminyltransferase 1", "protein O-linked mannose N-acetylglucosaminyltransferase 1"),
        ("regulating synaptic membrane exocytosis 2", "regulating synaptic membrane exocytosis 2"),
        ("early growth response 2", "early growth response 2"),
        ("huntingtin", "huntingtin"),
        ("deafness, autosomal recessive 31", "31"),
    ],
)
def test_disease_words_leave_a_name_and_the_molecule_stays(name, molecule):
    assert without_disease_words(name) == molecule


def test_a_gene_called_after_a_disease_takes_a_designation_without_one():
    assert molecular_name(record("Mediterranean fever", "Mediterranean fever protein", "marenostrin")) == "marenostrin"
    assert molecular_name(record("Bardet-Biedl syndrome 2")) == "protein SYMBOL"


@pytest.mark.parametrize(
    ("symbols", "same"),
    [
        (("SCN1A", "SCN2A"), True),
        (("GABRA1", "GABRB3"), True),
        (("FOXG1", "FOXP2"), True),
        (("APOE", "APOB"), True),
        (("HTT", "HTRA1"), False),
        (("C9orf72", "C12orf65"), False),
        (("F5", "F8"), False),
        (("NF1", "NF2"), True),
    ],
)
def test_a_family_holds_the_members_of_a_symbol_and_no_strangers(symbols, same):
    assert (family(symbols[0]) == family(symbols[1])) == same
