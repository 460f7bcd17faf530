"""Expression matrices: storage, counts, choice of genes."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from encoders import blocks
from encoders.contract import check
from encoders.expression import Expression

GENES = ["SNAP25", "GFAP", "MBP", "GAD1", "AQP4", "RELN"]
STORAGE = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_matrix}


def _levels(samples=5, genes=GENES):
    values = np.random.default_rng(0).gamma(1.0, 1.0, (samples, len(genes)))
    values[values < 0.4] = 0
    return values * np.linspace(0.2, 2.0, len(genes))


def _counts(samples=5):
    return np.random.default_rng(1).poisson(4.0, (samples, len(GENES))).astype(np.float32) + np.eye(samples, len(GENES), dtype=np.float32)


def _write(folder, matrix, genes=GENES, **parts):
    obs = pd.DataFrame(index=[f"sub-{row:02d}" for row in range(matrix.shape[0])])
    anndata.AnnData(X=matrix, obs=obs, var=pd.DataFrame(index=genes), **parts).write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


@pytest.mark.parametrize("stored", STORAGE.values(), ids=STORAGE)
def test_dense_csr_and_csc_give_the_same_levels_in_the_order_of_the_names(stored, tmp_path):
    source = _write(tmp_path, stored(_levels()))
    encoder = Expression(names=("RELN", "SNAP25", "MBP"))
    ids, values = encoder.read(source)
    assert ids[0] == "sub-00"
    np.testing.assert_array_equal(values, _levels()[:, [5, 0, 2]])
    assert encoder(torch.tensor(values)).values.shape == (5, 3, 1)


@pytest.mark.parametrize("stored", STORAGE.values(), ids=STORAGE)
def test_counts_are_scaled_to_ten_thousand_per_sample_over_all_genes_before_log1p(stored, tmp_path):
    counts = _counts()
    source = _write(tmp_path, stored(counts))
    _, values = Expression(names=("GFAP", "RELN"), log1p=True).read(source)
    expected = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 10_000)[:, [1, 5]]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


@pytest.mark.parametrize("log1p", [False, True])
@pytest.mark.parametrize("stored", STORAGE.values(), ids=STORAGE)
def test_a_file_looked_at_in_small_parts_gives_the_same_levels_and_genes(stored, log1p, tmp_path, monkeypatch):
    source = _write(tmp_path, stored(_counts(30) if log1p else _levels(30)))
    whole = Expression.for_source(source, top=3, log1p=log1p)
    expected = whole.read(source).values
    monkeypatch.setattr(blocks, "SLAB_BYTES", 100)
    parts = Expression.for_source(source, top=3, log1p=log1p)
    assert parts.names == whole.names
    np.testing.assert_array_equal(parts.read(source).values, expected)


def test_a_layer_is_read_by_name(tmp_path):
    source = _write(tmp_path, _counts(), layers={"log": _levels()})
    _, values = Expression(names=GENES, layer="log").read(source)
    np.testing.assert_array_equal(values, _levels())
    with pytest.raises(ValueError, match=r"'layers:raw' is not in the file; found \['layers:log', 'X'\]"):
        Expression(names=GENES, layer="raw").read(source)


def test_a_gene_the_file_lacks_is_absent_and_the_others_are_not(tmp_path):
    source = _write(tmp_path, _levels())
    encoder = Expression(names=("GFAP", "TP53"))
    assert encoder(torch.tensor(encoder.read(source).values)).mask.tolist() == [[True, False]] * 5


@pytest.mark.parametrize("stored", STORAGE.values(), ids=STORAGE)
def test_the_genes_of_highest_variance_are_chosen_in_the_order_of_the_file(stored, tmp_path):
    source = _write(tmp_path, stored(_levels(40)))
    expected = sorted(np.argsort(-_levels(40).var(axis=0))[:3])
    assert Expression.for_source(source, top=3).names == tuple(GENES[place] for place in expected)
    assert Expression.for_source(source).names == tuple(GENES)
    assert Expression.for_source(source, names=["MBP"]).names == ("MBP",)
    assert check(Expression, source, top=3) == []


def test_missing_levels_do_not_decide_which_genes_vary(tmp_path):
    levels = _levels(40)
    levels[3, :] = np.nan
    levels[:, 4] = np.nan
    chosen = Expression.for_source(_write(tmp_path, levels), top=2).names
    assert "AQP4" not in chosen


@pytest.mark.parametrize(
    ("log1p", "matrix", "message"), [(False, _counts(), "raw counts"), (True, _levels(), "log1p already"), (True, -_counts(), "expected counts")]
)
@pytest.mark.parametrize("stored", STORAGE.values(), ids=STORAGE)
def test_counts_taken_for_levels_and_levels_taken_for_counts_are_refused(log1p, matrix, message, stored, tmp_path):
    with pytest.raises(ValueError, match=message):
        Expression(names=GENES, log1p=log1p).read(_write(tmp_path, stored(matrix)))


def test_a_sample_without_counts_is_named(tmp_path):
    counts = _counts()
    counts[2] = 0
    with pytest.raises(ValueError, match="'sub-02' has no counts"):
        Expression(names=GENES, log1p=True).read(_write(tmp_path, counts))


def test_genes_of_another_namespace_are_refused_with_both_named(tmp_path):
    source = _write(tmp_path, _levels(), genes=[f"ENSG0000014151{digit}" for digit in range(6)])
    with pytest.raises(ValueError, match=r"none of the 2 genes; the file has Ensembl gene like .* the encoder ids like"):
        Expression(names=("SNAP25", "GFAP")).read(source)


def test_a_gene_that_occurs_twice_is_refused_only_when_it_is_asked_for(tmp_path):
    with pytest.warns(UserWarning, match="not unique"):
        source = _write(tmp_path, _levels(), genes=["SNAP25", "GFAP", "GFAP", "MBP", "RELN", "AQP4"])
    assert Expression(names=("SNAP25",)).read(source).values.shape == (5, 1)
    with pytest.raises(ValueError, match="'GFAP' occurs twice"):
        Expression(names=("SNAP25", "GFAP")).read(source)


def test_a_sparse_index_past_the_end_is_refused(tmp_path):
    broken = sparse.csr_matrix(_levels())
    broken.indices[0] = 2_000_000
    with pytest.raises(ValueError, match=r"cells\.h5ad.*cannot be read"):
        Expression(names=GENES).read(_write(tmp_path, broken))


def test_dates_among_the_genes_and_no_gene_at_all_are_refused(tmp_path):
    with pytest.raises(ValueError, match="row 2: id '1-Mar'"):
        Expression(names=GENES).read(_write(tmp_path, _levels(), genes=["SNAP25", "1-Mar", "MBP", "GAD1", "AQP4", "RELN"]))
    with pytest.raises(ValueError, match="found no gene"):
        Expression(names=())
