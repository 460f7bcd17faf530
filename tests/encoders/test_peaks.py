"""Peak coordinates to regions: parity with scipy and nilearn, Talairach space, and what a table of peaks may not hold."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from nilearn.image import smooth_img
from scipy.ndimage import gaussian_filter

from encoders import peaks as module
from encoders.base import build, record
from encoders.contract import check
from encoders.peaks import Peaks, density, read_peaks, talairach_to_mni

NAMES = ("left back", "right back", "left front", "right front")
DATA = Path(os.environ.get("BRIDGE_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """Four quarters of the brain's box on a 2 mm MNI grid, and their table."""
    folder = tmp_path_factory.mktemp("atlas")
    affine = np.array([[2.0, 0, 0, -98], [0, 2, 0, -134], [0, 0, 2, -72], [0, 0, 0, 1]])
    x, y, _ = np.meshgrid(np.arange(99) * 2 - 98, np.arange(117) * 2 - 134, np.arange(95) * 2 - 72, indexing="ij")
    labels = (1 + (x > 0) + 2 * (y > -20)).astype(np.int16)
    image = nib.Nifti1Image(labels, affine)
    image.set_sform(affine, 4)
    nib.save(image, folder / "labels.nii.gz")
    (folder / "labels.tsv").write_text("index\tname\n" + "".join(f"{number}\t{name}\n" for number, name in enumerate(NAMES, start=1)))
    return folder / "labels.nii.gz"


@pytest.fixture
def encoder(atlas):
    return Peaks(atlas=str(atlas), labels=str(atlas.with_name("labels.tsv")))


def table(folder, text, name="peaks.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_a_study_is_the_root_of_its_mean_density_in_each_region(encoder, atlas, tmp_path):
    source = table(tmp_path, "study,x,y,z\nright,40,-60,20\nright,44,-60,20\nmiddle,0,30,0\n")
    ids, values = encoder.read(source)
    assert ids == ["right", "middle"]
    assert values.shape == (2, 4)
    assert NAMES[int(values[0].argmax())] == "right back"
    assert values[0, 2] < 1e-3 < values[0, 1]
    assert check(Peaks, source, atlas=str(atlas)) == []


def test_the_density_is_scipys_gaussian_scaled_to_one_inside_the_brain():
    random = np.random.default_rng(0)
    brain = random.random((12, 11, 10)) > 0.3
    voxels, weights = random.integers(0, 10, (7, 3)), random.random(7)
    found = density(voxels, weights, brain, fwhm=2.25)
    grid = np.zeros(brain.shape)
    for voxel, weight in zip(voxels, weights, strict=True):
        grid[tuple(voxel)] += weight
    expected = gaussian_filter(grid, 2.25 / 2.354820045, mode="constant") * brain
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-9)
    assert found.sum() == pytest.approx(1)
    assert not found[~brain].any()


def test_the_width_is_that_of_nilearns_smoothing():
    brain, affine = module._brain()
    voxel = np.array([[25, 33, 22]])
    grid = np.zeros(brain.shape, dtype=np.float64)
    grid[tuple(voxel[0])] = 1
    smooth = smooth_img(nib.Nifti1Image(grid, affine), fwhm=9).get_fdata() * brain
    np.testing.assert_allclose(density(voxel, np.ones(1), brain, 9 / 4), smooth / smooth.sum(), atol=1e-6)


def test_regional_values_are_the_means_over_the_brain_voxels_of_each_label(encoder, tmp_path):
    source = table(tmp_path, "study,x,y,z\na,42,-62,20\na,-18,10,8\n")
    brain, affine = module._brain()
    voxels = np.rint((np.array([[42, -62, 20], [-18, 10, 8]]) - affine[:3, 3]) / 4).astype(int)
    found = density(voxels, np.ones(2), brain, 9 / 4)
    x, y, _ = np.meshgrid(*(np.arange(size) * 4 + start for size, start in zip(brain.shape, affine[:3, 3], strict=True)), indexing="ij")
    labels = 1 + (x > 0) + 2 * (y > -20)
    expected = [np.sqrt(found[brain & (labels == number)].mean()) for number in range(1, 5)]
    np.testing.assert_allclose(encoder.read(source).values[0], expected, rtol=1e-12)


def test_without_the_root_the_density_itself_is_given(encoder, atlas, tmp_path):
    source = table(tmp_path, "study,x,y,z\na,40,-60,20\n")
    plain = Peaks(atlas=str(atlas), square_root=False)
    np.testing.assert_allclose(np.sqrt(plain.read(source).values), encoder.read(source).values)
    assert (plain.card().units, encoder.card().units) == ("density", "square root of density")


def test_the_order_of_peaks_says_nothing_and_the_first_mention_orders_the_studies(encoder, tmp_path):
    rows = ["b,40,-60,20", "a,-20,10,8", "b,0,30,0", "a,10,10,10"]
    ids, values = encoder.read(table(tmp_path, "\n".join(["study,x,y,z", *rows])))
    again, turned = encoder.read(table(tmp_path, "\n".join(["study,x,y,z", *rows[::-1]]), "turned.csv"))
    assert (ids, again) == (["b", "a"], ["a", "b"])
    np.testing.assert_allclose(values, turned[::-1])


def test_a_weight_of_two_is_a_peak_named_twice(encoder, tmp_path):
    weighted = table(tmp_path, "study,x,y,z,weight\na,40,-60,20,2\na,-20,10,8,1\n")
    twice = table(tmp_path, "study,x,y,z\na,40,-60,20\na,40,-60,20\na,-20,10,8\n", "twice.csv")
    np.testing.assert_allclose(encoder.read(weighted).values, encoder.read(twice).values)


