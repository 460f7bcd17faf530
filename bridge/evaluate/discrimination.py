"""How well a score tells two kinds apart: the ROC curve and the area under it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata


def auroc(positive: Float[np.ndarray, " positive"], negative: Float[np.ndarray, " negative"]) -> float | None:
    """Probability that a positive scores higher than a negative, a tie counting half; None where either kind is absent.

    Source: Hanley and McNeil, Radiology 1982 (the area is the Mann-Whitney statistic).

    Raises:
        ValueError: a score is NaN.
    """
    _require_numbers(positive, negative)
    if not (len(positive) and len(negative)):
        return None
    count = len(positive)
    ranks = rankdata(np.concatenate([positive, negative]))[:count]
    return float((ranks.sum() - count * (count + 1) / 2) / (count * len(negative)))


def roc(
    positive: Float[np.ndarray, " positive"], negative: Float[np.ndarray, " negative"]
) -> tuple[Float[np.ndarray, " thresholds"], Float[np.ndarray, " thresholds"]]:
    """False and true positive rates from (0, 0) to (1, 1), one point per distinct score from the highest down.

    Raises:
        ValueError: a kind is absent, or a score is NaN.
    """
    _require_numbers(positive, negative)
    if not (len(positive) and len(negative)):
        raise ValueError(f"ROC: found {len(positive)} positives and {len(negative)} negatives, expected at least one of each; it is undefined")
    thresholds = np.unique(np.concatenate([positive, negative]))[::-1]
    rates = (1 - np.searchsorted(np.sort(scores), thresholds) / len(scores) for scores in (negative, positive))
    false, true = (np.concatenate([[0.0], rate]) for rate in rates)
    return false, true


def _require_numbers(*scores: np.ndarray) -> None:
    if any(np.isnan(each).any() for each in scores):
        raise ValueError("ROC: found NaN among the scores, expected numbers; leave samples without a score out")
