"""Ranks with ties, the gene withheld and given, and a combination that never holds a high score against a disease."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse
from tiny_release import ATAXIA, BLIND, CATARACT, SEIZURE

from bridge.cases.case import Variant
from bridge.cases.combine import FITTED, FUSION, LINKED, PENALTIES, Choices, choices, chosen, features, fit, fused, models, reciprocal_rank
from bridge.cases.rank import RANKERS, SIMGIC, Rankers, evidence_of, linked_first, positions, targets_of
from bridge.cases.space import Profiles, Terms


@pytest.fixture(scope="module")
def rankers(profiles):
    return Rankers(profiles)


@pytest.fixture
def cases(make_case):
    return [
        make_case("a", [ATAXIA, CATARACT], gene="ONE", disease="OMIM:100001"),
        make_case("b", [ATAXIA], gene="TWO", disease="OMIM:100002"),
        make_case("c", [SEIZURE], gene="THREE", disease="OMIM:100003"),
        make_case("d", [CATARACT, BLIND], gene="FOUR", disease="OMIM:100004"),
    ]


def test_ties_share_the_mean_of_their_ranks_and_what_is_no_candidate_is_never_reached():
    scores = np.array([[1.0, 1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0], [3.0, 2.0, 1.0, 0.0]])
    assert positions(scores, [0, 2, None]).tolist() == [2.5, 2.5, np.inf]
    assert reciprocal_rank(scores, [3, None, 0]) == pytest.approx(2 / 3)


def test_only_an_omim_disease_of_the_release_is_a_candidate(profiles, make_case):
    found = targets_of([make_case(disease=name) for name in ("OMIM:100002", "ORPHA:1", "OMIM:999999", "")], profiles)
    assert found == [1, None, None, None]


def test_with_the_gene_withheld_scores_know_nothing_of_gene_variants_or_diagnosis(rankers, cases):
    other = [dataclasses.replace(case, gene="FOUR", variants=(Variant(("c.1A>G",)),), disease="", sex="male", publications=("PMID:1",)) for case in cases]
    one, two = rankers.evidence(cases), rankers.evidence(other)
    assert one.linked is None
    assert set(one.scores) == set(RANKERS)
    for name in RANKERS:
        assert one.scores[name].shape == (4, 4)
        np.testing.assert_array_equal(one.scores[name], two.scores[name])
    assert LINKED not in features(one)


def test_with_the_gene_given_its_diseases_come_first_in_the_rankers_order(rankers, cases, make_case):
    withheld = rankers.evidence(cases)
    given = rankers.with_gene(withheld, cases)
    np.testing.assert_array_equal(given.linked.toarray(), np.eye(4))
    assert positions(given.ranked(SIMGIC), [0, 1, 2, 3]).tolist() == [1, 1, 1, 1]
    scores = np.array([[0.1, 0.2, 0.9, 0.2]])
    found = linked_first(scores, sparse.csr_array(np.array([[1.0, 1.0, 0.0, 0.0]])))
    assert np.argsort(-found[0], kind="stable").tolist() == [1, 0, 2, 3]
    unknown = [make_case("x", [ATAXIA], gene="NONE")]
    plain = rankers.evidence(unknown)
    np.testing.assert_array_equal(np.argsort(-rankers.with_gene(plain, unknown).ranked(SIMGIC)), np.argsort(-plain.scores[SIMGIC]))


def test_a_disease_whose_annotations_are_gone_is_found_by_a_name_like_its_own(annotations, ontology, make_case):
    rankers = Rankers(Profiles(annotations.without({"PMID:3"}), Terms(ontology)))
    found = rankers.evidence([make_case("x", [ATAXIA]), make_case("y", [SEIZURE])]).scores
    column = rankers.profiles.number["OMIM:100002"]
    assert found[SIMGIC][0, column] == 0.0
    assert found["alike names"][0, column] > found["alike names"][0, rankers.profiles.number["OMIM:100004"]]
    assert found["disease name"][0, column] > found["disease name"][0, rankers.profiles.number["OMIM:100003"]]
    assert found["disease name"][1].argmax() == rankers.profiles.number["OMIM:100003"]


def test_reciprocal_ranks_are_added(rankers, cases):
    evidence = evidence_of({"one": np.array([[3.0, 2.0, 1.0]]), "two": np.array([[1.0, 3.0, 1.0]])}, np.ones(3, dtype=bool))
    expected = [1 / 61 + 1 / 62.5, 1 / 62 + 1 / 61, 1 / 63 + 1 / 62.5]
    np.testing.assert_allclose(fused(evidence), [expected])


def test_a_disease_of_which_nothing_is_known_is_middling_by_its_terms_and_a_case_of_it_can_be_left_out_of_the_fit(annotations, ontology, cases):
    rankers = Rankers(Profiles(annotations.without({"PMID:3"}), Terms(ontology)))
    evidence, column = rankers.evidence(cases), rankers.profiles.number["OMIM:100002"]
    assert evidence.annotated.tolist() == [True, False, True, True]
    found = features(evidence)[SIMGIC]
    assert (found[:, column] == 0.0).all()
    assert (found.min(axis=1) < 0).all()
    lists = choices(rankers, cases)
    assert lists.annotated.tolist() == [True, False, True, True]
    assert lists.with_known().weights.tolist() == [1, 0, 1, 1]


def test_a_feature_that_speaks_against_the_right_one_gets_no_weight_and_one_for_it_does():
    rows = np.array([[1.0, -1.0], [0.0, 1.0], [0.0, 1.0]] * 20)
    found = fit(Choices(("for", "against"), rows, np.arange(0, 60, 3), np.ones(20), np.ones(20, dtype=bool)), 1e-2)
    assert found.weights[0] > 1
    assert found.weights[1] == 0.0


def test_the_fit_is_where_the_loss_is_least():
    random = np.random.default_rng(0)
    rows, starts = random.normal(size=(120, 3)), np.arange(0, 120, 6)
    rows[starts, 0] += 1.0
    lists = Choices(("a", "b", "c"), rows, starts, np.ones(20), np.ones(20, dtype=bool))
    found = fit(lists, 0.05).weights

    def loss(weights):
        odds = (rows @ weights).reshape(20, 6)
        return 0.05 * weights @ weights - np.mean(odds[:, 0] - np.log(np.exp(odds).sum(axis=1)))

    for step in np.eye(3) * 0.02:
        assert loss(found) <= loss(np.maximum(found + step, 0)) + 1e-9
        assert loss(found) <= loss(np.maximum(found - step, 0)) + 1e-9


def test_choices_have_the_right_disease_first_and_every_gene_weighs_the_same(rankers, cases):
    more = [*cases, dataclasses.replace(cases[0], id="e"), dataclasses.replace(cases[0], id="f", disease="OMIM:999999")]
    found = choices(rankers, more)
    assert len(found.starts) == 5
    assert found.weights.tolist() == [0.5, 1, 1, 1, 0.5]
    linked = found.names.index(LINKED)
    assert found.rows[found.starts, linked].tolist() == [1.0] * 5
    assert found.rows[:, linked].sum() == 5
    with pytest.raises(ValueError, match="found 1 training cases and no disease of theirs"):
        choices(rankers, more[-1:])


def test_the_model_is_chosen_by_validation_and_the_gene_counts_only_where_it_is_given(rankers, cases):
    found = choices(rankers, cases)
    evidence = rankers.evidence(cases)
    ways = models(found, gene=False)
    assert list(ways) == [*RANKERS, FUSION, FITTED]
    best = chosen(ways, evidence, [0, 1, 2, 3])
    figures = [reciprocal_rank(model(evidence), [0, 1, 2, 3]) for model in ways[FITTED]]
    assert len(figures) == 2 * len(PENALTIES)
    assert best[FITTED][1] == max(figures) == 1.0
    given = chosen(models(found, gene=True), rankers.with_gene(evidence, cases), [0, 1, 2, 3])
    assert given[FITTED][1] == 1.0
    with pytest.raises(KeyError, match=LINKED):  # the one cannot be asked without the gene
        given[FITTED][0](evidence)