def test_talairach_coordinates_are_moved_by_the_affine_of_lancaster(tmp_path):
    mni = np.array([[-40.0, 20.0, 30.0], [0.0, 0.0, 0.0]])
    talairach = np.c_[mni, np.ones(2)] @ module.ICBM_TO_TALAIRACH.T
    np.testing.assert_allclose(talairach_to_mni(talairach[:, :3]), mni, atol=1e-9)
    # Talairach space is the smaller one: the front of the brain moves outward.
    np.testing.assert_allclose(talairach_to_mni(np.array([[0.0, 60.0, 0.0]])), [[0.84, 64.61, -9.50]], atol=0.05)
    source = table(tmp_path, "study\tspace\tx\ty\tz\na\tTAL\t0\t60\t0\nb\tMNI\t0\t60\t0\n", "peaks.tsv")
    peaks = read_peaks(source)
    assert peaks["y"].tolist() == [pytest.approx(64.61, abs=0.05), 60]


def test_columns_are_found_in_any_order_and_case_and_others_are_passed_over(tmp_path):
    source = table(tmp_path, "contrast,Z,Y,X,PMID\n1,3,2,1,27\n2,6,5,4,27\n")
    assert read_peaks(source, "pmid")[["study", "x", "y", "z"]].to_numpy().tolist() == [["27", 1, 2, 3], ["27", 4, 5, 6]]


REFUSED = {
    "study,x,y\na,1,2\n": "no column 'z'",
    "study,x,y,z\n": "no row",
    "study,x,y,z\na,1,2,high\n": "column 'z', row 1: found 'high'",
    "study,x,y,z\na,1,2,3\na,1,,3\n": "row 2: expected x, y and z, or none",
    "study,x,y,z\n,1,2,3\n": "row 1: expected a study id",
    "study,x,y,z,weight\na,1,2,3,0\n": "row 1: expected a weight above 0",
    "study,x,y,z,space\na,1,2,3,UNKNOWN\n": "column 'space', row 1: found 'UNKNOWN', expected MNI or TAL",
    "study,x,y,z\na,1,2,3\nb,,,\nc,900,0,0\n": "2 studies have no coordinates inside the image: b, c",
    "study,x,y,z\na,-94,-130,-68\n": "study 'a': none of its 1 peaks is near the brain",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=REFUSED.values())
def test_a_table_that_cannot_be_a_map_is_refused_by_the_place_of_its_fault(text, message, encoder, tmp_path):
    with pytest.raises(ValueError, match=r"peaks\.csv") as refused:
        encoder.read(table(tmp_path, text))
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 2


def test_peaks_outside_the_image_are_left_out_and_their_studies_named(encoder, tmp_path):
    source = table(tmp_path, "study,x,y,z\na,40,-60,20\na,40,-60,2000\nb,0,0,0\n")
    with pytest.warns(UserWarning, match=r"1 of 3 peaks are outside the image .* of the studies a$"):
        values = encoder.read(source).values
    np.testing.assert_allclose(values[0], encoder.read(table(tmp_path, "study,x,y,z\na,40,-60,20\n", "one.csv")).values[0])


def test_an_encoder_built_again_reads_the_same_and_one_without_its_atlas_says_so(encoder, tmp_path):
    source = table(tmp_path, "study,x,y,z\na,40,-60,20\n")
    np.testing.assert_array_equal(build(record(encoder)).read(source).values, encoder.read(source).values)
    assert encoder.card().space == "MNI152, mm, RAS+"
    with pytest.raises(ValueError, match=r"Peaks, atlas: found no file ''"):
        Peaks.example().read(source)
    with pytest.raises(ValueError, match="fwhm_mm: found 0"):
        Peaks(names=NAMES, fwhm_mm=0)
    with pytest.raises(ValueError, match="found 0 names and 0 labels"):
        Peaks()


def test_a_region_that_the_grid_does_not_hold_is_absent_and_named(tmp_path):
    labels = np.zeros((50, 59, 48), dtype=np.int16)
    labels[20:30, 20:30, 20:30], labels[0, 0, 0] = 1, 2
    image = nib.Nifti1Image(labels, module._brain()[1])
    image.set_sform(image.affine, 4)
    nib.save(image, tmp_path / "labels.nii.gz")
    encoder = Peaks(atlas=str(tmp_path / "labels.nii.gz"), names=("middle", "corner"))
    with pytest.warns(UserWarning, match="1 of 2 regions have no voxel on the 4 mm grid and are missing: corner"):
        values = encoder.read(table(tmp_path, "study,x,y,z\na,2,-20,20\n")).values
    assert encoder(torch.tensor(values)).mask.tolist() == [[True, False]]


def test_the_grid_is_that_of_the_articles():
    """Their table gives the number of 4 mm voxels of each region; the edge of the brain is drawn a little otherwise."""
    image, regions = DATA / "atlases" / "Schaefer400_space-MNI152NLin6_res-2x2x2.nii.gz", DATA / "article_brain_map" / "regions.csv"
    if not (image.is_file() and regions.is_file()):
        pytest.skip(f"{DATA}: no atlases and article_brain_map; set BRIDGE_DATA to the folder that holds them")
    expected = pd.read_csv(regions).query("atlas == 'Schaefer400'")["n_vox4mm"].to_numpy()
    gridded = Peaks(atlas=str(image))._on_grid()
    found = np.bincount(gridded.region, minlength=400)
    assert (found == expected).mean() > 0.7
    assert np.corrcoef(found, expected)[0, 1] > 0.99
