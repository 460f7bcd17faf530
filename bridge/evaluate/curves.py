"""Curves of calibration, abstention and outlier detection as PNG files. Every function takes data and a path, and returns the path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from bridge.evaluate.abstention import area_under_risk_coverage, risk_coverage
from bridge.evaluate.calibration import Bins, calibration_error, reliability
from bridge.evaluate.canvas import MARKERS, caption, colour, new_figure, save
from bridge.evaluate.discrimination import auroc, roc
from bridge.evaluate.judged import Judged
from bridge.evaluate.retrieval import bootstrap_interval

LINE = {"color": "#777777", "linestyle": "--", "linewidth": 1.2}


def reliability_diagram(
    methods: Mapping[str, Judged],
    path: str | Path,
    *,
    bins: int = 10,
    equal: Bins = "mass",
    title: str = "Reliability of claims",
    n: int | None = None,
    seed: int | None = None,
) -> Path:
    """Share of right claims over their confidence, one point per bin, with how many claims stand where below.

    Args:
        methods: Name to claims with that method's confidences, for example before and after calibration.
        path: The PNG to write.
        bins: Bins per method.
        equal: ``mass`` or ``width``, see :func:`bridge.evaluate.calibration.reliability`.
        title: What is judged.
        n: Number of samples, where it is known.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: no method has a claim.
    """
    _require_claims(methods, "reliability diagram")
    figure = new_figure(6.4, 7.2)
    above, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    above.plot([0, 1], [0, 1], label="perfect", **LINE)
    for number, (name, claims) in enumerate(methods.items()):
        _draw_bins(above, claims, name, number, bins, equal, seed or 0)
        below.hist(claims.confidence, bins=np.linspace(0, 1, 21), color=colour(number), histtype="step", linewidth=1.6)
    above.set(ylabel="share of claims that is right", xlim=(0, 1), ylim=(0, 1))
    above.set_title(caption(title, n=n, seed=seed, interval="whiskers: 95 % bootstrap over groups"), fontsize=10)
    above.legend(frameon=False, loc="upper left")
    below.set(xlabel="confidence", ylabel="claims")
    return save(figure, path)


def risk_coverage_curve(
    methods: Mapping[str, Judged],
    path: str | Path,
    *,
    risk: float | None = None,
    title: str = "Risk over coverage",
    n: int | None = None,
    seed: int | None = None,
) -> Path:
    """Share of wrong claims among the most confident ones, over how many are kept; the error rate of all is the baseline.

    Args:
        methods: Name to claims with that method's confidences.
        path: The PNG to write.
        risk: Risk that was asked for, drawn as a line.
        title: What is judged.
        n: Number of samples, where it is known.
        seed: Seed of the evaluation.

    Raises:
        ValueError: no method has a claim.
    """
    _require_claims(methods, "risk over coverage")
    figure = new_figure(6.4, 4.8)
    axes = figure.add_subplot()
    for number, (name, claims) in enumerate(methods.items()):
        curve = risk_coverage(claims)
        label = f"{name}, {len(claims)} claims, AURC {_number(area_under_risk_coverage(claims))}"
        axes.plot(curve.coverage, curve.risk, color=colour(number), drawstyle="steps-pre", linewidth=1.6, label=label)
    first = next(claims for claims in methods.values() if len(claims))
    axes.axhline(float((~first.correct).mean()), label="all claims kept", **LINE)
    if risk is not None:
        axes.axhline(risk, color="black", linestyle=":", label=f"risk asked for, {risk:g}")
    axes.set(xlabel="share of claims kept", ylabel="share of these that is wrong", xlim=(0, 1), ylim=(0, None), title=caption(title, n=n, seed=seed))
    axes.legend(frameon=False)
    return save(figure, path)


def roc_curves(
    scores: Mapping[str, tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]],
    path: str | Path,
    *,
    title: str = "Outlier detection",
    n: int | None = None,
    seed: int | None = None,
) -> Path:
    """One ROC curve per name, with its area; a name without scores on one side is called undefined.

    Args:
        scores: Name to (scores of the outliers, scores of usual samples), higher is stranger; NaN is left out.
        path: The PNG to write.
        title: What is told apart.
        n: Number of usual samples, where it is known.
        seed: Seed of the evaluation.
    """
    figure = new_figure(7.6, 5.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], label="chance", **LINE)
    for number, (name, sides) in enumerate(scores.items()):
        strange, usual = (np.asarray(side)[~np.isnan(side)] for side in sides)
        area = auroc(strange, usual)
        curve = ([], []) if area is None else roc(strange, usual)
        axes.plot(*curve, color=colour(number), linewidth=1.6, linestyle=("-", ":")[number // 7 % 2], label=f"{name}, {_number(area)}")
    axes.set(xlabel="usual samples called strange", ylabel="outliers called strange", xlim=(0, 1), ylim=(0, 1.005), title=caption(title, n=n, seed=seed))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5), title="area under the curve")
    return save(figure, path)


def _draw_bins(axes: Axes, claims: Judged, name: str, number: int, bins: int, equal: Bins, seed: int) -> None:
    found = reliability(claims, bins, equal)
    confidence, accuracy = [each.confidence for each in found], [each.accuracy for each in found]
    style = {"color": colour(number), "marker": MARKERS[number % len(MARKERS)], "markersize": 5}
    axes.plot(confidence, accuracy, label=f"{name}, {len(claims)} claims, ECE {_number(calibration_error(claims, bins, equal))}", **style)
    for each in found:
        inside = ((claims.confidence > each.low) | (each is found[0])) & (claims.confidence <= each.high)
        low, high = bootstrap_interval(claims.correct[inside].astype(float), claims.groups[inside], seed=seed)
        if low is not None and high is not None:
            axes.vlines(each.confidence, low, high, color=colour(number), linewidth=1.2)


def _require_claims(methods: Mapping[str, Judged], figure: str) -> None:
    if not any(len(claims) for claims in methods.values()):
        raise ValueError(f"{figure}: found no claim with a confidence, expected at least one; it is undefined")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
