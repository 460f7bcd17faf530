"""Pairs that stage 1 contrasts, as a config names them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bridge.data.cohort import Cohort
from bridge.project.space import JOINT


def checked_pairs(pairs: dict[str, float], modalities: list[str], texts: list[str]) -> dict[tuple[str, str], float]:
    """Both names of every ``a~b`` to the weight of its loss.

    Raises:
        ValueError: no pair, or one that is not of two different known sides, at least one of modalities.
    """
    if not pairs:
        raise ValueError("align, field pairs: found none, expected at least one 'a~b' with its weight")
    return {_sides(pair, modalities, texts): weight for pair, weight in pairs.items()}


def text_labels(pairs: Iterable[tuple[str, str]], cohort: Cohort) -> dict[tuple[str, str], Int[Tensor, " samples"]]:
    """For each pair with a text column, one number for every different text."""
    columns = {pair: side for pair in pairs for side in pair if side in cohort.texts}
    return {pair: torch.from_numpy(np.unique(cohort.text(column), return_inverse=True)[1]) for pair, column in columns.items()}


def _sides(pair: str, modalities: list[str], texts: list[str]) -> tuple[str, str]:
    """The two names of ``a~b``, checked; a side may be several modalities."""
    sides = tuple(pair.split("~"))
    known = [*modalities, *texts]
    parts = [part for side in sides for part in (side.split(JOINT) if side not in texts else [side])]
    if len(sides) != 2 or len(set(parts)) != len(parts) or not set(parts) <= set(known) or not set(parts) & set(modalities):
        expected = f"expected 'a~b' of two different names among {known}, at least one of {modalities} (the modalities of field projectors)"
        raise ValueError(f"align, field pairs: found {pair!r}, {expected}")
    return sides
