"""Which matrix of a file: AnnData, MuData, npz and parquet, and the ids beside it."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable
from encoders.tables import read_table

IDS = ["SCN1A", "HTT", "APOE"]
VECTORS = np.arange(6, dtype=np.float32).reshape(3, 2)


def _anndata(shift=0.0, genes=("g1", "g2")):
    obs = pd.DataFrame({"symbol": [f"{name}_" for name in IDS]}, index=IDS)
    table = anndata.AnnData(sparse.csr_matrix(VECTORS + shift), obs=obs, var=pd.DataFrame(index=list(genes)))
    table.obsm["X_scgpt"], table.obsm["X_pca"] = VECTORS + 10 + shift, VECTORS + 20 + shift
    table.varm["loadings"], table.layers["counts"] = np.eye(2) + shift, VECTORS + 30 + shift
    return table


@pytest.fixture
def h5ad(tmp_path):
    _anndata().write_h5ad(tmp_path / "genes.h5ad")
    return tmp_path / "genes.h5ad"


@pytest.fixture
def h5mu(tmp_path):
    mudata = pytest.importorskip("mudata", reason="mudata writes the file as users have it")
    with mudata.set_options(pull_on_update=False):
        whole = mudata.MuData({"rna": _anndata(), "prot": _anndata(100.0, genes=("p1", "p2"))})
        whole.obsm["X_mofa"] = VECTORS + 50
        whole.write(tmp_path / "genes.h5mu")
    return tmp_path / "genes.h5mu"


MATRICES = {
    "obsm:X_scgpt": (IDS, VECTORS + 10),
    "obsm:X_pca": (IDS, VECTORS + 20),
    "varm:loadings": (["g1", "g2"], np.eye(2)),
    "layers:counts": (IDS, VECTORS + 30),
    "X": (IDS, VECTORS),
}


@pytest.mark.parametrize(("key", "expected"), MATRICES.items(), ids=MATRICES)
def test_every_matrix_of_an_anndata_file_is_named_in_its_source(key, expected, h5ad):
    table = read_table(f"{h5ad}#{key}")
    assert list(table.index) == expected[0]
    np.testing.assert_array_equal(table.to_numpy(), expected[1])
    assert GeneTable(dim=2, key="obsm:another").read(h5ad.with_name(f"genes.h5ad#{key}")).ids == expected[0]


@pytest.mark.parametrize(("key", "expected"), MATRICES.items(), ids=MATRICES)
@pytest.mark.parametrize(("modality", "shift"), [("rna", 0.0), ("prot", 100.0)])
def test_every_matrix_of_every_modality_of_a_mudata_file_is_what_mudata_reads(key, expected, modality, shift, h5mu):
    table = read_table(f"{h5mu}#mod/{modality}/{key}")
    np.testing.assert_array_equal(table.to_numpy(), expected[1] + shift)
    mudata = pytest.importorskip("mudata")
    with mudata.set_options(pull_on_update=False):
        found = mudata.read_h5mu(h5mu)[modality]
    assert list(table.index) == list(found.var_names if key.startswith("varm") else found.obs_names)
    slot, _, name = key.partition(":")
    np.testing.assert_array_equal(table.to_numpy(), getattr(found, slot)[name] if name else found.X.toarray())


def test_what_all_modalities_share_is_read_and_the_marks_of_membership_are_no_matrix(h5mu):
    np.testing.assert_array_equal(read_table(f"{h5mu}#obsm:X_mofa").to_numpy(), VECTORS + 50)
    with pytest.raises(ValueError, match=r"key 'obsm:rna' is not in the file") as refused:
        read_table(f"{h5mu}#obsm:rna")
    assert "'obsm:rna'," not in str(refused.value).partition("found")[2]


def test_a_wrong_key_lists_the_keys_and_the_modalities_there_are(h5ad, h5mu):
    with pytest.raises(ValueError, match=r"key 'X_scgtp' is not in the file; found \['obsm:X_pca', 'obsm:X_scgpt', .*'X'\].*genes\.h5ad#obsm:X_scgpt"):
        read_table(f"{h5ad}#X_scgtp")
    with pytest.raises(ValueError, match=r"no key is named, and the file has 2 of obsm; found .*genes\.h5ad#obsm:X_pca"):
        read_table(h5ad)
    with pytest.raises(ValueError, match=r"found \[.*'mod/prot/obsm:X_pca'.*\] of the modalities prot, rna; name one .*#mod/rna/obsm:X_scgpt"):
        read_table(f"{h5mu}#mod/rna/obsm:X_scgtp")
    with pytest.raises(ValueError, match="key 'X_pca' is not in the file"):
        read_table(f"{h5mu}#X_pca")


def test_a_matrix_may_be_called_by_its_name_alone_where_only_one_has_it(h5ad, h5mu):
    np.testing.assert_array_equal(read_table(f"{h5ad}#X_scgpt").to_numpy(), VECTORS + 10)
    np.testing.assert_array_equal(read_table(f"{h5ad}#X").to_numpy(), VECTORS)
    np.testing.assert_array_equal(read_table(f"{h5mu}#X_mofa").to_numpy(), VECTORS + 50)


def test_the_column_of_the_ids_is_named_in_the_source(h5ad, tmp_path):
    assert list(read_table(f"{h5ad}#X,id=symbol").index) == ["SCN1A_", "HTT_", "APOE_"]
    frame = pd.DataFrame(VECTORS, columns=["a", "b"]).assign(symbol=IDS)
    frame.to_csv(tmp_path / "genes.csv", index=False)
    frame.to_parquet(tmp_path / "genes.parquet")
    np.savez(tmp_path / "genes.npz", vectors=VECTORS, names=np.array(IDS))
    for source in ("genes.csv#id=symbol", "genes.parquet#id=symbol", "genes.npz#vectors,id=names"):
        table = read_table(tmp_path / source)
        assert list(table.index) == IDS
        np.testing.assert_array_equal(table.to_numpy(), VECTORS)
    for source, message in (("genes.csv#id=gene", "no column 'gene'.*#id=COLUMN"), ("genes.parquet#id=gene", "#id=COLUMN"), ("genes.npz", "#VALUES,id=IDS")):
        with pytest.raises(ValueError, match=message):
            read_table(tmp_path / source)
    for source in ("genes.csv#X", "genes.parquet#obsm:X"):
        with pytest.raises(ValueError, match="found a key, but such a file is one table"):
            read_table(tmp_path / source)


def test_the_key_of_an_anndata_file_names_no_array_of_an_npz(tmp_path):
    np.savez(tmp_path / "genes.npz", ids=np.array(IDS), values=VECTORS)
    np.testing.assert_array_equal(GeneTable(dim=2, key="obsm:X_scgpt").read(tmp_path / "genes.npz").values, VECTORS)


def test_vectors_in_the_cells_of_one_parquet_column_are_unpacked(tmp_path):
    pd.DataFrame({"gene": IDS, "embedding": list(VECTORS)}).to_parquet(tmp_path / "genes.parquet")
    np.testing.assert_array_equal(GeneTable(dim=2).read(tmp_path / "genes.parquet").values, VECTORS)
    pd.DataFrame({"gene": IDS, "embedding": [[1.0], [1.0, 2.0], [3.0]]}).to_parquet(tmp_path / "genes.parquet")
    with pytest.raises(ValueError, match="column 'embedding': found vectors of 1 to 2 numbers"):
        read_table(tmp_path / "genes.parquet")


def test_the_only_row_takes_the_name_that_the_source_gives_and_one_of_several_does_not(tmp_path):
    (tmp_path / "one.csv").write_text("id,cuneus\nscan,2.5\n")
    (tmp_path / "two.csv").write_text("id,cuneus\na,2.5\nb,3\n")
    for reader in (GeneTable(dim=1), RegionTable(names=["cuneus"])):
        assert reader.read(tmp_path / "one.csv#sample=sub-01").ids == ["sub-01"]
        with pytest.raises(ValueError, match=r"two\.csv#sample=sub-01: found 2 samples, expected the only one"):
            reader.read(tmp_path / "two.csv#sample=sub-01")
