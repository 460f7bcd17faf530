"""Surrogate maps keep what they must and lose what they must; the spatial p holds its level where the parametric one does not."""

import nibabel
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import binom, linregress

from bridge.evaluate.spatial_null import map_correlation, moran_surrogates, morans_i, region_distances, variogram_surrogates

KINDS = {"moran": moran_surrogates, "variogram": variogram_surrogates}


@pytest.fixture(scope="module")
def distances():
    """Sixty regions spread over an ellipsoid of the size of a brain, mm."""
    places = np.random.default_rng(1).normal(size=(60, 3))
    places *= np.array([65, 85, 55]) / np.linalg.norm(places, axis=1, keepdims=True)
    return cdist(places, places)


@pytest.fixture(scope="module")
def smooth(distances):
    """``smooth(count, seed)``: unrelated maps whose covariance falls as exp(-distance / 60 mm)."""
    root = np.linalg.cholesky(np.exp(-distances / 60))
    return lambda count, seed=0: np.random.default_rng(seed).normal(size=(count, len(root))) @ root.T


def test_morans_i_is_that_of_its_definition(distances, smooth):
    (values,) = smooth(1)
    centred, n = values - values.mean(), len(values)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    total = sum(1 / distances[pair] for pair in pairs)
    expected = n / total * sum(centred[i] * centred[j] / distances[i, j] for i, j in pairs) / (centred**2).sum()
    assert morans_i(values, distances) == pytest.approx(expected)
    assert morans_i(smooth(3), distances).shape == (3,)


def test_moran_surrogates_keep_mean_variance_and_morans_i_exactly(distances, smooth):
    (values,) = smooth(1)
    found = moran_surrogates(values, distances, 200, 0)
    assert found.shape == (200, 60)
    assert np.allclose(found.mean(axis=1), values.mean())
    assert np.allclose(found.var(axis=1), values.var())
    assert np.allclose(morans_i(found, distances), morans_i(values, distances))


def test_variogram_surrogates_keep_mean_variance_and_morans_i_on_average(distances, smooth):
    maps = smooth(10)
    found = [variogram_surrogates(values, distances, 100, 0) for values in maps]
    assert all(np.allclose(some.mean(axis=1), values.mean()) for some, values in zip(found, maps, strict=True))
    assert np.mean([some.var(axis=1).mean() for some in found]) == pytest.approx(maps.var(axis=1).mean(), rel=0.25)
    assert np.mean([morans_i(some, distances) for some in found]) == pytest.approx(morans_i(maps, distances).mean(), abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_surrogates_have_lost_the_map_they_were_made_of(kind, distances, smooth):
    (values,) = smooth(1)
    found = KINDS[kind](values, distances, 400, 0)
    correlation = np.corrcoef(np.vstack([found, values]))[-1, :-1]
    assert abs(correlation.mean()) < 0.06
    assert np.quantile(np.abs(correlation), 0.5) < 0.3
    assert len(np.unique(found.round(9), axis=0)) == 400


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_surrogates(kind, distances, smooth):
    (values,) = smooth(1)
    assert np.array_equal(KINDS[kind](values, distances, 5, 3), KINDS[kind](values, distances, 5, 3))
    assert not np.allclose(KINDS[kind](values, distances, 5, 3), KINDS[kind](values, distances, 5, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_unrelated_smooth_maps_are_found_related_as_often_as_the_level_says(kind, distances, smooth):
    trials, level = 200, 0.05
    low, high = binom.ppf([0.005, 0.995], trials, level) / trials
    pairs = smooth(2 * trials).reshape(trials, 2, -1)
    found = [map_correlation(*pair, distances, 99, seed, surrogates=KINDS[kind]) for seed, pair in enumerate(pairs)]
    assert np.mean([each["p_parametric"] <= level for each in found]) > 2 * high
    assert low <= np.mean([each["p_spatial"] <= level for each in found]) <= high


def test_related_maps_are_found_related(distances, smooth):
    a, b = smooth(2)
    found = map_correlation(a, 2 * a + 0.3 * b, distances, 499)
    assert found["p_spatial"] == 1 / 500
    assert map_correlation(a, -a, distances, 499)["p_spatial"] == 1 / 500


def test_correlation_and_its_parametric_p_are_those_of_a_regression_over_the_regions_both_maps_have(distances, smooth):
    a, b = smooth(2)
    a[4], b[[4, 7]] = np.nan, np.nan
    both = np.isfinite(a) & np.isfinite(b)
    expected = linregress(a[both], b[both])
    found = map_correlation(a, b, distances, 99)
    assert found["n"] == 58
    assert found["r"] == pytest.approx(expected.rvalue)
    assert found["p_parametric"] == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("a", [np.full(60, np.nan), np.ones(60), np.r_[np.arange(4.0), np.full(56, np.nan)]], ids=["missing", "constant", "four regions"])
def test_without_a_map_the_correlation_is_undefined(a, distances, smooth):
    found = map_correlation(a, smooth(1)[0], distances, 9)
    assert found["r"] is found["p_parametric"] is found["p_spatial"] is None


@pytest.mark.parametrize(
    ("b", "message"), [(np.zeros(59), r"maps of \(60,\) and \(59,\) and distances of \(60, 60\)"), (np.r_[np.inf, np.zeros(59)], "infinite values")]
)
def test_maps_that_do_not_fit_are_refused(b, message, distances):
    with pytest.raises(ValueError, match=message):
        map_correlation(np.arange(60.0), b, distances)


def test_two_regions_in_one_place_are_refused():
    with pytest.raises(ValueError, match="two regions in one place"):
        moran_surrogates(np.arange(3.0), np.array([[0.0, 0, 1], [0, 0, 1], [1, 1, 0]]), 3)


@pytest.fixture
def atlas():
    """Three regions of one, two and four voxels; voxels are 2 x 3 x 4 mm, the first axis runs to the left."""
    labels = np.zeros((10, 8, 6), dtype=np.int16)
    labels[1, 1, 1], labels[1, 4:6, 1], labels[5:7, 1, 1:3] = 7, 2, 40
    return nibabel.Nifti1Image(labels, np.array([[-2.0, 0, 0, 90], [0, 3, 0, -120], [0, 0, 4, -70], [0, 0, 0, 1]]))


def test_distances_are_between_centroids_in_mm(atlas):
    one, two, three = [1, 1, 1], [1, 4.5, 1], [5.5, 1, 1.5]
    centroids = nibabel.affines.apply_affine(atlas.affine, [one, two, three])
    assert np.allclose(region_distances(atlas, [7, 2, 40]), cdist(centroids, centroids))
    assert region_distances(atlas, [7, 2])[0, 1] == pytest.approx(3.5 * 3)


def test_distances_do_not_depend_on_the_storage_order_and_follow_the_order_of_the_labels(atlas, tmp_path):
    turned = nibabel.as_closest_canonical(atlas)
    assert not np.array_equal(turned.get_fdata(), atlas.get_fdata())
    nibabel.save(turned, tmp_path / "atlas.nii.gz")
    rising = region_distances(tmp_path / "atlas.nii.gz")
    order = [1, 0, 2]
    assert np.allclose(rising, region_distances(atlas, [2, 7, 40]))
    assert np.allclose(rising[np.ix_(order, order)], region_distances(atlas, [7, 2, 40]))


def test_a_label_that_the_atlas_lacks_is_named(atlas):
    with pytest.raises(ValueError, match="label 9 is not in the image \\(2 in all\\)"):
        region_distances(atlas, [2, 9, 11])
