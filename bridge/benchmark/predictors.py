"""Labels from measured features by the usual means: chance, ridge, nearest neighbours and a small MLP, tuned inside the training groups."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

INNER_FOLDS = 3
PENALTIES = {"class": ("model__C", (1e-4, 1e-3, 1e-2, 1e-1)), "number": ("model__alpha", (1e1, 1e2, 1e3, 1e4))}
DECAYS = {"class": ("model__alpha", (3.0, 30.0, 100.0)), "number": ("model__regressor__alpha", (3.0, 30.0, 100.0))}
NEIGHBOURS = "model__n_neighbors", (5, 15, 45)

#: (training features, training label, training groups, test features) to a score per test sample.
Predictor = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Label:
    """What is predicted: a number, or which of two classes.

    Args:
        name: Column of ``obs``.
        values: The number, or 0 and 1.
        classes: Names of the classes 0 and 1; None for a number.
    """

    name: str
    values: Float[np.ndarray, " samples"]
    classes: tuple[str, str] | None = None

    @property
    def kind(self) -> str:
        """``class`` or ``number``."""
        return "number" if self.classes is None else "class"

    @property
    def said(self) -> list[str | float]:
        """What a text says of each sample."""
        return self.values.tolist() if self.classes is None else [self.classes[int(value)] for value in self.values]


def label_of(column: pd.Series, source: str = "cohort") -> Label:
    """A column of ``obs`` as a label: two different values are classes, more are numbers.

    Raises:
        ValueError: a value is missing, all are the same, or there are more than two and they are no numbers.
    """
    name, values = str(column.name), column.astype(object)
    missing = int(values.isna().sum())
    different = sorted(set(values.dropna()), key=str)
    if missing or len(different) < 2:
        found = f"{missing} missing values" if missing else f"{len(different)} different value"
        raise ValueError(f"{source}, obs column {name!r}: found {found}, expected a value for each sample and at least two different ones")
    if len(different) == 2:
        return Label(name, (values == different[1]).to_numpy(float), (str(different[0]), str(different[1])))
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{source}, obs column {name!r}: found {len(different)} classes such as {different[0]!r}, expected numbers or two classes")
    return Label(name, numbers)


def predictors(kind: str, seed: int = 0) -> dict[str, Predictor]:
    """The baselines from the lowest rung up, for a label of this kind."""
    classes = kind == "class"
    penalty, neighbours, decay = PENALTIES[kind], NEIGHBOURS, DECAYS[kind]
    network = {"hidden_layer_sizes": (32,), "max_iter": 60, "random_state": seed}
    models = {
        "chance": (DummyClassifier(strategy="prior") if classes else DummyRegressor(), None),
        "ridge": (LogisticRegression(max_iter=2000) if classes else Ridge(), penalty),
        "nearest neighbour": (KNeighborsClassifier() if classes else KNeighborsRegressor(), neighbours),
        "mlp": (MLPClassifier(**network) if classes else TransformedTargetRegressor(MLPRegressor(**network), transformer=StandardScaler()), decay),
    }
    return {name: _predictor(model, grid) for name, (model, grid) in models.items()}


def without_group_means(train: Float[np.ndarray, "train features"], groups: Sequence | np.ndarray) -> Float[np.ndarray, "train features"]:
    """Training features less the mean of their group, around the mean of all: what is left cannot tell groups apart by their means.

    A group that training does not know has no mean to take off, so features of new groups stay as they are: only what
    was learned inside groups is carried over.
    """
    means = pd.DataFrame(train).groupby(np.asarray(groups)).transform("mean").to_numpy()
    return train - means + np.nanmean(train, axis=0)


def inner_folds(groups: np.ndarray) -> list[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]] | None:
    """Folds of whole groups inside the training rows; None where there is only one group."""
    folds = min(INNER_FOLDS, len(set(groups.tolist())))
    return list(GroupKFold(folds).split(groups, groups=groups)) if folds > 1 else None


def score_of(model: BaseEstimator, features: np.ndarray) -> Float[np.ndarray, " samples"]:
    """Probability of class 1, or the number."""
    return model.predict_proba(features)[:, -1] if hasattr(model, "predict_proba") else model.predict(features)


def _predictor(model: BaseEstimator, grid: tuple[str, Sequence] | None) -> Predictor:
    def predict(train: np.ndarray, label: np.ndarray, groups: np.ndarray, test: np.ndarray) -> np.ndarray:
        pipeline = Pipeline([("impute", SimpleImputer(keep_empty_features=True)), ("scale", StandardScaler()), ("model", model)])
        folds = inner_folds(groups) if grid else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the MLP is stopped early on purpose
            tuned = GridSearchCV(pipeline, {grid[0]: _fitting(grid, folds)}, scoring=_negative_square, cv=folds) if folds else pipeline
            return score_of(tuned.fit(train, label), test)

    return predict


def _fitting(grid: tuple[str, Sequence], folds: list) -> list:
    """Settings that the smallest training fold can have: no more neighbours than samples."""
    smallest = min(len(fit) for fit, _ in folds)
    return [value for value in grid[1] if grid is not NEIGHBOURS or value <= smallest] or [1]


def _negative_square(model: BaseEstimator, features: np.ndarray, label: np.ndarray) -> float:
    """Mean squared error, and of a probability the Brier score: both are defined when a held-out group has one class."""
    return -float(np.mean((score_of(model, features) - label) ** 2))
