"""The shared space of stage 1: a head per modality, a trainable head for text, and beside them a linear part for those who ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

#: Between the modalities of a side that stands for all of them together: ``gene+brain``.
JOINT = "+"


class SharedSpace(nn.Module):
    """Projector summaries and frozen text vectors to unit vectors that can be compared.

    A vector has two parts: what the trained heads give, and, where asked for, canonical variates of the encoder tokens
    and of the text vectors, one block per pair of a side and a text column. The cosine of two vectors is the weighted
    mean of the cosines of their parts: an ensemble of a trained and a linear model in one space.

    Args:
        modalities: Names of the modalities.
        width: Width of a projector's summary.
        text_width: Width of a text vector.
        dim: Width of the trained part.
        hidden: Width of the text head's hidden layer; 0 for a linear head.
        dropout: On summaries and text vectors, the only regularisation beside weight decay.
        joint: Sides made of several modalities, ``a+b``: their vectors are added.
        linear: Blocks of the linear part and the width of each modality's encoder tokens; None for no linear part.
    """

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        text_width: int,
        dim: int = 256,
        hidden: int = 0,
        dropout: float = 0.1,
        joint: Sequence[str] = (),
        linear: dict | None = None,
    ):
        super().__init__()
        self.settings = {"modalities": list(modalities), "width": width, "text_width": text_width, "dim": dim, "hidden": hidden, "dropout": dropout}
        self.settings |= {"joint": list(joint), "linear": linear}
        self.heads = nn.ModuleDict({modality: nn.Sequential(nn.LayerNorm(width), nn.Dropout(dropout), nn.Linear(width, dim)) for modality in modalities})
        inner = [nn.Linear(text_width, hidden), nn.GELU(), nn.Dropout(dropout)] if hidden else []
        self.text_head = nn.Sequential(nn.Dropout(dropout), *inner, nn.Linear(hidden or text_width, dim))
        self.linear = LinearPart(**linear, text_width=text_width) if linear else None
        self.register_buffer("text_mean", torch.zeros(text_width))
        self.register_buffer("text_deviation", torch.ones(text_width))

    @property
    def joint(self) -> list[str]:
        """Sides made of several modalities."""
        return self.settings["joint"]

    def fit_text(self, vectors: Float[Tensor, "texts text_width"]) -> None:
        """Standardise text vectors by the training texts: an LLM's states share a few directions of huge variance."""
        self.text_mean.copy_(vectors.mean(dim=0))
        deviation = vectors.std(dim=0, correction=0)
        self.text_deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))

    def standardised(self, vectors: Float[Tensor, "batch text_width"]) -> Float[Tensor, "batch text_width"]:
        """Text vectors as both parts take them."""
        return (vectors - self.text_mean) / self.text_deviation

    def embed(self, summaries: dict[str, Float[Tensor, "batch width"]], tokens: dict[str, Float[Tensor, "batch _"]]) -> Float[Tensor, "batch dim"]:
        """Unit vectors of one side.

        Args:
            summaries: The side's modalities to the summaries of their projectors.
            tokens: The side's modalities to their encoder tokens in a row.
        """
        trained = torch.stack([self.heads[modality](summary) for modality, summary in summaries.items()]).sum(dim=0)
        return self._together(trained, self.linear.place(tokens) if self.linear else None)

    def embed_text(self, vectors: Float[Tensor, "batch text_width"], column: str | None = None) -> Float[Tensor, "batch dim"]:
        """Unit vectors of texts.

        Args:
            vectors: Text vectors.
            column: The text column they stand in, which says which blocks of the linear part speak of them; by default all do.
        """
        standard = self.standardised(vectors)
        return self._together(self.text_head(standard), self.linear.place_text(standard, column) if self.linear else None)

    def trained_part(self, vectors: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch trained"]:
        """What stage 1 compares: the part of unit vectors that its gradient reaches, as unit vectors."""
        return F.normalize(vectors[:, : self.settings["dim"]], dim=-1)

    def _together(self, trained: Tensor, linear: Tensor | None) -> Tensor:
        trained = F.normalize(trained, dim=-1)
        if linear is None:
            return trained
        return F.normalize(torch.cat([trained * self.linear.share.neg().add(1).sqrt(), linear * self.linear.share.sqrt()], dim=-1), dim=-1)


class Block(NamedTuple):
    """Canonical variates of one pair: a side (its modalities) and a text column."""

    side: str
    column: str


class LinearPart(nn.Module):
    """Canonical variates, in blocks that are unit vectors each; ``bridge.train.correlation`` fits them.

    Args:
        blocks: ``[side, text column]`` of every block.
        components: Variates of a block.
        features: Modality to the width of its encoder tokens in a row.
        text_width: Width of a text vector.
    """

    def __init__(self, blocks: Sequence[Sequence[str]], components: int, features: dict[str, int], text_width: int):
        super().__init__()
        self.blocks = [Block(*block) for block in blocks]
        self.components = components
        size = len(self.blocks) * components
        self.maps = nn.ParameterDict({modality: _fixed(torch.zeros(size, width)) for modality, width in features.items()})
        self.text_map = _fixed(torch.zeros(size, text_width))
        self.register_buffer("share", torch.tensor(0.5))  # of the linear part in a cosine; chosen on the validation split

    def place(self, tokens: dict[str, Float[Tensor, "batch _"]]) -> Float[Tensor, "batch size"]:
        """Variates of one side, the sum over its modalities; other sides' blocks are zero."""
        own = torch.tensor([block.side.split(JOINT) == list(tokens) for block in self.blocks], device=self.text_map.device)
        return self._by_block(torch.stack([row @ self.maps[modality].T for modality, row in tokens.items()]).sum(dim=0), own)

    def place_text(self, standard: Float[Tensor, "batch text_width"], column: str | None = None) -> Float[Tensor, "batch size"]:
        """Variates of texts of a column; other columns' blocks are zero."""
        speaks = torch.tensor([column is None or block.column == column for block in self.blocks], device=standard.device)
        return self._by_block(standard @ self.text_map.T, speaks)

    def rows(self, block: int) -> slice:
        """The rows of the maps that belong to a block."""
        return slice(block * self.components, (block + 1) * self.components)

    def _by_block(self, variates: Tensor, speaks: Tensor | None = None) -> Tensor:
        """Unit blocks, those that say nothing zero, together of length 1."""
        blocks = F.normalize(rearrange(variates, "batch (blocks components) -> batch blocks components", blocks=len(self.blocks)), dim=-1)
        blocks = blocks if speaks is None else blocks * speaks.unsqueeze(-1)
        return F.normalize(rearrange(blocks, "batch blocks components -> batch (blocks components)"), dim=-1)


def _fixed(values: Tensor) -> nn.Parameter:
    """Fitted in one piece, not by gradient."""
    return nn.Parameter(values, requires_grad=False)
