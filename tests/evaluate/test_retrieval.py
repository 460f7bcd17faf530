"""Ranks and recall against torchmetrics, their invariances, and intervals that are undefined where they must be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torchmetrics.retrieval import RetrievalHitRate, RetrievalMRR

from bridge.evaluate.retrieval import bootstrap_interval, cosine_similarity, embedding_retrieval, paired_difference, ranks, retrieval_scores

squares = st.integers(1, 12).flatmap(lambda n: arrays(np.int64, (n, n), elements=st.integers(-4, 4))).map(lambda matrix: matrix.astype(float))
quick = settings(max_examples=60, deadline=None)


def random_similarity(n=40, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n))


def of_torchmetrics(metric, similarity):
    """torchmetrics leaves out candidates whose score is not above 0; the exponential keeps the order and is positive."""
    n = len(similarity)
    return float(metric(torch.from_numpy(np.exp(similarity)).flatten(), torch.eye(n, dtype=torch.bool).flatten(), indexes=torch.arange(n).repeat_interleave(n)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_at_k_equals_the_hit_rate_of_torchmetrics(k, seed):
    similarity = random_similarity(seed=seed) + np.eye(40)
    recall = retrieval_scores(similarity, resamples=0)[f"r{k}"]
    assert 0 < recall < 1
    assert recall == pytest.approx(of_torchmetrics(RetrievalHitRate(top_k=k), similarity), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_mean_reciprocal_rank_equals_that_of_torchmetrics(seed):
    similarity = random_similarity(seed=seed) + np.eye(40)
    assert retrieval_scores(similarity, resamples=0)["mrr"] == pytest.approx(of_torchmetrics(RetrievalMRR(), similarity), abs=1e-6)


@quick
@given(squares, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_changes_no_rank(similarity, random):
    order = list(range(len(similarity)))
    random.shuffle(order)
    assert np.array_equal(ranks(similarity[np.ix_(order, order)]), ranks(similarity)[order])


@quick
@given(squares, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_changes_no_rank_when_the_target_moves_along(similarity, random):
    order = list(range(len(similarity)))
    random.shuffle(order)
    assert np.array_equal(ranks(similarity[:, order], target=np.argsort(order)), ranks(similarity))


@quick
@given(squares)
def test_a_monotone_transform_of_the_similarity_changes_no_rank(similarity):
    assert np.array_equal(ranks(np.exp(similarity) * 3 + 1), ranks(similarity))


@quick
@given(squares)
def test_ranks_lie_between_one_and_the_number_of_candidates(similarity):
    assert ((ranks(similarity) >= 1) & (ranks(similarity) <= len(similarity))).all()


@quick
@given(st.integers(10, 30))
def test_perfect_similarity_scores_one(n):
    scores = retrieval_scores(np.eye(n))
    assert [scores[key] for key in ("r1", "r5", "r10", "median_rank", "mrr", "mean_percentile")] == [1.0] * 6


def test_ties_share_the_mean_rank_and_a_constant_model_stays_at_chance():
    assert ranks(np.zeros((5, 5))).tolist() == [3.0] * 5
    scores = retrieval_scores(np.zeros((40, 40)))
    assert (scores["r1"], scores["r10"], scores["mean_percentile"]) == (0.0, 0.0, 0.5)


def test_a_tie_with_one_other_candidate_costs_half_a_rank():
    assert ranks(np.array([[1.0, 1.0, 0.0]])).tolist() == [1.5]


def test_an_infinite_similarity_is_ranked_and_nan_is_refused():
    assert ranks(np.array([[0.0, np.inf], [0.0, -np.inf]])).tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match="NaN in 1 of 2 queries"):
        ranks(np.array([[0.0, np.nan], [0.0, 1.0]]))


@pytest.mark.parametrize("target", [[0], [0, 3], [0, -1]])
def test_a_target_that_is_no_column_is_refused(target):
    with pytest.raises(ValueError, match="retrieval target"):
        ranks(np.zeros((2, 3)), target=np.array(target))


def test_more_queries_than_candidates_need_a_target():
    with pytest.raises(ValueError, match="3 queries and 2 candidates"):
        ranks(np.zeros((3, 2)))


def test_without_a_query_every_score_is_undefined():
    scores = retrieval_scores(np.zeros((0, 0)))
    assert scores.pop("n") == scores.pop("candidates") == 0
    assert set(scores.values()) == {None}


def test_recall_beyond_the_number_of_candidates_is_undefined_with_its_chance_and_interval():
    scores = retrieval_scores(random_similarity(7))
    assert [scores[key] for key in ("r10", "r10_low", "r10_high", "chance_r10")] == [None] * 4
    assert scores["chance_r5"] == pytest.approx(5 / 7)
    assert scores["r5_low"] <= scores["r5"] <= scores["r5_high"]


def test_a_random_model_is_at_the_stated_chance():
    similarity = np.random.default_rng(1).normal(size=(1000, 50))
    scores = retrieval_scores(similarity, target=np.random.default_rng(2).integers(0, 50, 1000))
    assert scores["chance_r10"] == 0.2
    assert scores["r10_low"] < 0.2 < scores["r10_high"]
    assert scores["mean_percentile"] == pytest.approx(0.5, abs=0.03)


def test_the_interval_is_the_same_for_the_same_seed_and_another_for_another():
    values = np.random.default_rng(0).normal(size=50)
    first, again, other = (bootstrap_interval(values, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_the_interval_covers_the_true_mean_about_95_times_of_100():
    random = np.random.default_rng(0)
    intervals = [bootstrap_interval((random.random(150) < 0.3).astype(float), resamples=300) for _ in range(200)]
    assert 0.90 <= np.mean([low <= 0.3 <= high for low, high in intervals]) <= 0.99


def test_samples_of_one_group_do_not_narrow_the_interval():
    hits = np.random.default_rng(0).integers(0, 2, 60).astype(float)
    alone, copied = bootstrap_interval(hits), bootstrap_interval(np.repeat(hits, 10), np.repeat(np.arange(60), 10))
    as_if_independent = bootstrap_interval(np.repeat(hits, 10))
    assert copied == pytest.approx(alone)
    assert as_if_independent[1] - as_if_independent[0] < 0.5 * (alone[1] - alone[0])


def test_an_interval_needs_two_groups_and_at_least_one_resample():
    assert bootstrap_interval(np.ones(5), ["a"] * 5) == (None, None)
    assert bootstrap_interval(np.ones(5), resamples=0) == (None, None)


def test_group_names_of_the_wrong_number_are_refused():
    with pytest.raises(ValueError, match="2 groups for 3 samples"):
        bootstrap_interval(np.ones(3), ["a", "b"])


def test_undefined_samples_do_not_pass_as_scores():
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        bootstrap_interval(np.array([1.0, np.nan]))


def test_embeddings_are_compared_by_cosine_whatever_their_length():
    vectors = np.random.default_rng(0).normal(size=(12, 5))
    assert embedding_retrieval(vectors, vectors * np.arange(1, 13)[:, None])["r1"] == 1.0


def test_a_zero_vector_is_at_chance_and_raises_no_warning():
    query = np.eye(3)
    query[0] = 0
    assert ranks(cosine_similarity(query, np.eye(3))).tolist() == [2.0, 1.0, 1.0]


def test_a_paired_difference_is_narrower_than_the_difference_of_independent_samples():
    random = np.random.default_rng(0)
    hard = random.random(400)
    better, worse = (hard < 0.6).astype(float), (hard < 0.5).astype(float)
    difference, low, high = paired_difference(better, worse)
    _, apart_low, apart_high = paired_difference(better, random.permutation(worse))
    assert difference == pytest.approx(better.mean() - worse.mean())
    assert 0 < low < difference < high
    assert high - low < 0.6 * (apart_high - apart_low)


def test_a_paired_difference_of_nothing_is_undefined_and_of_different_samples_refused():
    assert paired_difference(np.array([]), np.array([])) == (None, None, None)
    with pytest.raises(ValueError, match="same samples"):
        paired_difference(np.ones(3), np.ones(2))
