"""Disorders as they are said: names that fit a sentence, findings without contradictions, and what a name gives away."""

import pytest

from bridge.instructions.facts import Disorder, Finding, _name, read_facts


@pytest.mark.parametrize(
    "name", ["A; b", "Heads, posterior dislocation of", "Sleep, familial, 2", "Asthma, susceptibility to", "obsolete thing", "X" * 61, "ABC"]
)
def test_a_name_that_cannot_stand_in_a_question_is_left_out(name):
    assert _name(name) is None


def test_an_old_name_in_capitals_is_written_small():
    assert _name("DOUBLE NAIL  FOR FIFTH TOE") == "Double nail for fifth toe"
    assert _name("Epilepsy, childhood absence") == "Epilepsy, childhood absence"


@pytest.mark.parametrize(
    ("name", "mode", "onset", "gene"),
    [
        ("Spastic paraplegia 5A, autosomal recessive", True, False, False),
        ("Familial Mediterranean fever, AD", True, False, False),
        ("Infantile neuroaxonal dystrophy", False, True, False),
        ("SCN1A-related epilepsy", False, False, True),
        ("Dravet syndrome", False, False, False),
    ],
)
def test_a_name_may_tell_what_is_asked(name, mode, onset, gene):
    disorder = Disorder("OMIM:1", name, ("SCN1A",), (), (), (), ())
    assert (disorder.tells_mode, disorder.tells_onset, disorder.tells_gene("SCN1A")) == (mode, onset, gene)


def test_findings_are_sayable_specific_and_free_of_contradiction(facts):
    ontology = facts.ontology
    for disorder in facts.disorders.values():
        shown = facts.sayable(disorder.present)
        assert shown
        assert not any(one.term in ontology.ancestors(other.term) for one in shown for other in shown if one != other)
        assert not any(out.term in ontology.ancestors(found.term) for out in disorder.excluded for found in disorder.present)


def test_of_two_records_of_a_finding_the_one_with_more_patients_counts(release, tmp_path):
    rows = release[2].read_text()
    found = next(line for line in rows.splitlines() if "\t9/10\t" in line)
    again = tmp_path / "phenotype.hpoa"
    again.write_text(rows + found.replace("9/10", "12/40") + "\n" + found.replace("9/10", "1/2") + "\n")
    disorder, _, _, term = found.split("\t")[:4]
    finding = next(each for each in read_facts(release[0], release[1], again).disorders[disorder].present if each.term == term)
    assert finding == Finding(term, 13 / 42, (12, 40))


def test_a_gene_without_a_symbol_is_no_gene(release, tmp_path):
    genes = tmp_path / "genes_to_phenotype.txt"
    genes.write_text(release[1].read_text() + "7\t-\tHP:10000001\tx\t-\tOMIM:100000\n")
    assert "-" not in read_facts(release[0], genes, release[2]).of_gene
