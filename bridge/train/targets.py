"""Which samples of a batch belong together, which are negatives, and which are neither."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bridge.train.cards import Shares


@dataclasses.dataclass(frozen=True)
class Targets:
    """What belongs together besides row i of one side and row i of the other; exactly one of ``labels`` and ``vectors``.

    The affinity of two samples is 1 where they have the same label and 0 elsewhere; with vectors it is
    exp(sharpness x (cosine - 1)). The sigmoid loss takes it as the target of a pair. InfoNCE divides it by its sum over a row,
    and for the other direction over a column: uniform over the samples of a label, or softmax(sharpness x cosine).

    Args:
        labels: Label of each sample.
        vectors: Unit vectors, one for each sample.
        sharpness: How fast affinity falls with the angle.

    Raises:
        ValueError: both of labels and vectors, or neither.
    """

    labels: Int[Tensor, " batch"] | None = None
    vectors: Float[Tensor, "batch _"] | None = None
    sharpness: float | int = 10.0

    def __post_init__(self):
        if (self.labels is None) == (self.vectors is None):
            raise ValueError(f"targets: found {'neither' if self.labels is None else 'both'} of labels and vectors, expected exactly one of them")


class Affinities:
    """Affinities of this card's samples with those of all cards, for any part of the matrix.

    Args:
        shares: How the samples lie on the cards.
        like: Vectors of this card: affinities have their type, on their device.
        groups: Samples of one group are not each other's negatives: those that do not belong together are left out.
        targets: Without it each sample belongs to itself alone.
    """

    def __init__(self, shares: Shares, like: Float[Tensor, "batch dim"], groups: Int[Tensor, " own"] | None = None, targets: Targets | None = None):
        self.shares, self.like = shares, like
        self.groups = None if groups is None else shares.gathered(groups)
        self.alone = targets is None or targets.labels is None
        self.labels = torch.arange(shares.total, device=like.device) if self.alone else shares.gathered(targets.labels)
        self.vectors, self.sharpness = None, 0.0
        if targets is not None and targets.vectors is not None:
            self.vectors, self.sharpness = shares.gathered(targets.vectors.to(like.dtype)), targets.sharpness

    def tile(self, rows: slice, columns: slice) -> Float[Tensor, "rows columns"] | None:
        """Affinities of some rows with some columns; None where all of them are 0."""
        if self.vectors is not None:
            cosine = self.vectors[self.shares.own][rows] @ self.vectors[columns].T
            affinity, apart = cosine.sub_(1).mul_(self.sharpness).exp_(), self.apart(rows, columns)
            return affinity if apart is None else affinity.masked_fill_(apart, 0.0)
        return self._alone(rows, columns) if self.alone else self._equal(self.labels, rows, columns).to(self.like.dtype)

    def apart(self, rows: slice, columns: slice) -> Bool[Tensor, "rows columns"] | None:
        """Pairs that neither belong together nor are negatives."""
        if self.groups is None:
            return None
        return self._equal(self.groups, rows, columns) & ~self._equal(self.labels, rows, columns)

    def sums(self, blocks: Iterator[tuple[slice, slice]]) -> Float[Tensor, " total"]:
        """Sum of the affinities of each sample; those of rows are those of columns, for affinity is symmetric."""
        if self.alone and self.vectors is None:
            return self.like.new_ones(self.shares.total)
        sums = self.like.new_zeros(self.shares.counts[self.shares.card])
        for rows, columns in blocks:
            sums[rows] += self.tile(rows, columns).sum(dim=1)
        return self.shares.gathered(sums)

    def _alone(self, rows: slice, columns: slice) -> Float[Tensor, "rows columns"] | None:
        """The diagonal of the whole matrix, where it runs through this part."""
        first = self.shares.own.start
        if first + rows.stop <= columns.start or columns.stop <= first + rows.start:
            return None
        part = self.like.new_zeros(rows.stop - rows.start, columns.stop - columns.start)
        part.diagonal(first + rows.start - columns.start).fill_(1)
        return part

    def _equal(self, numbers: Int[Tensor, " total"], rows: slice, columns: slice) -> Bool[Tensor, "rows columns"]:
        return numbers[self.shares.own][rows].unsqueeze(1) == numbers[columns]
