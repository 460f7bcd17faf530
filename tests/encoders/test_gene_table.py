"""Vectors of genes from every file format, and what is refused."""

from __future__ import annotations

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from encoders.contract import check
from encoders.gene_ids import namespace
from encoders.gene_table import GeneTable
from encoders.tables import read_table

IDS = ["TP53", "NA", "007", "SNAP25"]
VECTORS = np.random.default_rng(0).normal(size=(4, 2)) * [1.0, 1e-7]


def _frame(name="gene"):
    return pd.DataFrame(VECTORS, index=pd.Index(IDS, name=name), columns=["d0", "d1"])


def _csv(folder):
    _frame().to_csv(folder / "genes.csv")
    return folder / "genes.csv", {}


def _csv_with_bom(folder):
    _frame().to_csv(folder / "genes.csv", encoding="utf-8-sig")
    return folder / "genes.csv", {}


def _tsv_gz(folder):
    _frame().to_csv(folder / "genes.tsv.gz", sep="\t")
    return folder / "genes.tsv.gz", {}


def _csv_id_column(folder):
    _frame().reset_index()[["d0", "gene", "d1"]].to_csv(folder / "genes.csv", index=False)
    return folder / "genes.csv", {"id_column": "gene"}


def _parquet_index(folder):
    _frame().to_parquet(folder / "genes.parquet")
    return folder / "genes.parquet", {}


def _parquet_column(folder):
    _frame().reset_index().to_parquet(folder / "genes.parquet")
    return folder / "genes.parquet", {}


def _npz(folder):
    np.savez(folder / "genes.npz", ids=np.array(IDS), values=VECTORS)
    return folder / "genes.npz", {}


def _npz_named(folder):
    np.savez(folder / "genes.npz", symbols=np.array(IDS, dtype="S8"), embeddings=VECTORS, other=np.zeros(3))
    return folder / "genes.npz", {"id_column": "symbols", "key": "embeddings"}


def _h5ad(folder, **parts):
    anndata.AnnData(**parts).write_h5ad(folder / "genes.h5ad")
    return folder / "genes.h5ad"


def _obsm(folder):
    return _h5ad(folder, obs=pd.DataFrame(index=IDS), obsm={"X_model": VECTORS}, varm={}), {}


def _obsm_frame(folder):
    frame = _frame(None)
    return _h5ad(folder, obs=pd.DataFrame(index=IDS), obsm={"a": frame, "b": VECTORS * 0}), {"key": "obsm:a"}


def _obsm_sparse(folder):
    return _h5ad(folder, obs=pd.DataFrame({"x": IDS}, index=list("abcd")), obsm={"a": sparse.csr_matrix(VECTORS)}), {"id_column": "x"}


def _varm(folder):
    return _h5ad(folder, X=np.zeros((3, 4)), var=pd.DataFrame(index=IDS), varm={"vectors": VECTORS}), {"key": "varm:vectors"}


def _matrix(folder):
    return _h5ad(folder, X=VECTORS, obs=pd.DataFrame(index=IDS)), {"key": "X"}


FORMATS = [
    _csv,
    _csv_with_bom,
    _tsv_gz,
    _csv_id_column,
    _parquet_index,
    _parquet_column,
    _npz,
    _npz_named,
    _obsm,
    _obsm_frame,
    _obsm_sparse,
    _varm,
    _matrix,
]


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__.strip("_"))
def test_every_format_gives_the_same_ids_and_exactly_the_same_vectors(write, tmp_path):
    source, arguments = write(tmp_path)
    encoder = GeneTable.for_source(source, **arguments)
    ids, values = encoder.read(source)
    assert ids == IDS
    assert encoder.dim == 2
    np.testing.assert_array_equal(values, VECTORS)
    assert encoder(torch.tensor(values)).values.shape == (4, 1, 2)
    assert check(GeneTable, source, **arguments) == []


def test_a_missing_number_makes_the_sample_absent_and_no_other(tmp_path):
    (tmp_path / "genes.csv").write_text("gene,d0,d1\nTP53,1,n/a\nSNAP25,,\nGFAP,3,4\n")
    ids, values = GeneTable(dim=2).read(tmp_path / "genes.csv")
    assert ids == ["TP53", "SNAP25", "GFAP"]
    assert GeneTable(dim=2)(torch.tensor(values)).mask.flatten().tolist() == [False, False, True]


def test_vectors_in_single_precision_stay_so(tmp_path):
    np.savez(tmp_path / "genes.npz", ids=np.array(IDS), values=VECTORS.astype(np.float16))
    assert GeneTable(dim=2).read(tmp_path / "genes.npz").values.dtype == np.float32


