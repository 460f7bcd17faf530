"""Detectors agree with scikit-learn, see what differs from training and only that, and are undefined where nothing can be scored."""

import nibabel
import numpy as np
import pytest
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from bridge.evaluate.detectors import Mahalanobis, Neighbours, Norm, Presence, ledoit_wolf
from bridge.evaluate.outlier_sets import (
    absent_modality,
    label_images,
    noise,
    other_atlas,
    other_order,
    outlier_sets,
    projector_inputs,
    shuffled_features,
)
from bridge.evaluate.outliers import DETECTORS, MahalanobisApart, NeighboursApart, ood_scores, ood_table, threshold
from encoders.brain_volume import BrainVolume

MIXING = np.random.default_rng(9).normal(size=(3, 20))


def cause(n, seed):
    random = np.random.default_rng(seed)
    return {"brain": random.normal(size=(n, 3)) @ MIXING + 0.3 * random.normal(size=(n, 20)) + 2, "gene": random.normal(size=(n, 6))}


TRAIN, TEST = cause(150, 0), cause(60, 1)


def with_gaps(inputs, share=0.2):
    random = np.random.default_rng(5)
    return {name: np.where(random.random(values.shape) < share, np.nan, values) for name, values in inputs.items()}


def table(*arguments, **options):
    return {(row["direction"], row["metric"], row["method"]): row for row in ood_table(*arguments, **({"resamples": 40} | options))}


@pytest.mark.parametrize("shape", [(30, 5), (20, 80), (300, 40), (50, 1), (2, 4)])
def test_the_shrinkage_is_that_of_scikit_learn(shape):
    rows = np.random.default_rng(0).normal(size=shape) @ np.random.default_rng(1).normal(size=(shape[1], shape[1]))
    rows -= rows.mean(axis=0)
    assert ledoit_wolf(rows) == pytest.approx(ledoit_wolf_shrinkage(rows, assume_centered=True), abs=1e-10)


@pytest.mark.parametrize("width", [4, 400])
def test_the_distance_is_that_of_scikit_learn_with_fewer_and_with_more_features_than_rows(width):
    random = np.random.default_rng(0)
    train, test = (random.normal(size=(n, 6)) @ random.normal(size=(6, width)) + random.normal(size=(n, width)) for n in (60, 20))
    scale = train.std(axis=0)
    expected = LedoitWolf().fit((train - train.mean(axis=0)) / scale).mahalanobis((test - train.mean(axis=0)) / scale)
    np.testing.assert_allclose(Mahalanobis.fit({"x": train}).scores({"x": test}), np.sqrt(expected), rtol=1e-6)


def test_a_gap_is_judged_by_the_features_that_are_there():
    """A sample without some features has the distance that a detector without these features gives, per feature."""
    test = {"brain": TEST["brain"].copy()}
    test["brain"][:, 12:] = np.nan
    detector = Mahalanobis.fit({"brain": TRAIN["brain"]})
    rows = detector.rows
    covariance = (1 - detector.shrinkage) * rows.T @ rows / len(rows) + detector.shrinkage * np.square(rows).mean() * np.eye(20)
    part = detector.standard(test)[:, :12]
    expected = np.einsum("ij,jk,ik->i", part, np.linalg.inv(covariance[:12, :12]), part) * 20 / 12
    np.testing.assert_allclose(detector.scores(test), np.sqrt(expected))


def test_the_neighbour_is_that_of_scikit_learn():
    train, test = TRAIN["brain"] / TRAIN["brain"].std(axis=0), TEST["brain"] / TRAIN["brain"].std(axis=0)
    expected = NearestNeighbors(n_neighbors=Neighbours.k).fit(train).kneighbors(test)[0][:, -1]
    np.testing.assert_allclose(Neighbours.fit({"x": TRAIN["brain"]}).scores({"x": TEST["brain"]}), expected / np.sqrt(20), rtol=1e-6)


