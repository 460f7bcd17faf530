"""The table beside the measurements: one row per sample with notes or reports, groups, split and covariates."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem
from jaxtyping import Int
from scipy import sparse

from bridge.data.decode import decoded_frame, packed
from encoders.base import located, require_ids, require_text, unseen
from encoders.hdf5 import read_frame, require_each_once, require_plain

#: Columns a cohort writes itself; a table's own column of that name is kept under ``table_`` and its name.
OWN_COLUMNS = ("split", "group")

#: Spellings of "not known" in tables; BIDS writes ``n/a``.
MISSING = ("", "n/a", "N/A", "NA", "nan", "NaN", "null")

#: What is read as a number; ``007`` is not, it is somebody's name.
NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"


class SampleTable(NamedTuple):
    """Ids as they are written in the file, and the other columns in the same order of rows."""

    file: str
    id_column: str
    ids: list[str]
    columns: pd.DataFrame

    def require(self, column: str, purpose: str) -> None:
        """Refuse a column that is not there."""
        if column not in self.columns:
            raise ValueError(f"table {self.file}: no column {column!r} for the {purpose}; found {json.dumps(list(self.columns))}")

    def values(self, column: str, purpose: str, rows: Int[np.ndarray, " samples"], ids: Sequence[str]) -> pd.Series:
        """A column as text for these samples.

        Raises:
            ValueError: the table has no such column, or a sample has no value in it.
        """
        self.require(column, purpose)
        values = self.columns[column].astype(object).take(rows).set_axis(pd.Index(ids, dtype=object))
        empty = values.index[values.isna()]
        if len(empty):
            found = f"{len(empty)} samples have no value, for example {empty[0]!r}"
            raise ValueError(f"table {self.file}, column {column!r}: {found}; expected one for every sample, as it gives the {purpose}")
        return values.astype(str)


def read_table(path: Path, *, id_column: str | None = None, needed: Sequence[str] = ()) -> SampleTable:
    """Read a csv, tsv or parquet file, or the ``obs`` of an .h5ad or .h5mu (``FILE.h5mu#mod/rna/obs`` of one modality); ``FILE#id=COLUMN`` names the ids.

    Args:
        path: The file.
        id_column: Column with the sample ids; the first column (the index of ``obs``) by default. Ids are kept exactly as
            written: ``007`` stays ``007``.
        needed: Columns that have to be there.

    Raises:
        ValueError: the file cannot be read, has no rows, or lacks a column.
    """
    asked = located(path)
    asked.require_choices(("id",))
    path, id_column = asked.only(), asked.choices.get("id", id_column)
    _reader(path, asked.key)  # what the name alone shows
    frame = decoded_frame("bridge.data.table:read_in_child", {"path": str(path), "key": asked.key}, f"table {path}")
    frame = frame.set_axis(_names(frame, path), axis=1)
    chosen = frame.columns[0] if id_column is None else id_column
    if chosen not in frame:
        raise ValueError(f"table {path}: no id column {chosen!r}; found {json.dumps(list(frame.columns))}")
    if not len(frame):
        raise ValueError(f"table {path}: found no rows, expected one per sample")
    columns = frame.drop(columns=chosen)
    table = SampleTable(path.name, chosen, _ids(frame[chosen], path), columns.where(~columns.isin(MISSING)))
    for column in needed:
        table.require(column, "texts and facts")
    return table


def read_in_child(path: str, key: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The work of the child, see :mod:`bridge.data.decode`: the cells as the file has them."""
    try:
        return packed(_reader(Path(path), key)(Path(path)))
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith("table ") else f"table {error}") from error


def read_matrix(path: Path) -> pd.DataFrame:
    """``X`` of an .h5ad with the names of its rows in front; no further column where it has none.

    Raises:
        ValueError: the file cannot be read.
    """
    return decoded_frame("bridge.data.table:matrix_in_child", {"path": str(path)}, f"table {path}")


