"""The Human Phenotype Ontology read from its text files."""

import pytest

from bridge.data.hpo import NERVOUS_SYSTEM, parse_frequency, read_disorders, read_genes, read_ontology


@pytest.fixture
def ontology(small_files):
    return read_ontology(small_files.ontology)


def test_the_release_and_the_terms_are_read_and_obsolete_terms_are_left_out(ontology):
    assert ontology.release == "2025-01-16"
    assert ontology.names["HP:0001250"] == "Seizure"
    assert "HP:0009999" not in ontology.names
    assert "part_of" not in ontology.names


def test_ancestors_hold_the_term_and_everything_above_it(ontology):
    assert ontology.ancestors("HP:0007359") == {"HP:0007359", "HP:0001250", NERVOUS_SYSTEM, "HP:0000118", "HP:0000001"}
    assert ontology.is_under("HP:0007359", NERVOUS_SYSTEM)
    assert not ontology.is_under("HP:0000618", NERVOUS_SYSTEM)


def test_a_term_can_belong_to_two_organ_systems(ontology):
    assert ontology.organ_systems("HP:0000512") == ["HP:0000478", NERVOUS_SYSTEM]
    assert ontology.organ_systems(NERVOUS_SYSTEM) == [NERVOUS_SYSTEM]
    assert ontology.organ_systems("HP:0000006") == []


def test_a_remark_on_inheritance_is_no_mode_of_inheritance(ontology):
    assert ontology.is_inheritance("HP:0000006")
    assert not ontology.is_inheritance("HP:0003829")
    assert not ontology.is_inheritance("HP:0000005")


def test_a_finer_mode_counts_as_its_main_mode(ontology):
    assert ontology.mode("HP:0001419") == "HP:0001417"
    assert ontology.mode("HP:0000006") == "HP:0000006"


def test_a_name_keeps_its_capital_in_a_sentence_only_where_it_is_proper(ontology):
    assert ontology.in_sentence("HP:0001250") == "seizure"
    assert ontology.in_sentence("HP:0007359") == "focal-onset seizure"
    assert ontology.in_sentence("HP:0003487") == "Babinski sign"


def test_genes_have_their_annotations_with_retired_ids_replaced(small_files, ontology):
    genes = read_genes(small_files.genes, ontology)
    assert genes["SCN1A"].ncbi_id == 6323
    assert len(genes["SCN1A"].annotations) == 8
    assert [annotation.term for annotation in genes["PC"].annotations] == ["HP:0000007", NERVOUS_SYSTEM]


@pytest.mark.parametrize(
    ("text", "fraction"),
    [("HP:0040280", 1.0), ("HP:0040285", 0.0), ("1/1", 2 / 3), ("15/15", 16 / 17), ("0/12", 0.0), ("45%", 0.45), ("7.5%", 0.075), ("-", None), ("", None)],
)
def test_a_frequency_is_a_fraction_and_few_patients_are_no_certainty(text, fraction):
    assert parse_frequency(text) == fraction


def test_disorder_names_are_read_past_the_comments(small_files):
    assert read_disorders(small_files.disorders)["OMIM:266150"] == "Pyruvate carboxylase deficiency"


def test_a_file_of_another_format_is_refused_with_its_columns(small_files, ontology):
    with pytest.raises(ValueError, match=r"phenotype.hpoa: found columns .*'disease_name'.*expected .*'ncbi_gene_id'"):
        read_genes(small_files.disorders, ontology)
    with pytest.raises(ValueError, match=r"found no \[Term\]"):
        read_ontology(small_files.genes)
