"""Is a claim said with confidence 0.8 right 8 times of 10? Calibration errors with intervals, floors and baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from bridge.evaluate.abstention import abstention_threshold, area_under_risk_coverage, best_area, selective
from bridge.evaluate.bootstrap import interval_of
from bridge.evaluate.calibrator import MARGIN, can_fit, fit_calibrator, recalibrated
from bridge.evaluate.discrimination import auroc
from bridge.evaluate.judged import Judged

Bins = Literal["mass", "width"]


class Bin(NamedTuple):
    """Claims of similar confidence: bounds (the upper one inside), how many, mean confidence, share that is right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(claims: Judged, bins: int = 10, equal: Bins = "mass") -> list[Bin]:
    """Bins of a reliability diagram from the lowest confidence up; empty ones are left out.

    Source: Guo et al., ICML 2017, section 2.

    Args:
        claims: Checked claims.
        bins: How many.
        equal: ``mass``: bounds at quantiles, as many claims in each (equal confidences stay together);
            ``width``: bounds evenly over 0..1.
    """
    if not len(claims):
        return []
    edges = np.linspace(0, 1, bins + 1)
    edges = edges if equal == "width" else np.quantile(claims.confidence, edges)
    place = np.searchsorted(edges[1:-1], claims.confidence)
    counts = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights=values, minlength=bins) for values in (claims.confidence, claims.correct))
    confidence, accuracy = (total / np.maximum(counts, 1) for total in sums)
    return [Bin(*map(float, edges[i : i + 2]), int(counts[i]), float(confidence[i]), float(accuracy[i])) for i in np.flatnonzero(counts)]


def calibration_error(claims: Judged, bins: int = 10, equal: Bins = "mass") -> float | None:
    """Expected calibration error: mean over claims of |share right - confidence| of their bin; None without claims.

    It is above 0 even for a perfect model where claims are few, see :func:`error_floor`. Source: Guo et al., ICML 2017, equation 3.
    """
    if not len(claims):
        return None
    return sum(each.n * abs(each.accuracy - each.confidence) for each in reliability(claims, bins, equal)) / len(claims)


def error_floor(claims: Judged, bins: int = 10, equal: Bins = "mass", *, draws: int = 200, seed: int = 0) -> float | None:
    """Mean calibration error of a perfect model at these confidences: every claim is right with its own probability.

    Source: Bröcker and Smith, Weather and Forecasting 2007 (consistency resampling).
    """
    random = np.random.default_rng(seed)
    truths = (random.random(len(claims)) < claims.confidence for _ in range(draws))
    found = [calibration_error(Judged(claims.confidence, truth, claims.groups), bins, equal) for truth in truths]
    return float(np.mean(found)) if len(claims) else None


def brier(claims: Judged) -> float | None:
    """Mean squared difference of confidence and truth. Source: Brier, Monthly Weather Review 1950, halved to lie in 0..1."""
    return float(np.square(claims.confidence - claims.correct).mean()) if len(claims) else None


def negative_log_likelihood(claims: Judged) -> float | None:
    """Mean over claims of -ln of the probability given to what is true, nats; a confidence of 0 or 1 counts as 1e-6 away from it."""
    confidence = np.clip(_of_truth(claims), MARGIN, 1 - MARGIN)
    return float(-np.log(confidence).mean()) if len(claims) else None


def calibration_rows(
    validation: Judged,
    test: Judged,
    *,
    direction: str = "claims",
    method: str = "bridge",
    calibrator: str = "isotonic",
    risk: float = 0.1,
    bins: int = 10,
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict]:
    """Every figure of calibration and abstention, as the arguments of a benchmark record's ``row``.

    Metrics: ``accuracy``, ``ece`` (bins of equal mass), ``ece_width`` (of equal width), ``brier``, ``likelihood``
    (geometric mean of the probability given to what is true, exp(-NLL)), ``auroc`` (right against wrong claims),
    ``aurc`` (area under risk over coverage, lower is better); at the threshold chosen on validation ``coverage`` and
    ``risk``. Methods: ``method``; ``method (calibrated)``, absent where validation is too small to fit; ``constant``,
    the validation accuracy as the confidence of every claim; ``perfectly calibrated`` (floor of ``ece`` and
    ``ece_width`` at these confidences); ``perfect order`` (floor of ``aurc``); ``no abstention`` (risk of all claims).

    Args:
        validation: Claims of the validation split: the calibrator, the constant and the threshold come from them.
        test: Claims of the split that is scored.
        direction: What is judged, for example the modality.
        method: Whose confidences these are.
        calibrator: As in :func:`bridge.evaluate.calibrator.fit_calibrator`.
        risk: Accepted share of wrong claims for the threshold.
        bins: Bins of the calibration errors.
        resamples: Bootstrap resamples over groups.
        seed: Seed of the bootstrap and of the floors.
    """
    compared = {method: test}
    if can_fit(validation):
        compared[f"{method} (calibrated)"] = recalibrated(test, fit_calibrator(validation, calibrator))
    if len(validation):
        compared["constant"] = Judged(np.full(len(test), validation.correct.mean()), test.correct, test.groups)
    rows = [row for name, claims in compared.items() for row in _score_rows(name, claims, bins, resamples, seed)]
    floors = {name: error_floor(test, bins, equal, seed=seed) for name, equal in (("ece", "mass"), ("ece_width", "width"))}
    rows += [_row(metric, "perfectly calibrated", floor, len(test)) for metric, floor in floors.items()]
    rows += [_row("aurc", "perfect order", best_area(test), len(test))]
    rows += _abstention_rows(validation, test, method, risk, resamples, seed)
    return [{"direction": direction} | row for row in rows]


def _score_rows(method: str, claims: Judged, bins: int, resamples: int, seed: int) -> list[dict]:
    scores: dict[str, Callable[[Judged], float | None]] = {
        "accuracy": lambda some: float(some.correct.mean()) if len(some) else None,
        "ece": lambda some: calibration_error(some, bins),
        "ece_width": lambda some: calibration_error(some, bins, "width"),
        "brier": brier,
        "likelihood": _likelihood,
        "auroc": lambda some: auroc(some.confidence[some.correct], some.confidence[~some.correct]),
        "aurc": area_under_risk_coverage,
    }
    rows = []
    for metric, score in scores.items():
        interval = interval_of(lambda some, score=score: score(claims.take(some)), claims.groups, resamples=resamples, seed=seed)
        rows.append(_row(metric, method, score(claims), len(claims), *interval))
    return rows


def _abstention_rows(validation: Judged, test: Judged, method: str, risk: float, resamples: int, seed: int) -> list[dict]:
    found = selective(test, abstention_threshold(validation, risk), resamples=resamples, seed=seed)
    everything = selective(test, 0.0, resamples=resamples, seed=seed)
    return [
        _row("coverage", method, found["coverage"], found["n"], found["coverage_low"], found["coverage_high"]),
        _row("risk", method, found["risk"], found["kept"], found["low"], found["high"]),
        _row("risk", "no abstention", everything["risk"], everything["n"], everything["low"], everything["high"]),
    ]


def _row(metric: str, method: str, value: float | None, n: int, low: float | None = None, high: float | None = None) -> dict:
    return {"metric": metric, "method": method, "value": value, "n": n, "low": low, "high": high}


def _likelihood(claims: Judged) -> float | None:
    nll = negative_log_likelihood(claims)
    return None if nll is None else float(np.exp(-nll))


def _of_truth(claims: Judged) -> Float[np.ndarray, " claims"]:
    return np.where(claims.correct, claims.confidence, 1 - claims.confidence)
