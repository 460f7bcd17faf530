"""Projectors for one vector per sample: linear, and an MLP factorised over the prefix tokens."""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from bridge.project.base import Projector, masked_mean, whole_mask
from bridge.project.prefix import Prefix
from encoders.base import Tokens


class LinearProjector(Projector):
    """One linear map per encoder token: as many prefix tokens as encoder tokens.

    Args:
        dim: Given by the code.
        tokens: Given by the code.
        width: Given by the code.
    """

    def __init__(self, dim: int, tokens: int, width: int):
        super().__init__(dim, tokens, width, k=tokens)
        self.linear = nn.Linear(dim, width)

    def forward(self, tokens: Tokens) -> Prefix:
        return Prefix(self.scale(self.linear(tokens.values)), tokens.mask)


class FactorisedMLP(Projector):
    """A shared trunk, then one low-rank map per prefix token.

    A dense layer to k x width would hold hidden * k * width weights (a billion for a 13B model); this holds
    hidden * k * rank + rank * width, and a linear skip path, which is what stage 1 aligns with text. With several
    encoder tokens their mean is projected.

    Args:
        dim: Given by the code.
        tokens: Given by the code.
        width: Given by the code.
        k: Prefix tokens per sample.
        hidden: Width of the trunk.
        rank: Rank of the map of each prefix token.
        dropout: On the encoder's vector; high, since cohorts are small beside the width of an embedding.
    """

    def __init__(self, dim: int, tokens: int, width: int, k: int = 4, hidden: int = 512, rank: int = 64, dropout: float = 0.5):
        if dim < 2:
            raise ValueError(f"FactorisedMLP: found {tokens} tokens of width {dim}, expected a vector; use IdentityValue or PerceiverResampler")
        super().__init__(dim, tokens, width, k)
        self.dropout = nn.Dropout(dropout)
        self.trunk = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU())
        self.skip = nn.Linear(dim, width)
        self.down = nn.Linear(hidden, k * rank)
        self.up = nn.Linear(rank, width)
        self.position = nn.Embedding(k, width)

    def forward(self, tokens: Tokens) -> Prefix:
        vector = self._vector(tokens)
        low = rearrange(self.down(self.trunk(vector)), "batch (k rank) -> batch k rank", k=self.k)
        values = self.up(low) + self.skip(vector).unsqueeze(1) + self.position.weight
        return Prefix(self.scale(values), whole_mask(tokens, self.k))

    def summary(self, tokens: Tokens) -> Float[Tensor, "batch width"]:
        """The linear skip path, which every prefix token holds."""
        return self.skip(self._vector(tokens))

    def aligned(self) -> list[nn.Module]:
        return [self.skip]

    def _vector(self, tokens: Tokens) -> Float[Tensor, "batch dim"]:
        return self.dropout(masked_mean(tokens.values, tokens.mask))
