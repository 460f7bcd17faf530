"""Ids and names as text: what nobody could tell from another one is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

#: Signs that are shown as nothing or as a blank though their category is a letter, a mark or a symbol: what the Unicode Character Database
#: (DerivedCoreProperties, Default_Ignorable_Code_Point) has beside the control and format signs, and the empty Braille pattern.
IGNORED = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")

#: Longest id in characters; a longer one is a cell of something else.
LONGEST = 1000


def unseen(text: str) -> bool:
    """Whether a text holds signs that nobody sees: control and format signs, other blanks than the plain one, fillers."""
    return not text.isprintable() or IGNORED.search(text) is not None


def as_text(ids: Iterable[object]) -> list[str]:
    """Ids as text, '' where one is missing.

    Raises:
        ValueError: an id is a number with a point, as whole numbers become beside a gap: 7 and 7.0 would be two samples.
    """
    return [_text(each) for each in ids]


def require_ids(ids: Sequence[str], source: str | Path) -> None:
    """Refuse ids that are empty, occur twice, hold signs that nobody sees, or differ by nothing that can be seen."""
    seen: dict[str, str] = {}
    for row, name in enumerate(ids, start=1):
        found = _wrong(name, seen)
        if found:
            raise ValueError(f"{source}, row {row}: {found}; expected one row per sample with an id of its own")
        seen[_plain(name)] = name


def _wrong(name: str, seen: dict[str, str]) -> str:
    if not name.strip():
        return "found an empty id"
    if len(name) > LONGEST:
        return f"id {name[:20]!r}... has {len(name):,} characters, at most {LONGEST:,} can be"
    if unseen(name):
        return f"id {name!a} has signs that nobody sees"
    other = seen.get(_plain(name))
    return "" if other is None else f"id {name!r} occurs twice" if other == name else f"id {name!r} looks like {other!r} above"


def _plain(name: str) -> str:
    return name.strip() if name.isascii() else unicodedata.normalize("NFC", name).strip()


def _text(each: object) -> str:
    if isinstance(each, bytes):
        return each.decode()
    if isinstance(each, float | np.floating) and each == each:
        raise ValueError(f"found the id {each}, a number with a point, expected text or whole numbers; write the ids as text")
    return "" if each is None or each is pd.NA or each is pd.NaT or each != each else str(each)
