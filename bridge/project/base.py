"""What every projector is: encoder tokens in, prefix tokens in the LLM's embedding space out."""

from __future__ import annotations

import abc
import inspect
import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from bridge.project.prefix import Prefix
from encoders.base import Tokens


class Projector(nn.Module, abc.ABC):
    """Tokens ``[batch, tokens, dim]`` to a prefix ``[batch, k, width]``.

    Args:
        dim: Width of an encoder token; given by the code.
        tokens: Encoder tokens per sample; given by the code.
        width: Width of the LLM's token embeddings; given by the code.
        k: Prefix tokens per sample.
    """

    def __new__(cls, *args, **kwargs):
        """Keep the arguments, so that a bundle can build the projector again."""
        projector = super().__new__(cls)
        bound = inspect.signature(cls.__init__).bind(projector, *args, **kwargs)
        bound.apply_defaults()
        projector.__dict__["init_args"] = dict(list(bound.arguments.items())[1:])
        return projector

    def __init__(self, dim: int, tokens: int, width: int, k: int):
        super().__init__()
        self.dim, self.tokens, self.width, self.k = dim, tokens, width, k
        self.scale = OutputScale(width)

    @abc.abstractmethod
    def forward(self, tokens: Tokens) -> Prefix:
        """Prefix tokens; a sample without any token has its whole prefix masked."""

    def summary(self, tokens: Tokens) -> Float[Tensor, "batch width"]:
        """One vector per sample, for contrastive alignment: the mean prefix token."""
        prefix = self(tokens)
        return masked_mean(prefix.values, prefix.mask)

    def aligned(self) -> list[nn.Module]:
        """Parts that only :meth:`summary` needs to be as stage 1 left them; stage 2 keeps them, and with them the shared space."""
        return []

    def match(self, embeddings: Float[Tensor, "vocabulary width"], names: list[Float[Tensor, "_ width"]] | None = None) -> None:
        """Start at the scale of the LLM's token embeddings; ``names`` holds its embeddings of each token's name."""
        self.scale.match(embeddings)


class OutputScale(nn.Module):
    """RMS normalisation to the scale of the LLM's token embeddings: soft tokens far larger or smaller are not read."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.RMSNorm(width, elementwise_affine=False)
        self.log_scale = nn.Parameter(torch.zeros(()))

    def match(self, embeddings: Float[Tensor, "vocabulary width"]) -> None:
        """Take the root mean square of the LLM's embedding table as the starting scale."""
        with torch.no_grad():
            self.log_scale.fill_(math.log(float(embeddings.float().pow(2).mean().sqrt())))

    def forward(self, values: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        return self.norm(values) * self.log_scale.exp()


def masked_mean(values: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"]) -> Float[Tensor, "batch width"]:
    """Mean over present tokens; zero where there is none."""
    weight = mask.unsqueeze(-1).to(values.dtype)
    return (values * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)


def whole_mask(tokens: Tokens, k: int) -> Bool[Tensor, "batch k"]:
    """Mask of ``k`` prefix tokens that are all present when the sample has at least one encoder token."""
    return tokens.mask.any(dim=1, keepdim=True).expand(-1, k)
