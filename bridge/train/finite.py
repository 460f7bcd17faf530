"""The gate before every optimiser step: what is not finite, or of an absurd size, is not learned from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import nn
from torch.distributed.tensor import DTensor

from bridge.data.batch import Batch
from bridge.data.unfit import unfit

NAMED = 5  # samples that a line names


class BadStep(NamedTuple):
    """An optimiser step that was skipped, why, and with which samples."""

    step: int
    reason: str
    ids: list[str]


class FiniteGate:
    """Whether the step at hand may change anything, and which ones did not.

    Nothing bad is ever replaced by 0 and learned from: the whole step is thrown away, with all of its accumulated batches.

    Args:
        limit: How many steps may be thrown away before the run stops.
    """

    def __init__(self, limit: int):
        self.limit, self.bad, self.skipped = limit, [], False
        self.typical: dict[str, float] = {}
        self._begin()

    def take(self, batch: Batch) -> None:
        """Look at the samples of a further batch of the step. A bad one gets stand-in values, since the pass itself has to run (other
        cards wait for it), and what comes of it is thrown away."""
        self.taken += batch.ids
        self.batch = batch.ids
        found = unfit(batch.values, self.typical)
        for row in found:
            for table in batch.values.values():
                table[row] = torch.where(torch.isnan(table[row]), torch.nan, 1.0)
        for row, reason in found.items():
            self.refuse(reason, [batch.ids[row]])

    def require(self, fine: bool, reason: str) -> None:
        """Throw the step away unless its last batch is fine."""
        if not fine:
            self.refuse(reason, self.batch)

    def refuse(self, reason: str, ids: Sequence[str]) -> None:
        """Throw the step away for the sake of some samples."""
        self.reasons.append(reason)
        self.ids += [each for each in ids if each not in self.ids]

    @property
    def usable(self) -> bool:
        """Whether nothing bad is known of the step so far."""
        return not self.reasons

    def close(self, step: int, *, usable: bool) -> BadStep | None:
        """End the step; gives what has to be said of one that is thrown away.

        Args:
            step: Number of the optimiser step.
            usable: Whether it is fine on every card.
        """
        reason = "; ".join(dict.fromkeys(self.reasons)) or "on another card"
        bad = None if usable else BadStep(step, reason, self.ids or self.taken)
        self.skipped = bad is not None
        self.bad += [bad] if bad else []
        self._begin()
        return bad

    def require_few(self, stage: str) -> None:
        """Stop a run in which too many steps were thrown away.

        Raises:
            ValueError: says how many, and the samples of the last one.
        """
        if len(self.bad) > self.limit:
            last = self.bad[-1]
            raise ValueError(
                f"{stage}: {len(self.bad)} steps were skipped, expected at most {self.limit} (bad_step_limit); the last for {last.reason}, "
                f"samples: {named(last.ids)}\ncheck their values, or lower the learning rate"
            )

    def _begin(self) -> None:
        self.taken: list[str] = []
        self.batch: list[str] = []
        self.ids: list[str] = []
        self.reasons: list[str] = []


def named(ids: Sequence[str]) -> str:
    """Some samples in words."""
    return ", ".join(ids[:NAMED]) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")


@rank_zero_only
def say(stage: str, bad: BadStep, gate: FiniteGate) -> None:
    """One line about a step that was skipped."""
    samples = "sample" if len(bad.ids) == 1 else "samples"
    print(f"{stage}: step {bad.step} skipped: {bad.reason}; {samples} {named(bad.ids)} ({len(gate.bad)} of at most {gate.limit})", file=sys.stderr, flush=True)


def finite_gradients(module: nn.Module) -> bool:
    """Whether every gradient on this rank can be used."""
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    local = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
    return not local or bool(torch.isfinite(nn.utils.get_total_norm(local)))
