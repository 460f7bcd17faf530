"""Finding a gene in a text, and taking it out of the name of a disorder."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bridge.data.gene_names import OfficialName

#: Words that tell no disorder from another: a name of which only these remain is dropped.
_GENERIC = re.compile(
    r"""\b(?:a|an|and|the|due|to|of|with|without|by|in|or|for|type|form|gene|protein|diseases?|disorders?|deficiency|syndrome|related|
    susceptibility|complete|partial|congenital|isolated|combined|hereditary|familial|inherited|autosomal|dominant|recessive|linked|mild|
    severe|acute|chronic|primary|secondary|early|late|adult|juvenile|infantile|neonatal|onset|multiple|defects?|levels?|plasma|serum|
    complementation|group|cdg|[ivx]+|\w)\b""",
    re.VERBOSE | re.IGNORECASE,
)


class GeneMention:
    """Finds a gene in a text: its symbol, aliases, official name and other designations, as whole words.

    A code with a digit (MECP2) is found in any case; one of letters only with its case, since REST is a gene and
    'rest' is not. Names are found in any case, the official one inside a word too (catalase in 'acatalasemia').
    Between words any space, hyphen or other sign will do.

    Args:
        symbol: Symbol in use.
        record: Names NCBI gives.
    """

    def __init__(self, symbol: str, record: OfficialName):
        # Some disorders are spelled 'Itch deficiency' for ITCH.
        spelled = symbol.capitalize() if len(symbol) > 3 else symbol
        codes = {code for code in (symbol, spelled, record.symbol, *record.aliases) if len(code) > 1}
        self.official = _words(record.name).lower()
        names = {variant for name in (record.name, *record.designations) for variant in _variants(name) if len(variant) > 3}
        self.exact = {_words(code) for code in codes} - {""}
        self.any_case = {_words(text).lower() for text in names | {code for code in codes if re.search(r"\d", code)}} - {""}

    def found_in(self, text: str) -> bool:
        """Whether the text names the gene."""
        words = f" {_words(text)} "
        small = words.lower()
        inside = len(self.official) > 5 and self.official in small
        return inside or any(f" {code} " in words for code in self.exact) or any(f" {name} " in small for name in self.any_case)

    def taken_out_of(self, name: str) -> str:
        """The name of a disorder without the gene and the words that tie it in; '' when nothing telling is left."""
        if not self.found_in(name):
            return name
        gene = self._pattern()
        name = re.sub(rf",?\s*\b(?:due to|caused by|associated with|related to|with|by)\s+[^,;]*?{gene}[^,;]*", "", name)
        name = re.sub(rf"{gene}(?:[- ](?:related|associated|linked|mediated|dependent))?", "", name)
        name = re.sub(r"\(\s*\)|,?\s+type\s*$|\s+(?=[,;)])", "", re.sub(r"-?\s+-?", " ", name))
        name = re.sub(r",(?=,)|^[\s,;-]+|[\s,;-]+$", "", name)
        telling = re.search(r"[^\W\d_]", _GENERIC.sub("", name))
        return name if telling and not self.found_in(name) else ""

    def _pattern(self) -> str:
        """A regular expression of what :meth:`found_in` finds; made only for the few names that need it."""
        exact, any_case = ("|".join(_spaced(text) for text in _longest_first(texts)) for texts in (self.exact, self.any_case))
        return rf"(?<![^\W_])(?:{exact}|(?i:{any_case}))(?![^\W_])"


def without_locus_number(name: str) -> str:
    """'Epileptic encephalopathy 6B, non-Dravet' becomes 'Epileptic encephalopathy, non-Dravet'.

    Such a number stands for one gene, so it names the gene; the number of a type ('type 1A') stays.
    """
    return re.sub(r"(?<!type)(?:,?\s+|-)(?:\d+[A-Z]{0,2})(?=$|[,;]|\s\()", "", name)


def _variants(name: str) -> set[str]:
    """A name as given, without its brackets, and with 'channel, sodium' turned round."""
    plain = re.sub(r"\s*\([^)]*\)", "", name).strip()
    parts = [part.strip() for part in plain.split(",")]
    return {name, plain, " ".join(reversed(parts))}


def _words(text: str) -> str:
    """The words of a text with one space between them."""
    return " ".join(re.findall(r"[^\W_]+", text))


def _spaced(words: str) -> str:
    return r"[\W_]+".join(words.split())


def _longest_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (-len(name), name))
