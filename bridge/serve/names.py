"""Names of uploaded files: shown as text, never used as a path."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 120
_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}(?:\.gz)?$")


def shown(name: str) -> str:
    """The last component of a name as plain text on one line; ``file`` where nothing is left."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    letters = (letter for letter in last if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    text = " ".join("".join(letters).split()).strip(". ")
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 20]}…{text[-19:]}"
    return cut or "file"


def suffix(name: str) -> str:
    """The ending that tells a reader the format, from plain letters alone: ``.h5ad``, ``.nii.gz``; '' where there is none."""
    found = _SUFFIX.search(shown(name).lower())
    return found.group() if found else ""


def stem(name: str) -> str:
    """A name without its ending."""
    text = shown(name)
    return text[: len(text) - len(suffix(text))] or text
