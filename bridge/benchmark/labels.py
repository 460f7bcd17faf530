"""Labels predicted with whole groups (sites) left out: the ladder, and how much of a score only tells groups apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bridge.benchmark.predictors import Label, predictors, without_group_means
from bridge.benchmark.results import OURS, Record
from bridge.evaluate.canvas import caption, grouped_bars, legend, new_figure, save
from bridge.evaluate.concordance import Counts, Estimate, balanced, concordance, hits, paired, pooled, within
from bridge.evaluate.retrieval import bootstrap_interval

RESIDUAL, GROUP_MEAN = "ridge (group means taken off)", "group mean"

Folds = Sequence[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]]

#: (training rows, test rows) to the score of each label for the test rows.
Bridge = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]


def label_benchmark(
    record: Record,
    values: Float[np.ndarray, "samples features"],
    labels: Sequence[Label],
    groups: np.ndarray,
    *,
    group: str = "group",
    folds: int = 5,
    tolerance: float | int = 5.0,
    bridge: Bridge | None = None,
) -> None:
    """Put the ladder of every label and the confound of its groups into the record.

    Args:
        record: Of the run.
        values: Features, NaN where missing.
        labels: What is predicted.
        groups: Group of each sample; whole groups are left out, and drawn in the bootstrap.
        group: What a group is called.
        folds: Outer folds.
        tolerance: A number is hit within this, in its own units.
        bridge: Our scores; without it there are only baselines.

    Raises:
        ValueError: fewer than two groups.
    """
    left_out = group_folds(groups, folds, record.seed)
    ours = _in_folds(bridge, left_out, labels, len(values)) if bridge else {}
    for label in labels:
        found = {name: _held_out(predict, values, label, groups, left_out) for name, predict in predictors(label.kind, record.seed).items()}
        found |= {RESIDUAL: residual(values, label, groups, left_out, record.seed)}
        found |= {OURS: ours[label.name]} if ours else {}
        place = f"{label.name}, {group} left out"
        counts = {method: _put(record, place, method, score, label, groups, left_out, tolerance) for method, score in found.items()}
        _put_table(record, place, found, label)
        record.words("Verdict", _verdict(label, counts, record.seed))
        _put_random_split(record, values, label, groups, group, tolerance)
    _put_site(record, values, groups, group)
    _draw(record, [label.name for label in labels], group)


def group_folds(groups: np.ndarray, folds: int, seed: int) -> Folds:
    """Folds of whole groups, drawn with the seed.

    Raises:
        ValueError: fewer than two groups.
    """
    found = len(set(groups.tolist()))
    if found < 2:
        raise ValueError(f"labels, field group: found {found} group, expected at least 2 so that one can be left out; name another column")
    return list(GroupKFold(min(folds, found), shuffle=True, random_state=seed).split(groups, groups=groups))


def residual(values: np.ndarray, label: Label, groups: np.ndarray, folds: Folds, seed: int = 0) -> Float[np.ndarray, " samples"]:
    """Ridge learned inside training groups alone, applied to the features of new groups as they are."""
    ridge = predictors(label.kind, seed)["ridge"]
    score = np.full(len(values), np.nan)
    for train, test in folds:
        score[test] = ridge(without_group_means(values[train], groups[train]), label.values[train], groups[train], values[test])
    return score


def group_mean(label: Label, groups: np.ndarray, folds: Folds) -> Float[np.ndarray, " samples"]:
    """The mean label of the sample's group in training, of all training samples where it has none: no feature is looked at."""
    score = np.full(len(groups), np.nan)
    for train, test in folds:
        means = {name: label.values[train][groups[train] == name].mean() for name in set(groups[train].tolist())}
        score[test] = [means.get(name, label.values[train].mean()) for name in groups[test].tolist()]
    return score


def group_from_features(values: np.ndarray, groups: np.ndarray, seed: int = 0, folds: int = 5) -> tuple[Counts, int] | None:
    """Which samples' group a linear classifier tells in a random split, by group, and how many groups; None where too few have ``folds`` samples."""
    names, sizes = np.unique(groups, return_counts=True)
    rows = np.flatnonzero(np.isin(groups, names[sizes >= folds]))
    if len(set(groups[rows].tolist())) < 2:
        return None
    features = np.where(np.isfinite(values), values, np.nan_to_num(np.nanmean(values, axis=0)))[rows]
    said = groups[rows].copy()
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(features, groups[rows]):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced"))
        said[test] = model.fit(features[train], groups[rows][train]).predict(features[test])
    return hits(said == groups[rows], groups[rows], np.arange(len(rows))), len(set(groups[rows].tolist()))


def _held_out(predict, values: np.ndarray, label: Label, groups: np.ndarray, folds: Folds) -> Float[np.ndarray, " samples"]:
    score = np.full(len(values), np.nan)
    for train, test in folds:
        score[test] = predict(values[train], label.values[train], groups[train], values[test])
    return score


def _fold_of(folds: Folds, samples: int) -> Int[np.ndarray, " samples"]:
    """Number of the fold each sample is held out in."""
    number = np.full(samples, -1)
    for fold, (_, test) in enumerate(folds):
        number[test] = fold
    return number


def _in_folds(bridge: Bridge, folds: Folds, labels: Sequence[Label], samples: int) -> dict[str, np.ndarray]:
    scores = {label.name: np.full(samples, np.nan) for label in labels}
    for number, (train, test) in enumerate(folds, start=1):
        print(f"{OURS}: fold {number} of {len(folds)}, {len(train)} samples to align", flush=True)
        for name, score in bridge(train, test).items():
            scores[name][test] = score
    return scores


