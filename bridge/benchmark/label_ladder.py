"""The ladder of one label: every method's rows, the step from each rung to the next on the samples both scored, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import r2_score

from bridge.benchmark.predictors import Label
from bridge.benchmark.results import OURS, Record
from bridge.evaluate.concordance import Counts, Estimate, balanced, concordance, hits, paired, pooled, within
from bridge.evaluate.retrieval import bootstrap_interval

RESIDUAL, CCA, PLAIN = "ridge (group means taken off)", "cca", "plain text"
#: From the lowest rung up.
RUNGS = "chance", "ridge", RESIDUAL, CCA, "nearest neighbour", "mlp", PLAIN, OURS


def put_ladder(
    record: Record,
    place: str,
    scores: Mapping[str, Float[np.ndarray, " samples"]],
    label: Label,
    groups: np.ndarray,
    folds: Int[np.ndarray, " samples"],
    *,
    tolerance: float | int = 5.0,
    p: Mapping[str, float | None] | None = None,
) -> None:
    """Put the rows of every method, the steps between neighbours and the verdict into the record.

    Args:
        record: Of the run.
        place: What is judged.
        scores: Method to its held-out scores, NaN where it did not score a sample.
        label: Of all samples.
        groups: Group of each sample.
        folds: Number of the fold each sample is held out in; only pairs of one fold are compared.
        tolerance: A number is hit within this, in its own units.
        p: Method to the p of its order, where there is one.
    """
    found = {method: scores[method] for method in RUNGS if method in scores}
    for method, score in found.items():
        put_scores(record, place, method, score, label, groups, folds, tolerance=tolerance, p=(p or {}).get(method))
    _put_errors(record, place, found, label)
    lines = [_step(found, below, method, label, groups, folds, record.seed) for below, method in zip(list(found), list(found)[1:], strict=False)]
    record.table(f"Ladder: {place}", ("step", "n", "difference in the share of pairs in order", "95 % interval, paired over groups"), lines)
    record.words("Verdict", _verdict(found, label, groups, folds, record.seed))


def put_scores(
    record: Record,
    place: str,
    method: str,
    score: Float[np.ndarray, " samples"],
    label: Label,
    groups: np.ndarray,
    folds: Int[np.ndarray, " samples"],
    *,
    tolerance: float | int,
    p: float | None = None,
) -> None:
    """Rows of one method, on the samples that it scored."""
    known = np.isfinite(score)
    score, truth, groups = score[known], label.values[known], groups[known]
    counts, n = concordance(score, truth, groups, folds[known]), int(known.sum())
    order = "auroc" if label.classes else "concordance"
    _row(record, order, method, pooled(counts, seed=record.seed), n, place, p)
    _row(record, f"{order}_within_groups", method, within(counts, seed=record.seed), n, place)
    if label.classes:
        right = hits((score > 0.5) == (truth > 0.5), truth, groups)
        _row(record, "balanced_accuracy", method, balanced(right, seed=record.seed), n, place)
    else:
        near = (np.abs(score - truth) <= tolerance).astype(float)
        _row(record, f"within_{tolerance:g}", method, (float(near.mean()), *bootstrap_interval(near, groups, seed=record.seed)), n, place)


def _row(record: Record, metric: str, method: str, found: Estimate, n: int, place: str, p: float | None = None) -> None:
    value, low, high = found
    record.row(metric, method, value, n=n, direction=place, low=low, high=high, p=p)


def _put_errors(record: Record, place: str, found: Mapping[str, np.ndarray], label: Label) -> None:
    """Errors of a number in its own units, which are no shares."""
    if label.classes is None:
        lines = [(method, *_errors(score, label.values)) for method, score in found.items()]
        record.table(f"Errors: {place}", ("method", "n", f"mean absolute error of {label.name}", "R2"), lines)


def _errors(score: np.ndarray, truth: np.ndarray) -> tuple[str, str, str]:
    known = np.isfinite(score)
    return str(int(known.sum())), f"{np.abs(score - truth)[known].mean():.2f}", f"{r2_score(truth[known], score[known]):.3f}"


def _step(found: Mapping[str, np.ndarray], below: str, method: str, label: Label, groups: np.ndarray, folds: np.ndarray, seed: int) -> tuple[str, ...]:
    one, other, n = _on_the_same(found[method], found[below], label, groups, folds)
    difference, low, high = paired(one, other, seed=seed)
    interval = "undefined" if low is None else f"{low:+.3f} to {high:+.3f}"
    return f"{method} over {below}", str(n), "undefined" if difference is None else f"{difference:+.3f}", interval


def _on_the_same(one: np.ndarray, other: np.ndarray, label: Label, groups: np.ndarray, folds: np.ndarray) -> tuple[Counts, Counts, int]:
    """Both methods' order on the samples that both scored, and how many these are."""
    both = np.isfinite(one) & np.isfinite(other)
    counts = [concordance(score[both], label.values[both], groups[both], folds[both]) for score in (one, other)]
    return counts[0], counts[1], int(both.sum())


def _verdict(found: Mapping[str, np.ndarray], label: Label, groups: np.ndarray, folds: np.ndarray, seed: int) -> str:
    """Ours against the best baseline, judged on the same drawn groups."""
    shares = {method: _share(score, label, groups, folds) for method, score in found.items() if method != OURS}
    best = max(shares, key=lambda method: shares[method] or 0.0)
    if OURS not in found or shares[best] is None:
        return f"{label.name}: only baselines were scored; the best is {best}."
    one, other, n = _on_the_same(found[OURS], found[best], label, groups, folds)
    difference, low, high = paired(one, other, seed=seed)
    if low is None:
        return f"{label.name}: bridge justified on this data: undefined; one group gives no interval."
    justified = "yes" if low > 0 else "no"
    clear = "worse" if high < 0 else "not clearly better" if low <= 0 else "better"
    return (
        f"{label.name}: bridge justified on this data: {justified}; {clear} than the best baseline ({best}) by {difference:+.3f} "
        f"({low:+.3f} to {high:+.3f}, paired over groups, n = {n}) of the pairs in order."
    )


def _share(score: np.ndarray, label: Label, groups: np.ndarray, folds: np.ndarray) -> float | None:
    return pooled(_on_the_same(score, score, label, groups, folds)[0], resamples=0)[0]
