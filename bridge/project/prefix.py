"""Soft prefix tokens, and what is absent among them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Prefix(NamedTuple):
    """Soft tokens in the space of the LLM's token embeddings; mask False where a modality is absent."""

    values: Float[Tensor, "batch prefix width"]
    mask: Bool[Tensor, "batch prefix"]


def zeroed(prefix: Prefix) -> Prefix:
    """A prefix that says nothing but how long it is."""
    return Prefix(torch.zeros_like(prefix.values), prefix.mask)


def nothing(samples: int, like: Tensor) -> Prefix:
    """No soft token at all in front of so many questions; of the width, device and dtype of these token embeddings."""
    return Prefix(like.new_zeros(samples, 0, like.shape[1]), torch.zeros(samples, 0, dtype=torch.bool, device=like.device))
