"""An atlas that goes with a bundle is read back as it was, and stands in for one that is not on this machine."""

import dataclasses

import nibabel as nib
import numpy as np
import pytest

from bridge.data.atlas_files import atlases_of, read_atlases, write_atlases
from encoders.brain_volume import BrainVolume
from encoders.gene_table import GeneTable
from encoders.region_map import read_atlas

NAMES, INDICES = ("left cuneus", 'right "cuneus", upper', "brain stem"), (2035, 7, 40000)


@pytest.fixture
def encoder(tmp_path):
    labels = np.zeros((6, 7, 8), dtype=np.int32)
    labels[1, 1:4], labels[4, 1:4], labels[2:4, 5], labels[0, 0] = *INDICES, 99
    image = nib.Nifti1Image(labels, np.diag([-2.0, 2, 2, 1]))
    image.set_sform(image.affine, 4)
    nib.save(image, tmp_path / "dseg.nii.gz")
    return BrainVolume(str(tmp_path / "dseg.nii.gz"), names=NAMES, indices=INDICES)


def test_an_atlas_is_read_back_with_its_regions_space_and_names(encoder, tmp_path):
    encoders = {"brain": encoder, "gene": GeneTable(dim=3)}
    atlases = atlases_of(encoders.items())
    write_atlases(atlases, tmp_path / "bundle")
    found, expected = read_atlases(tmp_path / "bundle", encoders.items()), atlases["brain"]
    assert list(found) == ["brain"]
    assert (found["brain"].names, found["brain"].indices, found["brain"].form) == (expected.names, expected.indices, 4)
    assert np.array_equal(found["brain"].affine, expected.affine)
    assert np.array_equal(found["brain"].labels, np.where(expected.labels == 99, 0, expected.labels))


def test_an_encoder_whose_label_image_is_gone_reads_through_the_one_beside_the_bundle(encoder, tmp_path):
    write_atlases(atlases_of([("brain", encoder)]), tmp_path / "bundle")
    moved = BrainVolume("/nowhere/dseg.nii.gz", names=NAMES, indices=INDICES, provenance={"space": "MNI152, mm, RAS+"})
    read_atlases(tmp_path / "bundle", [("brain", moved)])
    values = np.where(read_atlas(encoder.atlas).labels == 7, 3.0, 1.0)
    nib.save(nib.Nifti1Image(values, read_atlas(encoder.atlas).affine), tmp_path / "sub-1.nii.gz")
    assert moved.read(tmp_path / "sub-1.nii.gz").values.tolist() == [[1.0, 3.0, 1.0]]


def test_without_a_label_image_there_is_no_atlas_and_no_folder(tmp_path):
    encoders = [("brain", BrainVolume(names=NAMES, indices=INDICES)), ("gene", GeneTable(dim=3))]
    write_atlases(atlases_of(encoders), tmp_path)
    assert not list(tmp_path.iterdir())
    assert read_atlases(tmp_path, encoders) == {}


def test_an_atlas_of_other_regions_is_refused(encoder, tmp_path):
    other = dataclasses.replace(read_atlas(encoder.atlas), names=("a", "b", "c", "d"), indices=(7, 99, 2035, 40000))
    write_atlases({"brain": other}, tmp_path / "bundle")
    with pytest.raises(ValueError, match=r"brain\.nii\.gz: found regions \['a', 'b', 'c'\] .* expected those of brain"):
        read_atlases(tmp_path / "bundle", [("brain", encoder)])


def test_a_modality_of_any_name_stays_in_the_folder(encoder, tmp_path):
    write_atlases({"../up/brain": read_atlas(encoder.atlas)}, tmp_path / "bundle")
    assert {path.parent for path in (tmp_path / "bundle").rglob("*.*")} == {tmp_path / "bundle" / "atlas"}
