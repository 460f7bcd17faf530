"""The whole fusion: soft prefix tokens go in front of the text, what is absent is masked, and nothing before the answer is learned."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bridge.data.batch import IGNORE


class Prefix(NamedTuple):
    """Soft tokens in the space of the LLM's token embeddings; mask False where a modality is absent."""

    values: Float[Tensor, "batch prefix width"]
    mask: Bool[Tensor, "batch prefix"]


def without_gaps(prefix: Prefix) -> Prefix:
    """The same prefix with absent tokens moved to the end and cut to the longest sample: what is masked costs nothing."""
    order = prefix.mask.long().argsort(dim=1, descending=True, stable=True)[:, : int(prefix.mask.sum(dim=1).max())]
    index = order.unsqueeze(-1).expand(-1, -1, prefix.values.shape[-1])
    return Prefix(prefix.values.gather(1, index), prefix.mask.gather(1, order))


def zeroed(prefix: Prefix) -> Prefix:
    """A prefix that says nothing but how long it is."""
    return Prefix(torch.zeros_like(prefix.values), prefix.mask)


def prepend(prefix: Prefix, embeds: Float[Tensor, "batch text width"], mask: Bool[Tensor, "batch text"]) -> dict[str, Tensor]:
    """LLM inputs with the prefix in front of the text.

    Positions count only what is present, so a fully masked prefix gives the logits of the text alone.
    """
    values = torch.where(prefix.mask.unsqueeze(-1), prefix.values, 0.0).to(embeds.dtype)
    mask = torch.cat([prefix.mask, mask.bool()], dim=1)
    positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
    return {"inputs_embeds": torch.cat([values, embeds], dim=1), "attention_mask": mask.long(), "position_ids": positions}


def prepend_labels(prefix: Prefix, labels: Int[Tensor, "batch text"]) -> Int[Tensor, "batch all"]:
    """Labels for :func:`prepend`: none on the prefix, and none on the first text token, which the last prefix position
    would have to predict (an absent prefix would then still receive gradient)."""
    ignored = labels.new_full(prefix.mask.shape, IGNORE)
    first = torch.full_like(labels[:, :1], IGNORE)
    return torch.cat([ignored, first, labels[:, 1:]], dim=1)
