"""Grounded gain: how much of what a blind twin gets wrong does the prefix put right? And in likelihood, for how many samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from bridge.evaluate.audit import share_better
from bridge.evaluate.bootstrap import interval_of


def grounded_gain(
    true: Float[np.ndarray, " samples"],
    blind: Float[np.ndarray, " _"],
    groups: Sequence | np.ndarray | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """G = (P_true - P_blind) / (1 - P_blind) with its 95 % bootstrap interval, both models judged on the same drawn groups.

    A blind twin of these tasks already gets most claims right, since they fit most samples: the score alone says little.
    1 is all of what it gets wrong, 0 none, below 0 worse than blind.

    Args:
        true: Precision of each sample's report; NaN where it names nothing that can be judged.
        blind: The same of the twin's. A sample that either leaves undefined is left out and counted.
        groups: Group of each sample.
        resamples: Bootstrap resamples.
        seed: Of the bootstrap.

    Returns:
        ``n``, ``left_out``, ``p_true``, ``p_blind``, ``gain``, ``low``, ``high``; None is undefined: fewer than two
        samples, P_blind = 1; without an interval: one group, or P_blind = 1 in a tenth of the resamples.

    Raises:
        ValueError: the two are not of the same samples, or a precision is not in 0..1.
    """
    true, blind, groups, left_out = _comparable(true, blind, groups)
    n = len(true)
    if n < 2:
        return {"n": n, "left_out": left_out} | dict.fromkeys(("p_true", "p_blind", "gain", "low", "high"))

    def gain(rows: np.ndarray) -> float | None:
        return _gain(float(true[rows].mean()), float(blind[rows].mean()))

    whole = gain(np.arange(n))
    low, high = (None, None) if whole is None else interval_of(gain, groups, resamples=resamples, seed=seed)
    return {"n": n, "left_out": left_out, "p_true": float(true.mean()), "p_blind": float(blind.mean()), "gain": whole, "low": low, "high": high}


def nll_shares(
    truth: Float[np.ndarray, " samples"], controls: Mapping[str, Float[np.ndarray, " _"]], groups: Sequence | np.ndarray | None = None
) -> dict[str, dict[str, float | int | None]]:
    """Share of samples whose true report is more likely with their own prefix than in each control, with Wilson intervals.

    Args:
        truth: NLL per token of each true report with its own prefix.
        controls: Name to the same with another prefix.
        groups: Group of each sample.
    """
    return {name: {"nll_true": float(truth.mean()), "nll_control": float(nll.mean()), **share_better(truth, nll, groups)} for name, nll in controls.items()}


def _gain(true: float, blind: float) -> float | None:
    """None where the twin leaves nothing to gain, up to the rounding of a mean of ones."""
    return (true - blind) / (1 - blind) if 1 - blind > 1e-12 else None


def _comparable(true: np.ndarray, blind: np.ndarray, groups: Sequence | np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """The samples that both leave defined, their groups, and how many are left out."""
    true, blind = np.asarray(true, dtype=float), np.asarray(blind, dtype=float)
    groups = np.arange(len(true)) if groups is None else np.asarray(groups)
    if true.ndim != 1 or true.shape != blind.shape or len(groups) != len(true):
        raise ValueError(f"grounded gain: found {true.shape} and {blind.shape} scores and {len(groups)} groups; score both models on the same samples")
    for name, scores in (("true", true), ("blind", blind)):
        if (scores < 0).any() or (scores > 1).any():
            raise ValueError(f"grounded gain, field {name}: found a precision outside 0..1, expected 0..1, or NaN where undefined")
    kept = np.isfinite(true) & np.isfinite(blind)
    return true[kept], blind[kept], groups[kept], int((~kept).sum())
