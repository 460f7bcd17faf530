"""Perceiver resampler: many encoder tokens to k prefix tokens by learned queries (Flamingo, arXiv:2204.14198, section 3.1)."""

from __future__ import annotations

import torch
from torch import nn

from bridge.project.base import Projector, whole_mask
from bridge.project.prefix import Prefix
from encoders.base import Tokens


class PerceiverResampler(Projector):
    """Learned queries attend to the encoder's tokens; each token carries a learned identity.

    Args:
        dim: Given by the code.
        tokens: Given by the code.
        width: Given by the code.
        k: Prefix tokens per sample.
        hidden: Width inside the resampler; a multiple of ``heads``.
        heads: Attention heads.
        layers: Cross-attention blocks.
    """

    def __init__(self, dim: int, tokens: int, width: int, k: int = 8, hidden: int = 256, heads: int = 4, layers: int = 2):
        super().__init__(dim, tokens, width, k)
        self.inward = nn.Linear(dim, hidden)
        self.identity = nn.Parameter(torch.randn(tokens, hidden) * 0.5)
        self.queries = nn.Parameter(torch.randn(k, hidden) * 0.5)
        self.blocks = nn.ModuleList(_Block(hidden, heads) for _ in range(layers))
        self.outward = nn.Linear(hidden, width)

    def forward(self, tokens: Tokens) -> Prefix:
        context = self.inward(tokens.values) + self.identity
        # A sample with no token attends to its zeros instead of to nothing (which is NaN); its prefix is masked below.
        hidden_from = ~tokens.mask & tokens.mask.any(dim=1, keepdim=True)
        queries = self.queries.expand(len(context), -1, -1)
        for block in self.blocks:
            queries = block(queries, context, hidden_from)
        return Prefix(self.scale(self.outward(queries)), whole_mask(tokens, self.k))


class _Block(nn.Module):
    """Cross-attention from queries to context, then a feed-forward layer; both residual."""

    def __init__(self, hidden: int, heads: int):
        super().__init__()
        self.norm_queries, self.norm_context = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.attend = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.feed = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, 4 * hidden), nn.GELU(), nn.Linear(4 * hidden, hidden))

    def forward(self, queries, context, hidden_from):
        context = self.norm_context(context)
        read, _ = self.attend(self.norm_queries(queries), context, context, key_padding_mask=hidden_from, need_weights=False)
        queries = queries + read
        return queries + self.feed(queries)
