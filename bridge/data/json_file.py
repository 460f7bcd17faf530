"""JSON that a bundle holds, read strictly: one object or list, each field once, no NaN, no depth that ends the process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: More than any JSON of a bundle has: a gallery of a hundred thousand texts takes a tenth of it.
LARGEST_BYTES = 1 << 28


def read_json(path: Path, kind: type = dict) -> Any:
    """What a file says.

    Args:
        path: The file.
        kind: What it must hold, ``dict`` or ``list``.

    Raises:
        ValueError: names the file, and what is wrong with it.
    """
    again = "the bundle is damaged, write it again"
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise ValueError(f"{path}: found {size / 1e6:,.0f} MB, expected at most {LARGEST_BYTES / 1e6:,.0f} MB; {again}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # not JSON, or not text
        why = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: not JSON ({why}); {again}") from error
    if not isinstance(content, kind):
        raise ValueError(f"{path}: found {type(content).__name__}, expected {kind.__name__}; {again}")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"field {next(name for name in names if names.count(name) > 1)[:80]!r} is there twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"found {name}, which JSON does not have")
