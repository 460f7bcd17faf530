"""Tables of the field as data frames: one row per sample, from text, parquet, npz, AnnData and MuData files."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem
from jaxtyping import Float
from scipy import sparse

from encoders.files import HEADER, decoding, existing, opened, require_text
from encoders.hdf5 import read_frame, require_each_once, require_plain
from encoders.ids import as_text, require_ids
from encoders.source import Source, located

#: What stands for a missing number; n/a is BIDS. Ids are never read this way: a sample may be called NA.
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"]


#: First words of a text table that FreeSurfer wrote with spaces between its cells.
SPACED = re.compile(r"([lr]h\.[\w.]+|Measure:\w+) ")

#: A matrix inside an HDF5 file: the modality that it is of, if any, and its place there.
OWNER = re.compile(r"(mod/.+/)?((?:obsm|varm|layers)/.+|X)")


class Slot(NamedTuple):
    """One matrix of an AnnData or MuData file with the names of its rows and columns."""

    rows: pd.DataFrame
    columns: pd.Index
    values: np.ndarray | sparse.spmatrix | sparse.sparray | pd.DataFrame


def read_table(source: str | Path, id_column: str = "", key: str = "") -> pd.DataFrame:
    """Rows of a file: the index holds sample ids as text, columns are features as found.

    Args:
        source: ``.csv``, ``.tsv``, ``.txt`` or ``.dat`` (tab, comma or semicolon, whichever the header has), each also ``.gz``;
            ``.parquet``; ``.npz``; ``.h5ad``; ``.h5mu``. ``FILE#KEY`` names the matrix, ``FILE#id=COLUMN`` the column of the ids,
            ``FILE#sample=ID`` whose the only row is.
        id_column: Column of the ids: the first column of a text table, the index (or first column) of a parquet
            file, ``ids`` of an npz file, the names of an AnnData file when empty.
        key: Which matrix: ``obsm:NAME``, ``varm:NAME``, ``layers:NAME`` or ``X`` of an AnnData file (the only
            ``obsm`` when empty), of a MuData file with ``mod/NAME/`` before it, the array of an npz file (``values`` when empty).

    Columns are a ``RangeIndex`` where the file gives them no names.

    Raises:
        ValueError: unknown format, column or key (those there are listed), duplicate or empty ids.
    """
    asked = located(source)
    asked.require_choices(("id", "sample"))
    source = existing(asked.only())
    ending = next((ending for ending in READERS if source.name.lower().removesuffix(".gz").endswith(ending)), None)
    if ending is None or not source.is_file():
        raise ValueError(f"{source}: not a table; expected a file that ends in one of {', '.join(READERS)}")
    if asked.key and READERS[ending] in (_text, _parquet):
        raise ValueError(f"{source}#{asked.key}: found a key, but such a file is one table; leave it out, or name the column of the ids with #id=COLUMN")
    table = READERS[ending](source, asked.choices.get("id", id_column), asked.key or key)
    if isinstance(table.index, pd.MultiIndex):
        raise ValueError(f"{source}: found an index of {table.index.nlevels} levels {list(table.index.names)}, expected one with the ids; join them first")
    with naming(source):
        table.index = pd.Index(as_text(table.index), dtype=object, name=table.index.name)
    require_ids(list(table.index), source)
    return renamed(table, asked)


def renamed(table: pd.DataFrame, asked: Source) -> pd.DataFrame:
    """The only row of a table under the id that ``#sample=ID`` gives it; without that the table as it is."""
    if "sample" not in asked.choices:
        return table
    if len(table) != 1:
        raise ValueError(f"{asked.name}#sample={asked.choices['sample']}: found {len(table)} samples, expected the only one, which is to be called so")
    return table.set_axis(pd.Index([asked.choices["sample"]], dtype=object, name=table.index.name))


def read_cells(source: str | Path) -> pd.DataFrame:
    """Every cell of a text table as text, '' where empty; the first row names the columns."""
    source = existing(source)
    require_text(source)
    layout = {"sep": separator(source), "encoding": "utf-8-sig", "keep_default_na": False}
    with decoding(source, "a text table"):
        return pd.read_csv(source, dtype=str, index_col=False, **layout)


def separator(source: Path) -> str:
    """What stands between the cells of a text table: what its ending says, unless its header has only another sign."""
    with opened(source) as stream:
        header = stream.readline(HEADER).decode("utf-8-sig")
    expected = "," if source.name.lower().removesuffix(".gz").endswith(".csv") else "\t"
    found = [sign for sign in (expected, "\t", ",", ";") if sign in header]
    return next(iter(found), " " if SPACED.match(header) else expected)


