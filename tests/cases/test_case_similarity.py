"""Similarities by hand and by naive loops; a disease without annotations is like nothing."""

import math

import numpy as np
import pytest
from tiny_release import ATAXIA, BLIND, CATARACT, CLONIC, SEIZURE

from bridge.cases.likelihood_ratio import UNRELATED, likelihood_ratio
from bridge.cases.similarity import phenodigm, resnik, simgic, tfidf
from bridge.cases.space import Profiles, Queries, Terms

ALL = (simgic, resnik, phenodigm, tfidf)


def queries(profiles, make_case, *sets):
    return Queries([make_case(str(row), present) for row, present in enumerate(sets)], profiles.terms)


def naive(profiles, ontology):
    """Sets of ancestors below the root of phenotypes, and the information of a term."""
    known = set(profiles.terms.names)

    def closed(terms):
        return {above for term in terms for above in ontology.ancestors(term)} & known

    sets = [closed(each.term for each in disease.phenotypes) for disease in profiles.diseases]
    annotated = sum(map(bool, sets))

    def information(term):
        having = sum(term in each for each in sets)
        return -math.log(having / annotated) if having else 0.0

    return closed, sets, information


def test_simgic_is_the_value_by_hand(profiles, make_case):
    found = simgic(queries(profiles, make_case, [ATAXIA, CATARACT]), profiles)
    # of five diseases four are of the nervous system, three have ataxia, two an eye disease, two a cataract
    shared = math.log(5 / 4) + math.log(5 / 3)
    assert found[0, profiles.number["OMIM:100002"]] == pytest.approx(shared / (shared + 2 * math.log(5 / 2)))
    assert found[0, profiles.number["OMIM:100001"]] == pytest.approx(1.0)


def test_simgic_is_the_naive_loop(profiles, make_case, ontology):
    closed, sets, information = naive(profiles, ontology)
    asked = ([ATAXIA], [CLONIC, CATARACT], [SEIZURE, BLIND, ATAXIA], ["HP:0000118"])
    found = simgic(queries(profiles, make_case, *asked), profiles)
    for row, terms in enumerate(asked):
        for column, other in enumerate(sets):
            both, either = (sum(map(information, some)) for some in (closed(terms) & other, closed(terms) | other))
            assert found[row, column] == pytest.approx(both / either if either else 0.0), (terms, column)


def test_resnik_and_phenodigm_are_the_naive_loops(profiles, make_case, ontology):
    closed, _, information = naive(profiles, ontology)

    def common(one, two):
        return max(map(information, closed([one]) & closed([two])), default=0.0)

    def pair(one, two):
        return math.sqrt(common(one, two) * len(closed([one]) & closed([two])) / len(closed([one]) | closed([two])))

    asked = ([ATAXIA], [CLONIC, CATARACT], [SEIZURE, BLIND, ATAXIA])
    given = queries(profiles, make_case, *asked)
    by_common, by_pair = resnik(given, profiles), phenodigm(given, profiles)
    for row, terms in enumerate(asked):
        own = [pair(term, term) for term in terms]
        for column, disease in enumerate(profiles.diseases):
            others = [each.term for each in disease.phenotypes]
            ours, theirs = [max(common(one, two) for two in others) for one in terms], [max(common(one, two) for one in terms) for two in others]
            assert by_common[row, column] == pytest.approx((np.mean(ours) + np.mean(theirs)) / 2), (terms, disease.id)
            ours, theirs = [max(pair(one, two) for two in others) for one in terms], [max(pair(one, two) for one in terms) for two in others]
            expected = max(ours) / max(own) + np.mean(ours + theirs) / np.mean(own)
            assert by_pair[row, column] == pytest.approx(expected / 2), (terms, disease.id)


def test_phenodigm_does_not_depend_on_how_terms_are_cut_into_blocks(profiles, make_case, monkeypatch):
    given = queries(profiles, make_case, [ATAXIA, CATARACT], [SEIZURE, BLIND, CLONIC])
    whole = phenodigm(given, profiles)
    monkeypatch.setattr("bridge.cases.similarity.BLOCK", 2)
    np.testing.assert_allclose(phenodigm(given, profiles), whole)


@pytest.mark.parametrize("rank", ALL)
def test_the_disease_with_the_same_terms_is_nearest_and_one_without_any_is_like_nothing(rank, annotations, ontology, make_case):
    profiles = Profiles(annotations.without({"PMID:3"}), Terms(ontology))
    found = rank(queries(profiles, make_case, [CATARACT, BLIND], [SEIZURE], []), profiles)
    assert np.isfinite(found).all()
    assert profiles.diseases[int(found[0].argmax())].id == "OMIM:100004"
    assert found[1].argmax() == profiles.number["OMIM:100003"]
    np.testing.assert_allclose(found[:, profiles.number["OMIM:100002"]], 0.0)
    np.testing.assert_allclose(found[2], 0.0)


def test_terms_that_are_no_phenotypes_or_of_a_later_release_are_left_out(profiles, make_case):
    plain, more = simgic(queries(profiles, make_case, [ATAXIA], [ATAXIA, "HP:0000006", "HP:9999999"]), profiles)
    np.testing.assert_array_equal(plain, more)


def test_a_likelihood_ratio_is_the_frequency_over_the_background(profiles, make_case):
    found = likelihood_ratio(queries(profiles, make_case, [CLONIC]), profiles)[0]
    column = profiles.terms.number[SEIZURE]  # no disease has the finer term: its parent speaks for it
    ratio = 0.9 / profiles.background[column]
    assert found[profiles.number["OMIM:100003"]] == pytest.approx(math.log(UNRELATED + (1 - UNRELATED) * ratio))
    frequencies = [0.9, 0.5]  # of Beta and of ORPHA:1, which records none
    assert profiles.background[column] == pytest.approx((sum(frequencies) + 0.5) / 6)


def test_a_frequent_phenotype_that_is_excluded_speaks_against_a_disease(profiles, make_case):
    given = Queries([make_case("x", [ATAXIA]), make_case("y", [ATAXIA], excluded=(CATARACT,))], profiles.terms)
    plain, without = likelihood_ratio(given, profiles)
    assert without[profiles.number["OMIM:100001"]] < plain[profiles.number["OMIM:100001"]]
    assert without[profiles.number["OMIM:100002"]] == plain[profiles.number["OMIM:100002"]]
