"""A map from stated confidence to how often such claims are right, fitted on validation claims alone."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from bridge.evaluate.judged import Judged

#: Claims below which a calibrator would fit noise.
FEWEST = 50

#: Confidences are kept this far from 0 and 1 before the logarithm of their odds is taken.
MARGIN = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Isotonic:
    """A rising curve through ``levels`` at ``knots``, straight between them and flat beyond. Source: Zadrozny and Elkan, KDD 2002."""

    knots: Float[np.ndarray, " knots"]
    levels: Float[np.ndarray, " knots"]

    def __call__(self, confidence: Float[np.ndarray, " claims"]) -> Float[np.ndarray, " claims"]:
        return np.interp(confidence, self.knots, self.levels)


@dataclasses.dataclass(frozen=True)
class Platt:
    """A line on log odds. Source: Platt, Advances in Large Margin Classifiers, 1999."""

    slope: float
    intercept: float

    def __call__(self, confidence: Float[np.ndarray, " claims"]) -> Float[np.ndarray, " claims"]:
        return expit(self.slope * _log_odds(confidence) + self.intercept)


def fit_calibrator(validation: Judged, method: str = "isotonic", *, fewest: int = FEWEST) -> Isotonic | Platt:
    """A calibrator fitted on the claims given, which must be of the validation split.

    Args:
        validation: Checked claims.
        method: ``isotonic`` (any rising curve; wants some hundreds of claims) or ``platt`` (two numbers).
        fewest: Claims below which nothing is fitted.

    Raises:
        ValueError: an unknown method, too few claims, or all of them right, or wrong.
    """
    if method not in ("isotonic", "platt"):
        raise ValueError(f"calibrator, field method: found {method!r}, expected isotonic or platt")
    if not can_fit(validation, fewest):
        right = int(validation.correct.sum())
        raise ValueError(f"calibrator: found {len(validation)} validation claims, {right} of them right; expected {fewest} or more, of both kinds")
    return _isotonic(validation) if method == "isotonic" else _platt(validation)


def can_fit(validation: Judged, fewest: int = FEWEST) -> bool:
    """Whether there are claims enough, right and wrong ones."""
    return len(validation) >= fewest and 0 < int(validation.correct.sum()) < len(validation)


def recalibrated(claims: Judged, calibrator: Isotonic | Platt) -> Judged:
    """The same claims under calibrated confidences."""
    return Judged(calibrator(claims.confidence), claims.correct, claims.groups)


def _isotonic(validation: Judged) -> Isotonic:
    """No claim becomes certain: levels keep the distance from 0 and 1 that the rule of succession gives for this many claims."""
    margin = 1 / (len(validation) + 2)
    curve = IsotonicRegression(y_min=margin, y_max=1 - margin).fit(validation.confidence, validation.correct.astype(float))
    return Isotonic(np.asarray(curve.X_thresholds_, dtype=float), np.asarray(curve.y_thresholds_, dtype=float))


def _platt(validation: Judged) -> Platt:
    """Each claim counts as right with a probability just short of 1 or above 0 (Platt 1999), by weights."""
    right = int(validation.correct.sum())
    target = np.where(validation.correct, (right + 1) / (right + 2), 1 / (len(validation) - right + 2))
    odds, kinds = np.tile(_log_odds(validation.confidence), 2)[:, None], np.repeat([1, 0], len(validation))
    line = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(odds, kinds, sample_weight=np.concatenate([target, 1 - target]))
    return Platt(float(line.coef_[0, 0]), float(line.intercept_[0]))


def _log_odds(confidence: np.ndarray) -> np.ndarray:
    return logit(np.clip(confidence, MARGIN, 1 - MARGIN))