def numbers(table: pd.DataFrame, source: str | Path) -> Float[np.ndarray, "samples features"]:
    """The values of a table, NaN where missing; float32 where the file holds float32.

    Raises:
        ValueError: names the column, and the row where one is to blame, of what is not a finite number.
    """
    real = [pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind) and kind not in (bool, "boolean") for kind in table.dtypes]
    wrong = [place for place, each in enumerate(real) if not each]
    for place in wrong:
        _require_numbers(table.iloc[:, place], source)
    if wrong:  # exact decimals, and what else holds numbers as objects
        table = pd.DataFrame({place: pd.to_numeric(table.iloc[:, place]) for place in range(table.shape[1])}).set_axis(table.columns, axis=1)
    dtype = np.float32 if {str(kind) for kind in table.dtypes} <= {"float32", "float16"} else np.float64
    values = table.to_numpy(dtype=dtype, na_value=np.nan)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise ValueError(f"{source}, column {table.columns[column]!r}, row {table.index[row]!r}: found an infinite value, expected a number or nothing")
    return values


def read_slot(source: str | Path, key: str = "") -> Slot:
    """One matrix of an AnnData or MuData file, only that one: the others stay on disk.

    Raises:
        ValueError: the file is damaged, or has no matrix of this name; those that it has are listed.
    """
    source = existing(source)
    with stored(source) as file:
        keys = _keys(file)
    place = _chosen(key, keys, source).replace(":", "/", 1)
    owner, slot = OWNER.fullmatch(place).groups(default="")
    with stored(source) as file:
        rows, other = (read_frame(file[f"{owner}{axis}"]) for axis in (("var", "obs") if slot.startswith("varm/") else ("obs", "var")))
        values = read_elem(file[place])
        if sparse.issparse(values):
            values.check_format(full_check=True)  # an index past the end would crash the process later
            require_each_once(values, f"{source}, {place}")
    if values.shape[0] != len(rows) or values.ndim != 2:
        raise ValueError(f"{source}, {place}: found shape {values.shape}, expected [{len(rows)}, features], a row for each name; write the file again")
    columns = other.index if slot == "X" or slot.startswith("layers/") else getattr(values, "columns", pd.RangeIndex(values.shape[1]))
    return Slot(rows, columns, values)


@contextmanager
def stored(source: Path) -> Iterator[h5py.File]:
    """An HDF5 file to read from; everything in this package opens one here."""
    require_plain(source)
    with decoding(source, source.suffix), h5py.File(source, "r") as file:
        yield file


def read_arrays(source: Path, names: Iterable[str]) -> list[np.ndarray]:
    """Arrays of an npz file by name, the others are not looked at; pickled objects are refused."""
    names = list(names)
    with decoding(source, ".npz"), np.load(source, allow_pickle=False) as file:
        known = file.files
        found = [file[name] for name in names] if set(names) <= set(known) and len(set(known)) == len(known) else []
    absent = [name for name in names if name not in known]
    if absent:
        raise ValueError(f"{source}: no array {absent[0]!r}; found {sorted(known)}; name yours after the file's name: {source.name}#VALUES,id=IDS")
    if not found:
        twice = next(name for name in known if known.count(name) > 1)
        raise ValueError(f"{source}: array {twice!r} is in the file twice, expected each name once; write the file again")
    return found


