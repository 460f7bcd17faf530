"""Spellings of one sample id: the rules that make them alike, and the ids that look most like a given one."""

from __future__ import annotations

import bisect
import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable

#: Spellings of one id, made alike only when the user says so; applied in this order.
ID_RULES: dict[str, Callable[[str], str]] = {
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "strip": str.strip,
    "ensembl-version": lambda text: re.sub(r"^(ENS[A-Z]*\d{11})\.\d+$", r"\1", text, flags=re.IGNORECASE),
    "casefold": str.casefold,
    "sub-prefix": lambda text: text.removeprefix("sub-"),
    "zero-pad": lambda text: re.sub(r"(?<![\d.])0+(?=\d)", "", text),
}

#: Scripts whose letters look like Latin ones. Small Greek letters do not, and stand in names of samples (TNFα).
LOOKALIKE = re.compile(r"CYRILLIC .*LETTER|GREEK CAPITAL LETTER|GREEK SMALL LETTER OMICRON|CHEROKEE LETTER")

#: Says that ids are joined as they are written, although a rule would join more of them.
EXACT = "exact"


def apply_rules(names: Iterable[str], text: str) -> str:
    """An id under the named rules, in the order of :data:`ID_RULES`."""
    for name, rule in ID_RULES.items():
        text = rule(text) if name in names else text
    return text


def loose(text: str) -> str:
    """An id under all rules: what two ids have in common that a reader would take for one."""
    return apply_rules(ID_RULES, text)


def foreign(text: str) -> str:
    """The name of a letter that looks Latin and is not, beside letters that are; '' where there is none."""
    letters = [unicodedata.name(sign, "") for sign in text if not sign.isascii() and sign.isalpha()]
    latin = any(sign.isascii() and sign.isalpha() for sign in text)
    return next((name for name in letters if latin and LOOKALIKE.match(name)), "")


class NearestIds:
    """The ids of one source that look most like a given id: those next to it from the front or from the back."""

    def __init__(self, ids: Iterable[str]):
        self.from_front = sorted((loose(each), each) for each in ids)
        self.from_back = sorted((key[::-1], each) for key, each in self.from_front)

    def find(self, sample: str, count: int = 3) -> list[str]:
        """Up to ``count`` ids, the most alike first."""
        key = loose(sample)
        near = self._around(self.from_front, key, count) + self._around(self.from_back, key[::-1], count)
        matcher = difflib.SequenceMatcher(b=key, autojunk=False)
        return sorted(set(near), key=lambda each: (-_likeness(matcher, each), each))[:count]

    @staticmethod
    def _around(entries: list[tuple[str, str]], key: str, count: int) -> list[str]:
        place = bisect.bisect_left(entries, (key, ""))
        return [each for _, each in entries[max(0, place - count) : place + count]]


def _likeness(matcher: difflib.SequenceMatcher, other: str) -> float:
    matcher.set_seq1(loose(other))
    return matcher.ratio()
