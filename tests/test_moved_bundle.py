"""A bundle that was given to somebody else: it reads images through the atlas that it carries, and names no place of the machine that wrote it."""

import json
import shutil

import nibabel
import numpy as np
import pytest
from tiny_study import image_encoder, image_of, save_bundle
from typed_command import typed

from bridge.bundle import bundle_digest, load, load_reader, save

VALUES = np.array([0.5, 0.375, 0.625, 0.4375, 0.5625, 0.25, 0.75, 0.46875, 0.53125, 0.6875])


@pytest.fixture
def moved(tmp_path, tiny_llm):
    """A bundle whose atlas is gone from where it was built; an image beside it."""
    saved = save_bundle(tmp_path / "theirs" / "bundle", tiny_llm("chatml"), image_encoder(tmp_path / "secret-atlases"))
    nibabel.save(image_of(VALUES), tmp_path / "sub-01.nii.gz")
    shutil.rmtree(tmp_path / "secret-atlases")
    return shutil.move(saved, tmp_path / "ours")


def test_a_moved_bundle_reads_images_through_the_atlas_that_it_carries(moved, tmp_path, capsys):
    assert load_reader(moved).encoders["brain"].read(tmp_path / "sub-01.nii.gz").values.tolist() == [VALUES.tolist()]
    line = f"report {moved} --brain {tmp_path / 'sub-01.nii.gz'} --format json --max-new-tokens 4"
    status, said, complained = typed(capsys, line)
    assert status == 0, complained
    assert json.loads(said)["id"] == "sub-01"


def test_another_atlas_where_the_first_one_was_is_not_read_through(moved, tmp_path):
    image_encoder(tmp_path / "secret-atlases")
    nibabel.save(image_of(np.roll(np.arange(10) + 1, 3)), tmp_path / "secret-atlases" / "atlas.nii.gz")
    assert load(moved).encoders["brain"].read(tmp_path / "sub-01.nii.gz").values.tolist() == [VALUES.tolist()]


def test_a_bundle_names_no_place_of_the_machine_that_wrote_it(moved):
    files = [path for path in moved.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"secret-atlases" in path.read_bytes()]


def test_saved_again_from_elsewhere_it_is_the_same_bundle(moved, tmp_path):
    assert bundle_digest(save(load(moved), tmp_path / "again")) == bundle_digest(moved)
