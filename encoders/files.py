"""Opening files: the errors of the file libraries in one line that names the file."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def existing(source: str | Path) -> Path:
    """The path of a file or folder that is there."""
    source = Path(source)
    if not source.exists():
        raise ValueError(f"{source}: no such file or folder; check the path")
    return source


def require_text(source: Path) -> None:
    """Refuse a text file, packed or not, with bytes of zero: readers in C end a cell there, and an id becomes another one."""
    with decoding(source, "a text table"), gzip.open(source) if source.suffix == ".gz" else source.open("rb") as stream:
        found = any(b"\0" in part for part in iter(lambda: stream.read(1 << 20), b""))
    if found:
        raise ValueError(f"{source}: found bytes of zero, expected a text table in UTF-8; export it again")


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
