"""Candidates that are near to everything, and how near."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

#: Candidates that are compared with all queries at a time.
COMPARED_AT_ONCE = 1024


def hubness(
    bank: Float[np.ndarray, "training dim"], candidates: Float[np.ndarray, "candidates dim"], neighbours: int = 100
) -> Float[np.ndarray, " candidates"]:
    """Mean cosine of each candidate with its nearest training queries.

    The term that cross-domain similarity local scaling takes off (Conneau et al., ICLR 2018, equation 3) on the
    candidates' side, with the training split as the queries: no held-out query is looked at.

    Args:
        bank: Unit vectors of training queries.
        candidates: Unit vectors of the candidates.
        neighbours: Nearest training queries that are averaged; all where there are fewer.
    """
    starts = range(0, len(candidates), COMPARED_AT_ONCE)
    nearest = [np.sort(candidates[start : start + COMPARED_AT_ONCE] @ bank.T, axis=1)[:, -neighbours:].mean(axis=1) for start in starts]
    return np.concatenate(nearest) if nearest else np.empty(0)
