"""Brain images through an atlas: parity with nilearn, orientation, grids, damage, and maps written back."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import shutil
import struct

import nibabel as nib
import numpy as np
import pytest
import torch
from nilearn.image import resample_to_img
from nilearn.maskers import NiftiLabelsMasker

from encoders import nifti
from encoders.atlas import averages, read_atlas, regions_on
from encoders.base import build, record
from encoders.brain_volume import BrainVolume
from encoders.contract import check
from encoders.region_map import write_map

SHAPE = (11, 12, 10)
AFFINE = np.array([[2.0, 0, 0, -11], [0, 2, 0, -13], [0, 0, 2, -9], [0, 0, 0, 1]])
NAMES = ("left cuneus", "right cuneus", "left insula", "right insula", "brainstem")
INDICES = (3, 7, 12, 20, 41)
ORIENTATIONS = [(order, flips) for order in itertools.permutations(range(3)) for flips in itertools.product((1, -1), repeat=3)]


def _save(array, path, affine=AFFINE, code=4):
    image = nib.Nifti1Image(array, affine)
    image.set_sform(affine, code)
    image.set_qform(affine if code else None, code)
    nib.save(image, path)
    return path


def _labels():
    """Blocks of five labels, one that the table does not know (99), and background."""
    labels = np.zeros(SHAPE, dtype=np.int16)
    for number, label in enumerate((*INDICES, 99)):
        labels[1 + 3 * (number % 3) : 4 + 3 * (number % 3), 1 + 5 * (number // 3) : 6 + 5 * (number // 3), 2:9] = label
    return labels


def _volume(*times):
    return np.random.default_rng(0).normal(5, 2, (*SHAPE, *times)).astype(np.float32)


@pytest.fixture
def atlas(tmp_path):
    folder = tmp_path / "atlas"
    folder.mkdir()
    (folder / "dseg.tsv").write_text("index\tname\n0\tbackground\n" + "".join(f"{index}\t{name}\n" for index, name in zip(INDICES, NAMES, strict=True)))
    return _save(_labels(), folder / "tpl-MNI152NLin6Asym_dseg.nii.gz")


@pytest.fixture
def encoder(atlas):
    return BrainVolume(atlas=str(atlas), labels=str(atlas.parent / "dseg.tsv"))


def _nilearn(image, atlas, **options):
    masker = NiftiLabelsMasker(str(atlas), background_label=0, standardize=None, **options)
    # In float64, because nilearn rounds its averages to the type of the image.
    exact = nib.Nifti1Image(nib.load(image).get_fdata(), nib.load(image).affine)
    signals = np.atleast_2d(masker.fit_transform(exact))
    assert signals.shape[1] == len(INDICES) + 1
    return signals[:, : len(INDICES)]  # labels in rising order, 99 last


@pytest.mark.parametrize("times", [(), (6,)], ids=["3-D", "4-D"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_averages_equal_nilearn_on_the_same_grid(times, dtype, atlas, encoder, tmp_path):
    image = _save((_volume(*times) * 100).astype(dtype), tmp_path / "sub-01_bold.nii.gz")
    expected = _nilearn(image, atlas)
    np.testing.assert_allclose(encoder.read(image).values[0], expected.mean(axis=0), rtol=0, atol=1e-9)


def test_a_scaled_image_equals_nilearn(atlas, encoder, tmp_path):
    image = nib.Nifti1Image((_volume() * 1000).astype(np.int16), AFFINE)
    image.header.set_slope_inter(0.00123, -7.5)
    nib.save(image, tmp_path / "scaled.nii.gz")
    expected = _nilearn(tmp_path / "scaled.nii.gz", atlas)[0]
    np.testing.assert_allclose(encoder.read(tmp_path / "scaled.nii.gz").values[0], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("slope", "intercept"), [(0.01, -3.0), (-2.5, 40.0)])
@pytest.mark.parametrize("statistic", ["mean", "std"])
def test_a_scaled_series_equals_nilearn(slope, intercept, statistic, atlas, tmp_path):
    image = nib.Nifti1Image((_volume(6) * 1000).astype(np.int16), AFFINE)
    image.header.set_slope_inter(slope, intercept)
    nib.save(image, tmp_path / "scaled.nii.gz")
    encoder = BrainVolume(atlas=str(atlas), names=NAMES, indices=INDICES, statistic=statistic)
    expected = getattr(_nilearn(tmp_path / "scaled.nii.gz", atlas), statistic)(axis=0)
    np.testing.assert_allclose(encoder.read(tmp_path / "scaled.nii.gz").values[0], expected, rtol=0, atol=1e-9)


def test_the_standard_deviation_over_time_is_that_of_nilearns_series(atlas, tmp_path):
    image = _save(_volume(6), tmp_path / "bold.nii.gz")
    encoder = BrainVolume(atlas=str(atlas), names=NAMES, indices=INDICES, statistic="std")
    np.testing.assert_allclose(encoder.read(image).values[0], _nilearn(image, atlas).std(axis=0), atol=1e-9)
    with pytest.raises(ValueError, match="found 1 volume, expected 2 or more"):
        encoder.read(_save(_volume(), tmp_path / "t1.nii.gz"))


@pytest.mark.parametrize(("order", "flips"), ORIENTATIONS, ids=str)
def test_every_storage_order_of_one_image_gives_the_same_values(order, flips, encoder, atlas, tmp_path):
    plain = nib.Nifti1Image(_volume(2), AFFINE)
    turned = plain.as_reoriented(np.array([order, flips]).T)
    nib.save(plain, tmp_path / "plain.nii.gz")
    nib.save(turned, tmp_path / "turned.nii.gz")
    expected = encoder.read(tmp_path / "plain.nii.gz").values
    np.testing.assert_allclose(encoder.read(tmp_path / "turned.nii.gz").values, expected, rtol=0, atol=1e-12)
    labels = nib.load(atlas).as_reoriented(np.array([order, flips]).T)
    nib.save(labels, tmp_path / "labels.nii.gz")
    other = BrainVolume(atlas=str(tmp_path / "labels.nii.gz"), names=NAMES, indices=INDICES)
    np.testing.assert_allclose(other.read(tmp_path / "plain.nii.gz").values, expected, rtol=0, atol=1e-12)


def test_a_mirrored_brain_is_not_the_same_brain(encoder, tmp_path):
    upright = encoder.read(_save(_volume(), tmp_path / "upright.nii.gz")).values
    mirrored = encoder.read(_save(_volume()[::-1].copy(), tmp_path / "mirrored.nii.gz")).values
    assert np.abs(upright - mirrored).max() > 0.01


@pytest.mark.parametrize("name", ["healthy/scan.nii.gz", "patient/healthy_left_LAS.nii.gz", "flipped/x.nii.gz"])
def test_the_path_means_nothing(name, encoder, tmp_path):
    plain = _save(_volume(), tmp_path / "plain.nii.gz")
    (tmp_path / name).parent.mkdir()
    shutil.copy(plain, tmp_path / name)
    np.testing.assert_array_equal(encoder.read(tmp_path / name).values, encoder.read(plain).values)


def _turned(degrees, size):
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * size
    affine[:3, 3] = [-9.3, -11.7, -8.2]
    return affine


@pytest.mark.parametrize(("degrees", "size"), [(0, 1.3), (0, 3.1), (12, 1.7), (-33, 2.3)])
def test_another_grid_takes_the_labels_that_nilearn_resamples(degrees, size, atlas, tmp_path):
    affine = _turned(degrees, size)
    image = nib.Nifti1Image(np.zeros((14, 13, 12), dtype=np.float32), affine)
    expected = resample_to_img(str(atlas), image, interpolation="nearest", force_resample=True, copy_header=True).get_fdata()
    found = read_atlas(atlas, names=NAMES, indices=INDICES).on_grid((14, 13, 12), affine)
    # nilearn leaves out points up to half a voxel outside the atlas' outermost voxel centres; here those are background.
    np.testing.assert_array_equal(found, expected)


def test_averages_on_another_grid_equal_nilearn(atlas, encoder, tmp_path):
    image = _save(np.random.default_rng(3).normal(size=(16, 17, 15)).astype(np.float32), tmp_path / "t1.nii.gz", affine=_turned(8, 1.6))
    expected = _nilearn(image, atlas, resampling_target="data")[0]
    np.testing.assert_allclose(encoder.read(image).values[0], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("turn", [[[0, -1], [2, 1], [1, -1]], [[0, 1], [1, -1], [2, -1]], [[2, -1], [0, -1], [1, 1]]])
def test_half_a_voxel_between_two_grids_is_decided_alike_in_every_storage_order(turn, tmp_path):
    coarse = np.diag([1.4, 1.4, 1.4, 1.0])
    coarse[:3, 3] = [-7.1, -8.3, -6.7]
    fine = np.random.default_rng(1).normal(size=(22, 24, 20)).astype(np.float32)
    labels, image = nib.Nifti1Image(_labels(), coarse), nib.Nifti1Image(fine, coarse @ np.diag([0.5, 0.5, 0.5, 1.0]))
    for name, stored in {"labels": labels, "image": image}.items():
        nib.save(stored, tmp_path / f"{name}.nii.gz")
        nib.save(stored.as_reoriented(np.array(turn)), tmp_path / f"{name}_turned.nii.gz")

    def read(atlas, image):
        return BrainVolume(atlas=str(tmp_path / atlas), names=NAMES, indices=INDICES).read(tmp_path / image).values

    plain = read("labels.nii.gz", "image.nii.gz")
    np.testing.assert_allclose(read("labels.nii.gz", "image_turned.nii.gz"), plain, rtol=0, atol=1e-12)
    np.testing.assert_allclose(read("labels_turned.nii.gz", "image.nii.gz"), plain, rtol=0, atol=1e-12)


def test_regions_outside_the_image_are_missing_and_counted(encoder, tmp_path):
    image = _save(_volume()[:4], tmp_path / "slab.nii.gz")
    with pytest.warns(UserWarning, match="3 of 5 regions have no voxel on this grid and are missing: right cuneus, left insula"):
        values = encoder.read(image).values
    assert np.isnan(values[0]).tolist() == [False, True, True, False, True]
    assert encoder(torch.tensor(values)).mask.tolist() == [[True, False, False, True, False]]


def test_an_image_elsewhere_is_refused(encoder, tmp_path):
    away = AFFINE.copy()
    away[0, 3] += 500
    with pytest.raises(ValueError, match="do not overlap"):
        encoder.read(_save(_volume(), tmp_path / "away.nii.gz", affine=away))


def test_voxels_of_nan_are_left_out_of_the_mean(encoder, tmp_path):
    volume, labels = _volume(), _labels()
    volume[labels == 3] = np.where(np.arange((labels == 3).sum()) % 2, volume[labels == 3], np.nan)
    volume[labels == 41] = np.nan
    values = encoder.read(_save(volume, tmp_path / "holes.nii.gz")).values[0]
    np.testing.assert_allclose(values[0], np.nanmean(volume[labels == 3], dtype=np.float64), atol=1e-9)
    assert np.isnan(values).tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("spikes", [[np.inf, -np.inf, np.inf], [np.inf, 1, 1]])
def test_infinite_voxels_inside_the_atlas_are_refused_and_not_left_out(spikes, encoder, tmp_path):
    volume, labels = _volume(), _labels()
    inside = np.flatnonzero(labels.ravel() == 12)
    volume.ravel()[inside[:3]] = spikes
    with pytest.raises(ValueError, match=r"spikes.nii.gz: found infinite voxels inside the atlas"):
        encoder.read(_save(volume, tmp_path / "spikes.nii.gz"))


def test_labels_in_falling_order_and_one_without_a_voxel_give_each_region_its_own_mean():
    labels = np.array([[[3, 1, 1, 0, 3, 2]]])
    volume = np.array([[[30, 10, 12, 99, 32, 20]]], dtype=np.int16)
    regions = regions_on(labels, (3, 7, 1))
    np.testing.assert_array_equal(averages(volume, regions, 3), [31.0, np.nan, 11.0])
    assert regions.region.tolist() == [0, 0, 2, 2]
    np.testing.assert_array_equal(averages(volume, regions_on(labels, (7,)), 1), [np.nan])


@pytest.mark.parametrize("inflater", ["gzip", "isal.igzip"])
def test_a_stream_of_two_members_is_read_whole_and_its_last_checksum_is_kept_by_either_inflater(inflater, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(nifti, "inflate", pytest.importorskip(inflater))
    plain = _save(_volume(), tmp_path / "plain.nii")
    content = plain.read_bytes()
    stream = gzip.compress(content[:1000]) + gzip.compress(content[1000:])
    (tmp_path / "two.nii.gz").write_bytes(stream)
    np.testing.assert_array_equal(encoder.read(tmp_path / "two.nii.gz").values, encoder.read(plain).values)
    for place in (-8, -4):  # the checksum, and the length beside it
        broken = bytearray(stream)
        broken[place] ^= 1
        (tmp_path / "two.nii.gz").write_bytes(broken)
        with pytest.raises(ValueError, match=r"two\.nii\.gz: cannot be read as NIfTI"):
            encoder.read(tmp_path / "two.nii.gz")


def test_a_region_missing_at_one_time_is_averaged_over_the_others(encoder, tmp_path):
    volume = _volume(3)
    volume[_labels() == 41, 0] = np.nan
    values = encoder.read(_save(volume, tmp_path / "bold.nii.gz")).values[0]
    np.testing.assert_allclose(values[4], volume[_labels() == 41][:, 1:].mean(dtype=np.float64), atol=1e-6)


@pytest.mark.parametrize("constant", [0, np.nan])
@pytest.mark.parametrize("times", [(), (3,)], ids=["3-D", "4-D"])
def test_an_image_of_zeros_or_nan_is_refused(constant, times, encoder, tmp_path):
    image = _save(np.full((*SHAPE, *times), constant, dtype=np.float32), tmp_path / "empty.nii.gz")
    with pytest.raises(ValueError, match="all voxels inside the atlas are zero or NaN"):
        encoder.read(image)


def test_a_header_without_orientation_is_refused_by_its_fields(encoder, tmp_path):
    with pytest.raises(ValueError, match="fields sform_code and qform_code: found 0 and 0"):
        encoder.read(_save(_volume(), tmp_path / "lost.nii.gz", code=0))


def test_an_affine_without_volume_is_refused_by_its_field(encoder, tmp_path):
    path = _save(_volume(), tmp_path / "flat.nii")
    content = bytearray(path.read_bytes())
    content[280:328] = struct.pack("<12f", *[0.0] * 12)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="field srow_x"):
        encoder.read(path)


@pytest.mark.parametrize("shape", [(11, 12), (11, 12, 10, 2, 2)])
def test_an_image_of_two_or_five_dimensions_is_refused(shape, encoder, tmp_path):
    with pytest.raises(ValueError, match="expected 3-D or 4-D"):
        encoder.read(_save(np.ones(shape, dtype=np.float32), tmp_path / "odd.nii.gz"))


def test_colours_are_refused(encoder, tmp_path):
    colours = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(ValueError, match="field datatype"):
        encoder.read(_save(colours, tmp_path / "colours.nii.gz"))


def test_no_flipped_bit_of_a_compressed_image_is_taken_for_data(encoder, tmp_path):
    whole = _save(_volume(), tmp_path / "whole.nii.gz")
    content, expected = whole.read_bytes(), encoder.read(whole).values
    taken = 0
    for bit in np.linspace(0, 8 * len(content) - 1, 400).astype(int):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << (bit % 8)
        (tmp_path / "flipped.nii.gz").write_bytes(flipped)
        with contextlib.suppress(ValueError):
            np.testing.assert_array_equal(encoder.read(tmp_path / "flipped.nii.gz").values, expected)
            taken += 1
    assert taken <= 5  # the gzip header's file name and time may change without harm


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 0.9999])
def test_a_flipped_bit_is_told_as_a_damaged_file(place, encoder, tmp_path):
    content = bytearray(_save(_volume(), tmp_path / "sub-01.nii.gz").read_bytes())
    content[int(place * len(content))] ^= 4
    (tmp_path / "sub-01.nii.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"sub-01\.nii\.gz: cannot be read as NIfTI: .*; the file is damaged"):
        encoder.read(tmp_path / "sub-01.nii.gz")


@pytest.mark.parametrize("kept", [0, 5, 100, 340, 2000])
@pytest.mark.parametrize("name", ["cut.nii", "cut.nii.gz"])
def test_a_truncated_image_is_refused(kept, name, encoder, tmp_path):
    whole = _save(_volume(), tmp_path / f"whole{name[3:]}")
    (tmp_path / name).write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"{name}: cannot be read as NIfTI"):
        encoder.read(tmp_path / name)


@pytest.mark.parametrize("name", ["brain.img", "brain.mgz", "brain.nii.bz2"])
def test_other_formats_are_refused(name, encoder, tmp_path):
    (tmp_path / name).write_bytes(b"0" * 400)
    with pytest.raises(ValueError, match=r"not an image; .*expected one of \.nii, \.nii\.gz"):
        encoder.read(tmp_path / name)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_nifti_1_and_2_of_either_byte_order_are_read(kind, endian, encoder, tmp_path):
    header = kind.header_class(endianness=endian)
    header.set_data_dtype(np.float32)
    nib.save(kind(_volume(), AFFINE, header), tmp_path / "brain.nii")
    expected = encoder.read(_save(_volume(), tmp_path / "plain.nii.gz")).values
    np.testing.assert_array_equal(encoder.read(tmp_path / "brain.nii").values, expected)


def test_a_folder_gives_a_row_per_image_in_order_with_bids_ids(encoder, tmp_path):
    cohort = tmp_path / "cohort"
    for number, name in enumerate(["b/sub-02_ses-1_T1w.nii.gz", "a/sub-01_T1w.nii", "flat.nii.gz", "a/._sub-01_T1w.nii.gz"]):
        (cohort / name).parent.mkdir(parents=True, exist_ok=True)
        _save(_volume() + number, cohort / name)
    ids, values = encoder.read(cohort)
    assert ids == ["flat", "sub-01", "sub-02"]
    np.testing.assert_allclose(values - values[2], np.array([[2.0], [1.0], [0.0]]) * np.ones(5), atol=1e-5)


def test_two_images_of_one_sample_and_a_folder_without_images_are_refused(encoder, tmp_path):
    (tmp_path / "cohort").mkdir()
    with pytest.raises(ValueError, match="found no image"):
        encoder.read(tmp_path / "cohort")
    for run in (1, 2):
        _save(_volume(), tmp_path / "cohort" / f"sub-01_run-{run}_bold.nii.gz")
    with pytest.raises(ValueError, match=r"sub-01 has 2 files: .*run-1_bold.nii.gz.*\nThey differ in run: 1, 2; .*cohort#run=1"):
        encoder.read(tmp_path / "cohort")
    assert encoder.read(tmp_path / "cohort#run=2").ids == ["sub-01"]


def test_many_images_are_read_with_progress(encoder, tmp_path, capsys):
    (tmp_path / "cohort").mkdir()
    for number in range(21):
        _save(_volume(), tmp_path / "cohort" / f"sub-{number:02d}.nii.gz")
    assert encoder.read(tmp_path / "cohort").values.shape == (21, 5)


def test_the_encoder_is_built_again_without_the_atlas_and_says_so_when_it_must_read(encoder, atlas, tmp_path):
    image = _save(_volume(), tmp_path / "sub-01.nii.gz")
    spec, card = record(encoder), encoder.card()
    np.testing.assert_array_equal(build(spec).read(image).values, encoder.read(image).values)
    shutil.rmtree(atlas.parent)
    again = build(spec)
    assert again.card() == card
    with pytest.raises(ValueError, match=r"atlas: found no file '.*dseg\.nii\.gz', expected the label image of tpl-MNI152NLin6Asym_dseg"):
        again.read(image)


def test_the_card_names_atlas_space_and_pooling_and_keeps_what_is_given(encoder, atlas, tmp_path):
    card = encoder.card()
    assert (card.atlas, card.space) == ("tpl-MNI152NLin6Asym_dseg", "MNI152NLin6Asym, mm, RAS+")
    assert card.pooling == "mean over region, mean over time"
    plain = shutil.copy(atlas, tmp_path / "labels.nii.gz")
    assert BrainVolume(atlas=str(plain), names=NAMES).card().space == "MNI152, mm, RAS+"
    assert BrainVolume(atlas=str(plain), names=NAMES, provenance={"atlas": "DK", "space": "native"}).card().atlas == "DK"


def test_the_contract_holds_on_a_real_file(atlas, tmp_path):
    image = _save(_volume(), tmp_path / "sub-01.nii.gz")
    assert check(BrainVolume, image, atlas=str(atlas), names=list(NAMES), indices=list(INDICES)) == []


def test_an_atlas_that_does_not_fit_its_names_is_refused(atlas, tmp_path):
    image = _save(_volume(), tmp_path / "sub-01.nii.gz")
    with pytest.raises(ValueError, match="found 0 names"):
        BrainVolume(atlas=str(atlas))
    with pytest.raises(ValueError, match="found 4 names and 5 labels"):
        BrainVolume(atlas=str(atlas), names=NAMES[:4], indices=INDICES)
    with pytest.raises(ValueError, match="found 5 names for 6 labels"):
        BrainVolume(atlas=str(atlas), names=NAMES).read(image)
    with pytest.raises(ValueError, match="none of the labels"):
        BrainVolume(atlas=str(atlas), names=("a", "b"), indices=(100, 200)).read(image)
    with pytest.raises(ValueError, match="expected a 3-D label image of whole numbers"):
        BrainVolume(atlas=str(image), names=NAMES).read(image)
    with pytest.raises(ValueError, match="statistic: found 'median'"):
        BrainVolume(atlas=str(atlas), names=NAMES, indices=INDICES, statistic="median")


def test_names_alone_go_to_the_labels_in_rising_order(atlas, encoder, tmp_path):
    image = _save(_volume(), tmp_path / "sub-01.nii.gz")
    found = BrainVolume(atlas=str(atlas), names=(*NAMES, "unknown")).read(image).values[0]
    np.testing.assert_array_equal(found[:5], encoder.read(image).values[0])


MAPS = {
    "between 0 and 1": [0.0, 1.0, 0.25, 0.6, 0.123456],
    "thickness": [2.1, 2.2, 2.5, 4.0, 3.3],
    "signed": [-3.0, 1.0, 0.5, 0.0, 2.0],
    "narrow and far from zero": [1000.0, 1000.01, 1000.02, 1000.03, 1000.04],
    "all the same": [0.7] * 5,
    "tiny": [1e-12, 2e-12, 3e-12, 4e-12, 5e-12],
    "one missing": [0.1, np.nan, 0.3, 0.4, 0.5],
}


@pytest.mark.parametrize("values", MAPS.values(), ids=MAPS)
@pytest.mark.parametrize("name", ["map.nii.gz", "map.nii"])
def test_a_written_map_is_read_back_within_a_ten_thousandth_of_its_range(values, name, atlas, encoder, tmp_path):
    write_map(dict(zip(NAMES, values, strict=True)), atlas, tmp_path / name, labels=atlas.parent / "dseg.tsv")
    found = encoder.read(tmp_path / name).values[0]
    span = (np.nanmax(values) - np.nanmin(values)) or abs(values[0])
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-4 * span)
    assert nib.load(tmp_path / name).get_fdata()[0, 0, 0] == 0


def test_a_written_map_is_int16_with_a_slope_and_says_its_space_but_not_its_name_or_time(atlas, tmp_path):
    _save(_labels()[::-1].copy(), atlas, affine=AFFINE @ np.array([[-1, 0, 0, 10], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    assert nib.aff2axcodes(nib.load(atlas).affine) == ("L", "A", "S")
    values = np.linspace(0, 1, 5)
    write_map(values, read_atlas(atlas, names=NAMES, indices=INDICES), tmp_path / "secret.nii.gz")
    write_map(values, read_atlas(atlas, names=NAMES, indices=INDICES), tmp_path / "other.nii.gz")
    image, content = nib.load(tmp_path / "secret.nii.gz"), (tmp_path / "secret.nii.gz").read_bytes()
    assert image.get_data_dtype() == np.int16
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (4, 4)
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    assert content[3] == 0
    assert content[4:8] == b"\0\0\0\0"
    assert content == (tmp_path / "other.nii.gz").read_bytes()
    assert b"secret" not in gzip.decompress(content)
    assert not list(tmp_path.glob("*.partial"))


def test_a_map_of_an_unknown_region_or_of_another_length_is_refused(atlas, tmp_path):
    whole = read_atlas(atlas, names=NAMES, indices=INDICES)
    for values, message in [({"cerebellum": 1.0}, "no region 'cerebellum'"), ([1.0, 2.0], "expected 5 finite values"), ([np.nan] * 5, "expected 5 finite")]:
        with pytest.raises(ValueError, match=message):
            write_map(values, whole, tmp_path / "map.nii.gz")
    with pytest.raises(ValueError, match="expected a name that ends in"):
        write_map([1.0] * 5, whole, tmp_path / "map.img")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["atlas"]
