"""One row for many samples: what opens the prompt, a sample's soft tokens, then each of its questions with its answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bridge.data.batch import IGNORE, Turn
from bridge.language.attention import ALONE, Segments


@dataclasses.dataclass
class Row:
    """A row of packed samples.

    Args:
        ids: Token ids, 0 where a soft token stands.
        soft: Places of the soft tokens, sample by sample.
        lengths: See :class:`bridge.language.attention.Segments`.
        after: Likewise.
        predicts: Places whose next token belongs to an answer.
        targets: These tokens.
    """

    ids: list[int] = dataclasses.field(default_factory=list)
    soft: list[int] = dataclasses.field(default_factory=list)
    lengths: list[int] = dataclasses.field(default_factory=list)
    after: list[int] = dataclasses.field(default_factory=list)
    predicts: list[int] = dataclasses.field(default_factory=list)
    targets: list[int] = dataclasses.field(default_factory=list)

    @property
    def segments(self) -> Segments:
        """What belongs together."""
        return Segments(tuple(self.lengths), tuple(self.after))

    def put(self, opening: Sequence[int], soft: int, turns: Sequence[Turn], asked: Sequence[int] = ()) -> None:
        """One sample: a single turn stands in one segment with its prefix, several follow a prefix that they share.

        Args:
            opening: Tokens in front of the soft tokens.
            soft: How many soft tokens.
            turns: What follows.
            asked: Tokens after the soft tokens that all turns share.
        """
        start = len(self.ids)
        self.soft += range(start + len(opening), start + len(opening) + soft)
        self.ids += [*opening, *[0] * soft, *asked]
        shared = len(turns) > 1 and len(self.ids) > start
        root = len(self.lengths)
        if shared:
            self._close(start, ALONE)
        for number, turn in enumerate(turns):
            begun = len(self.ids) if shared or number else start
            self._turn(turn)
            self._close(begun, root if shared else ALONE)

    def _turn(self, turn: Turn) -> None:
        """The first token of a turn is never learned: the last soft token would have to predict it, and an absent prefix would receive gradient."""
        learned = [place for place, label in enumerate(turn.labels) if label != IGNORE and place]
        self.predicts += [len(self.ids) + place - 1 for place in learned]
        self.targets += [turn.labels[place] for place in learned]
        self.ids += turn.ids

    def _close(self, start: int, after: int) -> None:
        self.lengths.append(len(self.ids) - start)
        self.after.append(after)


def pack(opening: Sequence[int], soft: Sequence[int], turns: Sequence[Sequence[Turn]]) -> Row:
    """A row of samples.

    Args:
        opening: Tokens that open every prompt.
        soft: Soft tokens of each sample.
        turns: Questions of each sample, with answers or without.
    """
    row = Row()
    for count, asked in zip(soft, turns, strict=True):
        row.put(opening, count, asked)
    return row


def embedded(row: Row, table: nn.Module, soft: Float[Tensor, "soft width"]) -> Float[Tensor, "1 tokens width"]:
    """Token embeddings of a row, with the soft tokens in their places.

    Args:
        row: The row.
        table: The LLM's token embeddings.
        soft: Soft tokens of all its samples in order.
    """
    embeds = table(torch.tensor(row.ids, device=soft.device))
    places = torch.tensor(row.soft, dtype=torch.long, device=soft.device)
    return embeds.index_copy(0, places, soft.to(embeds.dtype)).unsqueeze(0)


def rows_of(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Numbers of the texts of each row, in their order: without padding there is nothing to be gained from another."""
    rows: list[list[int]] = []
    filled = 0
    for number, length in enumerate(lengths):
        if not rows or filled + length > size:
            rows.append([])
            filled = 0
        rows[-1].append(number)
        filled += length
    return rows