@contextmanager
def naming(source: str | Path) -> Iterator[None]:
    """Put the file before what is wrong with something read from it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _keys(file: h5py.File) -> list[str]:
    """Names of the matrices: ``obsm:NAME``, ``varm:NAME``, ``layers:NAME``, ``X``; of each modality of a MuData file after ``mod/NAME/``."""
    modalities = list(file.get("mod", ()))
    owners = {"": file} | {f"mod/{name}/": file["mod"][name] for name in modalities}
    found = [f"{owner}{slot}:{name}" for owner, group in owners.items() for slot in ("obsm", "varm", "layers") for name in group.get(slot, ())]
    of_whole = {f"{slot}:{name}" for slot in ("obsm", "varm") for name in modalities}  # which sample has which modality: no measurement
    return [key for key in found if key not in of_whole] + [f"{owner}X" for owner, group in owners.items() if "X" in group]


def _chosen(key: str, keys: list[str], source: Path) -> str:
    embeddings = [name for name in keys if "obsm:" in name]
    short = [name for name in keys if key and name.rpartition(":")[2] == key]
    only = embeddings if not key else [key] if key in keys else short
    if len(only) != 1:
        wrong = f"key {key!r} is not in the file" if key else f"no key is named, and the file has {len(embeddings)} of obsm"
        modalities = dict.fromkeys(name.split("/")[1] for name in keys if name.startswith("mod/"))
        of = f" of the modalities {', '.join(modalities)}" if modalities else ""
        first = difflib.get_close_matches(key, keys, n=1, cutoff=0.1) or embeddings or keys or ["KEY"]
        raise ValueError(f"{source}: {wrong}; found {keys}{of}; name one with key or after the file's name: {source.name}#{first[0]}")
    return only[0]


def _text(source: Path, id_column: str, key: str) -> pd.DataFrame:
    require_text(source)
    layout = {"sep": separator(source), "encoding": "utf-8-sig", "keep_default_na": False}
    with decoding(source, "a text table"):
        header = pd.read_csv(source, header=None, nrows=1, dtype=str, **layout).iloc[0].tolist()
    plain = Counter(name.strip() for name in header)
    twice = [name for name in header if plain[name.strip()] > 1]
    id_column = id_column or header[0]
    nameless = [place for place, name in enumerate(header, start=1) if not name.strip() and name != id_column]
    if nameless:
        found = f"column {nameless[0]} of {len(header)} has no name"
        raise ValueError(f"{source}, header: {found}, expected one for each; is there a comma too many, or a column of row numbers? Remove it")
    if twice or id_column not in header:
        absent = f"no column {id_column!r}; found {header[:8]}; name that of the ids: {source.name}#id=COLUMN"
        raise ValueError(f"{source}, header: " + (f"column {twice[0]!r} occurs twice; expected each name once" if twice else absent))
    cells = {"converters": {id_column: str}, "na_values": MISSING, "low_memory": False, "float_precision": "round_trip"}  # an id is no missing number
    with decoding(source, "a text table"):
        table = pd.read_csv(source, header=0, names=header, **cells, **layout)
    if not isinstance(table.index, pd.RangeIndex) or len(header) < 2:
        raise ValueError(f"{source}: found {len(header)} columns in the header, expected as many as in the rows, divided by {layout['sep']!r}")
    return table.set_index(id_column)


def _parquet(source: Path, id_column: str, key: str) -> pd.DataFrame:
    with decoding(source, "parquet"):
        table = pd.read_parquet(source)
    if id_column and id_column not in table and id_column != table.index.name:
        raise ValueError(f"{source}: no column {id_column!r}; found {list(table.columns[:8])}; name that of the ids: {source.name}#id=COLUMN")
    if not id_column and isinstance(table.index, pd.RangeIndex):
        id_column = table.columns[0]
    return _unpacked(table.set_index(id_column) if id_column in table else table, source)


def _unpacked(table: pd.DataFrame, source: Path) -> pd.DataFrame:
    """A table whose only column holds a vector in each cell becomes one of numbers."""
    cells = [np.asarray(cell) for cell in table.iloc[:, 0]] if table.shape[1] == 1 and pd.api.types.is_object_dtype(table.dtypes.iloc[0]) else []
    if not cells or any(cell.ndim != 1 for cell in cells):
        return table
    widths = sorted({len(cell) for cell in cells})
    if len(widths) > 1:
        raise ValueError(f"{source}, column {table.columns[0]!r}: found vectors of {widths[0]} to {widths[-1]} numbers, expected one width")
    return pd.DataFrame(np.stack(cells), index=table.index)


def _npz(source: Path, id_column: str, key: str) -> pd.DataFrame:
    array = "values" if not key or ":" in key or key == "X" else key  # a key of an AnnData file names no array
    ids, values = read_arrays(source, (id_column or "ids", array))
    if values.ndim != 2 or ids.shape != values.shape[:1]:
        raise ValueError(f"{source}: found ids {ids.shape} and values {values.shape}, expected [samples] and [samples, features]")
    return pd.DataFrame(values, index=ids)


def _h5ad(source: Path, id_column: str, key: str) -> pd.DataFrame:
    rows, columns, values = read_slot(source, key)
    if id_column and id_column not in rows:
        raise ValueError(f"{source}: no column {id_column!r} beside the matrix; found {list(rows.columns[:8])}")
    values = values.toarray() if sparse.issparse(values) else values
    return pd.DataFrame(np.asarray(values), index=rows[id_column] if id_column else rows.index, columns=columns)


def _require_numbers(column: pd.Series, source: str | Path) -> None:
    """Refuse a column that is not of numbers, and words that only look like some: of another script, with signs between the digits, of truth."""
    read = pd.to_numeric(column, errors="coerce")
    words = (
        np.array([isinstance(cell, str | bytes | bool | np.bool_ | complex | np.complexfloating) for cell in column], dtype=bool) & column.notna().to_numpy()
    )
    lost = read.isna().to_numpy() & column.notna().to_numpy()
    wrong = np.flatnonzero(lost) if lost.any() else np.flatnonzero(words)
    if len(wrong) or pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        place = int(wrong[0]) if len(wrong) else 0
        row, found = column.index[place], str(column.iloc[place])[:40]
        raise ValueError(f"{source}, column {column.name!r}, row {row!r}: found {found!r}, expected a number; remove the column or mend the cell")


READERS = {".csv": _text, ".tsv": _text, ".txt": _text, ".dat": _text, ".parquet": _parquet, ".npz": _npz, ".h5ad": _h5ad, ".h5mu": _h5ad}
