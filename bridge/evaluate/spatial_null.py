"""How alike are two brain maps beyond being smooth? Surrogate maps with the autocorrelation of the original, and p from them.

Neighbouring regions are alike, so a correlation of two unrelated smooth maps has a far wider spread than its
parametric p assumes (Alexander-Bloch et al., NeuroImage 2018; Markello and Misic, NeuroImage 2021). Distances are
Euclidean between region centroids; they know nothing of the folds between two banks of a sulcus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np
from einops import rearrange
from jaxtyping import Float
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr

LEAST_REGIONS = 5

#: Shares of the other regions over which a shuffled map is smoothed; the one that fits the variogram best is kept.
NEIGHBOURHOODS = np.arange(0.1, 1.0, 0.1)
#: The variogram is fitted at this many distances, up to this quantile of all distances.
LAGS, NEAR = 25, 0.25

#: Variogram surrogates are made this many at a time.
BLOCK = 16

Surrogates = Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]
Variogram = Callable[[np.ndarray], np.ndarray]


def map_correlation(
    a: Float[np.ndarray, " regions"],
    b: Float[np.ndarray, " _"],
    distances: Float[np.ndarray, "_ _"],
    n: int = 1000,
    seed: int = 0,
    *,
    surrogates: Surrogates | None = None,
) -> dict[str, float | int | None]:
    """Pearson correlation of two maps with a parametric p and one against maps of the same autocorrelation.

    ``r``; ``p_parametric`` (Student's t, regions taken as independent: too small for smooth maps); ``p_spatial``, the
    two-sided share of surrogates of ``a`` that correlate with ``b`` at least as strongly, ``a`` itself counted
    (Phipson and Smyth, SAGMB 2010); ``n``, regions measured in both maps. None means undefined: fewer than five
    regions, or a map that is the same everywhere.

    Args:
        a: One value per region, NaN where missing.
        b: The other map.
        distances: Between regions, mm, from :func:`region_distances`.
        n: Surrogates.
        seed: Of the surrogates.
        surrogates: :func:`variogram_surrogates` (the default) or :func:`moran_surrogates`, which is faster and, where maps
            are very smooth, finds too much: 9 % at the 5 % level where the covariance is Gaussian with a width of 40 mm.

    Raises:
        ValueError: maps and distances are not of the same regions.
    """
    a, b, distances = np.asarray(a, dtype=float), np.asarray(b, dtype=float), np.asarray(distances, dtype=float)
    _check(a, b, distances)
    both = np.isfinite(a) & np.isfinite(b)
    a, b, distances = a[both], b[both], distances[np.ix_(both, both)]
    if len(a) < LEAST_REGIONS or np.ptp(a) == 0 or np.ptp(b) == 0:
        return {"r": None, "p_parametric": None, "p_spatial": None, "n": len(a)}
    found = pearsonr(a, b)
    null = _correlations((surrogates or variogram_surrogates)(a, distances, n, seed), b)
    # A surrogate that is the map itself differs in the last digits: it is as good, not worse.
    as_strong = int((np.abs(null) >= abs(found.statistic) - 1e-12).sum())
    return {"r": float(found.statistic), "p_parametric": float(found.pvalue), "p_spatial": (1 + as_strong) / (1 + n), "n": len(a)}


def moran_surrogates(
    values: Float[np.ndarray, " regions"], distances: Float[np.ndarray, "regions regions"], n: int, seed: int = 0
) -> Float[np.ndarray, "n regions"]:
    """Moran spectral randomisation: the map's correlation with each Moran eigenvector keeps its size and gets a random sign.

    Mean, variance and Moran's I (of inverse distances) of every surrogate are those of the map, exactly.
    Source: Wagner and Dray, Methods in Ecology and Evolution 2015 (singleton procedure).

    Args:
        values: One per region, none missing.
        distances: mm.
        n: Surrogates.
        seed: Of the signs.
    """
    values = np.asarray(values, dtype=float)
    vectors = moran_vectors(distances)
    amplitudes = vectors.T @ (values - values.mean())
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(n, len(amplitudes)))
    return values.mean() + (signs * amplitudes) @ vectors.T


def variogram_surrogates(
    values: Float[np.ndarray, " regions"], distances: Float[np.ndarray, "regions regions"], n: int, seed: int = 0
) -> Float[np.ndarray, "n regions"]:
    """Shuffled maps, smoothed, scaled and roughened until their variogram is that of the map.

    The mean is that of the map exactly, variance and Moran's I on average.
    Source: Burt et al., NeuroImage 2020, equations 1 to 6; Viladomat et al., Biometrics 2014.

    Args:
        values: One per region, none missing.
        distances: mm.
        n: Surrogates.
        seed: Of shuffles and noise.
    """
    values, random = np.asarray(values, dtype=float), np.random.default_rng(seed)
    variogram, smoothers = _variogram_of(distances), _smoothers(distances)
    target = variogram(values[:, None])[:, 0]
    blocks = [_variogram_block(values, target, variogram, smoothers, random) for _ in range(-(-n // BLOCK))]
    return np.concatenate(blocks)[:n] if blocks else np.empty((0, len(values)))


def moran_vectors(distances: Float[np.ndarray, "regions regions"]) -> Float[np.ndarray, "regions vectors"]:
    """Eigenvectors of the doubly centred inverse-distance matrix, all orthogonal to a constant map; one fewer than regions.

    Source: Dray, Legendre and Peres-Neto, Ecological Modelling 2006.
    """
    weights = inverse_distances(distances)
    centring = np.eye(len(weights)) - 1 / len(weights)
    # A constant map is an eigenvector; a large negative value sets it apart from the others, among which 0 may occur.
    apart = -(1 + np.abs(weights).sum()) / len(weights)
    return np.linalg.eigh(centring @ weights @ centring + apart)[1][:, 1:]


def morans_i(values: Float[np.ndarray, "*maps regions"], distances: Float[np.ndarray, "regions regions"]) -> Float[np.ndarray, "*maps"]:
    """Moran's I with inverse-distance weights: near 0 for a map without spatial order. Source: Moran, Biometrika 1950."""
    weights = inverse_distances(distances)
    centred = values - values.mean(axis=-1, keepdims=True)
    products = ((centred @ weights) * centred).sum(axis=-1)
    return np.asarray(len(weights) / weights.sum() * products / (centred**2).sum(axis=-1))


def inverse_distances(distances: Float[np.ndarray, "regions regions"]) -> Float[np.ndarray, "regions regions"]:
    """1 / distance, 0 from a region to itself.

    Raises:
        ValueError: not symmetric, or two regions in one place.
    """
    distances = np.asarray(distances, dtype=float)
    apart = distances + np.diag(np.full(len(distances), np.inf))
    if not np.allclose(distances, distances.T) or apart.min(initial=np.inf) <= 0:
        raise ValueError("region distances: expected a symmetric matrix with values above 0 off the diagonal; two regions in one place cannot be told apart")
    return 1 / apart


def region_distances(image: str | Path | nibabel.Nifti1Image, labels: Sequence[int] | None = None) -> Float[np.ndarray, "regions regions"]:
    """Euclidean distances between the centroids of regions, mm by the affine of the image.

    Args:
        image: Label image of an atlas.
        labels: Label of each region in the order of the maps; without it all labels above 0, rising.

    Raises:
        ValueError: a label is not in the image.
    """
    atlas = image if isinstance(image, nibabel.Nifti1Image) else nibabel.load(image)
    codes = np.rint(np.nan_to_num(atlas.get_fdata())).astype(int).squeeze()
    wanted = np.unique(codes[codes > 0]) if labels is None else np.asarray(labels)
    missing = np.setdiff1d(wanted, codes)
    if len(missing):
        raise ValueError(
            f"{'atlas' if image is atlas else image}: label {int(missing[0])} is not in the image ({len(missing)} in all); use the labels of this atlas"
        )
    voxels = np.argwhere(np.isin(codes, wanted))
    place = np.searchsorted(np.sort(wanted), codes[tuple(voxels.T)])
    sums = np.stack([np.bincount(place, weights=axis, minlength=len(wanted)) for axis in voxels.T], axis=1)
    centroids = nibabel.affines.apply_affine(atlas.affine, sums / np.bincount(place, minlength=len(wanted))[:, None])
    in_order = centroids[np.searchsorted(np.sort(wanted), wanted)]
    return cdist(in_order, in_order)


def _correlations(maps: Float[np.ndarray, "maps regions"], b: Float[np.ndarray, " regions"]) -> Float[np.ndarray, " maps"]:
    """Correlation of each map with ``b``; 0 for a map that is the same everywhere."""
    maps, b = maps - maps.mean(axis=1, keepdims=True), b - b.mean()
    length = np.linalg.norm(maps, axis=1) * np.linalg.norm(b)
    return np.divide(maps @ b, length, out=np.zeros(len(maps)), where=length > 0)


def _variogram_of(distances: np.ndarray) -> Variogram:
    """A function that gives the variograms of maps: half the mean squared difference of regions at each of 25 distances."""
    first, second = np.triu_indices(len(distances), 1)
    apart = np.asarray(distances, dtype=float)[first, second]
    near = apart <= np.quantile(apart, NEAR)
    first, second, apart = first[near], second[near], apart[near]
    lags = np.linspace(apart.min(), apart.max(), LAGS)
    # Three steps wide, so that no lag is without pairs.
    width = 3 * max(lags[1] - lags[0], 1e-9)
    weights = np.exp(-((lags[:, None] - apart) ** 2) / (2 * width**2))
    weights /= weights.sum(axis=1, keepdims=True)
    return lambda maps: weights @ ((maps[first] - maps[second]) ** 2 / 2)


def _smoothers(distances: np.ndarray) -> Float[np.ndarray, "shares regions regions"]:
    """For each share of the other regions: weights that fall exponentially to the farthest neighbour within the share."""
    order = np.sort(np.asarray(distances, dtype=float), axis=1)
    smoothers = []
    for share in NEIGHBOURHOODS:
        farthest = order[:, max(1, int(share * (len(order) - 1)))][:, None]
        kernel = np.where(distances <= farthest, np.exp(-distances / farthest), 0.0)
        smoothers.append(kernel / kernel.sum(axis=1, keepdims=True))
    return np.stack(smoothers)


def _variogram_block(values: np.ndarray, target: np.ndarray, variogram: Variogram, smoothers: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Some surrogates: smooth shuffled maps over several neighbourhoods, fit each to the target, keep the best fit of each."""
    shuffled = random.permuted(np.tile(values, (BLOCK, 1)), axis=1)
    smooth = rearrange(smoothers @ shuffled.T, "shares regions maps -> regions (maps shares)")
    slopes, nuggets, errors = _lines(variogram(smooth), target)
    best = np.arange(BLOCK) * len(smoothers) + errors.reshape(BLOCK, -1).argmin(axis=1)
    rough = random.normal(size=shuffled.shape) * np.sqrt(np.abs(nuggets[best]))[:, None]
    surrogates = smooth[:, best].T * np.sqrt(np.abs(slopes[best]))[:, None] + rough
    return surrogates - surrogates.mean(axis=1, keepdims=True) + values.mean()


def _lines(
    found: Float[np.ndarray, "lags maps"], target: Float[np.ndarray, " lags"]
) -> tuple[Float[np.ndarray, " maps"], Float[np.ndarray, " maps"], Float[np.ndarray, " maps"]]:
    """Slope, intercept and squared error of the least-squares line from each column to the target."""
    centred, wanted = found - found.mean(axis=0), target - target.mean()
    spread = (centred**2).sum(axis=0)
    slopes = np.divide(wanted @ centred, spread, out=np.zeros(len(spread)), where=spread > 0)
    errors = ((slopes * centred - wanted[:, None]) ** 2).sum(axis=0)
    return slopes, target.mean() - slopes * found.mean(axis=0), errors


def _check(a: np.ndarray, b: np.ndarray, distances: np.ndarray) -> None:
    if a.ndim != 1 or a.shape != b.shape or distances.shape != (len(a), len(a)):
        raise ValueError(f"map correlation: found maps of {a.shape} and {b.shape} and distances of {distances.shape}, expected the same regions in all")
    if np.isinf(a).any() or np.isinf(b).any():
        raise ValueError("map correlation: infinite values, expected numbers, or NaN where a region is missing")
