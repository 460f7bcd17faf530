"""The shared space of stage 1: a head per modality, a trainable head for text, and their temperature."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class SharedSpace(nn.Module):
    """Projector summaries and frozen text vectors to unit vectors that can be compared.

    Args:
        modalities: Names of the modalities.
        width: Width of a projector's summary.
        text_width: Width of a text vector.
        dim: Width of the shared space.
        hidden: Width of the text head's hidden layer; 0 for a linear head.
        dropout: On summaries and text vectors, the only regularisation beside weight decay.
    """

    def __init__(self, modalities: list[str], width: int, text_width: int, dim: int = 256, hidden: int = 0, dropout: float = 0.1):
        super().__init__()
        self.settings = {"modalities": list(modalities), "width": width, "text_width": text_width, "dim": dim, "hidden": hidden, "dropout": dropout}
        self.heads = nn.ModuleDict({modality: nn.Sequential(nn.LayerNorm(width), nn.Dropout(dropout), nn.Linear(width, dim)) for modality in modalities})
        inner = [nn.Linear(text_width, hidden), nn.GELU(), nn.Dropout(dropout)] if hidden else []
        self.text_head = nn.Sequential(nn.Dropout(dropout), *inner, nn.Linear(hidden or text_width, dim))
        self.register_buffer("text_mean", torch.zeros(text_width))
        self.register_buffer("text_deviation", torch.ones(text_width))

    def fit_text(self, vectors: Float[Tensor, "texts text_width"]) -> None:
        """Standardise text vectors by the training texts: an LLM's states share a few directions of huge variance."""
        self.text_mean.copy_(vectors.mean(dim=0))
        deviation = vectors.std(dim=0, correction=0)
        self.text_deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))

    def embed(self, modality: str, summary: Float[Tensor, "batch width"]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of a modality."""
        return F.normalize(self.heads[modality](summary), dim=-1)

    def embed_text(self, vectors: Float[Tensor, "batch text_width"]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of texts."""
        return F.normalize(self.text_head((vectors - self.text_mean) / self.text_deviation), dim=-1)
