"""How an answer is written: one fixed grammar, so that whatever a model says can be read back and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

HIGHEST, LOWEST = "highest", "lowest"
HIGHER, LOWER = "higher", "lower"
FINDINGS, NOT_GIVEN, INSUFFICIENT = "findings", "not given", "insufficient evidence"


def label(name: str) -> str:
    """A column or modality name as words: ``organ_systems`` is said ``organ systems``."""
    return name.replace("_", " ").strip()


def map_label(modality: str) -> str:
    """How a modality with regions is called: ``brain`` is said ``brain map``."""
    words = label(modality)
    return words if words.endswith("map") else f"{words} map"


def listing(items: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def extreme(direction: str, regions: Sequence[str]) -> str:
    """``highest in the a, b and c``; direction is highest or lowest."""
    return f"{direction} in the {listing(regions)}"


def comparison(first: str, direction: str, second: str) -> str:
    """``the a is higher than the b``; direction is higher or lower."""
    return f"the {first} is {direction} than the {second}"


def level(name: str, direction: str, *, denied: bool = False, claimed: str = "") -> str:
    """``the a is increased, z +2.3``; direction is increased, decreased or within range, '' where only the value is told."""
    said = " ".join(filter(None, ["is", "not" if denied else "", direction])) if direction else "has"
    return f"the {name} {said}{(',' if direction else '') + ' ' + claimed if claimed else ''}"


def known(column: str, items: Sequence[str]) -> str:
    """``organ systems a, b and c``."""
    return f"{label(column)} {listing(items)}"


def sentence(parts: Iterable[str]) -> str:
    """Parts as one sentence."""
    return capitalised("; ".join(parts)) + "."


def section(modality: str, parts: Sequence[str]) -> str:
    """One section of a report; a section with nothing to say says so."""
    return f"{capitalised(label(modality))} {FINDINGS}: {'; '.join(parts) or INSUFFICIENT}."


def absent(name: str) -> str:
    """The section of a modality that was not given, by what it is called: ``Brain map: not given.``"""
    return f"{capitalised(name)}: {NOT_GIVEN}."


def capitalised(text: str) -> str:
    """First letter upper case, the rest untouched (``str.capitalize`` would spoil names such as X-linked)."""
    return text[:1].upper() + text[1:]
