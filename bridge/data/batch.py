"""What travels from the cohort to the model: values per modality, and for stage 2 the tokens of questions and their answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

IGNORE = -100  # the label that cross-entropy leaves out


class Turn(NamedTuple):
    """A question and its answer as token ids; labels are ``IGNORE`` up to the answer."""

    ids: list[int]
    labels: list[int]


@dataclasses.dataclass
class Batch:
    """Samples of one step.

    Args:
        ids: Sample ids.
        rows: Row of each sample in the cohort.
        groups: Group number of each sample.
        values: Modality to what its encoder takes; a row of NaN where the sample lacks the modality.
        opening: Token ids in front of the soft tokens (stage 2).
        turns: Questions of each sample with their answers (stage 2).
    """

    ids: list[str]
    rows: Int[Tensor, " batch"]
    groups: Int[Tensor, " batch"]
    values: dict[str, Float[Tensor, "batch _"]]
    opening: list[int] = dataclasses.field(default_factory=list)
    turns: list[list[Turn]] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device; Lightning calls this."""
        moved = {field.name: _move(getattr(self, field.name), device) for field in dataclasses.fields(self)}
        return Batch(**moved)


def _move(value, device):
    if isinstance(value, Tensor):
        return value.to(device)
    return {key: tensor.to(device) for key, tensor in value.items()} if isinstance(value, dict) else value


def pad(sequences: Sequence[Sequence[int]], value: int, *, side: str = "right") -> tuple[Int[Tensor, "batch text"], Bool[Tensor, "batch text"]]:
    """Sequences of unlike length as one tensor, and the mask of what is real. Generation pads on the left."""
    longest = max(len(each) for each in sequences)
    padded = torch.full((len(sequences), longest), value)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, each in enumerate(sequences):
        place = slice(0, len(each)) if side == "right" else slice(longest - len(each), longest)
        padded[row, place] = torch.tensor(each)
        mask[row, place] = True
    return padded, mask
