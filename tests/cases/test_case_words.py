"""A case in words, and which disease a written name means."""

import dataclasses

import pytest
from tiny_release import ATAXIA, SEIZURE

from bridge.cases.case import Variant
from bridge.cases.names import plain, series_of
from bridge.cases.words import Diagnoses, age_in_words, case_in_words


def test_a_case_in_words_names_the_gene_only_where_it_has_it(make_case, ontology):
    case = make_case("x", [SEIZURE], excluded=(ATAXIA,), gene="ONE", variants=(Variant(("NM_1.1:c.1A>G", "p.X")),), sex="female", age="P3Y6M")
    assert case_in_words(case, ontology) == (
        "A female patient aged 3 years and 6 months. Findings: seizure. Not found: ataxia. Causative variant in the gene ONE (NM_1.1:c.1A>G)."
    )
    text = case_in_words(case.without_gene(), ontology)
    assert "ONE" not in text
    assert "c.1A" not in text
    assert case_in_words(dataclasses.replace(case, gene="", sex="", age="", excluded=()), ontology) == "A patient. Findings: seizure."


@pytest.mark.parametrize(("age", "said"), [("P1Y", "1 year"), ("P2M", "2 months"), ("P0D", "0 days"), ("P3Y2M1D", "3 years and 2 months"), ("old", "")])
def test_an_age_is_said_in_its_largest_units(age, said):
    assert age_in_words(age) == said


def test_a_name_counts_only_where_it_is_exactly_one_of_a_disease(annotations):
    diagnoses = Diagnoses(annotations.without(()).diseases)
    assert diagnoses.meant("ALPHA ATAXIA, 1") == ("OMIM:100001",)
    assert diagnoses.meant("alpha ataxia") == ("ORPHA:1",)
    assert diagnoses.meant("Alpha ataxia 1 syndrome") == ()
    assert diagnoses.meant("OMIM:100003") == ("OMIM:100003",)


def test_an_answer_is_a_list_in_which_an_unknown_name_takes_its_place(annotations):
    diagnoses = Diagnoses(annotations.without(()).diseases)
    answer = "1. Something else\n2) Alpha ataxia 2\n\n- Béta seizure disorder"
    assert diagnoses.written(answer) == [(), ("OMIM:100002",), ("OMIM:100003",)]


def test_names_of_a_series_have_the_same_words():
    assert plain("Charcot-Marie-Tooth dis\u00e9ase, type 2A1") == "charcot marie tooth disease type 2a1"
    assert series_of("Spinocerebellar ataxia 23, autosomal dominant") == series_of("Spinocerebellar ataxia 41") == "spinocerebellar ataxia"