def test_a_gap_alone_does_not_make_a_sample_strange():
    for kind in (Mahalanobis, Neighbours):
        detector = kind.fit(TRAIN)
        whole, gapped = detector.scores(TEST), detector.scores(with_gaps(TEST))
        assert 0.8 < np.median(gapped) / np.median(whole) < 1.2


@pytest.mark.parametrize("kind", [*DETECTORS, Mahalanobis, Neighbours])
def test_scores_depend_on_the_training_rows_and_the_sample_alone(kind):
    detector = kind.fit(with_gaps(TRAIN))
    all_at_once = detector.scores(TEST)
    one_by_one = [detector.scores({name: values[[row]] for name, values in TEST.items()})[0] for row in range(60)]
    np.testing.assert_allclose(all_at_once, one_by_one, rtol=1e-6)
    moved = kind.fit({name: 3 * values + 1 for name, values in TRAIN.items()})
    assert kind is Presence or not np.allclose(moved.scores(TEST), detector.scores(TEST))


def test_shuffled_features_another_order_another_atlas_and_noise_are_told_from_real_inputs_of_the_same_size():
    labels = np.repeat(np.arange(21), 48).reshape(-1, 4, 4)  # slabs of equal size, the first of them outside
    found = table(TRAIN, TEST, outlier_sets(TRAIN, TEST, images={"brain": labels}))
    for name in ("brain shuffled", "brain other order", "brain noise", "brain other atlas"):
        assert found[name, "auroc", "mahalanobis"]["value"] > 0.95
        assert found[name, "auroc", "mahalanobis"]["low"] > 0.9
        assert found[name, "detected", "mahalanobis"]["value"] > 0.8
    assert found["brain shuffled", "auroc", "norm"]["value"] == pytest.approx(0.5, abs=0.01)


def test_a_modality_of_many_features_does_not_hide_what_is_wrong_with_one_of_few():
    wide = [inputs | {"gene": np.random.default_rng(seed).normal(size=(len(inputs["gene"]), 300))} for seed, inputs in enumerate((TRAIN, TEST))]
    found = table(*wide, {"brain noise": wide[1] | {"brain": noise(TEST["brain"], TRAIN["brain"])}})
    assert found["brain noise", "auroc", "mahalanobis"]["value"] > 0.95
    assert found["test", "false_alarms", "mahalanobis"]["value"] <= 0.15


def test_of_one_modality_the_order_is_that_of_its_detector():
    train, test = {"brain": TRAIN["brain"]}, {"brain": TEST["brain"]}
    for apart, kind in ((MahalanobisApart, Mahalanobis), (NeighboursApart, Neighbours)):
        np.testing.assert_array_equal(np.argsort(apart.fit(train).scores(test)), np.argsort(kind.fit(train).scores(test)))


def test_real_samples_are_not_told_apart_and_false_alarms_are_about_what_was_asked():
    found = table(TRAIN, TEST, {"more of the same": cause(60, 7)})
    for kind in DETECTORS:
        assert found["more of the same", "auroc", kind.name]["value"] == pytest.approx(0.5, abs=0.15)
    assert found["test", "false_alarms", "mahalanobis"]["value"] <= 0.15
    assert found["test", "false_alarms", "knn"]["value"] <= 0.15


def test_an_absent_modality_is_seen_by_presence_and_by_no_distance():
    found = table(TRAIN, TEST, {"gene absent": absent_modality(TEST, "gene"), "brain shuffled": TEST | {"brain": shuffled_features(TEST["brain"])}})
    assert found["gene absent", "auroc", "presence"]["value"] == 1.0
    assert found["gene absent", "auroc", "mahalanobis"]["value"] < 0.6
    assert found["brain shuffled", "auroc", "presence"]["value"] == 0.5
    assert found["gene absent", "detected", "presence"]["value"] == 1.0
    usual = {name: np.where(np.arange(150)[:, None] % 2 == 0, np.nan, values) if name == "gene" else values for name, values in TRAIN.items()}
    assert Presence.fit(usual).scores(absent_modality(TEST, "gene")) == pytest.approx(Presence.fit(usual).scores(TEST), abs=0.1)


