"""Detectors of inputs unlike those of training, each fitted on training rows alone; a higher score is stranger."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics.pairwise import nan_euclidean_distances

from bridge.evaluate.outlier_sets import Inputs

#: Least share of the mean variance that a direction has: no direction is known to be exactly constant.
LEAST_VARIANCE = 1e-6
NOTHING = "outliers: found no value in the training rows, expected at least one row with values"


class Detector(ABC):
    """Fitted on training inputs; scores others. A sample without any value has the score NaN."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, train: Inputs) -> Detector:
        """From training rows alone.

        Raises:
            ValueError: no training row has a value.
        """

    @abstractmethod
    def scores(self, values: Inputs) -> Float[np.ndarray, " samples"]:
        """How strange each sample is."""


@dataclasses.dataclass(frozen=True, eq=False)
class Standard:
    """All modalities side by side, each feature less its training mean and in units of its training spread, NaN where missing.

    A feature that no training row has is left out; a constant one keeps its own unit.
    """

    mean: Float[np.ndarray, " features"]
    spread: Float[np.ndarray, " features"]

    @classmethod
    def fit(cls, train: Inputs) -> Standard:
        """Mean and spread of what is present.

        Raises:
            ValueError: no training row has a value.
        """
        rows = np.ma.masked_invalid(_beside(train))
        if not rows.count():
            raise ValueError(NOTHING)
        spread = rows.std(axis=0).filled(np.nan)
        return cls(rows.mean(axis=0).filled(np.nan), np.where(spread > 1e-8, spread, 1.0))

    def __call__(self, inputs: Inputs) -> Float[np.ndarray, "_ _"]:
        rows, known = _beside(inputs), np.isfinite(self.mean)
        return (rows[:, known] - self.mean[known]) / self.spread[known]


@dataclasses.dataclass(frozen=True, eq=False)
class Mahalanobis(Detector):
    """Distance from the training mean under a shrunk covariance of the standardised features.

    The covariance is that of the training rows with missing values at the training mean, shrunk to a multiple of the
    identity. A sample is judged by the features it has: its squared distance under their covariance, times all
    features over those it has, so that a gap alone makes it neither stranger nor more usual.
    Source: Lee et al., NeurIPS 2018 (the distance); Ledoit and Wolf, J Multivariate Analysis 2004 (the shrinkage).
    """

    name: ClassVar[str] = "mahalanobis"
    standard: Standard
    rows: Float[np.ndarray, "train features"]
    shrinkage: float

    @classmethod
    def fit(cls, train: Inputs) -> Mahalanobis:
        """Mean, covariance and shrinkage of the training rows that have any value."""
        standard = Standard.fit(train)
        rows = standard(train)
        rows = np.nan_to_num(rows[np.isfinite(rows).any(axis=1)])
        return cls(standard, rows, ledoit_wolf(rows))

    def scores(self, values: Inputs) -> Float[np.ndarray, " samples"]:
        """Distance of each sample, in standard deviations over all features together."""
        rows = self.standard(values)
        scores = np.full(len(rows), np.nan)
        patterns, which = np.unique(np.isfinite(rows), axis=0, return_inverse=True)
        for number, present in enumerate(patterns):
            chosen = which.ravel() == number
            if present.any():
                scores[chosen] = np.sqrt(self._squared(rows[chosen][:, present], present) * len(present) / present.sum())
        return scores

    def _squared(self, samples: Float[np.ndarray, "samples present"], present: Bool[np.ndarray, " features"]) -> Float[np.ndarray, " samples"]:
        """By the axes of the training rows: a covariance of all features by all features would not fit where they are many."""
        train = self.rows[:, present] / np.sqrt(len(self.rows))
        _, singular, axes = np.linalg.svd(train, full_matrices=False)
        mean_variance = np.square(self.rows).mean() or 1.0
        rest = max(self.shrinkage, LEAST_VARIANCE) * mean_variance
        along = samples @ axes.T
        beyond = np.maximum(np.square(samples).sum(axis=1) - np.square(along).sum(axis=1), 0.0)
        return np.square(along) @ (1 / ((1 - self.shrinkage) * singular**2 + rest)) + beyond / rest


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours(Detector):
    """Distance to the k-th nearest training row, standardised features, root mean square over the features both have.

    Nothing is imputed. Vectors are not scaled to length 1, as Sun et al. scale a network's features: here the length
    itself tells (wrong units). With fewer than k comparable training rows the score is NaN.
    Source: Sun et al., ICML 2022.
    """

    name: ClassVar[str] = "knn"
    k: ClassVar[int] = 10
    standard: Standard
    rows: Float[np.ndarray, "train features"]

    @classmethod
    def fit(cls, train: Inputs) -> Neighbours:
        """Keep the training rows that have any value."""
        standard = Standard.fit(train)
        rows = standard(train)
        return cls(standard, rows[np.isfinite(rows).any(axis=1)])

    def scores(self, values: Inputs) -> Float[np.ndarray, " samples"]:
        """Distance of each sample."""
        samples = self.standard(values)
        if len(self.rows) < self.k or not len(samples):
            return np.full(len(samples), np.nan)
        distances = nan_euclidean_distances(samples, self.rows) / np.sqrt(self.rows.shape[1])
        return np.partition(distances, self.k - 1, axis=1)[:, self.k - 1]


