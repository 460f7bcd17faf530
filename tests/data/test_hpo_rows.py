"""Definitions, synonyms and the rows of disorders as the Human Phenotype Ontology writes them."""

import pytest

from bridge.data.hpo import DisorderRow, read_disorder_rows, read_ontology

OBO = r"""format-version: 1.2
data-version: hp/releases/2025-01-16

[Term]
id: HP:0001250
name: Seizure
alt_id: HP:0001303
def: "A \"fit\", a sign of the brain. It passes." [PMID:1, https://example.org]
synonym: "Epileptic seizure" EXACT []
synonym: "Seizures" EXACT plural_form []
synonym: "Epilepsy" RELATED layperson []
synonym: "SZ" EXACT abbreviation []
synonym: "Convulsive state" EXACT obsolete_synonym []

[Term]
id: HP:0000007
name: Autosomal recessive inheritance
"""
COLUMNS = "database_id disease_name qualifier hpo_id reference evidence onset frequency sex modifier aspect biocuration"
ROWS = (
    "OMIM:1|A disorder||HP:0001303|PMID:1;OMIM:1|PCS||3/12|||P|HPO:a",
    "OMIM:1|A disorder|NOT|HP:0001250|PMID:2|PCS||||MALE|P|HPO:a",
    "OMIM:2|Another||HP:0001250|PMID:2|PCS||0/7|||P|HPO:a",
    "OMIM:2|Another||HP:0000007|OMIM:2|IEA|||||I|HPO:a",
    "OMIM:2|Another||HP:9999999|OMIM:2|IEA|||||P|HPO:a",
)


@pytest.fixture
def ontology(tmp_path):
    path = tmp_path / "hp.obo"
    path.write_text(OBO)
    return read_ontology(path)


def test_a_definition_is_read_without_its_references_and_escapes(ontology):
    assert ontology.definitions == {"HP:0001250": 'A "fit", a sign of the brain. It passes.'}


def test_only_names_that_mean_the_same_and_would_be_written_are_synonyms(ontology):
    assert ontology.synonyms["HP:0001250"] == ("Epileptic seizure", "Seizures")
    assert ontology.synonyms["HP:0000007"] == ()
    assert ontology.lowered("Epileptic seizure") == "epileptic seizure"


def test_rows_of_disorders_tell_what_was_not_found(ontology, tmp_path):
    path = tmp_path / "phenotype.hpoa"
    path.write_text("#version: 2025-01-16\n" + "\n".join([COLUMNS.replace(" ", "\t"), *(row.replace("|", "\t") for row in ROWS)]) + "\n")
    first, second, third, fourth = read_disorder_rows(path, ontology)
    assert first == DisorderRow("OMIM:1", "A disorder", "HP:0001250", False, "3/12", ("PMID:1", "OMIM:1"), "P")
    assert (second.excluded, third.excluded, fourth.excluded) == (True, True, False)
    assert fourth.aspect == "I"
