"""A sparse matrix that is stored by columns, brought into row order once, in bounded memory: rows cannot be read from columns."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np
from jaxtyping import Int
from rich.console import Console
from rich.progress import Progress
from scipy import sparse

from bridge.data.sources import default_cache
from bridge.data.whole import whole_file
from encoders.blocks import StoredMatrix

#: Entries that are sorted at a time; each takes about 40 bytes meanwhile.
ENTRIES = 2_000_000


def in_row_order(matrix: StoredMatrix, folder: Path | None = None) -> StoredMatrix:
    """The matrix itself where its rows can be read, else a copy in row order (CSR), made once per state of the file.

    Two passes over the file and a temporary one: entries are first sorted into stretches of rows, then each stretch by row.

    Args:
        matrix: Any matrix of an AnnData file.
        folder: Where copies are kept; ``rows`` in the cache folder by default.

    Raises:
        ValueError: too little room in the folder.
    """
    if matrix.storage != "csc":
        return matrix
    folder = folder or default_cache() / "rows"
    target = folder / f"{matrix.source.stem}-{_state(matrix)}.h5ad"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _require_room(matrix, folder)
        Console(stderr=True).print(
            f"{matrix.source}, {matrix.place}: is stored by columns (CSC); it is written in row order once, to {target}", markup=False, soft_wrap=True
        )
        with whole_file(target) as partial, tempfile.TemporaryFile(dir=folder) as sorting, Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("into row order", total=3 * matrix.lengths[0])
            _write(matrix, partial, sorting, lambda entries: progress.advance(task, entries))
    return StoredMatrix(target)


def _state(matrix: StoredMatrix) -> str:
    """Another content of the file gives another name."""
    source = matrix.source.resolve()
    state = f"{source}|{matrix.key}|{source.stat().st_size}|{source.stat().st_mtime_ns}"
    return hashlib.sha256(state.encode()).hexdigest()[:16]


def _require_room(matrix: StoredMatrix, folder: Path) -> None:
    needed, free = matrix.lengths[0] * (_record(matrix).itemsize + matrix.entry_bytes) + 8 * len(matrix), shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"{matrix.source}, {matrix.place}: is stored by columns, and writing it in row order takes {needed / 1e9:.1f} GB, {folder} has {free / 1e9:.1f}; "
            "set BRIDGE_CACHE to a folder with more, or store the matrix as CSR"
        )


def _record(matrix: StoredMatrix) -> np.dtype:
    kinds = [np.int32 if length < 2**31 else np.int64 for length in matrix.shape]
    return np.dtype([("row", kinds[0]), ("column", kinds[1]), ("value", matrix.dtype.newbyteorder("="))])


def _write(matrix: StoredMatrix, path: Path, sorting: BinaryIO, done: Callable[[int], None]) -> None:
    starts = _starts(matrix, done)
    edges = np.unique(np.concatenate([[0], np.searchsorted(starts, np.arange(0, starts[-1], ENTRIES)), [len(matrix)]]))
    _sort_into_stretches(matrix, edges, starts[edges], sorting, done)
    record = _record(matrix)
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": matrix.shape})
        group["indptr"] = starts
        indices, data = (group.create_dataset(name, (starts[-1],), record[field]) for name, field in (("indices", "column"), ("data", "value")))
        for first, last in itertools.pairwise(starts[edges]):
            sorting.seek(int(first) * record.itemsize)
            entries = np.frombuffer(sorting.read(int(last - first) * record.itemsize), record)
            entries = entries[np.argsort(entries["row"], kind="stable")]  # columns rise already
            indices[first:last], data[first:last] = entries["column"], entries["value"]
            done(len(entries))


def _starts(matrix: StoredMatrix, done: Callable[[int], None]) -> Int[np.ndarray, " starts"]:
    """Where each row begins among the entries in row order."""
    counts = np.zeros(len(matrix), dtype=np.int64)
    for part in matrix.majors(ENTRIES):
        rows = matrix.lines(part, sparse.csc_matrix).indices
        counts += np.bincount(rows, minlength=len(matrix))
        done(len(rows))
    return np.concatenate([[0], np.cumsum(counts)])


def _sort_into_stretches(
    matrix: StoredMatrix, edges: Int[np.ndarray, " edges"], starts: Int[np.ndarray, " edges"], sorting: BinaryIO, done: Callable[[int], None]
) -> None:
    """Each entry behind those of its stretch of rows that were seen before."""
    record, place = _record(matrix), starts.copy()
    for part in matrix.majors(ENTRIES):
        columns = matrix.lines(part, sparse.csc_matrix)
        entries = np.empty(columns.nnz, record)
        entries["row"], entries["value"] = columns.indices, columns.data
        entries["column"] = np.repeat(np.arange(part.start, part.stop), np.diff(columns.indptr))
        stretch = np.searchsorted(edges, columns.indices, side="right") - 1
        entries, counts = entries[np.argsort(stretch, kind="stable")], np.bincount(stretch, minlength=len(edges))
        for number, piece in enumerate(np.split(entries, np.cumsum(counts)[:-1])):
            sorting.seek(int(place[number]) * record.itemsize)
            sorting.write(piece.tobytes())
        place += counts
        done(len(entries))
