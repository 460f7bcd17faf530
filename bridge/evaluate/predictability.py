"""Can a label be told from features that should not tell it? Cross-validated ridge, its AUC, and a permutation p."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

FOLDS, PERMUTATIONS, BLOCK = 5, 499, 20
#: Permutations stop once this many were as good: p is then far from small (Besag and Clifford, Biometrika 1991).
ENOUGH = 10
#: Ridge penalty per training row, in units of the variance of a feature.
PENALTY = 0.1


class Predictability(NamedTuple):
    """The target that is told best, and how well.

    Args:
        n: Samples.
        target: Column of the targets.
        auc: Of held-out predictions; 0.5 is chance.
        p: Share of random assignments of targets to samples under which the best target is told as well, the right one counted.
    """

    n: int
    target: int
    auc: float
    p: float


def predictability(features: Float[np.ndarray, "samples features"], targets: Bool[np.ndarray, "samples targets"], *, seed: int = 0) -> Predictability | None:
    """How well the best target is told by ridge regression on the features, in five folds; p allows for the choice among targets.

    None where nothing can be told: no feature that varies, no target, or a target that all or no samples have.
    Samples must be independent: hand in one sample per group.
    Source: Hoerl and Kennard, Technometrics 1970; Westfall and Young, Resampling-Based Multiple Testing, 1993 (best of several).

    Args:
        features: Any scale, none missing.
        targets: One column for each label.
        seed: Of folds and permutations.
    """
    features = features[:, np.ptp(features, axis=0) > 0] if len(features) else features
    if min(*features.shape, targets.shape[1]) == 0 or len(features) < 2 * FOLDS or (targets.all(axis=0) | ~targets.any(axis=0)).any():
        return None
    random = np.random.default_rng(seed)
    predictors = _predictors(features, np.array_split(random.permutation(len(features)), FOLDS))
    found = _aucs(predictors, targets)
    as_good = done = 0
    while done < PERMUTATIONS and as_good < ENOUGH:
        size = min(BLOCK, PERMUTATIONS - done)
        orders = random.permuted(np.tile(np.arange(len(targets)), (size, 1)), axis=1)
        shuffled = _aucs(predictors, np.concatenate([targets[order] for order in orders], axis=1))
        as_good += int((shuffled.reshape(size, -1).max(axis=1) >= found.max() - 1e-12).sum())
        done += size
    return Predictability(len(features), int(found.argmax()), float(found.max()), (1 + as_good) / (1 + done))


def auc(scores: Float[np.ndarray, "samples targets"], targets: Bool[np.ndarray, "samples targets"]) -> Float[np.ndarray, " targets"]:
    """Area under the ROC curve of each column, ties counted half; every column needs both classes. Source: Hanley and McNeil, Radiology 1982."""
    positive = targets.sum(axis=0)
    total = (rankdata(scores, axis=0) * targets).sum(axis=0)
    return (total - positive * (positive + 1) / 2) / (positive * (len(targets) - positive))


def _predictors(features: np.ndarray, folds: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each fold its rows, the other rows, and the matrix that takes the targets of those to predictions of these."""
    predictors = []
    for held in folds:
        fit = np.setdiff1d(np.arange(len(features)), held)
        scale = features[fit].std(axis=0)
        scaled = (features - features[fit].mean(axis=0)) / np.where(scale > 1e-12, scale, 1.0)
        gram = scaled[fit].T @ scaled[fit] + PENALTY * len(fit) * np.eye(features.shape[1])
        predictors.append((held, fit, scaled[held] @ np.linalg.solve(gram, scaled[fit].T)))
    return predictors


def _aucs(predictors: list[tuple[np.ndarray, np.ndarray, np.ndarray]], targets: np.ndarray) -> np.ndarray:
    """AUC of the held-out predictions; the mean of the training targets is left out, it would differ by fold and tell nothing."""
    predicted = np.empty(targets.shape)
    for held, fit, matrix in predictors:
        predicted[held] = matrix @ (targets[fit] - targets[fit].mean(axis=0))
    return auc(predicted.round(9), targets)
