"""Matrices that stay on disk: the rows asked for are those of the file, and a damaged file is told by its field."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from encoders import blocks
from encoders.blocks import StoredMatrix, axis_names

ROWS, COLUMNS = 60, 7
KEYS = ("X", "layers:other", "obsm:vectors")
STORAGE = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_matrix}


def _values():
    values = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return np.where(values < 0.3, 0, values)


def _file(folder, stored, **write):
    names = [f"s{row}" for row in range(ROWS)]
    matrix, path = stored(_values()), folder / "cells.h5ad"
    table = anndata.AnnData(matrix, obs=pd.DataFrame({"more": 1}, index=names), var=pd.DataFrame(index=list("abcdefg")))
    table.layers["other"], table.obsm["vectors"] = matrix * 2, matrix * 3
    table.write_h5ad(path, **write)
    return path


def _dense(found):
    return found.toarray() if sparse.issparse(found) else found


@pytest.mark.parametrize("gap", [0, 40, 1 << 15])
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("stored", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
def test_any_rows_of_any_slot_are_those_of_the_file(stored, compression, gap, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "GAP_BYTES", gap)
    path, random = _file(tmp_path, stored, compression=compression), np.random.default_rng(1)
    for factor, key in enumerate(KEYS, start=1):
        matrix = StoredMatrix(path, key)
        assert (matrix.shape, len(matrix)) == ((ROWS, COLUMNS), ROWS)
        for count in (0, 1, 5, 30, ROWS):
            rows = np.sort(random.choice(ROWS, count, replace=False))
            found = matrix.read(rows)
            assert found.dtype == np.float32
            np.testing.assert_array_equal(_dense(found), _values()[rows] * factor)


@pytest.mark.parametrize("limit", [1, 100, 1 << 20])
@pytest.mark.parametrize("stored", STORAGE.values(), ids=STORAGE)
def test_slabs_of_any_size_make_up_the_matrix(stored, limit, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "READ_BYTES", limit)
    monkeypatch.setattr(blocks, "SLAB_BYTES", limit)
    found = np.full((ROWS, COLUMNS), np.nan)
    slabs = list(StoredMatrix(_file(tmp_path, stored)).slabs())
    for rows, columns, values in slabs:
        assert np.isnan(found[rows, columns]).all()
        found[rows, columns] = _dense(values)
    np.testing.assert_array_equal(found, _values())
    assert (len(slabs) == 1) == (limit == 1 << 20)


def test_a_matrix_without_entries_and_one_of_whole_numbers_are_read(tmp_path):
    empty = sparse.csr_matrix((ROWS, COLUMNS), dtype=np.float32)
    anndata.AnnData(empty, layers={"counts": np.ones((ROWS, COLUMNS), dtype=np.int16)}).write_h5ad(tmp_path / "cells.h5ad")
    matrix = StoredMatrix(tmp_path / "cells.h5ad")
    assert matrix.read(np.array([0, 59])).nnz == 0
    assert [slab.values.shape for slab in matrix.slabs()] == [(ROWS, COLUMNS)]
    assert StoredMatrix(tmp_path / "cells.h5ad", "layers:counts").read(np.array([3])).dtype == np.int16


def test_names_are_read_without_what_stands_beside_them(tmp_path):
    path = _file(tmp_path, np.asarray)
    assert axis_names(path, "var") == list("abcdefg")
    assert axis_names(path, "obs")[:2] == ["s0", "s1"]


@pytest.mark.parametrize("rows", [[3, 2], [1, 1], [-1, 4], [59, 60]])
def test_rows_that_do_not_rise_or_are_not_there_are_refused(rows, tmp_path):
    with pytest.raises(ValueError, match="expected rising numbers from 0 to 59"):
        StoredMatrix(_file(tmp_path, np.asarray)).read(np.array(rows))


def test_rows_of_a_matrix_that_is_stored_by_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"cells\.h5ad, X: is stored by columns"):
        StoredMatrix(_file(tmp_path, sparse.csc_matrix)).read(np.array([0]))


DAMAGE = {
    "indptr falls": ("indptr", 20, 10**6, r"X/indptr: cannot be read: found 1000000 and then \d+ at 20, expected numbers that never fall"),
    "indptr starts late": ("indptr", 0, 1, r"X/indptr: cannot be read: found 1 to \d+ for"),
    "indptr ends beyond": ("indptr", -1, 10**6, r"X/indptr: cannot be read: found 0 to 1000000 for"),
    "indptr is negative": ("indptr", 1, -5, "X/indptr: cannot be read: found 0 and then -5"),
    "index past the end": ("indices", 4, 2_000_000, "X/indices: cannot be read: found 2000000, expected 0 to"),
    "negative index": ("indices", 4, -1, "X/indices: cannot be read: found -1, expected 0 to"),
}


@pytest.mark.parametrize(("field", "place", "value", "message"), DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("storage", ["csr", "csc"])
def test_a_damaged_sparse_matrix_is_told_by_file_and_field(storage, field, place, value, message, tmp_path):
    path = _file(tmp_path, STORAGE[storage])
    with h5py.File(path, "r+") as file:
        dataset = file[f"X/{field}"]
        place = min(place, len(dataset) - 3)
        dataset[place % len(dataset)] = value
    with pytest.raises(ValueError, match=rf"cells\.h5ad, {message if storage == 'csr' else message.replace('at 20', 'at 5')}"):
        list(StoredMatrix(path).slabs())


@pytest.mark.parametrize(("name", "message"), [("indptr", "X/indptr: cannot be read"), ("data", r"X/indptr: .* for 3 values")])
def test_a_sparse_matrix_with_a_shortened_field_is_refused(name, message, tmp_path):
    path = _file(tmp_path, sparse.csr_matrix)
    with h5py.File(path, "r+") as file:
        kept = file[f"X/{name}"][:3]
        del file[f"X/{name}"]
        file[f"X/{name}"] = kept
    with pytest.raises(ValueError, match=message):
        StoredMatrix(path)


def test_a_key_that_is_not_there_and_what_is_no_matrix_are_refused(tmp_path):
    path = _file(tmp_path, np.asarray)
    with pytest.raises(ValueError, match=r"'layers:raw' is not in the file; found \['layers:other', 'obsm:vectors', 'X'\]"):
        StoredMatrix(path, "layers:raw")
    frame = pd.DataFrame({"a": range(ROWS)}, index=axis_names(path, "obs"))
    anndata.AnnData(_values(), obs=pd.DataFrame(index=frame.index), obsm={"frame": frame}).write_h5ad(path)
    with pytest.raises(ValueError, match="obsm/frame: found dataframe, expected a matrix of numbers"):
        StoredMatrix(path, "obsm:frame")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match=r"cells\.h5ad: cannot be read as \.h5ad"):
        StoredMatrix(path)
