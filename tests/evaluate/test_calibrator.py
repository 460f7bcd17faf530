"""Calibrators are those of scikit-learn and of Platt's paper, rise with the confidence, and are refused on too little."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from bridge.evaluate.calibrator import can_fit, fit_calibrator, recalibrated
from bridge.evaluate.judged import judged

GRID = np.linspace(0, 1, 101)


def claims(n=300, seed=0):
    random = np.random.default_rng(seed)
    confidence = random.random(n)
    return judged(confidence, random.random(n) < confidence**2)


def test_isotonic_is_scikit_learns_kept_away_from_certainty():
    some = claims()
    fitted = IsotonicRegression(out_of_bounds="clip").fit(some.confidence, some.correct)
    np.testing.assert_allclose(fit_calibrator(some)(GRID), fitted.predict(GRID).clip(1 / 302, 301 / 302))


def test_platt_minimises_the_likelihood_of_platts_targets():
    some = claims()
    right = some.correct.sum()
    target = np.where(some.correct, (right + 1) / (right + 2), 1 / (len(some) - right + 2))

    def loss(line):
        p = expit(line[0] * logit(some.confidence) + line[1])
        return -np.sum(target * np.log(p) + (1 - target) * np.log(1 - p))

    expected = minimize(loss, (1.0, 0.0), tol=1e-10).x
    found = fit_calibrator(some, "platt")
    assert (found.slope, found.intercept) == pytest.approx(tuple(expected), abs=1e-3)


def test_platt_stays_finite_where_confidence_tells_right_from_wrong_without_error():
    some = judged(np.r_[np.full(30, 0.0), np.full(30, 1.0)], np.arange(60) >= 30)
    found = fit_calibrator(some, "platt")(np.array([0.0, 1.0]))
    assert found == pytest.approx([1 / 32, 31 / 32], abs=1e-3)


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_a_calibrator_rises_and_stays_inside_0_and_1(method):
    found = fit_calibrator(claims(), method)(GRID)
    assert (np.diff(found) >= 0).all()
    assert 0 < found.min() < found.max() < 1
    again = recalibrated(claims(), fit_calibrator(claims(), method))
    assert again.correct.tolist() == claims().correct.tolist()


@pytest.mark.parametrize(("some", "message"), [(claims(49), "found 49 validation claims"), (judged([0.5] * 60, [True] * 60), "60 of them right")])
def test_too_few_claims_or_one_kind_are_refused(some, message):
    assert not can_fit(some)
    with pytest.raises(ValueError, match=message):
        fit_calibrator(some)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="found 'beta', expected isotonic or platt"):
        fit_calibrator(claims(), "beta")
