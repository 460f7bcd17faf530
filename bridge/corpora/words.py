"""Words as they are compared: without case, accents of form, punctuation and spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

WORD = re.compile(r"[^\W_]+")


def normalised_words(text: str) -> list[str]:
    """Letters and digits of a text in runs, in one case and one Unicode form (NFKC)."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def runs(words: Sequence[str], length: int) -> list[str]:
    """Every run of so many words; none where there are fewer."""
    return [" ".join(words[start : start + length]) for start in range(len(words) - length + 1)]
