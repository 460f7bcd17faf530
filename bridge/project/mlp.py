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
    hidden * k * rank + rank * width. With several encoder tokens their mean is projected.

    Args:
        dim: Given by the code.
        tokens: Given by the code.
        width: Given by the code.
        k: Prefix tokens per sample.
        hidden: Width of the trunk.
        rank: Rank of the map of each prefix token.
        dropout: On the trunk's output.
    """

    def __init__(self, dim: int, tokens: int, width: int, k: int = 4, hidden: int = 512, rank: int = 64, dropout: float = 0.1):
        super().__init__(dim, tokens, width, k)
        self.trunk = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout))
        self.skip = nn.Linear(dim, width)
        self.down = nn.Linear(hidden, k * rank)
        self.up = nn.Linear(rank, width)
        self.position = nn.Embedding(k, width)

    def forward(self, tokens: Tokens) -> Prefix:
        vector = masked_mean(tokens.values, tokens.mask)
        return Prefix(self.scale(self._tokens(vector)), whole_mask(tokens, self.k))

    def _tokens(self, vector: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch k width"]:
        low = rearrange(self.down(self.trunk(vector)), "batch (k rank) -> batch k rank", k=self.k)
        return self.up(low) + self.skip(vector).unsqueeze(1) + self.position.weight
