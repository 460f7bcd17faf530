"""Samples and texts as unit vectors of the shared space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bridge.data.cohort import Cohort
from bridge.language.textbank import TextBank
from bridge.model import SemanticBridge

#: Rows; a projector's tokens of all samples at once would take many times the memory of their vectors.
EMBEDDED_AT_ONCE = 1024


def text_bank(bridge: SemanticBridge) -> TextBank:
    """The text vectors that a bundle's shared space reads."""
    return TextBank(bridge.language, latent=bridge.latent, **bridge.text)


def side_vectors(bridge: SemanticBridge, values: Mapping[str, Tensor]) -> dict[str, Float[np.ndarray, "samples dim"]]:
    """Unit vectors of every side that these modalities make; a row of NaN where a sample lacks it."""
    device, parts = bridge.space.text_mean.device, {}
    with torch.inference_mode():
        for start in range(0, max(1, *map(len, values.values())), EMBEDDED_AT_ONCE):
            some = {modality: column[start : start + EMBEDDED_AT_ONCE].to(device) for modality, column in values.items()}
            for side, (vectors, present) in bridge.embed(some).items():
                parts.setdefault(side, []).append(_missing(vectors, present))
    return {side: np.concatenate(some) for side, some in parts.items()}


def text_vectors(bridge: SemanticBridge, vectors: Float[Tensor, "texts width"], column: str) -> Float[np.ndarray, "texts dim"]:
    """Unit vectors of the texts of a column; a row of NaN for one that is."""
    vectors = vectors.to(bridge.space.text_mean.device)
    with torch.inference_mode():
        return _missing(bridge.space.embed_text(vectors.nan_to_num(), column), torch.isfinite(vectors).all(dim=1))


def cohort_sides(bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray) -> dict[str, Float[np.ndarray, "samples dim"]]:
    """:func:`side_vectors` of these samples."""
    return side_vectors(bridge, {modality: torch.from_numpy(cohort.values(modality, rows)) for modality in bridge.projectors})


def shared_embeddings(bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, texts: Sequence[str]) -> dict[str, Float[np.ndarray, "samples dim"]]:
    """Unit vectors of every side and text in the shared space; a row of NaN where a sample lacks it.

    Raises:
        ValueError: the bundle has no shared space.
    """
    if bridge.space is None:
        raise ValueError("evaluate: this bundle has no shared space, retrieval needs one; start stage 2 from a bundle of: bridge align")
    embedded, bank = cohort_sides(bridge, cohort, rows), text_bank(bridge)
    for column in texts:
        strings = cohort.text(column)
        embedded[column] = text_vectors(bridge, torch.from_numpy(bank.embed([strings[row] for row in rows])), column)
    return embedded


def _missing(vectors: Tensor, present: Tensor) -> np.ndarray:
    return torch.where(present.unsqueeze(1), vectors, torch.nan).double().cpu().numpy()
