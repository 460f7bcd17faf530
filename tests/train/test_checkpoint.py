"""Checkpoints are whole, signed, two of them, and never gone on from when they are not as they were written."""

import os
import random
import shutil

import numpy as np
import pytest
import torch

from bridge.data.manifest import digest_file
from bridge.train.checkpoint import CheckpointFile, checkpoints, newest
from bridge.train.resume import random_states, set_random_states


@pytest.fixture
def run(tmp_path):
    """The folder of a run with two checkpoints."""
    for step in (1, 2):
        write(tmp_path, step)
    return tmp_path


def write(folder, step, **content):
    path = folder / f"step-{step:08d}.ckpt"
    CheckpointFile(folder).save_checkpoint({"state_dict": {"weight": torch.full((8,), float(step))}, "step": step, **content}, path)
    return path


def turn_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_checkpoint_comes_back_and_has_its_digest_beside_it(run):
    assert CheckpointFile(run).load_checkpoint(newest(run))["step"] == 2
    assert sorted(path.name for path in run.iterdir()) == sorted(f"step-0000000{step}.ckpt{end}" for step in (1, 2) for end in ("", ".sha256"))


@pytest.mark.parametrize("file", ["checkpoint", "digest"])
def test_a_damaged_newest_falls_back_to_the_one_before_and_says_so(run, file, capsys):
    path = newest(run)
    turn_a_bit(path if file == "checkpoint" else digest_file(path))
    assert newest(run).name == "step-00000001.ckpt"
    said = capsys.readouterr().err
    assert "step-00000002.ckpt: the checkpoint is damaged" in said
    assert "going on from the one before, step-00000001.ckpt" in said
    assert len(said.splitlines()) == 1
    with pytest.raises(ValueError, match=r"step-00000002.ckpt: the checkpoint is damaged"):
        CheckpointFile(run).load_checkpoint(path)


def test_one_that_was_never_finished_counts_as_none(run):
    digest_file(newest(run)).unlink()
    assert newest(run).name == "step-00000001.ckpt"
    digest_file(newest(run)).unlink()
    assert newest(run) is None


def test_a_run_whose_checkpoints_are_all_damaged_begins_again_only_when_told_to(run):
    for path in checkpoints(run):
        turn_a_bit(path)
    with pytest.raises(ValueError, match=r"(?s)no whole one before it.*begin again with --resume false"):
        newest(run)


def test_a_checkpoint_from_elsewhere_is_not_loaded(run, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for path in run.iterdir():
        shutil.copy(path, other)
    for place in (other / "step-00000002.ckpt", "http://example.org/step-00000002.ckpt"):
        with pytest.raises(ValueError, match="found a checkpoint outside the run's folder"):
            CheckpointFile(run).load_checkpoint(place)


class Code:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, 1, callbacks={"mine": Code()})
    with pytest.raises(ValueError, match=r"not a checkpoint .*begin again with --resume false"):
        CheckpointFile(tmp_path).load_checkpoint(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("place", ["state_dict", "optimizer_states"])
def test_what_is_not_finite_is_not_written_and_the_one_before_stays(run, place):
    with pytest.raises(ValueError, match=rf"step-00000003.ckpt: {place}\['weight'\] is NaN or infinite"):
        write(run, 3, **{place: {"weight": torch.tensor([1.0, torch.inf])}})
    assert newest(run).name == "step-00000002.ckpt"


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before_and_says_how_to_go_on(run, monkeypatch):
    def full_disk(content, path):
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file\nand much more")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(ValueError, match=r"cannot be written \(PytorchStream.* file\); step-00000002.ckpt before it is whole.*the same command") as refused:
        write(run, 3)
    assert "\n" not in str(refused.value)
    assert newest(run).name == "step-00000002.ckpt"
    assert len(list(run.iterdir())) == 4


def test_a_checkpoint_without_room_is_refused_before_it_is_written(run, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))
    monkeypatch.setattr(torch, "save", None)
    with pytest.raises(ValueError, match=r"cannot be written \(1 MB needed, 0 MB free on this disk\)"):
        write(run, 3)


def test_every_random_generator_goes_on_where_it_stood(tmp_path):
    def draw():
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random(), random.gauss(0, 1)

    random.gauss(0, 1)  # half of a pair is kept for the next call
    path = write(tmp_path, 1, random_states=random_states())
    drawn = draw()
    set_random_states(CheckpointFile(tmp_path).load_checkpoint(path)["random_states"])
    assert draw() == drawn


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(tmp_path):
    path = tmp_path / "step-00000001.ckpt"
    CheckpointFile(tmp_path, "these").save_checkpoint({"state_dict": {}}, path)
    assert CheckpointFile(tmp_path, "these").load_checkpoint(path)["state_dict"] == {}
    with pytest.raises(ValueError, match="found a checkpoint of other settings than those of this run"):
        CheckpointFile(tmp_path, "others").load_checkpoint(path)
