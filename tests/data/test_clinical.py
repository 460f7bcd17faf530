"""Facts and the clinical paragraph, and the gene taken out of it."""

import pytest

from bridge.data import clinical
from bridge.data.gene_names import OfficialName
from bridge.data.mention import GeneMention, without_locus_number
from bridge.data.releases import read_releases


@pytest.fixture
def releases(small_files):
    return read_releases(small_files)


def paragraph(releases, symbol):
    gene = releases.genes[symbol]
    names = releases.official_names.find(symbol, gene.ncbi_id)
    return clinical.paragraph(gene, releases.ontology, clinical.disorders(gene, releases.disorders), GeneMention(symbol, names))


def test_the_paragraph_tells_disorders_inheritance_onset_and_features(releases):
    assert paragraph(releases, "SCN1A") == (
        "Variants in this gene are linked to Developmental and epileptic encephalopathy, non-Dravet; and Dravet syndrome. "
        "Inheritance is autosomal dominant. Onset is in infancy. "
        "Nervous-system features, most frequent first: seizure, focal-onset seizure, ataxia and Babinski sign."
    )


def test_a_disorder_that_only_names_the_gene_becomes_an_inherited_disorder(releases):
    assert paragraph(releases, "PC") == "Variants in this gene are linked to an inherited disorder. Inheritance is autosomal recessive."


def test_a_word_that_looks_like_a_symbol_is_no_symbol(releases):
    assert "Tremor at rest, type 2" in paragraph(releases, "REST")


def test_a_fine_onset_counts_as_the_one_above_it(releases):
    assert "Onset is in adulthood." in paragraph(releases, "RP2")


def test_facts_are_organ_systems_and_main_modes(releases):
    gene, ontology = releases.genes, releases.ontology
    assert clinical.organ_systems(gene["SCN1A"], ontology) == ["nervous system"]
    assert clinical.organ_systems(gene["RP2"], ontology) == ["eye", "nervous system"]
    assert clinical.inheritance(gene["MECP2"], ontology) == ["X-linked"]
    assert clinical.inheritance(gene["RP2"], ontology) == []


def test_a_phenotype_that_was_looked_for_in_vain_is_no_fact(releases):
    assert "eye" not in clinical.organ_systems(releases.genes["SCN1A"], releases.ontology)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("SCN1A-related epilepsy", "epilepsy"),
        ("Severe epilepsy due to scn1a deficiency, infantile", "Severe epilepsy, infantile"),
        ("NAC1 syndrome", ""),
        ("Hypotonia, Sodium channel voltage-gated type I alpha subunit type", "Hypotonia"),
        ("Dravet syndrome", "Dravet syndrome"),
        ("SCN1AB syndrome", "SCN1AB syndrome"),
        ("Ataxia (FEB3)", "Ataxia"),
    ],
)
def test_the_gene_and_what_ties_it_in_are_taken_out_of_a_disorder(name, left):
    record = OfficialName(6323, "SCN1A", ("FEB3", "NAC1"), "sodium channel, voltage-gated, type I alpha subunit", ())
    assert GeneMention("SCN1A", record).taken_out_of(name) == left


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("Spinocerebellar ataxia 17", "Spinocerebellar ataxia"),
        ("Epileptic encephalopathy, early infantile, 6 (Dravet syndrome)", "Epileptic encephalopathy, early infantile (Dravet syndrome)"),
        ("Alzheimer disease-4", "Alzheimer disease"),
        ("Charcot-Marie-Tooth disease type 1A", "Charcot-Marie-Tooth disease type 1A"),
        ("Pontocerebellar hypoplasia, type 1F", "Pontocerebellar hypoplasia, type 1F"),
    ],
)
def test_a_locus_number_goes_and_a_type_stays(name, left):
    assert without_locus_number(name) == left


def test_an_official_name_inside_a_word_and_a_symbol_spelled_as_a_word_name_the_gene():
    catalase = GeneMention("CAT", OfficialName(847, "CAT", (), "catalase", ()))
    itch = GeneMention("ITCH", OfficialName(83737, "ITCH", (), "itchy E3 ubiquitin protein ligase", ()))
    assert catalase.taken_out_of("Acatalasemia") == ""
    assert itch.taken_out_of("Autoimmune disease due to Itch deficiency") == "Autoimmune disease"
    assert not catalase.found_in("Cat cry")


def test_old_records_lose_their_capitals_and_equal_disorders_are_named_once():
    nobody = GeneMention("NONE1", OfficialName(0, "NONE1", (), "nothing at all", ()))
    names = ["ASTHMA, SUSCEPTIBILITY TO, 1", "Muscular dystrophy, Becker type", "Becker muscular dystrophy"]
    assert clinical.shown_disorders(names, nobody) == ["Susceptibility to asthma", "Muscular dystrophy, Becker type"]
