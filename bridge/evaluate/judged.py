"""Claims with a confidence, whether each is true, and the group its sample belongs to: what calibration is measured on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """Claims that can be checked; make one with :func:`judged`.

    Args:
        confidence: Probability the model gives each claim, 0..1.
        correct: Whether the measurement supports it.
        groups: Group of the claim's sample; claims of one group are not independent.
    """

    confidence: Float[np.ndarray, " claims"]
    correct: Bool[np.ndarray, " claims"]
    groups: Shaped[np.ndarray, " claims"]

    def __len__(self) -> int:
        return len(self.confidence)

    def take(self, rows: Int[np.ndarray, " some"] | Bool[np.ndarray, " _"]) -> Judged:
        """Some of the claims, by number (a number may come twice) or by mask."""
        return Judged(self.confidence[rows], self.correct[rows], self.groups[rows])


def judged(confidence: Sequence | np.ndarray, correct: Sequence | np.ndarray, groups: Sequence | np.ndarray | None = None) -> Judged:
    """Checked claims, those without a confidence (None or NaN) left out.

    Args:
        confidence: One number per claim.
        correct: True or false per claim; a claim that cannot be checked is neither, leave it out.
        groups: Group of each claim's sample; without it every claim counts as independent.

    Raises:
        ValueError: the three are not of the same claims, a confidence is not in 0..1, or a claim is neither right nor wrong.
    """
    confidence = np.array([np.nan if each is None else each for each in confidence], dtype=float)
    correct, groups = np.asarray(correct), np.arange(len(confidence)) if groups is None else np.asarray(groups)
    if not len(confidence) == len(correct) == len(groups):
        raise ValueError(f"calibration: found {len(confidence)} confidences, {len(correct)} verdicts and {len(groups)} groups; give one of each per claim")
    if not np.isin(correct, (0, 1)).all():
        raise ValueError("calibration, field correct: found a value that is neither true nor false; leave claims that cannot be checked out")
    known = ~np.isnan(confidence)
    if not ((confidence[known] >= 0) & (confidence[known] <= 1)).all():
        raise ValueError(f"calibration, field confidence: found values up to {np.abs(confidence[known]).max():.3g}, expected probabilities, 0..1")
    return Judged(confidence[known], correct.astype(bool)[known], groups[known])
