"""Projector for tokens with a fixed meaning (atlas regions, genes): each prefix token is identity + value."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from bridge.project.base import Projector, whole_mask
from bridge.project.prefix import Prefix
from encoders.base import Tokens


class IdentityValue(Projector):
    """One token that reads all of a sample, then its most extreme tokens, highest first, each as identity + value + rank.

    The first prefix token is a linear reading of every value; it is what stage 1 aligns with text.
    The identity starts from the LLM's own embedding of the token's name, one prefix token per name token, so the LLM
    has something to read from the first step; the value scales and shifts it (FiLM, arXiv:1709.07871); the rank
    embedding says where it stands. Half of the tokens kept are the highest and half the lowest by their first feature,
    so a region costs prefix length only when it says something.

    Args:
        dim: Given by the code.
        tokens: Given by the code.
        width: Given by the code.
        extremes: Encoder tokens kept per sample, an even number, or 0 for all in their own order.
        name_tokens: Prefix tokens per encoder token, which start from the first tokens of its name; 0 gives each
            encoder token one vector that starts from noise, the plain form.
        hidden: Width of the map from the value to scale and shift.
    """

    def __init__(self, dim: int, tokens: int, width: int, extremes: int = 8, name_tokens: int = 6, hidden: int = 64):
        if extremes % 2 or extremes < 0:
            raise ValueError(f"IdentityValue, field extremes: expected an even number or 0, found {extremes}")
        kept = min(extremes, tokens - tokens % 2) or tokens
        length = max(1, name_tokens)
        super().__init__(dim, tokens, width, 1 + kept * length)
        self.kept, self.name_tokens = kept, name_tokens
        self.in_order = not extremes or tokens < 2
        self.identity = nn.Parameter(torch.randn(tokens, length, width) * 0.02)
        self.register_buffer("identity_mask", torch.ones(tokens, length, dtype=torch.bool))
        self.whole = nn.Linear(tokens * dim, width)
        self.film = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, 2 * width))
        self.rank = nn.Parameter(torch.zeros(kept, width))
        nn.init.normal_(self.film[-1].weight, std=0.02)
        nn.init.zeros_(self.film[-1].bias)

    def match(self, embeddings: Float[Tensor, "vocabulary width"], names: list[Float[Tensor, "_ width"]] | None = None) -> None:
        super().match(embeddings)
        if not (names and self.name_tokens):
            return
        with torch.no_grad():
            for row, name in enumerate(names):
                name = name[: self.name_tokens]
                self.identity[row, : len(name)] = name
                self.identity_mask[row] = torch.arange(self.identity.shape[1], device=name.device) < len(name)

    def forward(self, tokens: Tokens) -> Prefix:
        chosen, mask = self._most_extreme(tokens)
        scale, shift = self._film(tokens, chosen)
        values = self.identity[chosen] * (1 + scale) + shift + self.rank.unsqueeze(1)
        named = self.identity_mask[chosen] & mask.unsqueeze(-1)
        values = torch.cat([self.summary(tokens).unsqueeze(1), rearrange(values, "b kept name width -> b (kept name) width")], dim=1)
        return Prefix(self.scale(values), torch.cat([whole_mask(tokens, 1), rearrange(named, "b kept name -> b (kept name)")], dim=1))

    def summary(self, tokens: Tokens) -> Float[Tensor, "batch width"]:
        """A linear reading of all tokens, not only the extreme ones; it is the first prefix token too."""
        return self.whole(rearrange(tokens.values, "batch tokens dim -> batch (tokens dim)"))

    def aligned(self) -> list[nn.Module]:
        return [self.whole]

    def _film(self, tokens: Tokens, chosen: Int[Tensor, "batch kept"]) -> tuple[Tensor, Tensor]:
        """Scale and shift ``[batch, kept, 1, width]`` from the values of the chosen tokens."""
        index = rearrange(chosen, "batch kept -> batch kept 1").expand(-1, -1, self.dim)
        scale, shift = self.film(tokens.values.gather(1, index)).unsqueeze(2).chunk(2, dim=-1)
        return scale, shift

    def _most_extreme(self, tokens: Tokens) -> tuple[Int[Tensor, "batch kept"], Bool[Tensor, "batch kept"]]:
        """Which tokens are kept, highest first, and whether each place is taken."""
        if self.in_order:
            return torch.arange(self.tokens, device=tokens.mask.device).expand(len(tokens.mask), -1), tokens.mask
        value = torch.where(tokens.mask, tokens.values[..., 0], -torch.inf)
        order = value.argsort(dim=1, descending=True, stable=True)  # highest to lowest, absent last
        present = tokens.mask.sum(dim=1, keepdim=True)
        high = torch.arange(self.kept // 2, device=value.device).expand(len(value), -1)
        low = present - self.kept // 2 + high
        # With fewer present than kept the two halves meet: the low half has only what the high half did not take.
        taken = torch.cat([high < present, low >= self.kept // 2], dim=1)
        return order.gather(1, torch.cat([high, low.clamp(min=0)], dim=1)), taken
