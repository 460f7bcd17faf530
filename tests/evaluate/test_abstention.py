"""Risk over coverage is what counting by hand gives, ties are one step, and the threshold keeps its promise on validation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.evaluate.abstention import abstention_threshold, area_under_risk_coverage, best_area, risk_coverage, selective
from bridge.evaluate.judged import judged


def claims(n=200, seed=0, levels=0):
    random = np.random.default_rng(seed)
    confidence = random.integers(0, levels, n) / levels if levels else random.random(n)
    return judged(confidence, random.random(n) < confidence, random.integers(0, 20, n))


def area_by_hand(some, order):
    wrong = ~some.correct[order]
    return np.mean([wrong[:count].mean() for count in range(1, len(wrong) + 1)])


def test_the_curve_is_what_counting_gives():
    curve = risk_coverage(judged([0.9, 0.8, 0.8, 0.1], [True, False, True, False]))
    assert curve.threshold.tolist() == [0.9, 0.8, 0.1]
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk.tolist() == [0.0, pytest.approx(1 / 3), 0.5]


def test_without_ties_the_area_is_the_mean_risk_over_all_coverages():
    some = claims()
    assert area_under_risk_coverage(some) == pytest.approx(area_by_hand(some, np.argsort(-some.confidence)))


def test_with_ties_it_is_the_mean_over_the_orders_the_ties_allow():
    some, random = claims(30, levels=4), np.random.default_rng(1)
    orders = (np.lexsort((random.random(30), -some.confidence)) for _ in range(4000))
    assert area_under_risk_coverage(some) == pytest.approx(np.mean([area_by_hand(some, order) for order in orders]), abs=0.003)


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([0, 1, 3]))
@settings(max_examples=40, deadline=None)
def test_it_does_not_depend_on_the_order_of_claims_and_never_beats_the_best(seed, levels):
    some = claims(50, seed, levels)
    turned = some.take(np.random.default_rng(seed).permutation(50))
    assert area_under_risk_coverage(turned) == pytest.approx(area_under_risk_coverage(some))
    assert best_area(some) <= area_under_risk_coverage(some) + 1e-12


def test_one_confidence_for_all_gives_the_error_rate():
    some = judged(np.full(40, 0.7), np.arange(40) < 30)
    assert area_under_risk_coverage(some) == pytest.approx(0.25)


@pytest.mark.parametrize("risk", [0.05, 0.1, 0.3])
def test_the_threshold_keeps_the_risk_on_validation_and_as_many_claims_as_it_can(risk):
    some = claims(2000)
    threshold = abstention_threshold(some, risk)
    found = selective(some, threshold)
    assert found["risk"] <= risk
    lower = some.confidence[some.confidence < threshold].max()
    assert selective(some, lower)["risk"] > risk


def test_no_threshold_is_chosen_on_a_handful_of_claims_or_where_none_reaches_the_risk():
    some = claims(200)
    assert abstention_threshold(some, 0.0, fewest=150) is None
    assert abstention_threshold(judged([0.9] * 30, [False] * 30), 0.5) is None
    assert abstention_threshold(judged([], []), 0.5) is None
    everything_withheld = selective(some, None)
    assert (everything_withheld["kept"], everything_withheld["coverage"], everything_withheld["risk"]) == (0, 0.0, None)


def test_coverage_and_risk_have_intervals_over_groups():
    found = selective(claims(500), 0.5)
    assert found["coverage_low"] < found["coverage"] < found["coverage_high"]
    assert found["low"] < found["risk"] < found["high"]
    one = selective(judged([0.1, 0.9], [True, True], ["a", "a"]), 0.5)
    assert (one["coverage"], one["coverage_low"], one["risk"], one["high"]) == (0.5, None, 0.0, None)


def test_without_claims_all_is_undefined():
    empty = judged([], [])
    assert area_under_risk_coverage(empty) is best_area(empty) is None
    assert selective(empty, 0.5) == {"n": 0, "kept": 0} | dict.fromkeys(("coverage", "coverage_low", "coverage_high", "risk", "low", "high"))
