"""Contrastive losses of stage 1, pure functions of normalised embeddings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

MAX_SCALE = 100.0


class Temperature(nn.Module):
    """Learnable logit scale, clamped at 100 as in CLIP (arXiv:2103.00020, section 2.5), and a bias for the sigmoid loss.

    Args:
        initial: Starting scale, 1 / temperature.
        bias: Starting bias of the sigmoid loss.
    """

    def __init__(self, initial: float = 1 / 0.07, bias: float = -10.0):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(initial)))
        self.bias = nn.Parameter(torch.tensor(bias))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """The scale that multiplies cosines."""
        with torch.no_grad():  # the weight itself: a clamp in the graph would have no gradient to come down by
            self.log_scale.clamp_(max=math.log(MAX_SCALE))
        return self.log_scale.exp().reshape(())  # FSDP2 holds a scalar as a vector of one


def require_pairs(n: int, groups: Int[Tensor, " batch"] | None = None) -> None:
    """One pair, or one group, has no negatives: its loss teaches nothing whatever the embeddings.

    Raises:
        ValueError: fewer than two pairs, or all of one group.
    """
    if n < 2:
        raise ValueError(f"contrastive loss: found {n} pair(s) in the batch, expected at least 2; raise the batch size or drop the last batch")
    if groups is not None and bool((groups == groups[0]).all()):
        raise ValueError(f"contrastive loss: all {n} pairs are of one group, expected at least 2 groups; raise the batch size or name another group column")


def info_nce(
    a: Float[Tensor, "batch dim"], b: Float[Tensor, "batch dim"], scale: Float[Tensor, ""], groups: Int[Tensor, " batch"] | None = None
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE (arXiv:2103.00020, figure 3): row i of ``a`` belongs to row i of ``b``.

    Args:
        a: Unit vectors.
        b: Unit vectors.
        scale: Logit scale.
        groups: Samples of one group are not each other's negatives.
    """
    require_pairs(len(a), groups)
    logits = scale * a @ b.T
    if groups is not None:
        logits = logits.masked_fill(_same_group(groups), -torch.inf)
    target = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def sigmoid_loss(
    a: Float[Tensor, "batch dim"],
    b: Float[Tensor, "batch dim"],
    scale: Float[Tensor, ""],
    bias: Float[Tensor, ""],
    groups: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """Pairwise sigmoid loss (SigLIP, arXiv:2303.15343, equation 1); arguments as in :func:`info_nce`."""
    require_pairs(len(a), groups)
    logits = scale * a @ b.T + bias
    sign = 2 * torch.eye(len(a), device=a.device) - 1
    loss = -F.logsigmoid(sign * logits)
    if groups is not None:
        loss = loss.masked_fill(_same_group(groups), 0.0)
    return loss.sum() / len(a)


def _same_group(groups: Int[Tensor, " batch"]) -> Bool[Tensor, "batch batch"]:
    """Pairs of different samples of one group."""
    same = groups.unsqueeze(0) == groups.unsqueeze(1)
    return same & ~torch.eye(len(groups), dtype=torch.bool, device=groups.device)
