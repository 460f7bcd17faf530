"""Labels that can be told without the measurements: from what is missing, from files, from the length of texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from bridge.data.cohort import Cohort
from bridge.evaluate.finding import ALPHA, Finding
from bridge.evaluate.predictability import predictability
from bridge.evaluate.shapes import LENGTH, path_columns, shape_columns, shapes

#: A label told with a smaller AUC is noted, not severe.
STRONG_AUC = 0.6
#: A label needs this many samples with it, and as many without.
LEAST_SAMPLES = 10
#: Labels of one column that are tested, the most common; a column of more values is no label.
MOST_LABELS = 20
MOST_SAMPLES = 2000


class Labels(NamedTuple):
    """The labels of one column.

    Args:
        names: What they are called.
        has: Which sample has which.
        known: Samples of which the column tells anything.
    """

    names: list[str]
    has: Bool[np.ndarray, "samples labels"]
    known: Bool[np.ndarray, " samples"]


def told_labels(cohort: Cohort, labels: Sequence[str] = (), *, seed: int = 0) -> Iterator[Finding]:
    """Labels told above chance (permutation p < 0.01), from one sample per group.

    Severe where a fact column or one of ``labels`` is told with an AUC of 0.6 or more by what is missing or by files.

    Args:
        cohort: Any cohort.
        labels: Columns of ``obs`` that are predicted; others with few values are tested too, and noted.
        seed: Of samples, folds and permutations.
    """
    kinds = {kind: features for kind, features in shapes(cohort).items() if features.size and (np.ptp(features, axis=0) > 0).any()}
    apart = one_per_group(cohort.groups, seed)
    for column in _columns(cohort, labels) if kinds else ():
        found = _usable(labels_of(cohort, column), apart)
        for kind, features in kinds.items():
            yield from _told(column, kind, features[apart[found.known]], found, seed, column in labels or column in cohort.facts)


def labels_of(cohort: Cohort, column: str) -> Labels:
    """The items of a fact column, the values of another one; a numeric column of many values is cut at its median."""
    values = cohort.table.obs[column]
    if column not in cohort.facts and pd.api.types.is_numeric_dtype(values) and values.nunique() > MOST_LABELS:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        return Labels([f"{column} above the median"], (numbers > np.nanmedian(numbers))[:, None], np.isfinite(numbers))
    items = cohort.fact(column) if column in cohort.facts else [(text,) if text else () for text in cohort.text(column)]
    counts = pd.Series([item for each in items for item in each], dtype=object).value_counts()
    names = sorted(counts.index, key=lambda name: (-counts[name], name))[:MOST_LABELS]
    has = np.array([[name in each for name in names] for each in items], dtype=bool).reshape(len(items), len(names))
    return Labels(names, has, np.array([bool(each) for each in items], dtype=bool))


def one_per_group(groups: Int[np.ndarray, " samples"], seed: int = 0) -> Int[np.ndarray, " rows"]:
    """A random sample of each group, of at most 2,000 groups: a permutation test needs samples that are independent."""
    order = np.random.default_rng(seed).permutation(len(groups))
    first = np.sort(np.unique(groups[order], return_index=True)[1])
    return np.sort(order[first][:MOST_SAMPLES])


def _columns(cohort: Cohort, labels: Sequence[str]) -> list[str]:
    own = {"split", "group", *cohort.texts, *shape_columns(cohort), *path_columns(cohort)}
    others = [name for name in cohort.table.obs.columns if name not in own and _is_label(cohort.table.obs[name])]
    return list(dict.fromkeys([*cohort.facts, *labels, *others]))


def _is_label(column: pd.Series) -> bool:
    return 2 <= column.nunique() <= MOST_LABELS or pd.api.types.is_float_dtype(column)


def _usable(labels: Labels, rows: Int[np.ndarray, " rows"]) -> Labels:
    """The labels of these rows that enough of the known ones have, and enough have not; ``known`` is then of the rows."""
    known = labels.known[rows]
    has = labels.has[rows[known]]
    count = has.sum(axis=0)
    enough = np.flatnonzero(np.minimum(count, len(has) - count) >= LEAST_SAMPLES)
    return Labels([labels.names[number] for number in enough], has[:, enough], known)


def _told(column: str, kind: str, features: Float[np.ndarray, "samples features"], labels: Labels, seed: int, predicted: bool) -> Iterator[Finding]:
    result = predictability(features, labels.has, seed=seed)
    if result is None or result.p >= ALPHA or result.auc <= 0.5:
        return
    effect = f"AUC {result.auc:.2f}, chance 0.5, p = {result.p:.2g}, n = {result.n}, the best of {len(labels.names)}"
    # A text is what a model writes, not what it is given: its length is no way to the answer, only to the right candidate.
    severe = predicted and kind != LENGTH and result.auc >= STRONG_AUC
    why = "retrieval may match lengths" if kind == LENGTH else "a model can answer without reading a measurement"
    yield Finding(f"label told by {kind}", f"obs[{column!r}]", f"{labels.names[result.target]!r}: {effect}", why, severe)
