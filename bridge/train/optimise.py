"""The schedule of both stages, and the refusal to train on nothing."""

from __future__ import annotations

import math

import torch
from torch import nn


def cosine_schedule(optimiser: torch.optim.Optimizer, steps: int, *, warmup: float = 0.05) -> dict:
    """Linear warm-up over a share of the steps, then cosine to zero, once a step (Lightning's form)."""
    first = max(1, round(warmup * steps))

    def factor(step: int) -> float:
        return (step + 1) / first if step < first else 0.5 * (1 + math.cos(math.pi * min(1.0, (step - first) / max(1, steps - first))))

    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimiser, factor), "interval": "step"}}


def require_trained(module: nn.Module, *parts: nn.Module) -> None:
    """Refuse to start when a part that should learn has nothing to learn with.

    Raises:
        ValueError: names the frozen part.
    """
    for part in parts:
        if not any(parameter.requires_grad for parameter in part.parameters()):
            raise ValueError(f"{type(module).__name__}: {type(part).__name__} has no trainable parameter; expected at least one, check what the config freezes")
