"""What a linear method reaches on the same split: ridge regression and regularised CCA, fitted on the training rows alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupKFold

from bridge.evaluate.retrieval import cosine_similarity, ranks

#: Ridge penalties per training row, in units of the mean variance of a feature.
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
#: Share of a covariance that is replaced by a multiple of the identity.
SHRINKAGES = (0.1, 0.3, 0.6, 0.9)
FOLDS = 3

Sides = tuple[Float[np.ndarray, "train a"], Float[np.ndarray, "train b"], Float[np.ndarray, "test a"], Float[np.ndarray, "test b"]]


class Axes(NamedTuple):
    """Principal axes of centred training rows: ``scores @ axes.T + mean`` are the rows."""

    mean: Float[np.ndarray, " features"]
    axes: Float[np.ndarray, "features rank"]
    scores: Float[np.ndarray, "rows rank"]
    variance: Float[np.ndarray, " rank"]

    @property
    def mean_variance(self) -> float:
        """Mean variance of a feature; the scale that makes a penalty mean the same in any unit."""
        return float(self.variance.sum() / len(self.mean))


def baseline_table(
    sides: dict[str, tuple[Float[np.ndarray, "train _"], Float[np.ndarray, "test _"]]],
    groups: Sequence | np.ndarray | None = None,
    *,
    permuted: bool = False,
    seed: int = 0,
) -> dict[str, dict[str, Float[np.ndarray, "test test"]]]:
    """Similarities of the test samples in both directions: ``{"a->b": {"ridge", "cca"}, "b->a": {"ridge", "cca"}}``.

    Rows are queries, columns candidates, sample i belongs to sample i. Both directions of CCA are one matrix and its
    transpose; ridge is fitted for each direction.

    Args:
        sides: Exactly two names, each with (train, test) features, see :func:`vector_features` and :func:`text_features`.
        groups: Group of each training sample, whole in the inner cross-validation.
        permuted: Control: fit on training pairs whose partners are shuffled.
        seed: Seed of that shuffle.
    """
    (name_a, (train_a, test_a)), (name_b, (train_b, test_b)) = sides.items()
    if permuted:
        train_b = np.asarray(train_b)[np.random.default_rng(seed).permutation(len(train_b))]
    cca = cca_retrieval(train_a, train_b, test_a, test_b, groups=groups)
    return {
        f"{name_a}->{name_b}": {"ridge": ridge_retrieval(train_a, train_b, test_a, test_b, groups=groups), "cca": cca},
        f"{name_b}->{name_a}": {"ridge": ridge_retrieval(train_b, train_a, test_b, test_a, groups=groups), "cca": cca.T},
    }


def ridge_retrieval(
    train_x: Float[np.ndarray, "_ x"],
    train_y: Float[np.ndarray, "_ y"],
    test_x: Float[np.ndarray, "_ _"],
    test_y: Float[np.ndarray, "_ _"],
    *,
    groups: Sequence | np.ndarray | None = None,
    penalties: Sequence[float] = PENALTIES,
) -> Float[np.ndarray, "test test"]:
    """Cosine between y predicted from x by ridge regression and the measured y, both less the training mean.

    The penalty is the one with the best mean reciprocal rank in cross-validation by groups inside the training rows.
    Source: Hoerl and Kennard, Technometrics 1970.

    Args:
        groups: Group of each training row; without it every row is its own group.
        penalties: Candidates, per training row and in units of the mean variance of a feature of x.
    """
    sides = _checked_sides(train_x, train_y, test_x, test_y)
    best = _inner_choice(_ridge_similarities, sides, groups, penalties)
    return next(_ridge_similarities(sides, [best]))


def cca_retrieval(
    train_x: Float[np.ndarray, "_ x"],
    train_y: Float[np.ndarray, "_ y"],
    test_x: Float[np.ndarray, "_ _"],
    test_y: Float[np.ndarray, "_ _"],
    *,
    groups: Sequence | np.ndarray | None = None,
    components: int = 100,
    shrinkages: Sequence[float] = SHRINKAGES,
) -> Float[np.ndarray, "test test"]:
    """Cosine between the canonical variates of x and of y under regularised CCA; its transpose is the other direction.

    Each covariance is shrunk to a multiple of the identity (Ledoit and Wolf 2004, with one shrinkage for both sides,
    chosen like the penalty of ridge), and variates are weighted by their canonical correlation, so that the number of
    components matters little (Gong et al., IJCV 2014, section 3.3). Source: Hotelling, Biometrika 1936; Vinod 1976 (regularised).

    Args:
        groups: Group of each training row; without it every row is its own group.
        components: Canonical variates, at most the rank of either side.
        shrinkages: Candidates in 0..1; 0 is ordinary CCA.
    """
    sides = _checked_sides(train_x, train_y, test_x, test_y)

    def similarities(some: Sides, candidates: Sequence[float]) -> Iterator[np.ndarray]:
        return _cca_similarities(some, candidates, components)

    best = _inner_choice(similarities, sides, groups, shrinkages)
    return next(similarities(sides, [best]))


def neighbour_retrieval(
    train_x: Float[np.ndarray, "train x"],
    train_y: Float[np.ndarray, "train y"],
    test_x: Float[np.ndarray, "test x"],
    test_y: Float[np.ndarray, "test y"],
    *,
    neighbours: int = 10,
) -> Float[np.ndarray, "test test"]:
    """Cosine between the mean y of the nearest training samples in x and the measured y; no model at all."""
    nearest = np.argsort(-cosine_similarity(test_x, train_x), axis=1, kind="stable")[:, :neighbours]
    mean = train_y.mean(axis=0)
    return cosine_similarity((train_y[nearest] - mean).mean(axis=1), test_y - mean)


def canonical_directions(
    x: Axes, y: Axes, shrinkage: float | tuple[float, float], components: int
) -> tuple[Float[np.ndarray, "x components"], Float[np.ndarray, "y components"], Float[np.ndarray, " components"]]:
    """Directions in x and in y, and their canonical correlations, largest first; one shrinkage for both sides, or one each."""
    shrink_x, shrink_y = shrinkage if isinstance(shrinkage, tuple) else (shrinkage, shrinkage)
    white_x, white_y = _whitening(x, shrink_x), _whitening(y, shrink_y)
    cross = (x.scores * white_x).T @ (y.scores * white_y) / len(x.scores)
    left, correlations, right = np.linalg.svd(cross, full_matrices=False)
    kept = slice(0, components)
    return (x.axes * white_x) @ left[:, kept], (y.axes * white_y) @ right.T[:, kept], correlations[kept]


def principal_axes(rows: Float[np.ndarray, "rows features"]) -> Axes:
    """Principal axes with variance; at most min(rows - 1, features) of them."""
    mean = rows.mean(axis=0)
    left, singular, right = np.linalg.svd(rows - mean, full_matrices=False)
    kept = singular > 1e-10 * singular.max(initial=0.0)
    return Axes(mean, right[kept].T, left[:, kept] * singular[kept], singular[kept] ** 2 / len(rows))


def vector_features(train: Float[np.ndarray, "train _"], test: Float[np.ndarray, "test _"]) -> tuple[Float[np.ndarray, "train _"], Float[np.ndarray, "test _"]]:
    """Vectors with mean 0 and scale 1 on the training rows; a missing value (NaN) becomes the training mean.

    Raises:
        ValueError: a sample, or a feature of the training rows, is missing as a whole.
    """
    for name, rows in (("train", train), ("test", test)):
        if np.isnan(rows).all(axis=1).any():
            raise ValueError(f"baseline, {name} vectors: {int(np.isnan(rows).all(axis=1).sum())} samples are all NaN; leave samples without the modality out")
    if np.isnan(train).all(axis=0).any():
        raise ValueError("baseline, train vectors: a feature is NaN in every sample, expected at least one value; leave the feature out")
    mean, scale = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    scale = np.where(scale > 1e-8, scale, 1.0)
    return np.nan_to_num((train - mean) / scale), np.nan_to_num((test - mean) / scale)


def text_features(
    train_texts: Sequence[str], test_texts: Sequence[str], components: int = 400, *, seed: int = 0
) -> tuple[Float[np.ndarray, "train components"], Float[np.ndarray, "test components"]]:
    """Latent semantic vectors of texts: TF-IDF (sublinear counts) and truncated SVD, both fitted on the training texts.

    Source: Deerwester et al., JASIS 1990.

    Args:
        components: At most this many; fewer where there are fewer training texts or words.
        seed: Seed of the randomised SVD.

    Raises:
        ValueError: fewer than two different training texts.
    """
    if len(set(train_texts)) < 2:
        raise ValueError(f"baseline, train texts: found {len(set(train_texts))} different texts, expected at least 2; check the text column")
    words = TfidfVectorizer(sublinear_tf=True)
    train = words.fit_transform(train_texts)
    reduction = TruncatedSVD(min(components, *(size - 1 for size in train.shape)), random_state=seed)
    features = reduction.fit_transform(train)
    return features, reduction.transform(words.transform(test_texts)) if len(test_texts) else features[:0]


def _ridge_similarities(sides: Sides, penalties: Sequence[float]) -> Iterator[np.ndarray]:
    train_x, train_y, test_x, test_y = sides
    x, mean_y = principal_axes(train_x), train_y.mean(axis=0)
    projected, cross = (test_x - x.mean) @ x.axes, x.scores.T @ (train_y - mean_y) / len(train_x)
    for penalty in penalties:
        predicted = (projected / (x.variance + penalty * x.mean_variance)) @ cross
        yield cosine_similarity(predicted, test_y - mean_y)


def _cca_similarities(sides: Sides, shrinkages: Sequence[float], components: int) -> Iterator[np.ndarray]:
    train_x, train_y, test_x, test_y = sides
    x, y = principal_axes(train_x), principal_axes(train_y)
    for shrinkage in shrinkages:
        to_x, to_y, correlations = canonical_directions(x, y, shrinkage, components)
        yield cosine_similarity((test_x - x.mean) @ to_x * correlations, (test_y - y.mean) @ to_y * correlations)


def _whitening(side: Axes, shrinkage: float) -> np.ndarray:
    return 1 / np.sqrt((1 - shrinkage) * side.variance + shrinkage * side.mean_variance)


def _inner_choice(
    similarities: Callable[[Sides, Sequence[float]], Iterator[np.ndarray]], sides: Sides, groups: Sequence | np.ndarray | None, candidates: Sequence[float]
) -> float:
    train_x, train_y = sides[:2]
    groups = np.arange(len(train_x)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    folds = min(FOLDS, len(set(groups)))
    if folds < 2:
        return candidates[len(candidates) // 2]
    reached = np.zeros(len(candidates))
    for fit, held in GroupKFold(folds).split(train_x, groups=groups):
        inner = (train_x[fit], train_y[fit], train_x[held], train_y[held])
        reached += [np.sum(1 / ranks(similarity)) for similarity in similarities(inner, candidates)]
    return candidates[int(np.argmax(reached))]


def _checked_sides(*sides: np.ndarray) -> Sides:
    train_x, train_y, test_x, test_y = arrays = tuple(np.asarray(side, dtype=float) for side in sides)
    if len(train_x) != len(train_y) or len(test_x) != len(test_y) or len(train_x) < 2:
        sizes = [len(side) for side in arrays]
        raise ValueError(f"baseline: found {sizes} rows (train x, train y, test x, test y), expected pairs and at least 2 for training")
    if not all(np.isfinite(side).all() for side in arrays):
        raise ValueError("baseline: NaN or infinite features; leave samples without the modality out, and make features with vector_features")
    return arrays
