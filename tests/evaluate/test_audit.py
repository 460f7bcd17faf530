"""The audit finds dependence on the input where there is some, none where there is none, and says undefined otherwise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from bridge.evaluate.audit import permutation_p, share_better, sign_test, wilson


def dependent_scores(n=40, gain=0.5, seed=0):
    random = np.random.default_rng(seed)
    return 0.1 + 0.1 * random.random((n, n)) + gain * np.eye(n)


def test_texts_that_depend_on_their_input_have_a_difference_and_a_small_p():
    audit = permutation_p(dependent_scores(), resamples=999)
    assert audit["real"] == pytest.approx(0.65, abs=0.03)
    assert audit["shuffled"] == pytest.approx(0.15, abs=0.01)
    assert audit["difference"] == pytest.approx(audit["real"] - audit["shuffled"])
    assert 0.4 < audit["low"] < audit["difference"] < audit["high"] < 0.6
    assert audit["p"] == 1 / 1000


def test_real_and_shuffled_are_the_means_on_and_off_the_diagonal():
    scores = dependent_scores()
    audit = permutation_p(scores, resamples=10)
    assert audit["real"] == pytest.approx(np.diagonal(scores).mean())
    assert audit["shuffled"] == pytest.approx(scores[~np.eye(len(scores), dtype=bool)].mean())


def test_a_fluent_constant_text_scores_well_and_still_has_no_difference():
    """Every text is the same, so a truth scores the same against each of them."""
    scores = np.tile(0.5 + 0.5 * np.random.default_rng(0).random(30), (30, 1))
    audit = permutation_p(scores, resamples=500)
    assert audit["real"] > 0.7
    assert audit["difference"] == pytest.approx(0, abs=1e-12)
    assert audit["p"] == 1.0


def test_under_independence_p_is_at_most_5_percent_about_5_times_of_100():
    small = [permutation_p(np.random.default_rng(seed).random((15, 15)), resamples=99, seed=seed)["p"] <= 0.05 for seed in range(300)]
    assert 0.02 <= np.mean(small) <= 0.09


def test_p_is_never_zero_and_the_exact_share_for_two_samples():
    assert permutation_p(np.eye(2), resamples=4000)["p"] == pytest.approx(0.5, abs=0.03)
    assert permutation_p(dependent_scores(), resamples=9)["p"] == 0.1


def test_the_order_of_the_samples_changes_neither_mean():
    scores, order = dependent_scores(), np.random.default_rng(1).permutation(40)
    first, second = permutation_p(scores, resamples=10), permutation_p(scores[np.ix_(order, order)], resamples=10)
    assert [first[key] for key in ("real", "shuffled")] == pytest.approx([second[key] for key in ("real", "shuffled")])


def test_the_audit_repeats_with_its_seed():
    assert permutation_p(dependent_scores(), seed=5, resamples=50) == permutation_p(dependent_scores(), seed=5, resamples=50)


def test_samples_of_one_group_do_not_narrow_the_interval_of_the_audit():
    scores = np.random.default_rng(0).random((12, 12)) + np.eye(12)
    copies = np.repeat(np.arange(12), 5)
    grouped, loose = (permutation_p(scores[np.ix_(copies, copies)], groups, resamples=500) for groups in (copies, None))
    assert grouped["high"] - grouped["low"] > 1.5 * (loose["high"] - loose["low"])


def test_a_text_that_states_nothing_is_left_out_and_counted():
    scores = dependent_scores(10)
    with_silent = np.full((11, 11), np.nan)
    with_silent[:10, :10] = scores
    groups = np.arange(11)
    audit = permutation_p(with_silent, groups, resamples=200)
    assert audit == permutation_p(scores, groups[:10], resamples=200) | {"left_out": 1}


def test_a_truth_that_cannot_tell_a_text_leaves_out_that_pair_only():
    scores = dependent_scores(10)
    scores[0, 1] = np.nan
    audit = permutation_p(scores, resamples=200)
    assert (audit["n"], audit["left_out"]) == (10, 0)
    others = np.where(np.eye(10, dtype=bool), np.nan, scores)
    assert audit["shuffled"] == pytest.approx(np.nanmean(others, axis=1).mean())


def test_a_text_that_only_its_own_truth_can_tell_is_left_out():
    scores = dependent_scores(10)
    scores[3, np.arange(10) != 3] = np.nan
    assert (permutation_p(scores, resamples=20)["n"], permutation_p(scores, resamples=20)["left_out"]) == (9, 1)


@pytest.mark.parametrize("scores", [np.zeros((0, 0)), np.ones((1, 1)), np.full((3, 3), np.nan), np.where(np.eye(3, dtype=bool), 1.0, np.nan)])
def test_fewer_than_two_comparable_samples_are_undefined(scores):
    audit = permutation_p(scores)
    assert audit["left_out"] == len(scores) - audit["n"]
    assert {audit[key] for key in ("real", "shuffled", "difference", "low", "high", "p")} == {None}


@pytest.mark.parametrize(("scores", "message"), [(np.ones((2, 3)), "expected .texts, truths."), (np.full((2, 2), np.inf), "4 are infinite")])
def test_scores_that_are_no_square_or_infinite_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        permutation_p(scores)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 500), st.floats(0, 1))
def test_wilson_contains_the_share_and_stays_within_0_and_1(n, share):
    successes = round(share * n)
    low, high = wilson(successes, n)
    assert -1e-12 <= low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= high <= 1 + 1e-12


def test_wilson_equals_its_closed_form():
    z, n, share = 1.959963984540054, 50, 20 / 50
    middle, half = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert wilson(20, 50) == pytest.approx(((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)))


def test_wilson_has_a_width_where_all_succeed():
    low, high = wilson(10, 10)
    assert low == pytest.approx(0.7225, abs=1e-3)
    assert high == pytest.approx(1.0)


def test_the_sign_test_is_the_exact_one_sided_binomial():
    assert sign_test(9, 10) == pytest.approx(11 / 1024)
    assert sign_test(0, 10) == 1.0


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_samples_have_no_interval_and_no_p(n):
    assert wilson(n, n) == (None, None)
    assert sign_test(n, n) is None
    alone = share_better(np.zeros(n), np.ones(n))
    assert (alone["n"], alone["share"], alone["low"], alone["high"], alone["p"]) == (n, None, None, None, None)


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="expected 0 to 2"):
        wilson(successes, n)
    with pytest.raises(ValueError, match="expected 0 to 2"):
        sign_test(successes, n)


def test_texts_that_are_likelier_under_their_own_input_are_counted():
    audit = share_better(np.array([1.0, 1.0, 1.0, 3.0]), np.array([2.0, 2.0, 2.0, 2.0]))
    assert (audit["n"], audit["share"], audit["ties"]) == (4, 0.75, 0)
    assert (audit["low"], audit["high"]) == wilson(3, 4)
    assert audit["p"] == pytest.approx(5 / 16)


def test_a_model_that_ignores_its_input_ties_everywhere_and_proves_nothing():
    audit = share_better(np.ones(20), np.ones(20))
    assert (audit["share"], audit["ties"], audit["p"]) == (0.0, 20, None)


def test_a_group_counts_once_however_many_samples_it_has():
    true, other = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 1.0]), np.array([2.0, 2.0, 2.0, 2.0, 1.0, 3.0])
    audit = share_better(true, other, ["a", "a", "a", "a", "b", "c"])
    assert (audit["n"], audit["share"]) == (3, pytest.approx(2 / 3))
    assert audit["p"] == pytest.approx(binomtest(2, 3, alternative="greater").pvalue)


@pytest.mark.parametrize(("true", "other", "message"), [([1.0], [1.0, 2.0], "one number per sample"), ([1.0, np.nan], [1.0, 2.0], "1 of 2 samples")])
def test_likelihoods_of_different_samples_or_not_finite_are_refused(true, other, message):
    with pytest.raises(ValueError, match=message):
        share_better(np.array(true), np.array(other))
