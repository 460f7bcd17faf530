"""Labels by regularised CCA: canonical variates of the features and of all labels together, and what chance alone would reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bridge.benchmark.predictors import Label, inner_folds
from bridge.evaluate.baselines import SHRINKAGES, Axes, canonical_directions, principal_axes
from bridge.evaluate.concordance import concordance

PERMUTATIONS = 200


@dataclasses.dataclass(frozen=True, eq=False)
class _Fit:
    """Features of one division into training and held-out rows; labels may be dealt out again without making them anew."""

    train: Int[np.ndarray, " train"]
    test: Int[np.ndarray, " test"]
    axes: Axes
    held_out: Float[np.ndarray, "test features"]

    @classmethod
    def of(cls, values: np.ndarray, train: np.ndarray, test: np.ndarray) -> _Fit:
        scaler = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()).fit(values[train])
        axes = principal_axes(scaler.transform(values[train]))
        return cls(train, test, axes, scaler.transform(values[test]) - axes.mean)

    def said(self, labels: Float[np.ndarray, "samples labels"], shrinkage: float) -> Float[np.ndarray, "test labels"]:
        """Labels regressed on the canonical variates of the training features, for the held-out ones."""
        own = principal_axes(labels[self.train])
        if not own.variance.size or not self.axes.variance.size:
            return np.tile(own.mean, (len(self.test), 1))  # nothing varies, so nothing is correlated
        to_variates, _, _ = canonical_directions(self.axes, own, shrinkage, labels.shape[1])
        variates = self.axes.scores @ (self.axes.axes.T @ to_variates)
        weights = np.linalg.lstsq(variates, labels[self.train] - own.mean, rcond=None)[0]
        return self.held_out @ (to_variates @ weights) + own.mean


class Correlation:
    """Regularised CCA in folds of whole groups.

    Labels are regressed on the features' variates, both fitted on training rows; the shrinkage is chosen by folds of groups
    inside them. With as many variates as labels, as here, these span what a ridge regression of all labels with one penalty
    predicts, so it differs from the rung ``ridge`` by that one penalty, by its free scale and, for classes, by the loss.

    Args:
        values: Features, NaN where missing (then the training mean).
        labels: Of all samples.
        groups: Group of each sample.
        folds: Training and held-out rows.
    """

    def __init__(
        self, values: Float[np.ndarray, "samples features"], labels: Sequence[Label], groups: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]]
    ):
        self.names, self.groups = [label.name for label in labels], np.asarray(groups)
        self.labels = np.stack([label.values for label in labels], axis=1)
        self.outer = [_Fit.of(values, *fold) for fold in folds]
        self.inner = [[_Fit.of(values, train[fit], train[held]) for fit, held in inner_folds(groups[train]) or []] for train, _ in folds]

    def scores(self, order: Int[np.ndarray, " samples"] | None = None) -> dict[str, Float[np.ndarray, " samples"]]:
        """Name of a label to its held-out score; with ``order``, the labels are dealt out in that order first."""
        labels = self.labels if order is None else self.labels[order]
        found = np.full(labels.shape, np.nan)
        for fit, inner in zip(self.outer, self.inner, strict=True):
            mean, spread = labels[fit.train].mean(axis=0), labels[fit.train].std(axis=0)
            standardised = (labels - mean) / np.where(spread > 0, spread, 1.0)
            found[fit.test] = fit.said(standardised, _shrinkage(inner, standardised)) * spread + mean
        return dict(zip(self.names, found.T, strict=True))

    def pairs_right(self, folds: Int[np.ndarray, " samples"], order: Int[np.ndarray, " samples"] | None = None) -> dict[str, float]:
        """Name of a label to the held-out pairs of one fold that its score puts in order; how many pairs there are does not depend on the order."""
        labels = self.labels if order is None else self.labels[order]
        scores = self.scores(order)
        return {name: float(concordance(scores[name], truth, self.groups, folds).right.sum()) for name, truth in zip(self.names, labels.T, strict=True)}


def permutation_p(correlation: Correlation, folds: Int[np.ndarray, " samples"], *, permutations: int = PERMUTATIONS, seed: int = 0) -> dict[str, float | None]:
    """p of the held-out order of each label: the share of random orders of the labels inside groups that reach as much, the right one counted.

    Everything is fitted again for each of them, the shrinkage too; a random order is of whole samples, all their labels together.
    Source: Phipson and Smyth, SAGMB 2010 (why 1 is added above and below).

    Args:
        correlation: What is tested.
        folds: Number of the fold each sample is held out in; only pairs of one fold are compared.
        permutations: Orders that are drawn.
        seed: Of the draw.

    Returns:
        Name of a label to p; None without permutations, or where no group has two samples.
    """
    if not permutations or len(set(correlation.groups.tolist())) == len(correlation.groups):
        return dict.fromkeys(correlation.names)
    random, as_good = np.random.default_rng(seed), dict.fromkeys(correlation.names, 1)
    reached = correlation.pairs_right(folds)
    for _ in range(permutations):
        found = correlation.pairs_right(folds, dealt_inside(correlation.groups, random))
        as_good = {name: count + (found[name] >= reached[name]) for name, count in as_good.items()}
    return {name: count / (1 + permutations) for name, count in as_good.items()}


def dealt_inside(groups: np.ndarray, random: np.random.Generator) -> Int[np.ndarray, " samples"]:
    """A random order inside each group: it takes away only what features tell beyond the group.

    Source: Winkler et al., NeuroImage 2015 (exchangeability blocks).
    """
    order = np.arange(len(groups))
    for name in np.unique(groups):
        rows = np.flatnonzero(groups == name)
        order[rows] = random.permutation(rows)
    return order


def _shrinkage(inner: Sequence[_Fit], labels: Float[np.ndarray, "samples labels"]) -> float:
    """The candidate with the smallest squared error over folds inside the training rows; the middle one where there are none."""
    errors = [sum(float(((fit.said(labels, shrinkage) - labels[fit.test]) ** 2).sum()) for fit in inner) for shrinkage in SHRINKAGES]
    return SHRINKAGES[int(np.argmin(errors))] if inner else SHRINKAGES[len(SHRINKAGES) // 2]
