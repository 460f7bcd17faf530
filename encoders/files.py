"""Opening files: the errors of the file libraries in one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def existing(source: str | Path) -> Path:
    """The path of a file or folder that is there."""
    source = Path(source)
    if not source.exists():
        raise ValueError(f"{source}: no such file or folder; check the path")
    return source


@contextmanager
def decoding(source: Path, kind: str) -> Iterator[None]:
    """Turn whatever a file library raises on a damaged file into a ValueError that names it."""
    try:
        yield
    except Exception as error:  # each library has errors of its own, and a damaged file can reach any of them
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(f"{source}: cannot be read as {kind}: {why}; the file is damaged or of another format") from error
