"""Labels predicted with whole groups (sites) left out: the ladder, and how much of a score only tells groups apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bridge.benchmark.label_correlation import PERMUTATIONS, Correlation, permutation_p
from bridge.benchmark.label_ladder import CCA, PLAIN, RESIDUAL, put_ladder, put_scores
from bridge.benchmark.predictors import Label, predictors, without_group_means
from bridge.benchmark.results import OURS, Record
from bridge.evaluate.canvas import caption, grouped_bars, legend, new_figure, save
from bridge.evaluate.concordance import Counts, Estimate, balanced, concordance, hits, pooled

GROUP_MEAN = "group mean"

Folds = Sequence[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]]

#: (training rows, test rows) to the score of each label for the test rows.
Scorer = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]


def label_benchmark(
    record: Record,
    values: Float[np.ndarray, "samples features"],
    labels: Sequence[Label],
    groups: np.ndarray,
    *,
    group: str = "group",
    folds: int = 5,
    tolerance: float | int = 5.0,
    bridge: Scorer | None = None,
    plain: Scorer | None = None,
    drawn: int = 100,
    permutations: int = PERMUTATIONS,
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
        plain: Scores of the data written as text into a prompt; they take long.
        drawn: So many held-out samples, drawn with the seed, are scored by ``plain``; other rungs are compared with it on these.
        permutations: Orders of the labels drawn for the p of CCA; 0 for none.

    Raises:
        ValueError: fewer than two groups.
    """
    left_out, n = group_folds(groups, folds, record.seed), len(values)
    fold, correlation = fold_of(left_out, n), Correlation(values, labels, groups, left_out)
    p = permutation_p(correlation, fold, permutations=permutations, seed=record.seed)
    jointly = {CCA: correlation.scores()}
    jointly |= {PLAIN: _in_folds(PLAIN, plain, _drawn(left_out, n, drawn, record.seed), labels, n)} if plain else {}
    jointly |= {OURS: _in_folds(OURS, bridge, left_out, labels, n)} if bridge else {}
    for label in labels:
        found = {name: _held_out(predict, values, label, groups, left_out) for name, predict in predictors(label.kind, record.seed).items()}
        found |= {RESIDUAL: residual(values, label, groups, left_out, record.seed)} | {name: scores[label.name] for name, scores in jointly.items()}
        put_ladder(record, f"{label.name}, {group} left out", found, label, groups, fold, tolerance=tolerance, p={CCA: p[label.name]})
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


def fold_of(folds: Folds, samples: int) -> Int[np.ndarray, " samples"]:
    """Number of the fold each sample is held out in."""
    number = np.full(samples, -1)
    for fold, (_, test) in enumerate(folds):
        number[test] = fold
    return number


def _drawn(folds: Folds, samples: int, drawn: int, seed: int) -> Folds:
    """The folds with only the drawn samples of those held out."""
    rows = np.random.default_rng(seed).choice(samples, min(drawn, samples), replace=False)
    return [(train, np.intersect1d(test, rows)) for train, test in folds]


def _in_folds(method: str, scorer: Scorer, folds: Folds, labels: Sequence[Label], samples: int) -> dict[str, np.ndarray]:
    """Held-out scores of each label, NaN where a sample is in no fold."""
    scores = {label.name: np.full(samples, np.nan) for label in labels}
    for number, (train, test) in enumerate(folds, start=1):
        print(f"{method}: fold {number} of {len(folds)}, {len(train)} training samples, {len(test)} held out", flush=True)
        for name, score in scorer(train, test).items() if len(test) else ():
            scores[name][test] = score
    return scores


def _put_random_split(record: Record, values: np.ndarray, label: Label, groups: np.ndarray, group: str, tolerance: float | int) -> None:
    """The confound: what a random split makes of features, and of the group alone."""
    folds = list(KFold(5, shuffle=True, random_state=record.seed).split(groups))
    place = f"{label.name}, random split"
    found = {"ridge": _held_out(predictors(label.kind, record.seed)["ridge"], values, label, groups, folds), GROUP_MEAN: group_mean(label, groups, folds)}
    for method, score in found.items():
        put_scores(record, place, method, score, label, groups, fold_of(folds, len(groups)), tolerance=tolerance)
    share = pooled(concordance(found[GROUP_MEAN], label.values, groups, fold_of(folds, len(groups))), resamples=0)[0]
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
    value, low, high = balanced(counts, seed=record.seed)
    more = {"n": int(counts.all.sum()), "direction": f"{group} from features, random split"}
    record.row("balanced_accuracy", "ridge", value, low=low, high=high, **more)
    record.row("balanced_accuracy", "chance", 1 / known, **more)
    share = balanced(counts, resamples=0)[0]
    record.words("Confound", f"The features tell which of {known} {group}s a sample is from with a balanced accuracy of {share:.1%} (chance {1 / known:.1%}).")


def _draw(record: Record, names: Sequence[str], group: str) -> None:
    """Order of each label by method, pooled and inside groups; chance is a line."""
    panels: dict[str, dict[str, Estimate]] = {}
    for row in (row for row in record.rows if row.method != "chance"):
        if row.direction in {f"{name}, {group} left out" for name in names} and row.metric.startswith(("auroc", "concordance")):
            where = f"inside {group}s" if row.metric.endswith("within_groups") else "pooled"
            panels.setdefault(f"{row.direction.split(',')[0]},\n{where}", {})[row.method] = (row.value, row.low, row.high)
    figure = new_figure(3 + 2.6 * len(panels), 4.8)
    axes = figure.add_subplot()
    grouped_bars(axes, panels, list(dict.fromkeys(method for bars in panels.values() for method in bars)))
    axes.axhline(0.5, color="black", linestyle="--")
    axes.set(
        ylabel="pairs in the order of the label",
        title=caption(f"{group} left out, dashed: chance", seed=record.seed, interval=f"whiskers: 95 % bootstrap over {group}s"),
    )
    legend(figure, axes)
    save(figure, record.figure("Ladder", "labels"))
