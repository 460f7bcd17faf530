"""Text that came from a model or a file, as it may be shown."""

from __future__ import annotations

import unicodedata

_BREAKS, _HIDDEN = ("Cc", "Zl", "Zp"), ("Cf", "Cs", "Co")


def plain(text: str) -> str:
    """The text on one line, without characters that hide text, turn its direction or stand for nothing (Unicode categories Cf, Cs, Co)."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    spaced = "".join(" " if unicodedata.category(letter) in _BREAKS else letter for letter in text)
    return " ".join("".join(letter for letter in spaced if unicodedata.category(letter) not in _HIDDEN).split())
