"""Every region and gene that a clause names, whatever it calls them, and which feature of the input each of them is.

A region named without a side is a feature of an atlas without sides, and both features of one with sides. A name
that says a side which the atlas does not have, a region of another atlas and an unknown gene symbol are mentions too:
they are what the input does not hold.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from bridge.report.claims.anatomy import BOTH, HEADS, SIDES, place_of, spoken_forms
from bridge.report.claims.symbols import ACRONYMS, ALIASES, NOT_GENES, STOP, SYMBOL, SYMBOL_WORD, is_symbol, says_gene

_WORD = re.compile(r"[^\W_]+(?:['’]s)?")
_ONE_SIDE = r"left|right|lh|rh|lt|rt|(?-i:[LR])\b\.?"
_TWO_SIDES = r"(?:left|right)\s*(?:and|&|/|\+)\s*(?:the\s+)?(?:left|right)|bilateral|both"
_LEADING = re.compile(
    rf"(?<![\w-])(?:(?P<two>{_TWO_SIDES})|(?P<one>{_ONE_SIDE}))(?:[- ]?sided|\s+hemispher\w+)?[\s_-]+"
    r"(?:(?:head|body|tail|part|portion|half)\s+of\s+)?(?:the\s+)?\Z",
    re.IGNORECASE,
)
_TRAILING = re.compile(
    r"\s*(?:\((?P<bracket>left|right|l|r)\)|(?:\(|,\s*)?(?:on|of|in)\s+the\s+(?P<one>left|right)\b(?!\s+\w*(?:gyr|cort|lob|nucl|pole))(?:\s+(?:side|hemisphere))?\)?"
    r"|(?P<two>bilaterally|on\s+both\s+sides|(?:in|of)\s+both\s+hemispheres))",
    re.IGNORECASE,
)
#: What may stand between two regions of one list, so that the side of the first is meant for the second too.
_LINKED = re.compile(r"\s*(?:,|and|or|&|,\s*and|as well as)\s*", re.IGNORECASE)
#: Words before "gyrus" or "cortex" that make no region of it.
_PLAIN_WORDS = """
    the a an of in on at to and or but by with from for is are was were be has have had its his her their this that these those all any each every other
    entire whole cerebral cortical subcortical grey gray white adjacent neighbouring neighboring surrounding same overlying affected remaining ipsilateral
    contralateral left right bilateral both sided side hemisphere no not without some most several many deep same single brain human slightly mildly markedly
    normal abnormal thin thinner thinned thick thicker thickened reduced decreased increased elevated enlarged atrophic high low higher lower small large
    smaller larger signal volume thickness map value values score"""
_PLAIN = frozenset(_PLAIN_WORDS.split())


@dataclasses.dataclass(frozen=True)
class Mention:
    """One region or gene named in a clause.

    Args:
        start: Where it begins in the clause.
        end: Where it ends, the side included.
        written: As the clause writes it.
        entity: Name of the feature; the concept alone where both sides are meant; as written where the input has none.
        modality: The input that has it, '' where none has.
        known: Some input has it.
        gene: It is a gene, not a region.
    """

    start: int
    end: int
    written: str
    entity: str
    modality: str
    known: bool
    gene: bool = False


class Spoken:
    """Finds what a text names, for the names of some inputs.

    Args:
        maps: Modality to the names of its features.
        aliases: Other names of genes to their symbols. One of letters only could be a word or a disease, so words beside it must say that it is a gene.
    """

    def __init__(self, maps: Mapping[str, Sequence[str]], aliases: Mapping[str, str] | None = None):
        self.aliases = ALIASES | dict(aliases or {})
        self.words = STOP | {alias for alias in aliases or () if alias.isalpha() and alias not in ALIASES}
        self.genes: dict[str, str] = {}
        self.regions: dict[str, dict[tuple[str, str], str]] = {modality: {} for modality in maps}
        for modality, names in maps.items():
            for name in names:
                self._add(modality, name)
        own = {concept: concept for places in self.regions.values() for concept, _ in places}
        self.forms = _tree(spoken_forms() | own)
        self.has_regions = any(self.regions.values())

    def find(self, text: str, modality: str = "") -> list[Mention]:
        """Mentions in order; where several inputs have a name, the one of this modality is meant."""
        found = [*self._regions(text, modality)]
        taken = [(mention.start, mention.end) for mention in found]
        found += [mention for mention in self._genes(text) if not any(start < mention.end and mention.start < end for start, end in taken)]
        return sorted(found, key=lambda mention: mention.start)

    def exactly(self, text: str, modality: str = "") -> Mention | None:
        """The one thing that the whole text names, None where it holds anything else."""
        whole = re.sub(r"^(?:the|a|an)\s+", "", text.strip(), flags=re.IGNORECASE)
        found = self.find(whole, modality)
        return found[0] if len(found) == 1 and (found[0].start, found[0].end) == (0, len(whole)) else None

    def resolve(self, concept: str, side: str, modality: str = "") -> tuple[str, str] | None:
        """Modality and entity of a concept and a side, None where no input has them."""
        order = sorted(self.regions, key=lambda name: name != modality)
        for name in order:
            places = self.regions[name]
            if side in ("left", "right"):
                entity = places.get((concept, side))
            elif (concept, "") in places:
                entity = places[concept, ""]
            else:
                entity = concept if {(concept, "left"), (concept, "right")} <= places.keys() else None
            if entity is not None:
                return name, entity
        return None

    def sides(self, concept: str, modality: str) -> tuple[str, ...]:
        """Features of a concept that an input has, of either side."""
        return tuple(name for (each, _), name in self.regions.get(modality, {}).items() if each == concept)

    def _add(self, modality: str, name: str) -> None:
        place = place_of(name)
        if is_symbol(name) and name not in ACRONYMS and place.concept not in spoken_forms().values():
            self.genes.setdefault(name, modality)
        else:
            self.regions[modality].setdefault((place.concept, place.side), name)

    def _regions(self, text: str, modality: str) -> Iterator[Mention]:
        found = list(_WORD.finditer(text))
        words = [word.group().casefold().replace("’", "'") for word in found]
        number, before = 0, None
        while number < len(words):
            length, concept = self._longest(words, number)
            if not length:
                length, concept = self._headed(text, found, words, number)
            if length:
                before = self._mention(text, found[number].start(), found[number + length - 1].end(), concept, modality, before)
                yield before
            number += length or 1

    def _longest(self, words: list[str], number: int) -> tuple[int, str]:
        """How many words from here are a known way to name a region, and its concept."""
        node, length, concept = self.forms, 0, ""
        for end in range(number, len(words)):
            node = node.get(words[end])
            if node is None:
                break
            if "" in node:
                length, concept = end - number + 1, node[""]
        return length, concept

    def _headed(self, text: str, found: list[re.Match], words: list[str], number: int) -> tuple[int, str]:
        """A region of no atlas: one or two words and "gyrus", "cortex", "nucleus"; 0 where there is none or a known one is in it."""
        for length in (3, 2):
            chosen = words[number : number + length]
            if len(chosen) < length or chosen[-1] not in HEADS or not all(map(_qualifies, chosen[:-1])):
                continue
            spaced = re.fullmatch(r"\w+(?:\s+\w+)*", text[found[number].start() : found[number + length - 1].end()])
            if spaced and not any(self._longest(words, number + skipped)[0] for skipped in range(1, length)):
                return length, " ".join(chosen)
        return 0, ""

    def _mention(self, text: str, start: int, end: int, concept: str, modality: str, before: Mention | None) -> Mention:
        leading, trailing = _LEADING.search(text[max(0, start - 40) : start]), _TRAILING.match(text, end)
        side, begin, stop = "", start, end
        if leading:
            side, begin = BOTH if leading["two"] else SIDES[leading["one"].casefold().strip(".")], start - len(leading.group())
        elif trailing:
            said = trailing["bracket"] or trailing["one"]
            side, stop = SIDES[said.casefold()] if said else BOTH, trailing.end()
        elif before is not None and not before.gene and _LINKED.fullmatch(text, before.end, start):
            side = _leading_side(before.written)
        resolved = self.resolve(concept, side, modality)
        owner, entity = resolved or ("", text[begin:stop])
        return Mention(begin, stop, text[begin:stop], entity, owner, resolved is not None)

    def _genes(self, text: str) -> Iterator[Mention]:
        shouted = text.isupper()
        for word in SYMBOL_WORD.finditer(text):
            written = word.group()
            symbol = written if written in self.genes else self.aliases.get(written, written)
            if symbol in self.genes:
                if written not in self.words or says_gene(text, *word.span()):
                    yield Mention(*word.span(), written, symbol, self.genes[symbol], True, gene=True)
            elif (written in self.aliases or SYMBOL.fullmatch(written)) and _unknown_symbol(written, says_gene(text, *word.span()), shouted):
                yield Mention(*word.span(), written, written, "", False, gene=True)


def _unknown_symbol(written: str, said: bool, shouted: bool) -> bool:
    """Whether a word in the form of a symbol is a gene that no input has; one of letters only needs words that say so."""
    if any(character.isdigit() for character in written) and SYMBOL.fullmatch(written):
        return said or not NOT_GENES.fullmatch(written)
    return said and not shouted and written not in ACRONYMS


def _qualifies(word: str) -> bool:
    return word.isalpha() and word not in _PLAIN and word not in HEADS


def _leading_side(written: str) -> str:
    """The side a mention begins with."""
    first = written.split()[0].casefold().partition("-")[0].strip(".")
    return SIDES.get(first, "") if len(first) > 1 or written[0] in "LR" else ""


def _tree(forms: Mapping[str, str]) -> dict:
    """Forms word by word: nested dictionaries, the concept of a finished form under ''."""
    root: dict = {}
    for form, concept in forms.items():
        node = root
        for word in form.split():
            node = node.setdefault(word, {})
        node[""] = concept
    return root
