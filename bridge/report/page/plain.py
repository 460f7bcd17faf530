"""Text that came from a model or a file, as it may be shown, and numbers as they are told."""

from __future__ import annotations

import unicodedata

_BREAKS, _HIDDEN = ("Cc", "Zl", "Zp"), ("Cf", "Cs", "Co")


def signed(number: float | int, digits: int = 1) -> str:
    """A number with its sign, and with none where it rounds to zero."""
    return f"{number:+.{digits}f}" if round(number, digits) else f"{0:.{digits}f}"


def plain(text: str) -> str:
    """The text on one line, without characters that hide text, turn its direction or stand for nothing (Unicode categories Cf, Cs, Co)."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    spaced = "".join(" " if unicodedata.category(letter) in _BREAKS else letter for letter in text)
    return " ".join("".join(letter for letter in spaced if unicodedata.category(letter) not in _HIDDEN).split())
