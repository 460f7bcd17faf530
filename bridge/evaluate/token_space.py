"""Retrieval without a shared space: soft tokens and words compared where the LLM reads both, in its token embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from bridge.data.cohort import Cohort
from bridge.evaluate.controls import given_values
from bridge.language.textbank import TextBank
from bridge.model import SemanticBridge
from bridge.project.base import masked_mean


def token_embeddings(
    bridge: SemanticBridge, cohort: Cohort, rows: Int[np.ndarray, " samples"], texts: Sequence[str], *, batch_size: int = 128
) -> dict[str, Float[np.ndarray, "samples width"]]:
    """Mean soft token of each modality and mean token embedding of each text, less the mean of the training split.

    Stage 2 alone makes no shared space, but its soft tokens are read as words are: this is the retrieval it offers without stage 1.

    Args:
        bridge: A loaded bundle.
        cohort: The cohort it was trained on.
        rows: Samples.
        texts: Text columns.
        batch_size: Samples projected together.

    Returns:
        Name to one row per sample, NaN where the sample lacks it.
    """
    everyone, train = cohort.rows("all"), cohort.rows("train")
    found = {modality: _soft_tokens(bridge, cohort, everyone, modality, batch_size) for modality in bridge.projectors}
    bank = TextBank(bridge.language, (0,), "mean")
    found |= {column: bank.embed(cohort.text(column)).astype(np.float64) for column in texts}
    return {name: vectors[rows] - np.nanmean(vectors[train], axis=0) for name, vectors in found.items()}


@torch.inference_mode()
def _soft_tokens(bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, modality: str, batch_size: int) -> Float[np.ndarray, "samples width"]:
    """Mean over a modality's soft tokens, its tag left out."""
    column, means = given_values(bridge, cohort, rows, (modality,))[modality], []
    for start in range(0, len(rows), batch_size):
        tokens = bridge.encoders[modality](column[start : start + batch_size].to(bridge.llm.device))
        prefix = bridge.projectors[modality](tokens)
        present = tokens.mask.any(dim=1, keepdim=True)
        means.append(torch.where(present, masked_mean(prefix.values, prefix.mask), torch.nan).double().cpu())
    return torch.cat(means).numpy()
