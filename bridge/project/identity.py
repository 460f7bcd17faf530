"""Projector for tokens with a fixed meaning (atlas regions, genes): each prefix token is identity + value."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bridge.project.base import Projector, masked_mean
from bridge.project.prefix import Prefix
from encoders.base import Tokens


class IdentityValue(Projector):
    """The k most extreme tokens of a sample, highest first, each as identity + value + rank.

    The identity starts from the LLM's own embedding of the token's name, so the LLM has something to read from the
    first step; the value scales and shifts it (FiLM, arXiv:1709.07871); the rank embedding says where it stands.
    Half of the k tokens are the highest and half the lowest by the token's first feature, so every token costs
    prefix length only when it says something. ``k=0`` keeps all tokens in their own order.

    Args:
        dim: Given by the code.
        tokens: Given by the code.
        width: Given by the code.
        k: Prefix tokens per sample, an even number, or 0 for all tokens.
        hidden: Width of the map from the value to scale and shift.
        name_identity: Start identities from the LLM's embedding of the names; False starts from noise.
    """

    def __init__(self, dim: int, tokens: int, width: int, k: int = 16, hidden: int = 64, name_identity: bool = True):
        if k % 2 or k < 0:
            raise ValueError(f"IdentityValue, field k: expected an even number or 0, found {k}")
        kept = min(k, tokens - tokens % 2) or tokens
        super().__init__(dim, tokens, width, kept)
        self.name_identity = name_identity
        self.identity = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.film = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, 2 * width))
        self.rank = nn.Parameter(torch.zeros(kept, width))
        nn.init.normal_(self.film[-1].weight, std=0.02)
        nn.init.zeros_(self.film[-1].bias)

    def match(self, embeddings: Float[Tensor, "vocabulary width"], identity: Float[Tensor, "tokens width"] | None = None) -> None:
        super().match(embeddings)
        if identity is not None and self.name_identity:
            with torch.no_grad():
                self.identity.copy_(identity)

    def forward(self, tokens: Tokens) -> Prefix:
        chosen, mask = self._most_extreme(tokens)
        index = rearrange(chosen, "batch k -> batch k 1").expand(-1, -1, self.width)
        values = self._features(tokens).gather(1, index) + self.rank
        return Prefix(self.scale(values), mask)

    def summary(self, tokens: Tokens) -> Float[Tensor, "batch width"]:
        """Mean over all tokens, not only the extreme ones, of identity scaled and shifted by the value."""
        return masked_mean(self._features(tokens), tokens.mask)

    def _features(self, tokens: Tokens) -> Float[Tensor, "batch tokens width"]:
        scale, shift = self.film(tokens.values).chunk(2, dim=-1)
        return self.identity * (1 + scale) + shift

    def _most_extreme(self, tokens: Tokens) -> tuple[Int[Tensor, "batch k"], Bool[Tensor, "batch k"]]:
        if self.k == self.tokens:
            order = torch.arange(self.tokens, device=tokens.mask.device).expand(len(tokens.mask), -1)
            return order, tokens.mask
        value = torch.where(tokens.mask, tokens.values[..., 0], -torch.inf)
        order = value.argsort(dim=1, descending=True, stable=True)  # present first, highest to lowest, absent last
        present = tokens.mask.sum(dim=1, keepdim=True)
        half = torch.arange(self.k // 2, device=value.device)
        low = (present - self.k // 2 + half).clamp(min=0)
        place = torch.cat([half.expand(len(value), -1), low], dim=1)
        # With fewer than k tokens the two halves meet: the low half keeps only what the high half did not take.
        unused = torch.cat([half.expand(len(value), -1) < present, (present - self.k // 2 + half) >= self.k // 2], dim=1)
        return order.gather(1, place), unused