def test_wrong_units_are_seen_by_the_norm_too():
    found = table(TRAIN, TEST, {"in millimetres": {"brain": 1000 * TEST["brain"], "gene": TEST["gene"]}})
    assert {found["in millimetres", "auroc", name]["value"] for name in ("norm", "mahalanobis", "knn")} == {1.0}


def test_the_area_is_that_of_scikit_learn_on_the_same_scores():
    sets = outlier_sets(with_gaps(TRAIN), with_gaps(TEST))
    scores, found = ood_scores(with_gaps(TRAIN), with_gaps(TEST), sets), table(with_gaps(TRAIN), with_gaps(TEST), sets)
    for kind, of in scores.items():
        for name in sets:
            labels = np.r_[np.ones(60), np.zeros(60)]
            assert found[name, "auroc", kind]["value"] == pytest.approx(roc_auc_score(labels, np.r_[of[name], of["test"]]))


def test_every_row_fits_a_benchmark_record(tmp_path):
    results = pytest.importorskip("bridge.benchmark.results")
    record = results.Record("reports", tmp_path)
    for row in ood_table(TRAIN, TEST, outlier_sets(TRAIN, TEST), resamples=5):
        record.row(**row)
    assert len({(row.direction, row.metric, row.method) for row in record.rows}) == len(record.rows) == 4 * (1 + 2 * 8)


def test_a_threshold_comes_from_samples_the_detector_was_not_fitted_on():
    limit = threshold(Mahalanobis, TRAIN)
    on_its_own_rows = np.quantile(Mahalanobis.fit(TRAIN).scores(TRAIN), 0.95)
    assert limit > on_its_own_rows
    assert np.mean(Mahalanobis.fit(TRAIN).scores(cause(500, 3)) > limit) == pytest.approx(0.05, abs=0.04)
    assert threshold(Mahalanobis, TRAIN, groups=["one"] * 150) is None


def test_what_cannot_be_scored_is_undefined():
    nothing = {name: np.full_like(values, np.nan) for name, values in TEST.items()}
    found = table(TRAIN, TEST, {"all missing": nothing})
    for name in ("mahalanobis", "knn", "norm"):
        row = found["all missing", "auroc", name]
        assert (row["value"], row["low"], row["n"]) == (None, None, 60)
        assert found["all missing", "detected", name]["value"] is None
    few = {name: values[: Neighbours.k - 1] for name, values in TRAIN.items()}
    assert np.isnan(Neighbours.fit(few).scores(TEST)).all()
    assert np.isnan(NeighboursApart.fit(few).scores(TEST)).all()
    for kind in (Mahalanobis, Neighbours, Norm, MahalanobisApart):
        with pytest.raises(ValueError, match="no value in the training rows"):
            kind.fit(nothing)


def test_a_feature_that_training_never_had_or_that_never_changes_does_no_harm():
    train = {"brain": TRAIN["brain"].copy()}
    train["brain"][:, 0], train["brain"][:, 1] = np.nan, 7.0
    test = {"brain": np.c_[TEST["brain"][:, 0], np.full(60, 7.0), TEST["brain"][:, 2:]]}
    for kind in DETECTORS:
        assert np.isfinite(kind.fit(train).scores(test)).all()


def test_shuffling_keeps_each_samples_values_and_its_gaps():
    gapped = with_gaps(TEST)["brain"]
    shuffled = shuffled_features(gapped)
    np.testing.assert_array_equal(np.isnan(shuffled), np.isnan(gapped))
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), np.sort(gapped, axis=1))
    assert not np.array_equal(shuffled, gapped, equal_nan=True)
    assert not np.array_equal(shuffled_features(np.tile(np.arange(9.0), (2, 1)))[0], shuffled_features(np.tile(np.arange(9.0), (2, 1)))[1])