def _put(record: Record, place: str, method: str, score: np.ndarray, label: Label, groups: np.ndarray, folds: Folds, tolerance: float | int) -> Counts:
    """Rows of one method; gives the counts its order is judged by."""
    counts, n = concordance(score, label.values, groups, _fold_of(folds, len(score))), len(score)
    order = "auroc" if label.classes else "concordance"
    _row(record, order, method, pooled(counts, seed=record.seed), n, place)
    _row(record, f"{order}_within_groups", method, within(counts, seed=record.seed), n, place)
    if label.classes:
        right = hits((score > 0.5) == (label.values > 0.5), label.values, groups)
        _row(record, "balanced_accuracy", method, balanced(right, seed=record.seed), n, place)
    else:
        near = (np.abs(score - label.values) <= tolerance).astype(float)
        _row(record, f"within_{tolerance:g}", method, (float(near.mean()), *bootstrap_interval(near, groups, seed=record.seed)), n, place)
    return counts


def _row(record: Record, metric: str, method: str, found: Estimate, n: int, place: str) -> None:
    value, low, high = found
    record.row(metric, method, value, n=n, direction=place, low=low, high=high)


def _put_table(record: Record, place: str, found: dict[str, np.ndarray], label: Label) -> None:
    """Errors of a number in its own units, which are no shares."""
    if label.classes is None:
        rows = [(method, f"{np.abs(score - label.values).mean():.2f}", f"{r2_score(label.values, score):.3f}") for method, score in found.items()]
        record.table(f"Errors: {place}", ("method", f"mean absolute error of {label.name}", "R2"), rows)


def _verdict(label: Label, counts: dict[str, Counts], seed: int) -> str:
    """Ours against the best baseline, judged on the same drawn groups."""
    shares = {method: pooled(each, resamples=0)[0] for method, each in counts.items() if method != OURS}
    best = max(shares, key=lambda method: shares[method] or 0.0)
    if OURS not in counts or shares[best] is None:
        return f"{label.name}: only baselines were scored; the best is {best}."
    difference, low, high = paired(counts[OURS], counts[best], seed=seed)
    if low is None:
        return f"{label.name}: bridge justified on this data: undefined; one group gives no interval."
    justified = "yes" if low > 0 else "no"
    clear = "worse" if high < 0 else "not clearly better" if low <= 0 else "better"
    return (
        f"{label.name}: bridge justified on this data: {justified}; {clear} than the best baseline ({best}) by {difference:+.3f} "
        f"({low:+.3f} to {high:+.3f}, paired over groups) of the pairs in order."
    )


def _put_random_split(record: Record, values: np.ndarray, label: Label, groups: np.ndarray, group: str, tolerance: float | int) -> None:
    """The confound: what a random split makes of features, and of the group alone."""
    folds = list(KFold(5, shuffle=True, random_state=record.seed).split(groups))
    place = f"{label.name}, random split"
    _put(record, place, "ridge", _held_out(predictors(label.kind, record.seed)["ridge"], values, label, groups, folds), label, groups, folds, tolerance)
    counts = _put(record, place, GROUP_MEAN, group_mean(label, groups, folds), label, groups, folds, tolerance)
    share = pooled(counts, resamples=0)[0]
    record.words(
        "Confound",
        f"{label.name}: what is known of the {group} alone (its mean in training), without a single feature, puts {share:.1%} of the pairs in order "
        f"in a random split; with the {group} left out it can say nothing (50 %).",
    )


def _put_site(record: Record, values: np.ndarray, groups: np.ndarray, group: str) -> None:
    found = group_from_features(values, groups, record.seed)
    if found is None:
        record.words("Confound", f"Whether features tell the {group} is undefined: fewer than two have five samples.")
        return
    counts, known = found
    n, place = int(counts.all.sum()), f"{group} from features, random split"
    _row(record, "balanced_accuracy", "ridge", balanced(counts, seed=record.seed), n, place)
    _row(record, "balanced_accuracy", "chance", (1 / known, None, None), n, place)
    share = balanced(counts, resamples=0)[0]
    record.words("Confound", f"The features tell which of {known} {group}s a sample is from with a balanced accuracy of {share:.1%} (chance {1 / known:.1%}).")


def _draw(record: Record, names: Sequence[str], group: str) -> None:
    """Order of each label by method, pooled and inside groups."""
    panels: dict[str, dict[str, Estimate]] = {}
    for row in record.rows:
        if row.direction in {f"{name}, {group} left out" for name in names} and row.metric.startswith(("auroc", "concordance")):
            where = f"inside {group}s" if row.metric.endswith("within_groups") else "pooled"
            panels.setdefault(f"{row.direction.split(',')[0]},\n{where}", {})[row.method] = (row.value, row.low, row.high)
    figure = new_figure(3 + 2.6 * len(panels), 4.8)
    axes = figure.add_subplot()
    grouped_bars(axes, panels, list(dict.fromkeys(method for bars in panels.values() for method in bars)))
    axes.axhline(0.5, color="black", linestyle="--")
    axes.set(ylabel="pairs in the order of the label", title=caption(f"{group} left out", seed=record.seed, interval=f"whiskers: 95 % bootstrap over {group}s"))
    legend(figure, axes)
    save(figure, record.figure("Ladder", "labels"))