REFUSED = {
    "gene,d0\nTP53,1\nTP53,2\n": "row 2: id 'TP53' occurs twice",
    "gene,d0\n ,1\n": "row 1: found an empty id",
    "gene,d0\nTP53,1\nGFAP,high\n": "column 'd0', row 'GFAP': found 'high'",
    "gene,d0\nTP53,inf\n": "column 'd0', row 'TP53': found an infinite value",
    "gene,d0,d0\nTP53,1,2\n": "column 'd0' occurs twice",
    "gene,d0\nTP53,1,2\n": "expected as many as in the rows",
    "gene|d0\nTP53|1\n": "divided by ','",
    "gene;d0\nTP53;0,5\n": "found '0,5', expected a number",
    "gene,d0\n2-Sep,1\n": "row 1: id '2-Sep' is a date",
    "gene,d0\nTP53,0\n1-Mar,1\n": "row 2: id '1-Mar' is a date",
    "gene,d0\nSep-02,1\n": "'Sep-02' is a date",
    "gene,d0,d1,d2\nTP53,1,2,3\n": "width 3, expected dim 1",
    "": "cannot be read as a text table",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=REFUSED.values())
def test_a_malformed_table_is_refused_by_the_place_of_its_fault(text, message, tmp_path):
    (tmp_path / "genes.csv").write_text(text)
    with pytest.raises(ValueError, match=r"genes\.csv") as refused:
        GeneTable(dim=1).read(tmp_path / "genes.csv")
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 2


def test_an_unknown_or_ambiguous_key_lists_the_keys_there_are(tmp_path):
    source = _h5ad(tmp_path, X=np.zeros((4, 2)), obsm={"one": VECTORS, "two": VECTORS}, varm={"genes": np.zeros((2, 3))}, layers={"raw": np.zeros((4, 2))})
    for arguments in ({}, {"key": "obsm:three"}):
        with pytest.raises(ValueError, match=r"'obsm:one', 'obsm:two', 'varm:genes', 'layers:raw', 'X'"):
            GeneTable.for_source(source, **arguments)


@pytest.mark.parametrize("column", [{"id_column": "symbol"}])
@pytest.mark.parametrize("write", [_csv, _parquet_index, _npz, _obsm], ids=["csv", "parquet", "npz", "h5ad"])
def test_an_unknown_id_column_is_named(write, column, tmp_path):
    source, _ = write(tmp_path)
    with pytest.raises(ValueError, match="'symbol'"):
        GeneTable(dim=2, **column).read(source)


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "genes.npz", ids=np.array(IDS, dtype=object), values=VECTORS)
    with pytest.raises(ValueError, match="allow_pickle"):
        GeneTable(dim=2).read(tmp_path / "genes.npz")


@pytest.mark.parametrize("name", ["genes.h5ad", "genes.parquet", "genes.npz", "genes.csv.gz"])
def test_a_damaged_file_is_refused_by_name(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x1f\x8b not what the ending says" * 9)
    with pytest.raises(ValueError, match=f"{name}.*(cannot be read|expected the signature of HDF5)"):
        GeneTable(dim=2).read(tmp_path / name)


def test_a_truncated_gzip_table_is_refused(tmp_path):
    whole = gzip.compress(_frame().to_csv().encode())
    (tmp_path / "genes.csv.gz").write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="cannot be read"):
        GeneTable(dim=2).read(tmp_path / "genes.csv.gz")


def test_a_format_that_is_not_known_lists_those_that_are(tmp_path):
    (tmp_path / "genes.xlsx").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"\.parquet"):
        read_table(tmp_path / "genes.xlsx")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["ENSG00000141510", "ENSG00000171862.12"], "Ensembl gene"),
        (["ENST00000269305"], "Ensembl transcript"),
        (["TP53", "BRCA1", "SNAP25", "GFAP", "MBP", "HLA-A", "C9orf72", "APOE", "MAPT", "SOD1"], "HGNC symbol"),
        ([f"SUB{number:02d}" for number in range(40)], ""),
        (["sub-01", "sub-02"], ""),
        (["BRCA1"], ""),
    ],
)
def test_the_namespace_of_ids_is_told_only_when_it_is_plain(ids, expected):
    assert namespace(ids) == expected


def test_ids_of_another_namespace_than_the_card_are_refused(tmp_path):
    ensembl = pd.DataFrame(np.zeros((3, 2)), index=[f"ENSG0000014151{digit}" for digit in range(3)])
    ensembl.to_csv(tmp_path / "genes.csv")
    assert GeneTable.for_source(tmp_path / "genes.csv").card().gene_ids == "Ensembl gene"
    with pytest.raises(ValueError, match="expected HGNC symbol, found Ensembl gene"):
        GeneTable(dim=2, provenance={"gene_ids": "HGNC symbol"}).read(tmp_path / "genes.csv")


def test_features_of_another_width_are_refused_by_forward():
    with pytest.raises(ValueError, match="found 5 features, expected 1 tokens x 4"):
        GeneTable(dim=4)(torch.zeros(2, 5))
