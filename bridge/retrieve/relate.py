"""What is said of sides and of where samples lie: pairs of the validation split, principal components of the training split."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from bridge.project.space import JOINT
from bridge.retrieve.gallery import Pairs, Plane
from bridge.retrieve.items import present

#: Validation samples that are compared with one another, and cosines that are kept of true and of mismatched pairs.
MOST_COMPARED, MOST_KEPT = 2000, 1000


def side_pairs(sides: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of sides that have no modality in common."""
    return [pair for pair in itertools.combinations(sides, 2) if not set(pair[0].split(JOINT)) & set(pair[1].split(JOINT))]


def pairs_of(
    between: tuple[str, str], left: Float[np.ndarray, "samples dim"], right: Float[np.ndarray, "samples dim"], groups: Int[np.ndarray, " samples"]
) -> Pairs:
    """Cosines of two sides: of the same sample, and of samples of different groups."""
    both = evenly(np.flatnonzero(present(left) & present(right)), MOST_COMPARED)
    cosines, groups = left[both] @ right[both].T, groups[both]
    return Pairs(between, _kept(np.diagonal(cosines)), _kept(cosines[groups[:, None] != groups[None, :]]))


def plane_of(side: str, number: int, vectors: Float[np.ndarray, "samples dim"]) -> Plane:
    """The first two principal components; of the two directions of each the one whose largest weight is positive."""
    mean = vectors.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov((vectors - mean).T.astype(float)))
    axes = axes[:, [-1, -2]].T
    axes = axes * np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]
    total = float(variance.sum())
    return Plane(side, number, mean, axes.astype(np.float32), float(np.clip(variance[-2:].sum() / total, 0, 1)) if total > 0 else 0.0)


def own_rank(sides: Float[np.ndarray, "samples dim"], texts: Float[np.ndarray, "samples dim"]) -> float | None:
    """Share of the other texts that lie farther from a sample than its own, ties by half; None below two samples that have both."""
    both = evenly(np.flatnonzero(present(sides) & present(texts)), MOST_COMPARED)
    if len(both) < 2:
        return None
    cosines = sides[both] @ texts[both].T
    own = np.diagonal(cosines)[:, None]
    beaten = (own > cosines).sum(axis=1) + 0.5 * ((own == cosines).sum(axis=1) - 1)
    return float((beaten / (len(both) - 1)).mean())


def evenly(rows: Int[np.ndarray, " _"], most: int) -> Int[np.ndarray, " _"]:
    """At most so many of them, at even distances: samples often stand in an order."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _kept(cosines: Float[np.ndarray, " pairs"]) -> Float[np.ndarray, " kept"]:
    """In rising order; of very many the quantiles."""
    if len(cosines) > MOST_KEPT:
        cosines = np.quantile(cosines, np.linspace(0, 1, MOST_KEPT))
    return np.sort(cosines).astype(np.float32)
