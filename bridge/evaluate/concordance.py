"""Are labels in the right order of a score? Concordance and balanced accuracy, pooled and within groups, with intervals over groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float, Int

from bridge.evaluate.retrieval import CONFIDENCE

#: Value, and the ends of its interval; None where undefined.
Estimate = tuple[float | None, float | None, float | None]


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """What a score got right and what there was to get right, by pairs of groups or by group.

    A group drawn twice in a bootstrap counts twice, and a pair of groups as often as the product of both, so a
    resample costs two small products instead of all samples again.

    Args:
        right: Right, ``[groups, groups]`` of pairs of samples or ``[parts, groups]`` of samples.
        all: All, of the same shape.
    """

    right: Float[np.ndarray, "rows groups"]
    all: Float[np.ndarray, "rows groups"]


def concordance(
    score: Float[np.ndarray, " samples"],
    label: Float[np.ndarray, " samples"],
    groups: Sequence[Hashable] | np.ndarray,
    blocks: Sequence[Hashable] | np.ndarray | None = None,
) -> Counts:
    """Pairs of samples with different labels that the score puts in the order of their labels; a tie of the score is half right.

    Over all pairs the share is Harrell's concordance index, and for two classes the area under the ROC curve.
    Source: Harrell et al., JAMA 1982; Hanley and McNeil, Radiology 1982.

    Args:
        score: Higher where the label should be.
        label: Numbers; a class is 1 and the other 0.
        groups: Group of each sample.
        blocks: Only pairs of one block count. Scores of a cross-validation are of one model inside a fold alone: between
            folds, a model that says nothing but the training mean is below chance.
    """
    codes = _codes(groups, len(label))
    counted = label[:, None] > label[None, :]
    if blocks is not None:
        counted &= np.asarray(blocks)[:, None] == np.asarray(blocks)[None, :]
    right = np.where(score[:, None] > score[None, :], 1.0, np.where(score[:, None] == score[None, :], 0.5, 0.0)) * counted
    return Counts(*(_by_groups(each, codes) for each in (right, counted.astype(float))))


def hits(right: Sequence[bool] | np.ndarray, parts: Sequence[Hashable] | np.ndarray, groups: Sequence[Hashable] | np.ndarray) -> Counts:
    """Right samples of each part (a class: the mean over parts is then the balanced accuracy) and group."""
    codes, classes = _codes(groups, len(right)), np.unique(np.asarray(parts), return_inverse=True)[1]
    counts = np.zeros((2, classes.max(initial=0) + 1, codes.max(initial=0) + 1))
    np.add.at(counts[0], (classes, codes), np.asarray(right, dtype=float))
    np.add.at(counts[1], (classes, codes), 1.0)
    return Counts(*counts)


def pooled(counts: Counts, *, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Share of all pairs, within groups and between them, with its 95 % bootstrap interval over groups."""
    return _estimate(counts, _pooled_share, resamples, seed)


def within(counts: Counts, *, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Share of the pairs whose two samples are of one group: what a score tells beyond telling groups apart."""
    return _estimate(counts, _within_share, resamples, seed)


def balanced(counts: Counts, *, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Mean over parts of the share of right samples; undefined where a part has no sample."""
    return _estimate(counts, _balanced_share, resamples, seed)


def paired(one: Counts, other: Counts, *, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Difference of the pooled shares of two scores of the same samples, judged on the same drawn groups."""
    if not np.array_equal(one.all, other.all):
        raise ValueError("paired concordance: the two scores are not of the same samples; score both on the same ones")
    difference = Counts(one.right - other.right, one.all)
    return _estimate(difference, _pooled_share, resamples, seed)


def _pooled_share(counts: Counts, drawn: Int[np.ndarray, "draws groups"]) -> np.ndarray:
    right, total = (((drawn @ part) * drawn).sum(axis=1) for part in (counts.right, counts.all))
    return _share(right, total)


def _within_share(counts: Counts, drawn: Int[np.ndarray, "draws groups"]) -> np.ndarray:
    return _share(*(drawn @ np.diagonal(part) for part in (counts.right, counts.all)))


def _balanced_share(counts: Counts, drawn: Int[np.ndarray, "draws groups"]) -> np.ndarray:
    return _share(drawn @ counts.right.T, drawn @ counts.all.T).mean(axis=1)


def _estimate(counts: Counts, share, resamples: int, seed: int) -> Estimate:
    groups = counts.all.shape[1]
    value = share(counts, np.ones((1, groups), dtype=int))[0]
    if not np.isfinite(value):
        return None, None, None
    if groups < 2 or resamples < 1:
        return float(value), None, None
    draws = share(counts, np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(draws[np.isfinite(draws)], [tail, 100 - tail])
    return float(value), float(low), float(high)


def _share(right: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.divide(right, total, out=np.full(np.shape(total), np.nan), where=total > 0)


def _by_groups(pairs: Float[np.ndarray, "samples samples"], codes: Int[np.ndarray, " samples"]) -> Float[np.ndarray, "groups groups"]:
    """Sums over the samples of each pair of groups."""
    member = np.eye(codes.max(initial=-1) + 1)[codes]
    return member.T @ pairs @ member


def _codes(groups: Sequence[Hashable] | np.ndarray, samples: int) -> Int[np.ndarray, " samples"]:
    if len(groups) != samples:
        raise ValueError(f"concordance, field groups: found {len(groups)} groups for {samples} samples; give one group per sample")
    return np.unique(np.asarray(groups), return_inverse=True)[1]
