"""What a user writes for a source: a file or folder, or files joined by commas, and after ``#`` what of it is meant.

``genes.h5ad#obsm:X_scgpt``, ``genes.parquet#id=symbol``, ``lh.txt,rh.txt``, ``derivatives/fmriprep#ses=01,desc=preproc``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

CHOICE = re.compile(r"(?P<name>[a-z_]+)=(?P<value>.*)")


class Source(NamedTuple):
    """A source taken apart.

    Args:
        files: The files or folders, usually one.
        key: Which matrix of a file, '' when none is named.
        choices: Further choices by name.
    """

    files: tuple[Path, ...]
    key: str
    choices: dict[str, str]

    @property
    def name(self) -> str:
        """The files' names without their folders, for a line of progress."""
        return ",".join(file.name for file in self.files)

    def only(self) -> Path:
        """The file, where no more than one can be read.

        Raises:
            ValueError: there are several.
        """
        if len(self.files) > 1:
            raise ValueError(f"{self.name}: found {len(self.files)} files, expected one; only tables of regions are joined")
        return self.files[0]

    def require_choices(self, known: Collection[str]) -> None:
        """Refuse a choice that the reader of this kind of source does not know."""
        unknown = [name for name in self.choices if name not in known]
        if unknown:
            raise ValueError(f"{self.name}#{unknown[0]}={self.choices[unknown[0]]}: unknown choice {unknown[0]!r}; expected one of {', '.join(known)}")


def located(source: str | Path) -> Source:
    """Take a source apart; a path that is there is itself, whatever signs are in its name.

    Raises:
        ValueError: a choice has no value or is made twice.
    """
    text = str(source)
    places = [] if os.path.exists(text) else [match.start() for match in re.finditer("#", text)]
    end = next((place for place in places if _files(text[:place])[1]), places[0] if places else len(text))
    parts = text[end + 1 :].split(",")
    found = [CHOICE.fullmatch(part) for part in parts]
    choices: dict[str, str] = {}
    for match in filter(None, found):
        if match["name"] in choices or not match["value"]:
            raise ValueError(f"{text}: {match['name']!r} is {'given twice' if match['value'] else 'given no value'} after '#', expected one")
        choices[match["name"]] = match["value"]
    key = ",".join(part for part, match in zip(parts, found, strict=True) if not match)
    return Source(_files(text[:end])[0], key, choices)


def _files(text: str) -> tuple[tuple[Path, ...], bool]:
    """The paths of a text, and whether at least one of them is there."""
    parts = [part.strip() for part in text.split(",")]
    if os.path.exists(text) or not any(part and os.path.exists(part) for part in parts):
        return (Path(text),), os.path.exists(text)
    return tuple(Path(part) for part in parts if part), True
