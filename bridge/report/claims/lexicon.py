"""The names a text may hold, found longest first and as whole words, and put aside as marks.

"cuneus" is not found in "precuneus", nor "left cuneus" in "left cuneus tip" where both are names. Once a name is a
mark no later rule can split or overlap it, whatever commas, dots or "and" it holds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence

from bridge.language import grammar
from bridge.report.claims.mention import Spoken

# Private-use characters, taken out of the text first: a generated text cannot forge a mark.
MARKS = "\ue000", "\ue001"
MARK = re.compile(f"{MARKS[0]}(\\d+){MARKS[1]}")


class Lexicon:
    """Every name a text may hold.

    Args:
        regions: Modality to its region names.
        facts: Fact column to its items.
        aliases: Other names of genes to their symbols.
    """

    def __init__(self, regions: Mapping[str, Sequence[str]], facts: Mapping[str, Sequence[str]], aliases: Mapping[str, str] | None = None):
        self.regions = {modality: by_key(names) for modality, names in regions.items()}
        self.facts = {column: by_key(items) for column, items in facts.items()}
        self.sections = {key(grammar.label(modality)): modality for modality in regions}
        labels = {key(grammar.label(column)): column for column in facts}
        self.columns = {said.removesuffix("s"): column for said, column in labels.items()} | labels
        names = {name for group in (*self.regions.values(), *self.facts.values()) for name in group.values() if name.strip()}
        self.name = _whole_words(names) if names else None
        directions = [grammar.HIGHEST, grammar.LOWEST] if regions else []
        self.spoken = Spoken(regions, aliases)
        self.keyword = _whole_words([*directions, *self.columns]) if directions or self.columns else None

    def mark(self, text: str) -> tuple[str, list[str]]:
        """The text with a numbered mark in place of each known name, and the names as written."""
        text = text.translate({ord(mark): None for mark in MARKS})
        written: list[str] = []

        def stand_in(match: re.Match) -> str:
            written.append(match.group())
            return f"{MARKS[0]}{len(written) - 1}{MARKS[1]}"

        return (self.name.sub(stand_in, text) if self.name else text), written


def by_key(names: Iterable[str]) -> dict[str, str]:
    """Names under the key they are looked up by."""
    return {key(name): name for name in names}


@functools.lru_cache(maxsize=65536)
def key(name: str) -> str:
    """The same for every spelling of a name that differs in case or spaces only."""
    return " ".join(name.casefold().split())


def _whole_words(names: Iterable[str]) -> re.Pattern:
    """The longest of the names at any place, never inside a longer word."""
    longest = sorted(set(names), key=lambda name: (-len(name), name))
    spelled = [r"\s+".join(re.escape(word) for word in name.split()) for name in longest]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(spelled)})(?![\w-])", re.IGNORECASE)


def lexicon_of(regions: Mapping[str, Sequence[str]], facts: Mapping[str, Sequence[str]], aliases: Mapping[str, str] | None = None) -> Lexicon:
    """The lexicon of these names, compiled once for all texts of a cohort; aliases of genes that are not among them are left out."""
    genes = {name for names in regions.values() for name in names} if aliases else set()
    others = {alias: gene for alias, gene in (aliases or {}).items() if gene in genes}
    groups = (tuple((group, tuple(names)) for group, names in given.items()) for given in (regions, facts))
    return _compiled(*groups, tuple(others), tuple(others.values()))


@functools.lru_cache(maxsize=16)
def _compiled(regions: tuple, facts: tuple, aliases: tuple[str, ...], genes: tuple[str, ...]) -> Lexicon:
    return Lexicon(dict(regions), dict(facts), dict(zip(aliases, genes, strict=True)))
