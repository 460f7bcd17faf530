"""Vectors on disk, found by name: appended as they are made, memory-mapped when they are read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float

#: Bytes of a name: half a SHA-256, in which no two of 10^9 texts meet by chance.
NAME = 16
FORGOTTEN = bytes(NAME)
ENTRY = np.dtype([("name", f"V{NAME}"), ("check", "<u4")])
AT_ONCE = 4096  # rows that are checked while they are still in the processor's cache

Append = Callable[[Sequence[bytes], Float[np.ndarray, "_ width"]], None]


class Vectors:
    """A folder of float32 vectors of one width.

    ``X.values`` holds vectors and nothing else, ``X.index`` the name of each and a checksum of both (CRC-32). Every writer has a pair
    of files to itself, under a lock, and a vector is there once its index entry is: whoever is stopped at any moment loses
    at most what it was writing. What does not agree with its checksum is forgotten, with a message.

    Args:
        folder: Where the files are.
        width: Numbers of one vector.
    """

    def __init__(self, folder: Path, width: int):
        self.folder, self.width = folder, width

    def read(self, wanted: Mapping[bytes, int], into: Float[np.ndarray, "rows width"]) -> set[bytes]:
        """Copy stored vectors into their rows; of the rest only the index is read.

        Args:
            wanted: Name to row.
            into: Takes the vectors.

        Returns:
            The names that were found.
        """
        found: set[bytes] = set()
        for index in sorted(self.folder.glob("*.index")):
            found |= self._read_pair(index, {name: row for name, row in wanted.items() if name not in found}, into)
        return found

    @contextlib.contextmanager
    def writer(self) -> Iterator[Append]:
        """A function that appends names and their vectors; both are on the disk when it returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as files:
            values, index = self._own_pair(files)

            def append(names: Sequence[bytes], vectors: Float[np.ndarray, "_ width"]) -> None:
                content = np.ascontiguousarray(vectors, "<f4")
                entries = np.array(list(zip(names, _checks(names, content).tolist(), strict=True)), ENTRY)
                for file, part in ((values, content), (index, entries)):  # in this order: an entry never stands for what is not there
                    file.write(part.tobytes())
                    file.flush()
                    os.fsync(file.fileno())

            yield append

    def _read_pair(self, index: Path, wanted: Mapping[bytes, int], into: np.ndarray) -> set[bytes]:
        entries, values = np.fromfile(index, ENTRY), index.with_suffix(".values")  # numpy leaves out a last entry that is not whole
        count = min(len(entries), self._rows(values))
        placed = {name: place for place, name in enumerate(entries["name"][:count].tolist()) if name in wanted}
        if not placed:
            return set()
        stored = np.memmap(values, "<f4", "r", shape=(count, self.width))
        names, places, rows = list(placed), np.array(list(placed.values())), np.array([wanted[name] for name in placed])
        whole = np.empty(len(places), bool)
        for start in range(0, len(places), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            block = np.take(stored, places[part], axis=0)
            whole[part] = _checks(names[part], block) == entries["check"][places[part]]
            into[rows[part][whole[part]]] = block[whole[part]]
        _forget(index, places[~whole].tolist())
        return {name for name, good in zip(names, whole.tolist(), strict=True) if good}

    def _rows(self, values: Path) -> int:
        return values.stat().st_size // (4 * self.width) if values.exists() else 0

    def _own_pair(self, files: contextlib.ExitStack) -> tuple[BinaryIO, BinaryIO]:
        """The first pair that is whole and that nobody else appends to, or a new one."""
        for values in sorted(self.folder.glob("*.values")):
            with contextlib.ExitStack() as attempt:
                file = attempt.enter_context(values.open("ab"))
                if _locked(file) and self._whole(values):
                    files.enter_context(attempt.pop_all())
                    return file, files.enter_context(values.with_suffix(".index").open("ab"))
        fresh = self.folder / uuid.uuid4().hex
        file = files.enter_context(fresh.open("ab"))
        _locked(file)  # on a file system without locks nobody else can take the pair over either
        values = fresh.rename(fresh.with_suffix(".values"))  # seen by others only now
        return file, files.enter_context(values.with_suffix(".index").open("ab"))

    def _whole(self, values: Path) -> bool:
        """Whether every vector has its entry and every entry its vector, with nothing torn at the end."""
        index = values.with_suffix(".index")
        entries = index.stat().st_size / ENTRY.itemsize if index.exists() else 0
        return values.stat().st_size == entries * 4 * self.width


def _checks(names: Iterable[bytes], vectors: np.ndarray) -> np.ndarray:
    return np.fromiter(map(zlib.crc32, vectors, map(zlib.crc32, names)), "<u4", len(vectors))


def _locked(file: BinaryIO) -> bool:
    """Whether the lock was free; it goes with the file or the process."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _forget(index: Path, places: list[int]) -> None:
    """Overwrite the names of damaged vectors, so that they are made again."""
    if not places:
        return
    print(f"text bank: {len(places)} vectors in {index.with_suffix('.values')} are damaged; they are made again", flush=True)
    with index.open("r+b") as file:
        for place in places:
            file.seek(place * ENTRY.itemsize)
            file.write(FORGOTTEN)
