"""Calibration agrees with scikit-learn and torchmetrics, shows over-confidence where there is some, and is undefined without claims."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.classification import BinaryCalibrationError

from bridge.evaluate.calibration import brier, calibration_error, calibration_rows, error_floor, negative_log_likelihood, reliability
from bridge.evaluate.judged import judged


def claims(n=400, seed=0, truth=lambda confidence: confidence, groups=40):
    """Claims that are right with probability ``truth(confidence)``."""
    random = np.random.default_rng(seed)
    confidence = random.random(n)
    return judged(confidence, random.random(n) < truth(confidence), random.integers(0, groups, n))


def boastful(confidence):
    return confidence / 2


def rows_of(*arguments, **options):
    return {(row["metric"], row["method"]): row for row in calibration_rows(*arguments, resamples=50, **options)}


@given(seed=st.integers(0, 10_000), bins=st.sampled_from([1, 5, 15]))
@settings(max_examples=20, deadline=None)
def test_the_error_over_bins_of_equal_width_is_that_of_torchmetrics(seed, bins):
    some = claims(100, seed)
    expected = BinaryCalibrationError(n_bins=bins, norm="l1")(torch.from_numpy(some.confidence), torch.from_numpy(some.correct).int())
    assert calibration_error(some, bins, "width") == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(("equal", "strategy"), [("width", "uniform"), ("mass", "quantile")])
@pytest.mark.parametrize("levels", [0, 7])
def test_the_bins_are_those_of_scikit_learn_with_and_without_ties(equal, strategy, levels):
    some = claims(101)
    some = judged(np.round(some.confidence * levels) / levels, some.correct) if levels else some
    true, predicted = calibration_curve(some.correct, some.confidence, n_bins=10, strategy=strategy)
    found = reliability(some, 10, equal)
    np.testing.assert_allclose([each.accuracy for each in found], true)
    np.testing.assert_allclose([each.confidence for each in found], predicted)
    assert sum(each.n for each in found) == 101
    assert all(each.low - 1e-12 <= each.confidence <= each.high + 1e-12 for each in found)


def test_brier_score_and_likelihood_are_those_of_scikit_learn():
    some = claims()
    assert brier(some) == pytest.approx(brier_score_loss(some.correct, some.confidence))
    assert negative_log_likelihood(some) == pytest.approx(log_loss(some.correct, some.confidence))


def test_a_certain_claim_that_is_wrong_has_a_finite_likelihood():
    assert negative_log_likelihood(judged([1.0, 0.0], [False, True])) == pytest.approx(-np.log(1e-6))


def test_an_honest_model_is_at_its_floor_and_a_boastful_one_far_above():
    honest, boast = claims(2000), claims(2000, truth=boastful)
    assert calibration_error(honest) < 1.5 * error_floor(honest)
    assert calibration_error(boast) == pytest.approx(0.25, abs=0.03)
    assert error_floor(boast) < 0.05


def test_calibration_on_validation_mends_a_boastful_model_and_keeps_its_order():
    rows = rows_of(claims(1000, 1, boastful), claims(1000, 2, boastful))
    assert rows["ece", "bridge"]["value"] > 0.2
    assert rows["ece", "bridge (calibrated)"]["value"] < 0.08
    assert rows["brier", "bridge (calibrated)"]["value"] < rows["brier", "constant"]["value"] < rows["brier", "bridge"]["value"]
    assert rows["likelihood", "bridge (calibrated)"]["value"] > rows["likelihood", "bridge"]["value"]
    assert rows["auroc", "bridge (calibrated)"]["value"] == pytest.approx(rows["auroc", "bridge"]["value"], abs=0.02)
    assert rows["auroc", "constant"]["value"] == 0.5
    assert rows["aurc", "perfect order"]["value"] < rows["aurc", "bridge"]["value"] < rows["aurc", "constant"]["value"]


def test_abstention_lowers_the_risk_to_about_what_was_asked():
    rows = rows_of(claims(2000, 1), claims(2000, 2), risk=0.1)
    assert rows["risk", "bridge"]["value"] == pytest.approx(0.1, abs=0.06)
    assert rows["risk", "no abstention"]["value"] == pytest.approx(0.5, abs=0.04)
    assert 0.1 < rows["coverage", "bridge"]["value"] < 0.4
    assert rows["risk", "bridge"]["low"] < rows["risk", "bridge"]["value"] < rows["risk", "bridge"]["high"]


def test_nothing_that_is_reported_was_fitted_on_the_test_claims():
    """With the test truths turned round, confidences, threshold and constant stay what validation made them."""
    validation, test = claims(500, 1), claims(500, 2)
    turned = judged(test.confidence, ~test.correct, test.groups)
    first, second = rows_of(validation, test), rows_of(validation, turned)
    assert first["coverage", "bridge"]["value"] == second["coverage", "bridge"]["value"]
    assert first["auroc", "bridge (calibrated)"]["value"] == pytest.approx(1 - second["auroc", "bridge (calibrated)"]["value"])
    constant = validation.correct.mean()
    assert second["ece", "constant"]["value"] == pytest.approx(abs(constant - turned.correct.mean()))


def test_every_row_fits_a_benchmark_record(tmp_path):
    results = pytest.importorskip("bridge.benchmark.results")
    record = results.Record("reports", tmp_path)
    for row in calibration_rows(claims(100, 1), claims(100, 2), direction="brain", method="bridge", resamples=20):
        record.row(**row)
    assert {row.direction for row in record.rows} == {"brain"}
    assert len({(row.metric, row.method) for row in record.rows}) == len(record.rows) > 20


def test_without_claims_every_figure_is_undefined():
    empty = judged([], [])
    assert reliability(empty) == []
    assert {calibration_error(empty), error_floor(empty), brier(empty), negative_log_likelihood(empty)} == {None}
    rows = calibration_rows(empty, empty)
    assert {row[key] for row in rows for key in ("value", "low", "high")} == {None}


def test_with_all_claims_right_the_area_is_undefined_and_the_error_is_not():
    right = judged(np.linspace(0.5, 0.9, 60), np.ones(60, dtype=bool))
    rows = rows_of(right, right)
    assert rows["auroc", "bridge"]["value"] is rows["auroc", "bridge"]["low"] is None
    assert rows["ece", "bridge"]["value"] == pytest.approx(0.3)
    assert ("ece", "bridge (calibrated)") not in rows


def test_claims_without_a_confidence_are_left_out():
    some = judged([0.5, None, np.nan, 1], [True, False, True, False], ["a", "a", "b", "b"])
    assert some.confidence.tolist() == [0.5, 1.0]
    assert some.groups.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("confidence", "correct", "message"),
    [([0.5], [True, False], "found 1 confidences, 2 verdicts"), ([1.5], [True], "up to 1.5"), ([0.5], [None], "neither true nor false")],
)
def test_what_cannot_be_judged_is_refused(confidence, correct, message):
    with pytest.raises(ValueError, match=message):
        judged(confidence, correct)
