"""The matrix of logits of a contrastive loss, one tile at a time: what is kept grows with the batch, not with its square."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bridge.train.cards import Shares
from bridge.train.targets import Affinities, Targets


class Layout(NamedTuple):
    """How the matrix is gone through.

    Args:
        side: Rows and columns of a tile.
        kept: Logits that the first pass leaves to the second, in numbers of one side's vectors.
    """

    side: int
    kept: int


#: Products of tiles half as large take 8 % longer. At 4,096 rows of 576 the second pass finds half of the logits, which saves a tenth of the time.
CPU = Layout(1024, 4)
#: One tile is work enough for the whole card, and a product costs it less than the memory to keep it.
GPU = Layout(4096, 0)


class Tile(NamedTuple):
    """A part of the matrix.

    Args:
        rows: Where it is among this card's rows.
        columns: Where it is among all columns.
        logits: May be written to; gone at the next tile.
        affinity: None where it is 0 throughout.
        room: As large as the logits, free to use until the next tile.
    """

    rows: slice
    columns: slice
    logits: Float[Tensor, "rows columns"]
    affinity: Float[Tensor, "rows columns"] | None
    room: Float[Tensor, "rows columns"]


class Similarities:
    """Logits of this card's rows of one side with all cards' rows of the other.

    What is known of a column is put together from all cards, so that no logit is worked out twice, and vectors of one side
    and their gradients are all that travels. Pairs that are neither together nor negatives have the lowest logit there is.

    Args:
        a: Unit vectors of the rows.
        b: Unit vectors; row i belongs to row i of ``a``.
        scale: Multiplies cosines.
        bias: Added to logits.
        groups: Samples of one group are not each other's negatives.
        targets: Which samples belong together; without it each one to itself.
    """

    def __init__(
        self,
        a: Float[Tensor, "batch dim"],
        b: Float[Tensor, "batch dim"],
        scale: Float[Tensor, ""],
        bias: Float[Tensor, ""] | None = None,
        *,
        groups: Int[Tensor, " batch"] | None = None,
        targets: Targets | None = None,
    ):
        dtype = torch.promote_types(a.dtype, torch.float32)  # thousands of terms are too many for sums in half precision
        self.a, self.scale, self.bias = a.to(dtype), scale.to(dtype), None if bias is None else bias.to(dtype)
        self.shares = Shares.of(len(a), a.device)
        self.left, self.right = self.a * self.scale, self.shares.gathered(b.to(dtype))
        self.affinities = Affinities(self.shares, self.a, groups, targets)
        self.lowest = torch.finfo(dtype).min  # finite: times an affinity of 0 it is 0
        self.layout = CPU if a.device.type == "cpu" else GPU
        self.kept: collections.deque[Tensor] = collections.deque()

    def tiles(self, keep: bool = False) -> Iterator[Tile]:
        """Every tile, in the same two buffers.

        Args:
            keep: Another pass will come: leave it the logits of the first tiles, as many as memory linear in the batch holds.
        """
        side, budget = self.layout.side, self.layout.kept * self.left.numel() if keep else 0
        buffers = self.a.new_empty(2, min(side, len(self.a)) * min(side, len(self.right)))
        for rows, columns in self.blocks():
            shape = rows.stop - rows.start, columns.stop - columns.start
            logits, room = (buffer[: shape[0] * shape[1]].view(shape) for buffer in buffers)
            budget -= logits.numel()
            if budget >= 0:
                logits = torch.empty_like(logits)
                self.kept.append(logits)
            logits = self._logits(rows, columns, logits) if keep or not self.kept else self.kept.popleft()
            yield Tile(rows, columns, logits, self.affinities.tile(rows, columns), room)

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Where the tiles are."""
        side = self.layout.side
        for row in range(0, len(self.a), side):
            for column in range(0, len(self.right), side):
                yield slice(row, min(row + side, len(self.a))), slice(column, min(column + side, len(self.right)))

    def _logits(self, rows: slice, columns: slice, out: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
        torch.mm(self.left[rows], self.right[columns].T, out=out)
        if self.bias is not None:
            out += self.bias
        apart = self.affinities.apart(rows, columns)
        return out if apart is None else out.masked_fill_(apart, self.lowest)


class Exponentials:
    """Sums of exp(logit - peak) of each row, or of each column; the peak is the greatest logit so far (Milakov and Gimelshein, arXiv:1805.02867).

    A fixed bound in its place would not do: at a scale of 100 exp(logit - 100) is 0 in float32 for any cosine below -.04.

    Args:
        number: Of rows, or of columns.
        similarities: The matrix.
        over: The dimension that is summed over: 1 for sums of rows.
    """

    def __init__(self, number: int, similarities: Similarities, over: int):
        self.over = over
        self.peak = similarities.left.new_full((number,), similarities.lowest)
        self.total = torch.zeros_like(self.peak)

    def add(self, tile: Tile) -> None:
        """One tile; its logits stay, its room does not."""
        at = self._at(tile)
        peak = torch.maximum(self.peak[at], tile.logits.amax(dim=self.over))
        self.total[at] *= torch.exp(self.peak[at] - peak)
        self.peak[at] = peak
        self.total[at] += self._exponentials(tile, tile.room).sum(dim=self.over)

    def combine(self, shares: Shares) -> None:
        """Put the sums of all cards together."""
        peak = shares.greatest(self.peak)
        self.total = shares.summed(self.total * torch.exp(self.peak - peak))
        self.peak = peak

    def softmax(self, tile: Tile) -> Float[Tensor, "rows columns"]:
        """Shares of the sums, in the tile's room.

        Not by the logarithm of a sum: float32 knows it to 4e-6 near 100, and would know a share that is almost 1 no better.
        """
        return self._exponentials(tile, tile.room).mul_(self._inverse(tile))

    def add_softmax(self, tile: Tile, to: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
        """The same added to other shares, in place; the tile's logits are gone."""
        return to.addcmul_(self._exponentials(tile, tile.logits), self._inverse(tile))

    def _inverse(self, tile: Tile) -> Tensor:
        return self.total[self._at(tile)].reciprocal().unsqueeze(self.over)

    def _exponentials(self, tile: Tile, out: Tensor) -> Tensor:
        return torch.sub(tile.logits, self.peak[self._at(tile)].unsqueeze(self.over), out=out).exp_()

    def _at(self, tile: Tile) -> slice:
        return tile.rows if self.over == 1 else tile.columns


class Gradients:
    """Gradients of a sum over the matrix, from the slope of every logit.

    Args:
        similarities: The matrix.
    """

    def __init__(self, similarities: Similarities):
        self.of = similarities
        self.left, self.right = torch.zeros_like(similarities.left), torch.zeros_like(similarities.right)
        self.bias = similarities.left.new_zeros(())

    def add(self, tile: Tile, slopes: Float[Tensor, "rows columns"]) -> None:
        """One tile, and the slopes of the sum at its logits."""
        self.left[tile.rows].addmm_(slopes, self.of.right[tile.columns])
        self.right[tile.columns].addmm_(slopes.T, self.of.left[tile.rows])
        if self.of.bias is not None:
            self.bias += slopes.sum()

    def divided(self, number: int) -> tuple[Tensor, ...]:
        """Gradients by a, b, scale and bias of the sum over all cards divided by a number.

        Trainers take the mean of what the cards found, each for its own rows: so it is given as many times as there are cards.
        """
        factor = len(self.of.shares.counts) / number
        scale = (self.left * self.of.a).sum() * factor  # a logit is scale x cosine: no pass of its own
        right = self.of.shares.summed(self.right)[self.of.shares.own]
        return self.left.mul_(self.of.scale * factor), right * factor, scale, self.bias * factor
