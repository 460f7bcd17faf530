"""Batches of a cohort: the same from memory and from disk, in an order of seed and epoch, gone on with where they stopped."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from bridge.data import module
from bridge.data.cohort import Cohort
from bridge.data.module import CohortData
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

SAMPLES, REGIONS = 700, ("left cuneus", "right cuneus", "left insula")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A third of the samples is not for training; some lack a modality."""
    random = np.random.default_rng(0)
    gene, brain = random.normal(3, 2, (SAMPLES, 6)), random.uniform(size=(SAMPLES, 3))
    gene[5], brain[9], brain[11, 1] = np.nan, np.nan, np.nan
    splits = random.choice(["train", "validation", "test"], SAMPLES, p=[0.7, 0.2, 0.1])
    names = [f"s{row}" for row in range(SAMPLES)]
    obs = pd.DataFrame({"split": splits, "group": names, "note": "text"}, index=names)
    modalities = {"gene": (GeneTable(dim=6), gene), "brain": (RegionTable(REGIONS), brain)}
    cohort = Cohort.assemble(obs, modalities, texts=("note",), normalise={"gene": "unit", "brain": "global"})
    path = tmp_path_factory.mktemp("third") / "cohort.h5ad"
    cohort.write(path)
    return path


@pytest.fixture(params=[False, True], ids=["memory", "disk"])
def data(request, path, monkeypatch):
    """``data(batch_size)``; from disk with a buffer that holds half of the training split."""
    monkeypatch.setattr(module, "buffer_rows", lambda row_bytes: 256)
    return functools.partial(CohortData, str(path), stream=request.param)


def _epoch(loader, epoch=0):
    loader.sampler.set_epoch(epoch)
    return list(loader)


def _ids(batches):
    return [each for batch in batches for each in batch.ids]


def test_a_cohort_on_disk_gives_the_values_of_one_in_memory(path):
    memory, disk = Cohort.read(path), Cohort.read(path, stream=True)
    assert not len(disk.table.obsm)
    assert (disk.ids, disk.about, disk.modalities) == (memory.ids, memory.about, memory.modalities)
    for modality, rows in itertools.product(memory.modalities, (None, [5, 3, 3, 699], np.array([0, 1]), [])):
        np.testing.assert_array_equal(disk.raw(modality, rows), memory.raw(modality, rows))
        np.testing.assert_array_equal(disk.values(modality, rows), memory.values(modality)[slice(None) if rows is None else np.array(rows, dtype=int)])
    with pytest.raises(ValueError, match="values are on disk, so it cannot be written"):
        disk.write(path)


def test_a_file_that_is_no_cohort_is_refused_on_disk_as_in_memory(tmp_path):
    (tmp_path / "cohort.h5ad").write_bytes(b"0" * 400)
    with pytest.raises(ValueError, match=r"cohort\.h5ad: cannot be read as \.h5ad"):
        Cohort.read(tmp_path / "cohort.h5ad", stream=True)


def test_an_epoch_gives_every_training_sample_once_with_its_normalised_values(data, path):
    cohort, batches = Cohort.read(path), _epoch(data(batch_size=7).train_dataloader())
    rows = [row for batch in batches for row in batch.rows.tolist()]
    train = cohort.rows("train")
    assert len(rows) == len(set(rows)) == len(train) // 7 * 7
    assert set(rows) <= set(train.tolist())
    for batch in batches:
        assert batch.ids == [cohort.ids[row] for row in batch.rows]
        assert batch.groups.tolist() == cohort.groups[batch.rows].tolist()
        for modality in cohort.modalities:
            np.testing.assert_array_equal(batch.values[modality].numpy(), cohort.values(modality)[batch.rows])


def test_samples_that_are_left_out_are_in_no_batch(data):
    made = data(batch_size=10)
    first = made.rows("train")[0]
    made.leave_out([first])
    assert f"s{first}" not in _ids(_epoch(made.train_dataloader()))


def test_validation_gives_every_sample_in_order(data, path):
    batches = list(data(batch_size=50).val_dataloader())
    cohort = Cohort.read(path)
    assert [row for batch in batches for row in batch.rows.tolist()] == cohort.rows("validation").tolist()
    np.testing.assert_array_equal(torch.cat([batch.values["gene"] for batch in batches]).numpy(), cohort.values("gene")[cohort.rows("validation")])


def test_the_order_is_that_of_seed_and_epoch_alone(data):
    first = data(batch_size=10, seed=3).train_dataloader()
    other = data(batch_size=10, seed=3).train_dataloader()
    epochs = [_ids(_epoch(first, epoch)) for epoch in range(3)]
    assert _ids(_epoch(other, 2)) == epochs[2]
    assert epochs[0] != epochs[1]
    assert _ids(_epoch(data(batch_size=10, seed=4).train_dataloader())) != epochs[0]


def test_in_memory_the_order_is_a_permutation_of_all_training_rows(path):
    made = CohortData(str(path), batch_size=10, seed=2)
    rows = np.array(made.rows("train"))
    drawn = torch.randperm(len(rows), generator=torch.Generator().manual_seed(2 * 1_000_003 + 1)).numpy()
    assert _ids(_epoch(made.train_dataloader(), 1)) == [f"s{row}" for row in rows[drawn][: len(rows) // 10 * 10]]


def test_a_stopped_epoch_goes_on_with_the_batch_that_comes_next(data):
    loader = data(batch_size=10).train_dataloader()
    whole = [batch.ids for batch in _epoch(loader, 1)]
    for _ in itertools.islice(loader, 13):
        state = loader.state_dict()
    again = data(batch_size=10).train_dataloader()
    again.load_state_dict(state)
    assert [batch.ids for batch in _epoch(again, 1)] == whole[13:]
    assert len(_epoch(again, 2)) == len(whole)


def test_from_disk_the_shuffle_quality_is_told(path, monkeypatch, capsys):
    monkeypatch.setattr(module, "buffer_rows", lambda row_bytes: 256)
    CohortData(str(path), batch_size=16, stream=True).train_dataloader()
    assert "samples from disk, 256 mixed at a time: shuffle quality 0." in capsys.readouterr().err
    CohortData(str(path), batch_size=16).train_dataloader()
    assert not capsys.readouterr().err


def test_workers_give_the_same_batches(path, monkeypatch):
    monkeypatch.setattr(module, "buffer_rows", lambda row_bytes: 256)
    expected, found = (_epoch(CohortData(str(path), 64, workers=workers, stream=True).train_dataloader(), 1) for workers in (0, 1))
    assert _ids(found) == _ids(expected)
    assert all(torch.equal(one.values["gene"].nan_to_num(7), other.values["gene"].nan_to_num(7)) for one, other in zip(found, expected, strict=True))