@dataclasses.dataclass(frozen=True, eq=False)
class Norm(Detector):
    """The rule of the gate before every report, as the baseline: how many times larger or smaller than usual an input is.

    Absolute log ratio of the root mean square of a modality to its training median; the largest over modalities.
    """

    name: ClassVar[str] = "norm"
    usual: dict[str, float]

    @classmethod
    def fit(cls, train: Inputs) -> Norm:
        """Median size of each modality that training has."""
        sizes = {modality: _size(values) for modality, values in train.items()}
        usual = {modality: float(np.median(size[np.isfinite(size)])) for modality, size in sizes.items() if np.isfinite(size).any()}
        if not usual:
            raise ValueError(NOTHING)
        return cls(usual)

    def scores(self, values: Inputs) -> Float[np.ndarray, " samples"]:
        """Log ratio of each sample."""
        ratios = [np.abs(_size(values[modality]) - usual) for modality, usual in self.usual.items()]
        return np.fmax.reduce(ratios)


@dataclasses.dataclass(frozen=True, eq=False)
class Presence(Detector):
    """Which modalities are there at all: minus the log of how often training had the same ones, an unseen set counted once.

    Distances cannot tell that a modality is absent; this is what can.
    """

    name: ClassVar[str] = "presence"
    seen: dict[int, int]
    rows: int

    @classmethod
    def fit(cls, train: Inputs) -> Presence:
        """Count the sets of modalities."""
        codes = _present(train)
        return cls({int(code): int(count) for code, count in zip(*np.unique(codes, return_counts=True), strict=True)}, len(codes))

    def scores(self, values: Inputs) -> Float[np.ndarray, " samples"]:
        """Minus log share of each sample's set."""
        counts = np.array([self.seen.get(int(code), 0) for code in _present(values)], dtype=float)
        return -np.log((counts + 1) / (self.rows + 1))


def ledoit_wolf(rows: Float[np.ndarray, "rows features"]) -> float:
    """Shrinkage of the covariance of centred rows; the value of ``sklearn.covariance.ledoit_wolf_shrinkage``, at a cost
    that grows with the features and not with their square. Source: Ledoit and Wolf 2004."""
    n, features = rows.shape
    products = rows @ rows.T
    mean_variance = np.trace(products) / (n * features)
    squared = np.square(products).sum() / n**2
    spread = (np.square(np.diagonal(products)).sum() / n - squared) / (n * features)
    distance = squared / features - mean_variance**2
    return float(min(spread, distance) / distance) if features > 1 and distance > 0 and spread > 0 else 0.0


def _beside(inputs: Inputs) -> Float[np.ndarray, "samples features"]:
    return np.concatenate([np.asarray(values, dtype=float) for values in inputs.values()], axis=1)


def _present(inputs: Inputs) -> np.ndarray:
    """One whole number per sample for the set of modalities it has."""
    return sum((np.isfinite(values).any(axis=1).astype(int) << place for place, values in enumerate(inputs.values())), start=0)


def _size(values: Float[np.ndarray, "samples features"]) -> Float[np.ndarray, " samples"]:
    """Log root mean square of what is present; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    square = np.square(np.where(known, values, 0.0)).sum(axis=1)
    mean = np.divide(square, count, out=np.full(len(values), np.nan), where=count > 0)
    return np.log(np.maximum(mean, np.finfo(float).tiny)) / 2
