"""Is an input unlike those of training? How well distances on projector input tell made-up inputs from held-out real ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from sklearn.model_selection import GroupKFold

from bridge.evaluate.bootstrap import interval_of
from bridge.evaluate.detectors import NOTHING, Detector, Mahalanobis, Neighbours, Norm, Presence
from bridge.evaluate.discrimination import auroc
from bridge.evaluate.outlier_sets import Inputs
from bridge.evaluate.retrieval import bootstrap_interval

QUANTILE, FOLDS = 0.95, 5


@dataclasses.dataclass(frozen=True, eq=False)
class Apart(Detector):
    """The strangest modality of a sample, each modality by a detector of its own.

    Side by side, a modality of many features would hide what is wrong with one of few. Log scores are put on one scale
    by their mean and spread over training samples, each scored by a detector fitted without it.
    """

    kind: ClassVar[type[Detector]]
    parts: dict[str, Detector]
    usual: dict[str, tuple[float, float]]

    @classmethod
    def fit(cls, train: Inputs) -> Apart:
        """One detector per modality that training has."""
        alone = {modality: {modality: values} for modality, values in train.items() if np.isfinite(values).any()}
        if not alone:
            raise ValueError(NOTHING)
        usual = {modality: _mean_and_spread(_log(held_out_scores(cls.kind, values))) for modality, values in alone.items()}
        return cls({modality: cls.kind.fit(values) for modality, values in alone.items()}, usual)

    def scores(self, values: Inputs) -> Float[np.ndarray, " samples"]:
        """How many training spreads the strangest modality present lies above its mean."""
        each = [(_log(part.scores({name: values[name]})) - self.usual[name][0]) / self.usual[name][1] for name, part in self.parts.items()]
        return np.fmax.reduce(each)


class MahalanobisApart(Apart):
    """:class:`bridge.evaluate.detectors.Mahalanobis` on each modality."""

    name = "mahalanobis"
    kind = Mahalanobis


class NeighboursApart(Apart):
    """:class:`bridge.evaluate.detectors.Neighbours` on each modality."""

    name = "knn"
    kind = Neighbours


DETECTORS: tuple[type[Detector], ...] = (MahalanobisApart, NeighboursApart, Norm, Presence)


def held_out_scores(kind: type[Detector], train: Inputs, groups: Sequence | np.ndarray | None = None) -> Float[np.ndarray, " samples"]:
    """Every training sample scored by a detector fitted without its fold (five folds, groups whole); NaN where no fold can be made.

    On its own rows a detector finds everything usual.
    """
    count = _count(train)
    groups = np.arange(count) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    folds, scores = min(FOLDS, len(np.unique(groups))), np.full(count, np.nan)
    for fit, held in GroupKFold(folds).split(np.empty((count, 1)), groups=groups) if folds > 1 else ():
        rest = _rows(train, fit)
        if any(np.isfinite(values).any() for values in rest.values()):
            scores[held] = kind.fit(rest).scores(_rows(train, held))
    return scores


def threshold(kind: type[Detector], train: Inputs, groups: Sequence | np.ndarray | None = None, quantile: float = QUANTILE) -> float | None:
    """The score that this share of training samples stays below (:func:`held_out_scores`), None where no sample can be scored."""
    scores = held_out_scores(kind, train, groups)
    scores = scores[~np.isnan(scores)]
    return float(np.quantile(scores, quantile)) if len(scores) else None


def ood_scores(train: Inputs, test: Inputs, outliers: Mapping[str, Inputs]) -> dict[str, dict[str, Float[np.ndarray, " _"]]]:
    """Detector to scores of the test samples (``test``) and of every out-of-distribution set by its name."""
    fitted = [kind.fit(train) for kind in DETECTORS]
    return {each.name: {"test": each.scores(test)} | {name: each.scores(values) for name, values in outliers.items()} for each in fitted}


def ood_table(
    train: Inputs,
    test: Inputs,
    outliers: Mapping[str, Inputs],
    *,
    groups: Sequence | np.ndarray | None = None,
    train_groups: Sequence | np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict]:
    """How well each detector tells each set from test samples, as the arguments of a benchmark record's ``row``.

    Metrics: ``auroc`` (direction: the set), ``detected`` (share of the set above the training threshold) and
    ``false_alarms`` (share of the test samples above it, direction ``test``; 0.05 is asked). Methods: the detectors.
    None where undefined: nothing that can be scored on one side. Samples without a score are left out of ``n``.

    Args:
        train: Inputs of the training split.
        test: Inputs of the samples that count as usual.
        outliers: Name to inputs. A set with as many rows as ``test`` is taken as made from it row by row: both are drawn together.
        groups: Group of each test sample, for the intervals.
        train_groups: Group of each training sample, for the folds of the threshold.
        resamples: Bootstrap resamples.
        seed: Seed of the bootstrap.
    """
    groups = np.arange(_count(test)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    scores = ood_scores(train, test, outliers)
    rows = []
    for kind in DETECTORS:
        limit, usual = threshold(kind, train, train_groups), scores[kind.name]["test"]
        rows.append({"direction": "test", "metric": "false_alarms", "method": kind.name} | _share_above(usual, limit, groups, resamples, seed))
        for name in outliers:
            strange = scores[kind.name][name]
            theirs = groups if len(strange) == len(usual) else groups.max(initial=0) + 1 + np.arange(len(strange))
            common = {"direction": name, "method": kind.name}
            rows.append(common | {"metric": "auroc"} | _separation(strange, theirs, usual, groups, resamples, seed))
            rows.append(common | {"metric": "detected"} | _share_above(strange, limit, theirs, resamples, seed))
    return rows


def _separation(strange: np.ndarray, theirs: np.ndarray, usual: np.ndarray, groups: np.ndarray, resamples: int, seed: int) -> dict:
    scores, codes = np.concatenate([strange, usual]), np.concatenate([theirs, groups])
    is_strange = np.arange(len(scores)) < len(strange)
    known = ~np.isnan(scores)
    scores, codes, is_strange = scores[known], codes[known], is_strange[known]

    def area(rows: np.ndarray) -> float | None:
        drawn = is_strange[rows]
        return auroc(scores[rows][drawn], scores[rows][~drawn])

    low, high = interval_of(area, codes, resamples=resamples, seed=seed)
    return {"value": area(np.arange(len(scores))), "low": low, "high": high, "n": len(scores)}


def _share_above(scores: np.ndarray, limit: float | None, groups: np.ndarray, resamples: int, seed: int) -> dict:
    known = ~np.isnan(scores) if limit is not None else np.zeros(len(scores), dtype=bool)
    above = (scores[known] > (limit or 0.0)).astype(float)
    low, high = bootstrap_interval(above, groups[known], resamples=resamples, seed=seed)
    return {"value": float(above.mean()) if len(above) else None, "low": low, "high": high, "n": len(above)}


def _mean_and_spread(scores: Float[np.ndarray, " samples"]) -> tuple[float, float]:
    known = scores[~np.isnan(scores)]
    return (float(known.mean()), float(known.std()) or 1.0) if len(known) > 1 else (float("nan"), 1.0)


def _log(scores: Float[np.ndarray, " samples"]) -> Float[np.ndarray, " samples"]:
    return np.log(np.maximum(scores, np.finfo(float).tiny))


def _rows(inputs: Inputs, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {modality: values[rows] for modality, values in inputs.items()}


def _count(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())))
