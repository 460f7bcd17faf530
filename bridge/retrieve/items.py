"""The items that the training samples list, as candidates of the shared space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from bridge.retrieve.gallery import Candidates, candidates
from bridge.retrieve.lists import Known

#: Items of a kind that are taken, the most common of the training split.
MOST_ITEMS = 5000

#: Length below which the sum of vectors has no direction: all samples have the item, say.
SHORTEST = 1e-6


class Items(NamedTuple):
    """Candidates, and the share of the training samples that have each."""

    listed: Candidates
    share: Float[np.ndarray, " items"]


def common_items(known: Known, rows: Int[np.ndarray, " training"], vectors: Float[np.ndarray, "training dim"]) -> Items:
    """The most common items, each in the direction in which the samples that have it lie from the mean of all.

    A name alone, read by the text tower, stands nowhere near the samples that have the item: the tower has learned from
    paragraphs (measured on the default data: names at chance, these directions above it).

    Args:
        known: Items of every sample.
        rows: Training samples.
        vectors: Their unit vectors, or those of their texts; NaN where a sample has none.
    """
    has = present(vectors)
    counts = Counter(item for row in rows[has] for item in set(known.items[row]))
    common = sorted(counts, key=lambda item: (-counts[item], item))
    ids = common[:MOST_ITEMS]
    apart = (vectors[has] - vectors[has].mean(axis=0)).astype(np.float32) if has.any() else np.empty((0, 0), np.float32)
    sums = members(known, rows[has], ids).T @ apart
    lengths = np.linalg.norm(sums, axis=1)
    ids = [item for item, length in zip(ids, lengths, strict=True) if length > SHORTEST]
    sums, lengths = sums[lengths > SHORTEST], lengths[lengths > SHORTEST]
    share = (members(known, rows, ids).sum(axis=0) + 0.5) / (len(rows) + 1)  # never 0 or 1
    source = f"{known.source}; {len(ids):,} of {len(common):,} that the training samples list"
    return Items(candidates(known.kind, ids, [known.names.get(item, item) for item in ids], source, sums / lengths[:, None]), share)


def members(known: Known, rows: Int[np.ndarray, " samples"], ids: Sequence[str]) -> csr_array:
    """Which of the items each sample has: 1 or nothing ``[samples, items]``."""
    place = {item: number for number, item in enumerate(ids)}
    own = [sorted({place[item] for item in known.items[row] if item in place}) for row in rows]
    columns, starts = np.array([number for each in own for number in each], dtype=np.int64), np.cumsum([0, *map(len, own)])
    return csr_array((np.ones(len(columns), np.float32), columns, starts), shape=(len(rows), len(ids)))


def present(vectors: Float[np.ndarray, "samples dim"]) -> Bool[np.ndarray, " samples"]:
    """Which samples have a vector."""
    return np.isfinite(vectors).all(axis=1)
