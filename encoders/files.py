"""Opening files: the errors of the file libraries in one line that names the file."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

#: Longest header of a text table that is looked at, in bytes.
HEADER = 1 << 24

#: Most columns of a text table: more than there are genes or edges between 400 regions, and half a minute to read.
MOST_COLUMNS = 200_000


def existing(source: str | Path) -> Path:
    """The path of a file or folder that is there."""
    source = Path(source)
    if not source.exists():
        raise ValueError(f"{source}: no such file or folder; check the path")
    return source


def require_text(source: Path) -> None:
    """Refuse a text table, packed or not, with bytes of zero: readers in C end a cell there, and an id becomes another one; or with columns without end."""
    with opened(source) as stream:
        columns = max(map(stream.readline(HEADER).count, (b",", b";", b"\t"))) + 1
        stream.seek(0)
        found = any(b"\0" in part for part in iter(lambda: stream.read(1 << 20), b""))
    if found:
        raise ValueError(f"{source}: found bytes of zero, expected a text table in UTF-8; export it again")
    if columns > MOST_COLUMNS:
        expected = f"expected at most {MOST_COLUMNS:,} in a text table"
        raise ValueError(f"{source}: found {columns:,} columns, {expected}; is it turned on its side? So wide a table has to be .npz, .parquet or .h5ad")


@contextmanager
def opened(source: Path) -> Iterator[BinaryIO]:
    """The bytes of a text table, unpacked where its name ends in .gz."""
    with decoding(source, "a text table"), gzip.open(source) if source.name.lower().endswith(".gz") else source.open("rb") as stream:
        yield stream


def require_readable(paths: Iterable[Path]) -> None:
    """Refuse what has the name of a file and is none: a link whose target was never fetched, a folder, a pipe. Left out, its sample would be lost unsaid.

    Raises:
        ValueError: names the first one.
    """
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path}: found a link that leads nowhere, expected the file itself; fetch it first (datalad get), or remove the link")
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f"{path}: found a folder or a pipe by the name of a file, expected a file; remove it, or give it another name")


@contextmanager
def decoding(source: Path, kind: str) -> Iterator[None]:
    """Turn whatever a file library raises on a damaged file into a ValueError that names it."""
    try:
        yield
    except MemoryError:  # says nothing of the file
        raise
    except Exception as error:  # each library has errors of its own, and a damaged file can reach any of them
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(f"{source}: cannot be read as {kind}: {why}; the file is damaged or of another format") from error
