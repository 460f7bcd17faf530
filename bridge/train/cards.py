"""How the rows of one batch lie on the cards of a run, and what the cards tell each other about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
import torch.distributed as dist
from jaxtyping import Float, Int, Shaped
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Shares:
    """Rows of a batch on each card; a run without a process group has one card, and sends nothing.

    Every method that sends must be called by all cards together, also by one that has no row.

    Args:
        counts: Rows of each card.
        card: Which of them is this one.
    """

    counts: Sequence[int]
    card: int = 0

    @classmethod
    def of(cls, rows: int, device: torch.device) -> Shares:
        """Ask every card how many rows it has."""
        if cards() == 1:
            return cls([rows])
        counts = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(cards())]
        dist.all_gather(counts, torch.tensor([rows], device=device))
        return cls(torch.cat(counts).tolist(), dist.get_rank())

    @property
    def total(self) -> int:
        """Rows of all cards."""
        return sum(self.counts)

    @property
    def own(self) -> slice:
        """Where this card's rows are among all of them."""
        start = sum(self.counts[: self.card])
        return slice(start, start + self.counts[self.card])

    def gathered(self, rows: Shaped[Tensor, "*own"]) -> Shaped[Tensor, "*total"]:
        """The rows of all cards, card after card. Cards send equal amounts, so that shorter ones are padded on the way."""
        if len(self.counts) == 1:
            return rows
        padded = rows.new_zeros(max(self.counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        received = [torch.empty_like(padded) for _ in self.counts]
        dist.all_gather(received, padded)
        return torch.cat([part[:count] for part, count in zip(received, self.counts, strict=True)])

    def summed(self, values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Sum over cards, in place."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def greatest(self, values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Maximum over cards; the values themselves stay."""
        return self._reduced(values.clone(), dist.ReduceOp.MAX)

    def _reduced(self, values: Tensor, operation: dist.ReduceOp) -> Tensor:
        if len(self.counts) > 1:
            dist.all_reduce(values, operation)
        return values


def cards() -> int:
    """How many cards take part in this run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def over_all_cards(counts: Int[Tensor, " _"]) -> list[int]:
    """Counts of every card added up; all cards must ask together."""
    if cards() > 1:
        dist.all_reduce(counts)
    return counts.tolist()


def differ_over_all_cards(values: Sequence[Int[Tensor, " _"]]) -> list[bool]:
    """Whether each holds two different values, those of all cards taken together; none is below 0, and a card may have none at all."""
    none = torch.iinfo(torch.int64).min // 4
    ends = torch.stack([torch.stack([each.max(), -each.min()]) if len(each) else each.new_full((2,), none, dtype=torch.int64) for each in values])
    if cards() > 1:
        dist.all_reduce(ends, dist.ReduceOp.MAX)
    return (ends.sum(dim=1) > 0).tolist()
