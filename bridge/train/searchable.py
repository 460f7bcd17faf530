"""The gallery that a stage leaves in its bundle."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor
from torch.distributed.tensor import DTensor

from bridge.data.cohort import Cohort
from bridge.model import SemanticBridge
from bridge.retrieve.collect import collect
from bridge.retrieve.gallery import Gallery

#: What a bundle keeps of its training samples: vectors, with ids and beginnings of texts only where the samples are genes; with them; nothing.
Kept = Literal["auto", "named", "none"]


def gallery_of(
    bridge: SemanticBridge, cohort: Cohort, columns: Sequence[str] | None, texts: Mapping[str, Tensor] | None = None, kept: Kept = "auto"
) -> Gallery | None:
    """What :func:`bridge.retrieve.collect.collect` finds; None, and a warning, where it cannot: a finished training is written all the same."""
    if kept == "none":
        return None
    if texts is None and is_divided(bridge):
        warnings.warn("gallery: left out, its texts cannot be read by an LLM that is divided over cards; tune the bundle on one card", stacklevel=2)
        return None
    try:
        return collect(bridge, cohort, columns, texts, named={"auto": None, "named": True}[kept])
    except ValueError as error:
        warnings.warn(f"gallery: left out; {error}", stacklevel=2)
        return None


def is_divided(bridge: SemanticBridge) -> bool:
    """Whether weights of the LLM are divided over cards."""
    return any(isinstance(parameter, DTensor) for parameter in bridge.llm.parameters())
