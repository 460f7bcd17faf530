"""Official gene names: read from NCBI's table, freed of disease words, and grouped into symbol families."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from bridge.data.gene_aliases import Aliases, clear_aliases

DISEASE_WORDS = Path(__file__).with_name("disease_words.txt")

_STRING = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_RECORD = re.compile(rf"GeneID=(\d+),.*?Symbol={_STRING}, Aliases={_STRING}, description={_STRING}, other_designations={_STRING}")

#: Eponyms, which stand before a disease word: 'Bardet-Biedl' syndrome, 'Williams Beuren' syndrome.
_EPONYM = r"(?:\b[A-Z][A-Za-z]*[a-z]{2,}\b[\s/-]+)*"


class OfficialName(NamedTuple):
    """How NCBI names a gene."""

    ncbi_id: int
    symbol: str
    aliases: tuple[str, ...]
    name: str
    designations: tuple[str, ...]


class OfficialNames:
    """Names by NCBI gene id, or by an alias that only one gene has."""

    def __init__(self, records: Iterable[OfficialName]):
        self.by_id = {record.ncbi_id: record for record in records}
        owners = Counter(alias for record in self.by_id.values() for alias in record.aliases)
        self.by_alias = {alias: record for record in self.by_id.values() for alias in record.aliases if owners[alias] == 1}

    def find(self, symbol: str, ncbi_id: int) -> OfficialName | None:
        """The record of a gene; the id decides where it is known, since symbols change and are used again."""
        return self.by_id.get(ncbi_id) or self.by_alias.get(symbol)

    def aliases(self, taken: Mapping[str, OfficialName]) -> Aliases:
        """Clear aliases of the genes taken, by the symbols in use; NCBI's own symbol of a gene is one of them where another is in use."""
        ids = {record.ncbi_id for record in taken.values()}
        others = {record.symbol: record.aliases for record in self.by_id.values() if record.ncbi_id not in ids}
        return clear_aliases({symbol: (record.symbol, *record.aliases) for symbol, record in taken.items()}, others)


def read_official_names(path: Path) -> OfficialNames:
    """Read the NCBI gene table that goatools ships as Python source; it is parsed as text and never run.

    Raises:
        ValueError: no record was found.
    """
    with path.open(encoding="utf-8") as lines:
        records = [_official_name(match) for line in lines if (match := _RECORD.search(line))]
    if not records:
        raise ValueError(f"{path}: found no gene record, expected lines with GeneID=, Symbol=, Aliases=, description=")
    return OfficialNames(records)


def without_disease_words(name: str) -> str:
    """The name with every disease word taken out, so that a vector of it tells the molecule and not the diagnosis."""
    kept = _disease_pattern().sub(lambda found: found["kept"] or " ", name)
    kept = re.sub(r"\(\W*(?:with|and|of)?\W*\)|\b(?:type|of|with|and|in|due to|associated with)\s*(?=[,;)]|$)", " ", kept)
    kept = re.sub(r"\s-|/\s+|\s+/|\(\s*,|\s+(?=\))", " ", re.sub(r"\s+", " ", kept))
    return re.sub(r"\s+", " ", re.sub(r"\s*([,;])(?:\s*[,;])*", r"\1", kept)).strip(" ,;-/")


def molecular_name(record: OfficialName) -> str:
    """What the gene's molecule is called, without its diseases.

    The official name without disease words where most of its letters remain ('Bloom syndrome RecQ like helicase');
    else the first designation that has no disease word ('marenostrin' for 'Mediterranean fever'); else whatever
    remains; else, for the few genes that are called after a disease alone, 'protein' and the symbol.
    """
    stripped = without_disease_words(record.name)
    if _letters(stripped) > 0.5 * _letters(record.name):
        return stripped
    clean = (name for name in record.designations if without_disease_words(name) == name and _says_something(name))
    return next(clean, stripped if _says_something(stripped) else f"protein {record.symbol}")


def family(symbol: str) -> str:
    """The symbol family of a gene: samples of one family stay in one split.

    The family is the letters before the first digit or hyphen, without the last one when there are four or more,
    since that one counts members (GABRA and GABRB are both GABR, FOXG and FOXP are FOX). A single letter (C9orf72,
    F5) says nothing, so such a symbol is a family of its own.
    """
    root = re.match(r"[A-Za-z]*", symbol)[0]
    if len(root) < 2:
        return symbol
    return root[:-1] if len(root) >= 4 else root


def _official_name(match: re.Match[str]) -> OfficialName:
    symbol, aliases, name, designations = (ast.literal_eval(text) for text in match.groups()[1:])
    return OfficialName(int(match[1]), symbol, _items(aliases, ", "), name, _items(designations, "|"))


def _items(text: str, separator: str) -> tuple[str, ...]:
    return tuple(item for item in text.split(separator) if item.strip())


@functools.cache
def _disease_pattern() -> re.Pattern[str]:
    lines = [line for line in DISEASE_WORDS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    kept = [_as_pattern(line[1:]) for line in lines if line.startswith("!")]
    words = [_as_pattern(line) for line in sorted(lines, key=len, reverse=True) if not line.startswith("!")]
    return re.compile(rf"(?P<kept>(?i:\b(?:{'|'.join(kept)})\b))|{_EPONYM}(?i:\b(?:{'|'.join(words)})\b)")


def _as_pattern(line: str) -> str:
    return re.escape(line).replace(r"\*", "[a-z]*").replace(r"\ ", r"[\s-]")


def _letters(name: str) -> int:
    return sum(character.isalpha() for character in name)


def _says_something(name: str) -> bool:
    return _letters(re.sub(r"(?i)\b(?:protein|gene|type|region|chromosome|homolog|truncated|associated|related|like|with|and|of)\b", "", name)) >= 3
