"""Grounded gain is the formula, its interval is that of a paired bootstrap, and where nothing can be gained it is undefined."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from bridge.evaluate.gain import grounded_gain, nll_shares

RANDOM = np.random.default_rng(0)
TRUE, BLIND = RANDOM.uniform(0.4, 1, 60), RANDOM.uniform(0, 0.8, 60)
UNDEFINED = {"gain": None, "low": None, "high": None}


def gain_of(true, blind, axis=-1):
    return (true.mean(axis) - blind.mean(axis)) / (1 - blind.mean(axis))


def test_the_gain_is_the_share_of_what_the_twin_gets_wrong_that_is_put_right():
    assert grounded_gain(np.array([1.0, 0.5, 1.0, 0.5]), np.array([0.5, 0.5, 0.5, 0.5]))["gain"] == pytest.approx(0.5)
    assert grounded_gain(np.array([0.0, 0.5]), np.array([0.5, 0.5]))["gain"] == pytest.approx(-0.5)
    found = grounded_gain(TRUE, BLIND)
    assert found["gain"] == pytest.approx(gain_of(TRUE, BLIND))
    assert (found["n"], found["left_out"]) == (60, 0)
    assert (found["p_true"], found["p_blind"]) == pytest.approx((TRUE.mean(), BLIND.mean()))


def test_the_interval_is_that_of_a_paired_bootstrap():
    found = grounded_gain(TRUE, BLIND, resamples=4000)
    other = bootstrap((TRUE, BLIND), gain_of, paired=True, vectorized=True, method="percentile", n_resamples=4000, rng=np.random.default_rng(1))
    assert (found["low"], found["high"]) == pytest.approx(tuple(other.confidence_interval), abs=0.01)
    assert found["low"] < found["gain"] < found["high"]


def test_what_is_hard_for_both_does_not_widen_the_interval():
    hard = RANDOM.uniform(0, 0.6, 60)
    paired = grounded_gain(hard + 0.3, hard)
    apart = grounded_gain(hard + 0.3, RANDOM.permutation(hard))
    assert paired["high"] - paired["low"] < 0.6 * (apart["high"] - apart["low"])


def test_whole_groups_are_drawn():
    groups = np.repeat(np.arange(6), 10)
    within = np.repeat(RANDOM.uniform(0.5, 1, 6), 10)
    few, many = grounded_gain(within, BLIND, groups), grounded_gain(within, BLIND)
    assert few["gain"] == many["gain"]
    assert few["high"] - few["low"] > 1.3 * (many["high"] - many["low"])
    assert grounded_gain(within, BLIND, np.zeros(60))["low"] is None


def test_a_twin_equal_to_the_model_gains_nothing_and_a_perfect_model_everything():
    same = grounded_gain(BLIND, BLIND)
    assert (same["gain"], same["low"], same["high"]) == (0, 0, 0)
    perfect = grounded_gain(np.ones(60), BLIND)
    assert (perfect["gain"], perfect["low"], perfect["high"]) == pytest.approx((1, 1, 1))


def test_a_sample_that_either_leaves_undefined_is_left_out_and_counted():
    true, blind = TRUE.copy(), BLIND.copy()
    true[:3], blind[2:5] = np.nan, np.nan
    found = grounded_gain(true, blind)
    assert (found["n"], found["left_out"]) == (55, 5)
    assert found["gain"] == pytest.approx(gain_of(TRUE[5:], BLIND[5:]))


@pytest.mark.parametrize(
    ("true", "blind"),
    [(np.array([]), np.array([])), (np.array([0.5]), np.array([0.2])), (np.full(4, np.nan), np.full(4, 0.5)), (np.full(4, 0.5), np.ones(4))],
    ids=["no sample", "one sample", "all missing", "a twin that is always right"],
)
def test_without_two_samples_or_anything_to_gain_it_is_undefined(true, blind):
    assert UNDEFINED.items() <= grounded_gain(true, blind).items()


def test_a_twin_that_is_nearly_always_right_has_a_gain_and_no_interval():
    blind = np.array([1.0] * 9 + [0.0])
    found = grounded_gain(np.ones(10), blind)
    assert found["gain"] == pytest.approx(1.0)
    assert (found["low"], found["high"]) == (None, None)  # a third of the resamples hold only ones


@pytest.mark.parametrize(
    ("true", "blind", "groups", "message"),
    [
        (TRUE, BLIND[:5], None, "score both models on the same samples"),
        (TRUE, BLIND, [0, 1], "2 groups"),
        (TRUE + 1, BLIND, None, "field true: found a precision outside 0..1"),
        (TRUE, -BLIND, None, "field blind: found a precision outside 0..1"),
    ],
)
def test_scores_of_other_samples_and_impossible_ones_are_refused(true, blind, groups, message):
    with pytest.raises(ValueError, match=message):
        grounded_gain(true, blind, groups)


def test_likelihood_shares_count_the_samples_that_prefer_their_own_prefix():
    truth = RANDOM.uniform(1, 2, 20)
    better = np.array([1] * 15 + [-1] * 5)
    shares = nll_shares(truth, {"shuffled": truth + 0.1 * better, "zeroed": truth})
    assert shares["shuffled"]["share"] == 0.75
    assert shares["shuffled"]["low"] < 0.75 < shares["shuffled"]["high"]
    assert shares["shuffled"]["nll_control"] - shares["shuffled"]["nll_true"] == pytest.approx(0.05)
    assert (shares["zeroed"]["share"], shares["zeroed"]["ties"]) == (0, 20)
