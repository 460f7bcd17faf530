"""Token grids of brain models from files and folders."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

from encoders.brain_tokens import BrainTokens
from encoders.contract import check

IDS = ["sub-01", "sub-02"]
GRID = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)


def _npz(folder):
    np.savez(folder / "tokens.npz", ids=np.array(IDS), values=GRID)
    return folder / "tokens.npz", {}


def _npy(folder):
    np.save(folder / "tokens.npy", GRID)
    (folder / "tokens.ids.txt").write_text("\n".join(IDS) + "\n")
    return folder / "tokens.npy", {}


def _h5ad(folder):
    anndata.AnnData(obs=pd.DataFrame(index=IDS), obsm={"brain": GRID.reshape(2, 12)}).write_h5ad(folder / "tokens.h5ad")
    return folder / "tokens.h5ad", {"tokens": 3}


def _folder(folder):
    np.save(folder / "sub-02.npy", GRID[1])
    np.savez(folder / "sub-01.npz", values=GRID[0])
    (folder / "README.txt").write_text("not a grid")
    return folder, {}


@pytest.mark.parametrize("write", [_npz, _npy, _h5ad, _folder])
def test_every_format_gives_the_same_tokens(write, tmp_path):
    source, arguments = write(tmp_path)
    encoder = BrainTokens.for_source(source, **arguments)
    ids, values = encoder.read(source)
    assert (ids, encoder.tokens, encoder.dim) == (IDS, 3, 4)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(encoder(torch.tensor(values)).values, GRID)
    assert check(BrainTokens, source, **arguments) == []


def test_a_token_of_nan_is_absent_and_the_others_are_not(tmp_path):
    holed = GRID.copy()
    holed[0, 1] = np.nan
    np.savez(tmp_path / "tokens.npz", ids=np.array(IDS), values=holed)
    encoder = BrainTokens(tokens=3, dim=4)
    assert encoder(torch.tensor(encoder.read(tmp_path / "tokens.npz").values)).mask.tolist() == [[True, False, True], [True, True, True]]


def test_a_grid_of_another_shape_is_refused_with_both_shapes(tmp_path):
    source, _ = _npz(tmp_path)
    with pytest.raises(ValueError, match=r"found \(3, 4\) per sample, expected tokens x dim = \(4, 3\)"):
        BrainTokens(tokens=4, dim=3).read(source)


def test_an_annotated_matrix_needs_tokens_that_divide_its_width(tmp_path):
    source, _ = _h5ad(tmp_path)
    for arguments in ({}, {"tokens": 5}):
        with pytest.raises(ValueError, match="12 values per sample"):
            BrainTokens.for_source(source, **arguments)


def test_a_sample_of_another_shape_in_a_folder_is_named(tmp_path):
    _folder(tmp_path)
    np.save(tmp_path / "sub-03.npy", GRID[0, :2])
    with pytest.raises(ValueError, match=r"sub-03\.npy: found tokens x dim = \(2, 4\), expected \(3, 4\)"):
        BrainTokens.for_source(tmp_path)


@pytest.mark.parametrize(
    ("ids", "values", "message"),
    [
        (["a", "a"], GRID, "'a' occurs twice"),
        (["a", "b", "c"], GRID, r"ids \(3,\) and values \(2, 3, 4\)"),
        (IDS, GRID[:, 0], r"values \(2, 4\)"),
        (IDS, GRID.astype(int), "int64"),
        (IDS, np.where(GRID > 1, np.inf, GRID), "infinite"),
    ],
)
def test_malformed_grids_are_refused(ids, values, message, tmp_path):
    np.savez(tmp_path / "tokens.npz", ids=np.array(ids), values=values)
    with pytest.raises(ValueError, match=message):
        BrainTokens(tokens=3, dim=4).read(tmp_path / "tokens.npz")


def test_an_array_without_its_ids_a_pickle_an_empty_folder_and_another_format_are_refused(tmp_path):
    np.save(tmp_path / "tokens.npy", GRID)
    with pytest.raises(ValueError, match=r"tokens\.ids\.txt: no such file"):
        BrainTokens.for_source(tmp_path / "tokens.npy")
    np.save(tmp_path / "tokens.npy", np.array([{}], dtype=object))
    (tmp_path / "tokens.ids.txt").write_text("a\n")
    with pytest.raises(ValueError, match=r"cannot be read as \.npy"):
        BrainTokens.for_source(tmp_path / "tokens.npy")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"found 0 \.npy or \.npz files"):
        BrainTokens.for_source(tmp_path / "empty")
    with pytest.raises(ValueError, match="not a token grid"):
        BrainTokens.for_source(tmp_path / "tokens.ids.txt")


def test_names_are_one_per_token():
    with pytest.raises(ValueError, match="found 2, expected one for each of 3"):
        BrainTokens(tokens=3, dim=4, names=("a", "b"))
