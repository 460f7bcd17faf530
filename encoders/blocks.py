"""Matrices of AnnData files larger than memory: some rows at a time, or slab after slab, whatever the storage."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from anndata.io import read_elem
from jaxtyping import Int, Shaped
from scipy import sparse

from encoders.files import decoding, existing
from encoders.hdf5 import read_frame, require_each_once, require_plain
from encoders.ids import as_text

Matrix = np.ndarray | sparse.csr_matrix | sparse.csc_matrix

#: Slots of an AnnData file whose matrices have a row per sample.
SLOTS = ("layers", "obsm")
SPARSE = {"csr_matrix": "csr", "csc_matrix": "csc"}

#: What lies between two wanted rows is read too when it is less than this: a call costs about as much time.
GAP_BYTES = 1 << 15

#: No more than this is read at once beside what is kept.
READ_BYTES = 4 << 20

#: A part of the matrix that is looked at in one go.
SLAB_BYTES = 16 << 20


class Slab(NamedTuple):
    """A part of a matrix: some rows of all columns, or (stored by columns) all rows of some columns."""

    rows: slice
    columns: slice
    values: Matrix


class StoredMatrix:
    """One matrix of an AnnData file that stays on disk; the file is open only while something is read.

    In memory is no more than the starts of a sparse matrix: 8 bytes a row (CSR) or a column (CSC).

    Args:
        source: The ``.h5ad`` file.
        key: ``X``, ``layers:NAME`` or ``obsm:NAME``.

    Raises:
        ValueError: no such matrix (those there are listed), or a damaged one: file and field are named.
    """

    def __init__(self, source: str | Path, key: str = "X"):
        self.source, self.key, self.place = existing(source), key, key.replace(":", "/")
        require_plain(self.source)
        with decoding(self.source, ".h5ad"), h5py.File(self.source, "r") as file:
            keys = [f"{slot}:{name}" for slot in SLOTS for name in file.get(slot, ())] + ["X"] * ("X" in file)
        if key not in keys:
            raise ValueError(f"{self.source}: key {key!r} is not in the file; found {keys}; name one with key")
        with decoding(self.source, ".h5ad"), h5py.File(self.source, "r") as file:
            self._describe(file[self.place])
        self._require_matrix()
        if self.starts is not None:
            self._require_whole()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in memory, on average."""
        return max(1, self.entry_bytes * (self.shape[1] if self.starts is None else self.lengths[0] // max(1, len(self))))

    def read(self, rows: Int[np.ndarray, " rows"]) -> np.ndarray | sparse.csr_matrix:
        """Rows as they are stored, dense or CSR.

        Args:
            rows: In rising order, each once.

        Raises:
            ValueError: the matrix is stored by columns, a row is not in it, or a sparse row names a column that is not.
        """
        if self.storage == "csc":
            raise ValueError(f"{self.source}, {self.place}: is stored by columns (CSC), so no row can be read alone; bring it into row order first")
        if len(rows) and (rows[0] < 0 or rows[-1] >= len(self) or (np.diff(rows) <= 0).any()):
            raise ValueError(f"{self.source}, {self.place}: asked for rows {rows[:3]} ..., expected rising numbers from 0 to {len(self) - 1}")
        with decoding(self.source, ".h5ad"), h5py.File(self.source, "r") as file:
            node = file[self.place]
            found = _dense(node, rows, self._stretches(rows)) if self.starts is None else self._sparse(node, rows)
        return found if self.starts is None else self._checked(sparse.csr_matrix, found, (len(rows), self.shape[1]))

    def slabs(self) -> Iterator[Slab]:
        """The whole matrix in order of storage: rows after rows, or columns after columns where it is stored by columns."""
        if self.starts is None:
            step = max(1, SLAB_BYTES // self.row_bytes)
            for start in range(0, len(self), step):
                rows = np.arange(start, min(start + step, len(self)))
                yield Slab(slice(start, start + len(rows)), slice(0, self.shape[1]), self.read(rows))
            return
        kind, whole = (sparse.csr_matrix, slice(0, self.shape[1])) if self.storage == "csr" else (sparse.csc_matrix, slice(0, self.shape[0]))
        for part in self.majors(SLAB_BYTES // self.entry_bytes):
            lines = self.lines(part, kind)
            yield Slab(part, whole, lines) if self.storage == "csr" else Slab(whole, part, lines)

    def majors(self, entries: int) -> Iterator[slice]:
        """Rows (CSR) or columns (CSC) in stretches of about so many entries; one that has more stands alone."""
        cuts = np.searchsorted(self.starts, np.arange(0, self.lengths[0], max(1, entries)), side="left")
        edges = np.unique(np.concatenate([[0], cuts, [len(self.starts) - 1]]))
        return (slice(int(first), int(last)) for first, last in itertools.pairwise(edges))

    def lines(self, part: slice, kind: type = sparse.csr_matrix) -> sparse.csr_matrix | sparse.csc_matrix:
        """Neighbouring rows (CSR) or columns (CSC) of a sparse matrix."""
        first, last = int(self.starts[part.start]), int(self.starts[part.stop])
        with decoding(self.source, ".h5ad"), h5py.File(self.source, "r") as file:
            data, indices = (file[self.place][name][first:last] for name in ("data", "indices"))
        shape = (part.stop - part.start, self.shape[1]) if kind is sparse.csr_matrix else (self.shape[0], part.stop - part.start)
        return self._checked(kind, (data, indices, self.starts[part.start : part.stop + 1] - first), shape)

    def _describe(self, node: h5py.Dataset | h5py.Group) -> None:
        self.starts, self.storage, self.shape, self.dtype, self.entry_bytes = None, "dense", (), np.dtype(object), 0
        if isinstance(node, h5py.Dataset):
            self.shape, self.dtype, self.entry_bytes = node.shape, node.dtype, node.dtype.itemsize
            return
        # Before anndata 0.7 the storage was called h5sparse_format, its shape h5sparse_shape.
        kind = str(node.attrs.get("encoding-type", f"{node.attrs.get('h5sparse_format', 'group')}_matrix".replace("group_matrix", "group")))
        self.storage = SPARSE.get(kind, kind)
        if kind in SPARSE:
            shape = node.attrs["shape"] if "shape" in node.attrs else node.attrs["h5sparse_shape"]
            self.shape, self.dtype = tuple(int(length) for length in shape), node["data"].dtype
            self.starts, self.lengths = node["indptr"][()], tuple(node[name].shape[0] for name in ("data", "indices"))
            self.entry_bytes = self.dtype.itemsize + node["indices"].dtype.itemsize

    def _require_matrix(self) -> None:
        if len(self.shape) != 2 or self.dtype.kind not in "biuf":
            found = f"{self.storage} of shape {self.shape}, type {self.dtype}" if self.shape else self.storage
            raise ValueError(f"{self.source}, {self.place}: found {found}, expected a matrix of numbers (dense, CSR or CSC)")

    def _require_whole(self) -> None:
        """A start that is out of place would have every later row read at a wrong place, or end the process."""
        starts, lines = self.starts, self.shape[self.storage == "csc"]
        if starts.shape != (lines + 1,) or starts.dtype.kind not in "iu":
            raise self._damaged("indptr", f"{starts.shape} entries of type {starts.dtype}", f"{lines + 1} whole numbers")
        self.starts = starts = starts.astype(np.int64, copy=False)
        falling = np.flatnonzero(np.diff(starts) < 0)
        if len(falling):
            raise self._damaged("indptr", f"{starts[falling[0]]} and then {starts[falling[0] + 1]} at {falling[0]}", "numbers that never fall")
        if starts[0] != 0 or {int(starts[-1])} != set(self.lengths):
            found = f"{starts[0]} to {starts[-1]} for {self.lengths[0]} values and {self.lengths[1]} indices"
            raise self._damaged("indptr", found, "0 to their number")

    def _damaged(self, field: str, found: str, expected: str) -> ValueError:
        return ValueError(f"{self.source}, {self.place}/{field}: cannot be read: found {found}, expected {expected}; the file is damaged, write it again")

    def _stretches(self, rows: Int[np.ndarray, " rows"]) -> list[slice]:
        """Wanted rows that lie so close together that they are read at once."""
        place = np.arange(len(self) + 1) * self.row_bytes if self.starts is None else self.starts * self.entry_bytes
        far = place[rows[1:]] - place[rows[:-1] + 1] > GAP_BYTES
        full = np.diff(place[rows] // READ_BYTES) > 0
        edges = [0, *(np.flatnonzero(far | full) + 1).tolist(), len(rows)]
        return [slice(first, last) for first, last in itertools.pairwise(edges) if last > first]

    def _sparse(self, node: h5py.Group, rows: Int[np.ndarray, " rows"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, columns and starts of the rows."""
        counts = self.starts[rows + 1] - self.starts[rows]
        starts = np.concatenate([[0], np.cumsum(counts)])
        stored = [node["data"], node["indices"]]
        found = [np.empty(starts[-1], dtype=each.dtype.newbyteorder("=")) for each in stored]
        for part in self._stretches(rows):
            first, last = self.starts[rows[part.start]], self.starts[rows[part.stop - 1] + 1]
            into, wanted = slice(starts[part.start], starts[part.stop]), None
            if last - first > into.stop - into.start:
                wanted = np.arange(into.start, into.stop) + np.repeat(self.starts[rows[part]] - starts[:-1][part] - first, counts[part])
            for each, values in zip(stored, found, strict=True):
                _read(each, slice(first, last), values, into, wanted)
        return *found, starts

    def _checked(self, kind: type, parts: tuple, shape: tuple[int, int]) -> sparse.csr_matrix | sparse.csc_matrix:
        """An index past the end would have scipy write outside its memory."""
        indices, limit = parts[1], shape[kind is sparse.csr_matrix]
        if len(indices) and (indices.min() < 0 or indices.max() >= limit):
            wrong = indices[(indices < 0) | (indices >= limit)][0]
            raise self._damaged("indices", str(wrong), f"0 to {limit - 1}")
        lines = kind(parts, shape=shape)
        require_each_once(lines, f"{self.source}, {self.place}")
        return lines


def axis_names(source: str | Path, axis: str, column: str = "") -> list[str]:
    """Names of the rows (``obs``) or columns (``var``) of an AnnData file, without what stands beside them; of a column the cells, where one is named."""
    require_plain(source)
    with decoding(existing(source), ".h5ad"), h5py.File(source, "r") as file:
        node = file[axis]
        if column and column not in node.attrs.get("column-order", ()):
            raise ValueError(f"{axis} has no column {column!r}, only {list(node.attrs.get('column-order', ()))[:8]}")
        names = read_elem(node[column or node.attrs["_index"]]) if isinstance(node, h5py.Group) else read_frame(node).index
    try:
        return as_text(names)
    except ValueError as error:
        raise ValueError(f"{source}, {axis}: {error}") from error


def _dense(node: h5py.Dataset, rows: Int[np.ndarray, " rows"], stretches: list[slice]) -> Shaped[np.ndarray, "rows columns"]:
    found = np.empty((len(rows), node.shape[1]), dtype=node.dtype.newbyteorder("="))
    for part in stretches:
        first, last = rows[part.start], rows[part.stop - 1] + 1
        _read(node, slice(first, last), found, part, rows[part] - first if last - first > part.stop - part.start else None)
    return found


def _read(stored: h5py.Dataset, where: slice, found: np.ndarray, into: slice, wanted: Int[np.ndarray, " wanted"] | None) -> None:
    """A stretch of a dataset, or what is wanted of it, into a stretch of an array."""
    if wanted is not None:
        found[into] = stored[where][wanted]
    elif where.stop > where.start:  # h5py takes an empty stretch for an error
        stored.read_direct(found, where, into)
