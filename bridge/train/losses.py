"""Contrastive losses of stage 1, pure functions of normalised embeddings.

Neither builds the matrix of similarities (:mod:`bridge.train.tiles`), and the negatives are those of all cards of a run.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bridge.train.targets import Targets
from bridge.train.tiles import Exponentials, Gradients, Similarities, Tile

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
    a: Float[Tensor, "batch dim"],
    b: Float[Tensor, "batch dim"],
    scale: Float[Tensor, ""],
    groups: Int[Tensor, " batch"] | None = None,
    targets: Targets | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE (arXiv:2103.00020, figure 3): row i of ``a`` belongs to row i of ``b``.

    Two passes over the tiles: sums of exponentials of rows and columns, then both softmaxes at once. The second is made here
    too where a gradient is asked for, so that no card waits for another during the backward pass.

    On several cards the value is that of all their rows, on every card; once gradients are averaged over cards, as DDP and FSDP
    do, so are they. Cards may have unlike numbers of rows, or none, but all must call this together.

    Args:
        a: Unit vectors.
        b: Unit vectors.
        scale: Logit scale.
        groups: Samples of one group are not each other's negatives.
        targets: Which samples belong together, if not each with itself alone; such pairs are no negatives whatever their group.

    Raises:
        ValueError: no negatives, as in :func:`require_pairs`.
    """
    inputs = (a, b, scale)
    wanted = _gradient_wanted(inputs)
    with torch.no_grad():
        value, gradients = _softmax_loss(_similarities(*inputs, None, groups, targets), wanted)
    return _Differentiated.apply(value, gradients, *inputs)


def sigmoid_loss(
    a: Float[Tensor, "batch dim"],
    b: Float[Tensor, "batch dim"],
    scale: Float[Tensor, ""],
    bias: Float[Tensor, ""],
    groups: Int[Tensor, " batch"] | None = None,
    targets: Targets | None = None,
) -> Float[Tensor, ""]:
    """Pairwise sigmoid loss (SigLIP, arXiv:2303.15343, equation 1), in one pass; arguments and cards as in :func:`info_nce`."""
    inputs = (a, b, scale, bias)
    wanted = _gradient_wanted(inputs)
    with torch.no_grad():
        value, gradients = _sigmoid_loss(_similarities(*inputs, groups, targets), wanted)
    return _Differentiated.apply(value, gradients, *inputs)


class _Differentiated(torch.autograd.Function):
    """A value whose gradients are known already."""

    @staticmethod
    def forward(ctx, value: Tensor, gradients: tuple[Tensor, ...], *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*(gradient.to(each.dtype) for gradient, each in zip(gradients, inputs, strict=False)))
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(gradient * upstream for gradient in ctx.saved_tensors)


def _gradient_wanted(inputs: tuple[Tensor, ...]) -> bool:
    return torch.is_grad_enabled() and any(each.requires_grad for each in inputs)


def _similarities(a: Tensor, b: Tensor, scale: Tensor, bias: Tensor | None, groups: Tensor | None, targets: Targets | None) -> Similarities:
    """The matrix, and that it has negatives: what all cards have counts."""
    found = Similarities(a, b, scale, bias, groups=groups, targets=targets)
    require_pairs(found.shares.total, found.affinities.groups)
    if targets is not None and bool((found.affinities.labels == found.affinities.labels[0]).all()):
        raise ValueError(f"contrastive loss: all {found.shares.total} pairs have one label, expected at least 2 labels; raise the batch size")
    return found


class _Softmax:
    """Cross-entropy of both softmaxes with their targets, over rows and columns alike.

    Args:
        similarities: The matrix.
    """

    def __init__(self, similarities: Similarities):
        self.of, self.shares = similarities, similarities.shares
        self.rows = Exponentials(len(similarities.left), similarities, over=1)
        self.columns = Exponentials(self.shares.total, similarities, over=0)
        self.weight = similarities.affinities.sums(similarities.blocks()).reciprocal()

    def value(self, keep: bool) -> Float[Tensor, ""]:
        """First pass; ``keep`` where :meth:`gradients` will follow."""
        reached = torch.zeros_like(self.rows.total)
        for tile in self.of.tiles(keep):
            self.rows.add(tile)
            self.columns.add(tile)
            if tile.affinity is not None:
                reached[tile.rows] += self._target(tile).mul_(tile.logits).sum(dim=1)
        self.columns.combine(self.shares)
        own = self.shares.own
        below = self.rows.peak + self.columns.peak[own] - reached  # first, for it is 0 to the last bit where the right logit is the greatest
        return self.shares.summed((below + self.rows.total.log() + self.columns.total[own].log()).sum()) / (2 * self.shares.total)

    def gradients(self) -> tuple[Tensor, ...]:
        """Second pass."""
        gradients = Gradients(self.of)
        for tile in self.of.tiles():
            slopes = self.columns.add_softmax(tile, self.rows.softmax(tile))
            gradients.add(tile, slopes if tile.affinity is None else slopes.sub_(self._target(tile)))
        return gradients.divided(2 * self.shares.total)

    def _target(self, tile: Tile) -> Float[Tensor, "rows columns"]:
        """Of the row and of the column together."""
        return tile.affinity * (self.weight[self.shares.own][tile.rows].unsqueeze(1) + self.weight[tile.columns])


def _softmax_loss(similarities: Similarities, differentiate: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Mean cross-entropy, and its gradients where they are asked for."""
    softmax = _Softmax(similarities)
    return softmax.value(keep=differentiate), softmax.gradients() if differentiate else ()


def _sigmoid_loss(similarities: Similarities, differentiate: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Cross-entropy of every pair with its affinity by the number of rows, and its gradients where they are asked for."""
    number, gradients = similarities.shares.total, Gradients(similarities)
    rows = torch.zeros_like(similarities.left[:, 0])
    for tile in similarities.tiles():
        rows[tile.rows] += _pairwise(tile).sum(dim=1)
        if differentiate:
            slopes = tile.logits.sigmoid_()
            gradients.add(tile, slopes if tile.affinity is None else slopes.sub_(tile.affinity))
    return similarities.shares.summed(rows.sum()) / number, gradients.divided(number) if differentiate else ()


def _pairwise(tile: Tile) -> Float[Tensor, "rows columns"]:
    """Cross-entropy of every pair of a tile; its logits stay."""
    apart = F.logsigmoid(torch.neg(tile.logits, out=tile.room)).neg_()
    return apart if tile.affinity is None else torch.lerp(apart, -F.logsigmoid(tile.logits), tile.affinity)
