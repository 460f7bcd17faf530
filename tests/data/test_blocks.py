"""Mini-batches from disk: every row once, in an order that depends on seed and epoch alone, with memory and shuffle as told."""

from __future__ import annotations

from types import SimpleNamespace

import anndata
import h5py
import numpy as np
import pytest
from scipy import sparse

from bridge.data import blocks, transpose
from bridge.data.blocks import Blocks, buffer_rows
from bridge.data.transpose import in_row_order
from encoders.blocks import StoredMatrix

ROWS, COLUMNS = 500, 9
STORAGE = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_matrix}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("BRIDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rows"


def _values():
    values = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return np.where(values < 0.3, 0, values)


def _file(folder, stored=np.asarray):
    table = anndata.AnnData(stored(_values()))
    table.obsm["vectors"] = _values() + 1
    table.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


def _order(drawn, epoch=0, size=32):
    return [row for rows, _ in drawn.batches(size, epoch) for row in rows.tolist()]


@pytest.mark.parametrize("buffer", [32, 100, 128, 1000])
@pytest.mark.parametrize("stored", STORAGE.values(), ids=STORAGE)
def test_an_epoch_gives_every_row_once_with_its_values(stored, buffer, tmp_path):
    seen = []
    for rows, values in Blocks.of_file(_file(tmp_path, stored), buffer=buffer, block=16).batches(48, epoch=1):
        np.testing.assert_array_equal(values["X"], _values()[rows])
        seen += rows.tolist()
    assert sorted(seen) == list(range(ROWS))
    assert seen != sorted(seen)


def test_vectors_of_obsm_are_read_too(tmp_path):
    rows, values = next(Blocks.of_file(_file(tmp_path), "obsm:vectors").batches(8))
    np.testing.assert_array_equal(values["obsm:vectors"], _values()[rows] + 1)


@pytest.mark.parametrize("buffer", [64, 1000])
def test_the_order_is_a_pure_function_of_seed_and_epoch(buffer, tmp_path):
    path = _file(tmp_path)
    one, other, third = (Blocks.of_file(path, buffer=buffer, block=16, seed=seed) for seed in (1, 1, 2))
    first = _order(one, 5)
    _order(other, 3)  # what was read before makes no difference
    assert _order(other, 5) == first
    assert _order(one, 6) != first
    assert _order(third, 5) != first


def test_a_buffer_holds_whole_blocks_and_is_mixed(tmp_path):
    order = np.array(_order(Blocks.of_file(_file(tmp_path), buffer=64, block=16), size=16))
    for start in range(0, 448, 64):
        numbers, counts = np.unique(order[start : start + 64] // 16, return_counts=True)
        assert len(numbers) <= 5
        assert counts.max() == 16
    assert len(np.unique(order[:16] // 16)) > 1


def test_rows_of_one_split_alone_are_drawn(tmp_path):
    rows = np.sort(np.random.default_rng(3).choice(ROWS, 200, replace=False))
    matrix = StoredMatrix(_file(tmp_path))
    drawn = Blocks(lambda asked: {"values": matrix.read(asked)}, rows, buffer=64, block=16)
    assert sorted(_order(drawn)) == rows.tolist()
    for batch, values in drawn.batches(30):
        np.testing.assert_array_equal(values["values"], _values()[batch])


def test_a_buffer_of_everything_is_read_once_for_all_epochs_and_others_once_an_epoch():
    asked = []

    def read(rows):
        asked.append(len(rows))
        return {"values": rows[:, None].astype(np.float32)}

    for buffer, expected in ((100, [100]), (50, [50] * 6)):
        asked.clear()
        drawn = Blocks(read, np.arange(100), buffer=buffer, block=10)
        for epoch in range(3):
            assert all((values["values"][:, 0] == rows).all() for rows, values in drawn.batches(10, epoch))
        assert asked == expected


@pytest.mark.parametrize("buffer", [64, 90, 1000])
@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_the_order_row_by_row_and_read_only_their_own(buffer, world):
    settings = {"rows": np.arange(ROWS), "buffer": buffer, "block": 16, "seed": 4}
    whole = Blocks(lambda rows: {}, **settings)
    whole.epoch = 3
    asked = []

    def read(rows):
        asked.extend(rows)
        return {"values": rows[:, None]}

    shares = []
    for rank in range(world):
        drawn = Blocks(read, **settings, rank=rank, world=world)
        for epoch in (2, 3):
            batches = list(drawn.batches(10, epoch))
            assert all((values["values"][:, 0] == rows).all() for rows, values in batches)
        shares.append(np.concatenate([rows for rows, _ in batches]))
        np.testing.assert_array_equal(shares[-1], whole.order()[rank::world])
    assert sorted(np.concatenate(shares)) == list(range(ROWS))
    assert len(asked) == 2 * ROWS


def test_no_more_than_two_buffers_are_held_where_a_batch_lies_in_two():
    drawn = Blocks(lambda rows: {"values": rows[:, None]}, np.arange(1000), buffer=70, block=10)
    for rows, values in drawn.batches(32):
        assert (values["values"][:, 0] == rows).all()
        assert len(drawn._held) <= 2


@pytest.mark.parametrize(("buffer", "block", "batch"), [(64, 8, 16), (128, 16, 16), (256, 64, 32), (512, 8, 64)])
def test_the_shuffle_quality_is_that_of_the_orders_drawn(buffer, block, batch):
    rows = np.arange(2048)
    drawn = Blocks(lambda asked: {}, rows, buffer=buffer, block=block)
    variances = []
    for drawn.epoch in range(150):
        variances.append(drawn.order().reshape(-1, batch).mean(axis=1).var())
    full = [np.random.default_rng(draw).permutation(rows).reshape(-1, batch).mean(axis=1).var() for draw in range(150)]
    assert drawn.quality(batch) == pytest.approx(np.mean(full) / np.mean(variances), rel=0.1)


def test_a_full_shuffle_has_quality_1_and_larger_buffers_are_better():
    qualities = [Blocks(lambda rows: {}, np.arange(4096), buffer=buffer, block=64).quality(32) for buffer in (64, 256, 1024, 2048, 4096)]
    assert qualities == sorted(qualities)
    assert 0 < qualities[0] < 0.05
    assert qualities[-1] == 1.0
    assert Blocks(lambda rows: {}, np.arange(100), buffer=30).quality(1) == pytest.approx(1.0)


def test_the_buffer_has_64_mib_and_at_least_eight_blocks():
    assert buffer_rows(8000) * 8000 <= blocks.BUFFER_BYTES < (buffer_rows(8000) + blocks.BLOCK) * 8000
    assert buffer_rows(10**9) == 8 * blocks.BLOCK
    with pytest.raises(ValueError, match="found buffer 0"):
        Blocks(lambda rows: {}, np.arange(4), buffer=0)


@pytest.mark.parametrize("entries", [10, 300, 10**6])
def test_a_matrix_stored_by_columns_is_written_in_row_order_once(entries, tmp_path, cache, monkeypatch, capsys):
    monkeypatch.setattr(transpose, "ENTRIES", entries)
    path = _file(tmp_path, sparse.csc_matrix)
    found = in_row_order(StoredMatrix(path))
    assert "is stored by columns (CSC); it is written in row order once" in "".join(capsys.readouterr().err.splitlines())
    read = found.read(np.arange(ROWS))
    np.testing.assert_array_equal(read.toarray(), _values())
    assert read.has_sorted_indices
    assert [each.name for each in cache.iterdir()] == [found.source.name]
    in_row_order(StoredMatrix(path))
    assert not capsys.readouterr().err
    _file(tmp_path, lambda values: sparse.csc_matrix(values * 2))
    np.testing.assert_array_equal(in_row_order(StoredMatrix(path)).read(np.arange(ROWS)).toarray(), _values() * 2)


def test_a_matrix_stored_by_columns_that_is_damaged_or_finds_no_room_leaves_nothing(tmp_path, cache, monkeypatch):
    path = _file(tmp_path, sparse.csc_matrix)
    with monkeypatch.context() as patch:
        patch.setattr(transpose.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
        with pytest.raises(ValueError, match=r"stored by columns, and writing it in row order takes .* set BRIDGE_CACHE"):
            in_row_order(StoredMatrix(path))
    with h5py.File(path, "r+") as file:
        file["X/indices"][7] = 10**6
    with pytest.raises(ValueError, match=r"cells\.h5ad, X/indices: cannot be read: found 1000000"):
        in_row_order(StoredMatrix(path))
    assert not list(cache.iterdir())
