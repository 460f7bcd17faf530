"""How likely a candidate is a sample's own: log odds from its cosine and from how common it is, fitted on the validation split."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit

#: Validation samples, and own candidates of theirs, below which a fit would be noise.
FEWEST_SAMPLES, FEWEST_OWN = 20, 20

#: Kept away from a spread of zero, which a candidate has that is equally near to all.
LEAST_SPREAD = 1e-6

#: Of the fit: most steps, and the step after which it ends.
STEPS, CLOSE = 50, 1e-6

#: Weights before the fit, which says "as common as in training", and how strongly they are held there: few own candidates cannot tell the
#: weight of the prior log odds well, so it is held as by a normal prior of standard deviation 0.25; the others hardly at all.
START, HELD = np.array([0.0, 1.0, 0.0]), np.array([1e-3, 1 / 0.25**2, 1e-3])


class Standing(NamedTuple):
    """What the training split says of each candidate: cosines of its samples with it, and how many have it."""

    mean: Float[np.ndarray, " candidates"]
    spread: Float[np.ndarray, " candidates"]
    share: Float[np.ndarray, " candidates"]

    @property
    def odds(self) -> Float[np.ndarray, " candidates"]:
        """Log odds before anything is known of a sample."""
        return np.log(self.share) - np.log1p(-self.share)


class Odds(NamedTuple):
    """Log odds of a candidate: ``slope * (cosine - mean) / spread + weight * prior log odds + intercept``.

    Args:
        slope: What a standard deviation of the cosine is worth; 0 where the space tells nothing of the candidates.
        weight: Of the prior log odds.
        intercept: The rest.
        loss: Mean negative log-likelihood over the validation split's pairs of sample and candidate, nats.
    """

    slope: float
    weight: float
    intercept: float
    loss: float

    def affine(self, standing: Standing) -> tuple[Float[np.ndarray, " candidates"], Float[np.ndarray, " candidates"]]:
        """The same as ``scale * cosine + offset``, candidate by candidate."""
        scale = self.slope / standing.spread
        return scale, self.weight * standing.odds + self.intercept - scale * standing.mean

    def prior(self, standing: Standing) -> Float[np.ndarray, " candidates"]:
        """Probability of each candidate for a sample that lies as far from it as samples do on average."""
        return expit(self.weight * standing.odds + self.intercept)


def standing(cosines: Float[np.ndarray, "training candidates"], share: Float[np.ndarray, " candidates"]) -> Standing:
    """From cosines of the training samples that have the side with the candidates, and the share of all that have each candidate."""
    return Standing(cosines.mean(axis=0), np.maximum(cosines.std(axis=0), LEAST_SPREAD), share)


def fit_odds(cosines: Float[np.ndarray, "validation candidates"], own: Bool[np.ndarray, "validation candidates"], training: Standing) -> Odds | None:
    """Log odds fitted on the validation split by penalised maximum likelihood; None where there is too little to fit.

    A space in which a sample's own candidates lie farther off than others is given no say at all.
    """
    if len(own) < FEWEST_SAMPLES or own.sum() < FEWEST_OWN or own.all():
        return None
    standard = ((cosines - training.mean) / training.spread).ravel()
    features = np.stack([standard, np.broadcast_to(training.odds, own.shape).ravel(), np.ones(own.size)], axis=1)
    found = _logistic(features, own.ravel())
    return found if found.slope > 0 else _logistic(features * [0, 1, 1], own.ravel())


def _logistic(features: Float[np.ndarray, "pairs 3"], own: Bool[np.ndarray, " pairs"]) -> Odds:
    """Newton's method from the prior log odds, which are near the solution."""
    weights = START
    for _ in range(STEPS):
        chance = expit(features @ weights)
        gradient = features.T @ (own - chance) - HELD * (weights - START)
        step = np.linalg.solve((features * (chance * (1 - chance))[:, None]).T @ features + np.diag(HELD), gradient)
        weights = weights + step
        if np.abs(step).max() < CLOSE:
            break
    loss = np.logaddexp(0, np.where(own, -1, 1) * (features @ weights)).mean()
    return Odds(*map(float, weights), float(loss))