def matrix_in_child(path: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The work of the child of :func:`read_matrix`."""
    require_plain(path)
    with h5py.File(path) as file:
        ids, names = (read_frame(file[axis]).index.astype(str) for axis in ("obs", "var"))
        values = read_elem(file["X"]) if "X" in file else np.empty((len(ids), 0))
    if sparse.issparse(values):
        values.check_format(full_check=True)  # an index past the end would crash the process later
        require_each_once(values, f"{path}, X")
        values = values.toarray()
    if values.ndim != 2 or len(values) != len(ids):
        raise ValueError(f"table {path}, X: found shape {values.shape}, expected [{len(ids)}, features]; write the file again")
    names = names if values.shape[1] else names[:0]
    return packed(pd.concat([pd.Series(ids, name="id"), pd.DataFrame(np.asarray(values), columns=names)], axis=1))


def observations(table: SampleTable | None, rows: Int[np.ndarray, " samples"], ids: Sequence[str], *, as_text: Sequence[str] = ()) -> pd.DataFrame:
    """The table's rows for these samples, in a form an .h5ad can hold; '' or NaN where a sample has no row (-1).

    Args:
        table: The table, if there is one.
        rows: Row of each sample in the table.
        ids: Sample ids, the index of the result.
        as_text: Columns that stay text even if all their values are numbers.
    """
    index = pd.Index(ids, dtype=object)
    if table is None:
        return pd.DataFrame(index=index)
    kept_whole = {name: object for name in as_text if name in table.columns}  # or a whole number beside a gap becomes 1.0
    frame = table.columns.reset_index(drop=True).astype(kept_whole).reindex(rows).set_axis(index)
    columns = {name: _storable(frame[name], as_text=name in as_text) for name in frame}
    return pd.DataFrame(columns, index=index).rename(columns={name: f"table_{name}" for name in OWN_COLUMNS})


def _reader(path: Path, key: str) -> Callable[[Path], pd.DataFrame]:
    if not path.is_file():
        raise ValueError(f"table {path}: no such file; expected one that ends in {', '.join(READERS)}")
    ending = next((ending for ending in READERS if path.name.lower().removesuffix(".gz").endswith(ending)), None)
    if ending is None:
        raise ValueError(f"table {path}: found suffix {path.suffix!r}, expected {', '.join(READERS)}")
    if READERS[ending] is _read_obs:
        return functools.partial(_read_obs, key=key if key.endswith(("obs", "var")) else "obs")  # beside a matrix of embeddings stands obs
    if key:
        raise ValueError(f"table {path}#{key}: found a key, but such a file is one table; leave it out, or name the column of the ids with #id=COLUMN")
    return READERS[ending]


def _read_delimited(path: Path) -> pd.DataFrame:
    """Every column is read as text, so that neither an id nor a group loses its zeros."""
    separator = "," if ".csv" in path.name.lower() else "\t"
    require_text(path)
    try:
        frame = pd.read_csv(path, sep=separator, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig").astype(object)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"table {path}: {str(error).strip()}; expected a UTF-8 table with a header and as many fields in every row") from error
    return frame[1:].set_axis(frame.iloc[0], axis=1)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"table {path}: {str(error).splitlines()[0]}; expected a parquet file") from error
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def _read_obs(path: Path, key: str = "obs") -> pd.DataFrame:
    require_plain(path)
    try:
        with h5py.File(path) as file:
            frame = read_frame(file[key])
    except (OSError, KeyError) as error:
        raise ValueError(f"table {path}: {error}; expected an .h5ad or .h5mu file with {key}") from error
    name = frame.index.name or f"{key.rpartition('/')[2]}_names"
    return frame.rename_axis(name).reset_index(names=name if name not in frame else f"index of {name}")


def _ids(column: pd.Series, path: Path) -> list[str]:
    if pd.api.types.is_float_dtype(column) or column.isna().any():
        raise ValueError(f"table {path}, id column {column.name!r}: found {column.dtype} values or empty ids, expected text or whole numbers in every row")
    ids = [str(each) for each in column]
    require_ids(ids, f"table {path}, id column {column.name!r}")
    return ids


def _names(frame: pd.DataFrame, path: Path) -> list[str]:
    """Column names an .h5ad can hold: text without '/', each once; a column without a name is called by its place."""
    names = [str(name).replace("/", "_") if str(name).strip() else f"column {place}" for place, name in enumerate(frame.columns, start=1)]
    hidden = next((name for name in names if unseen(name)), None)
    if hidden is not None:
        raise ValueError(f"table {path}: column {hidden!a} has signs that nobody sees in its name; expected a name as it is read, write it again")
    repeated = [name for place, name in enumerate(names) if name in names[:place]]
    if repeated:
        raise ValueError(f"table {path}: column {repeated[0]!r} is found twice ('/' counts as '_'); expected every name once")
    return names


def _storable(column: pd.Series, *, as_text: bool) -> pd.Series:
    """Numbers stay or become numbers (NaN where missing), everything else becomes text ('' where missing)."""
    if pd.api.types.is_numeric_dtype(column) and not as_text:
        return column
    present = column[column.notna()].astype(str)
    if len(present) and not as_text and present.str.fullmatch(NUMBER).all():
        return pd.to_numeric(present).reindex(column.index)
    return column.astype(object).where(column.notna(), "").astype(str)


READERS = {".csv": _read_delimited, ".tsv": _read_delimited, ".txt": _read_delimited, ".parquet": _read_parquet, ".h5ad": _read_obs, ".h5mu": _read_obs}
