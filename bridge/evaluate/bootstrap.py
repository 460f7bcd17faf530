"""The interval of a statistic that is no mean: whole groups are drawn and it is computed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int

from bridge.evaluate.retrieval import CONFIDENCE

#: Share of the resamples in which a statistic must be defined for its interval to be.
DEFINED = 0.9


def interval_of(
    statistic: Callable[[Int[np.ndarray, " _"]], float | None], groups: Sequence | np.ndarray, *, resamples: int = 1000, seed: int = 0
) -> tuple[float | None, float | None]:
    """95 % percentile interval, whole groups drawn with replacement; (None, None) below two groups or where mostly undefined.

    For a mean, ``bridge.evaluate.retrieval.bootstrap_interval`` is the same and faster.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; Field and Welsh, JRSS B 2007 (clusters).

    Args:
        statistic: From row numbers (a drawn group's rows come as often as it was drawn) to the figure, None where undefined.
        groups: Group of each row.
        resamples: Bootstrap resamples; 0 leaves the interval out.
        seed: Seed of the draws.
    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    if len(members) < 2 or resamples < 1:
        return None, None
    random = np.random.default_rng(seed)
    draws = (random.integers(len(members), size=len(members)) for _ in range(resamples))
    found = [statistic(np.concatenate([members[group] for group in draw])) for draw in draws]
    defined = [value for value in found if value is not None]
    if len(defined) < DEFINED * resamples:
        return None, None
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(defined, [tail, 100 - tail])
    return float(low), float(high)
