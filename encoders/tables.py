"""Tables of the field as data frames: one row per sample, from text, parquet, npz and AnnData files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem
from jaxtyping import Float
from scipy import sparse

from encoders.files import decoding, existing

#: What stands for a missing number; n/a is BIDS. Ids are never read this way: a sample may be called NA.
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"]


class Slot(NamedTuple):
    """One matrix of an AnnData file with the names of its rows and columns."""

    rows: pd.DataFrame
    columns: pd.Index
    values: np.ndarray | sparse.spmatrix | sparse.sparray | pd.DataFrame


def read_table(source: str | Path, id_column: str = "", key: str = "") -> pd.DataFrame:
    """Rows of a file: the index holds sample ids as text, columns are features as found.

    Args:
        source: ``.csv``, ``.tsv``, ``.txt`` (tab), each also ``.gz``; ``.parquet``; ``.npz``; ``.h5ad``.
        id_column: Column of the ids: the first column of a text table, the index (or first column) of a parquet
            file, ``ids`` of an npz file, the names of an AnnData file when empty.
        key: Which matrix: ``obsm:NAME``, ``varm:NAME``, ``layers:NAME`` or ``X`` of an AnnData file (the only
            ``obsm`` when empty), the array of an npz file (``values`` when empty).

    Columns are a ``RangeIndex`` where the file gives them no names.

    Raises:
        ValueError: unknown format, column or key (those there are listed), duplicate or empty ids.
    """
    source = existing(source)
    ending = next((ending for ending in READERS if source.name.lower().removesuffix(".gz").endswith(ending)), None)
    if ending is None or not source.is_file():
        raise ValueError(f"{source}: not a table; expected a file that ends in one of {', '.join(READERS)}")
    table = READERS[ending](source, id_column, key)
    table.index = pd.Index(as_text(table.index), dtype=object, name=table.index.name)
    require_ids(list(table.index), source)
    return table


def numbers(table: pd.DataFrame, source: str | Path) -> Float[np.ndarray, "samples features"]:
    """The values of a table, NaN where missing; float32 where the file holds float32.

    Raises:
        ValueError: names the column, and the row where one is to blame, of what is not a finite number.
    """
    for column, values in table.items():
        if not pd.api.types.is_numeric_dtype(values.dtype):
            row, found = next(((row, cell) for row, cell in values.items() if not _is_number(cell)), ("", values.dtype))
            raise ValueError(f"{source}, column {column!r}, row {row!r}: found {str(found)[:40]!r}, expected a number; remove the column or mend the cell")
    dtype = np.float32 if {str(kind) for kind in table.dtypes} <= {"float32", "float16"} else np.float64
    values = table.to_numpy(dtype=dtype, na_value=np.nan)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise ValueError(f"{source}, column {table.columns[column]!r}, row {table.index[row]!r}: found an infinite value, expected a number or nothing")
    return values


def require_ids(ids: Sequence[str], source: str | Path) -> None:
    """Refuse empty ids and ids that occur twice."""
    seen: set[str] = set()
    for row, name in enumerate(ids, start=1):
        if not name.strip() or name in seen:
            found = f"id {name!r} occurs twice" if name in seen else "found an empty id"
            raise ValueError(f"{source}, row {row}: {found}; expected one row per sample with an id of its own")
        seen.add(name)


def read_slot(source: str | Path, key: str = "") -> Slot:
    """One matrix of an AnnData file, only that one: the others stay on disk."""
    source = existing(source)
    with decoding(source, ".h5ad"), h5py.File(source, "r") as file:
        keys = [f"{slot}:{name}" for slot in ("obsm", "varm", "layers") for name in file.get(slot, ())] + ["X"] * ("X" in file)
    slot, _, name = _chosen(key, keys, source).partition(":")
    with decoding(source, ".h5ad"), h5py.File(source, "r") as file:
        rows, other = (read_elem(file[axis]) for axis in (("var", "obs") if slot == "varm" else ("obs", "var")))
        values = read_elem(file[f"{slot}/{name}" if name else slot])
        if sparse.issparse(values):
            values.check_format(full_check=True)  # an index past the end would crash the process later
    columns = other.index if slot in ("X", "layers") else getattr(values, "columns", pd.RangeIndex(values.shape[1]))
    return Slot(rows, columns, values)


def read_arrays(source: Path, names: Iterable[str]) -> list[np.ndarray]:
    """Arrays of an npz file by name; pickled objects are refused."""
    with decoding(source, ".npz"), np.load(source, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    absent = [name for name in names if name not in found]
    if absent:
        raise ValueError(f"{source}: no array {absent[0]!r}; found {sorted(found)}")
    return [found[name] for name in names]


def as_text(ids: Iterable[object]) -> list[str]:
    """Ids as text."""
    return [name.decode() if isinstance(name, bytes) else str(name) for name in ids]


def _chosen(key: str, keys: list[str], source: Path) -> str:
    embeddings = [name for name in keys if name.startswith("obsm:")]
    if not key and len(embeddings) == 1:
        return embeddings[0]
    if key not in keys:
        raise ValueError(f"{source}: key {key!r} is not in the file; found {keys}; name one with key")
    return key


def _text(source: Path, id_column: str, key: str) -> pd.DataFrame:
    layout = {"sep": "," if ".csv" in source.suffixes[-2:] else "\t", "encoding": "utf-8-sig", "keep_default_na": False}
    with decoding(source, "a text table"):
        header = pd.read_csv(source, header=None, nrows=1, dtype=str, **layout).iloc[0].tolist()
    twice = [name for name in header if header.count(name) > 1]
    id_column = id_column or header[0]
    if twice or id_column not in header:
        raise ValueError(f"{source}, header: " + (f"column {twice[0]!r} occurs twice" if twice else f"no column {id_column!r}; found {header[:8]}"))
    missing = {name: MISSING for name in header if name != id_column}
    with decoding(source, "a text table"):
        table = pd.read_csv(source, header=0, names=header, dtype={id_column: str}, na_values=missing, low_memory=False, float_precision="round_trip", **layout)
    if not isinstance(table.index, pd.RangeIndex) or len(header) < 2:
        raise ValueError(f"{source}: found {len(header)} columns in the header, expected as many as in the rows, divided by {layout['sep']!r}")
    return table.set_index(id_column)


def _parquet(source: Path, id_column: str, key: str) -> pd.DataFrame:
    with decoding(source, "parquet"):
        table = pd.read_parquet(source)
    if id_column and id_column not in table and id_column != table.index.name:
        raise ValueError(f"{source}: no column {id_column!r}; found {list(table.columns[:8])}")
    if not id_column and isinstance(table.index, pd.RangeIndex):
        id_column = table.columns[0]
    return table.set_index(id_column) if id_column in table else table


def _npz(source: Path, id_column: str, key: str) -> pd.DataFrame:
    ids, values = read_arrays(source, (id_column or "ids", key or "values"))
    if values.ndim != 2 or ids.shape != values.shape[:1]:
        raise ValueError(f"{source}: found ids {ids.shape} and values {values.shape}, expected [samples] and [samples, features]")
    return pd.DataFrame(values, index=ids)


def _h5ad(source: Path, id_column: str, key: str) -> pd.DataFrame:
    rows, columns, values = read_slot(source, key)
    if id_column and id_column not in rows:
        raise ValueError(f"{source}: no column {id_column!r} beside the matrix; found {list(rows.columns[:8])}")
    values = values.toarray() if sparse.issparse(values) else values
    return pd.DataFrame(np.asarray(values), index=rows[id_column] if id_column else rows.index, columns=columns)


def _is_number(cell: object) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return cell is None
    return True


READERS = {".csv": _text, ".tsv": _text, ".txt": _text, ".parquet": _parquet, ".npz": _npz, ".h5ad": _h5ad}