def test_noise_has_the_mean_and_variance_of_each_feature_and_no_correlation():
    drawn = noise(np.zeros((5000, 20)), TRAIN["brain"])
    np.testing.assert_allclose(drawn.mean(axis=0), TRAIN["brain"].mean(axis=0), atol=0.15)
    np.testing.assert_allclose(drawn.std(axis=0), TRAIN["brain"].std(axis=0), rtol=0.08)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(20)).max() < 0.08
    assert np.isnan(noise(np.full((1, 20), np.nan), TRAIN["brain"])).all()


def test_another_order_moves_every_feature_in_the_same_way_for_all_samples():
    moved = other_order(np.tile(np.arange(20.0), (3, 1)))
    assert (moved == moved[0]).all()
    assert sorted(moved[0]) == list(range(20))
    assert (moved[0] != np.arange(20)).all()


def test_another_atlas_averages_what_lies_under_its_regions():
    labels = np.repeat([1, 2, 3, 0], 40).reshape(8, 10, 2)
    values = np.array([[1.0, 2.0, 5.0], [np.nan, 2.0, 2.0], [4.0, 4.0, 4.0], [np.nan, np.nan, np.nan]])
    found = other_atlas(values, labels, seed=0)
    assert found.shape == values.shape
    assert ((found[0] > 1) & (found[0] < 5)).any()  # a region of the other atlas lies over two of this one's
    assert (found[:3].min(axis=1) >= np.nanmin(values[:3], axis=1)).all()
    assert (found[:3].max(axis=1) <= np.nanmax(values[:3], axis=1)).all()
    np.testing.assert_allclose(found[2], 4)
    assert np.isnan(found[3]).all()
    assert not np.array_equal(found[0], other_atlas(values, labels, seed=1)[0])


def test_a_region_of_the_other_atlas_without_a_voxel_is_missing():
    found = other_atlas(np.arange(6.0)[None], np.arange(1, 7).reshape(6, 1, 1), seed=3)[0]
    drawn = np.random.default_rng(3).integers(6, size=6)
    assert np.isnan(found).sum() == 6 - len(set(drawn.tolist())) > 0  # drawn twice: one of the two has no voxel


def test_the_regions_of_a_label_image_are_numbered_as_the_features_are(make_bridge, tmp_path):
    codes = np.array([0, 7, 3, 7, 9, -1], dtype=np.int16).reshape(6, 1, 1)
    nibabel.save(nibabel.Nifti1Image(codes, np.diag([2.0, 2, 2, 1])), tmp_path / "atlas.nii.gz")
    bridge = make_bridge()
    assert label_images(bridge) == {}
    bridge.encoders["brain"] = BrainVolume(atlas=str(tmp_path / "atlas.nii.gz"), names=("b", "a"), indices=(7, 3), provenance={"space": "MNI152"})
    assert label_images(bridge)["brain"].ravel().tolist() == [0, 1, 2, 1, 0, 0]
    (tmp_path / "atlas.nii.gz").unlink()
    assert label_images(bridge) == {}


def test_projector_inputs_are_the_encoders_tokens_with_gaps_where_they_are_absent(bridge, tiny_cohort):
    inputs = projector_inputs(bridge, tiny_cohort, np.array([0, 3, 5, 7]))
    np.testing.assert_allclose(inputs["brain"][0], tiny_cohort.values("brain")[0], rtol=1e-6)
    assert np.isnan(inputs["gene"][1]).all()
    assert np.isnan(inputs["brain"][2]).all()
    assert np.isnan(inputs["brain"][3]).sum() == 1
    rows = ood_table(projector_inputs(bridge, tiny_cohort, tiny_cohort.rows("train")), inputs, {"absent": absent_modality(inputs, "gene")}, resamples=5)
    assert {row["method"] for row in rows} == {"mahalanobis", "knn", "norm", "presence"}
