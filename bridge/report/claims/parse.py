"""From generated text to claims: what it says of which region, gene and fact. Nothing is judged here.

A clause compares with an earlier examination, or compares two regions, or has lists behind keywords ("highest", "organ
systems"), or tells levels ("reduced", "z = 2.3"), or is prose. A list is cut into pieces; a piece that is a known name
and filler names it, any other words are kept as a name that the input does not have.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from bridge.language import grammar
from bridge.report.claims import negation
from bridge.report.claims.level import Level, before_prior, levels_in
from bridge.report.claims.lexicon import MARK, Lexicon, key, lexicon_of
from bridge.report.claims.lists import WORD, Item, ListReader, under
from bridge.report.claims.mention import Mention
from bridge.report.claims.negation import Polarity
from bridge.report.schema import Claim, Direction, Kind, Verdict

_CLAUSE = re.compile(r"[.!?](?=\s|$)|;|\n")
_SPACES = re.compile(r"[^\S\n]+")
_COMPARISON = re.compile(
    r"(?P<first>.+?)\s+(?P<verb>(?:is|are|was|were)(?:n['’]t)?(?:\s+\w+){0,3}?)\s+(?P<direction>higher|lower|larger|greater|bigger|thicker|smaller|thinner)"
    r"\s+than\s+(?P<second>.+)",
    re.IGNORECASE,
)
_LOWER = ("lower", "smaller", "thinner")
#: What a level is compared with, which is no second region.
_NORM = re.compile(
    r"\b(?:normal|expected|average|usual|typical|controls?|references?|means?|norms?|peers|cohorts?|samples?|population|limits?|median|groups?|others|range|before|"
    r"training|anticipated|previously|baseline)\b",
    re.IGNORECASE,
)
_EXTREME = re.compile(rf"\b(?:{grammar.HIGHEST}|{grammar.LOWEST})\b", re.IGNORECASE)
_REACH = 80  # letters before a keyword in which "not among the" may stand
_REPLY = re.compile(r"\s*(?:yes|no)\s*[,:.]\s*", re.IGNORECASE)
_UNSAID = re.compile(rf"^\W*$|\b(?:{grammar.NOT_GIVEN}|{grammar.INSUFFICIENT})\b", re.IGNORECASE)
#: A measured quantity in prose: a decimal, a percentage, a z value, a number with a unit.
_QUANTITY = re.compile(r"\d[.,]\d|\d\s*(?:%|percent|mm|cm|ml|mg|sd|hz|-?fold|times)\b|\d\s*%|\bz\s*[=:+-]", re.IGNORECASE)


def claims_in(text: str, regions: Mapping[str, Sequence[str]], facts: Mapping[str, Sequence[str]], aliases: Mapping[str, str] | None = None) -> list[Claim]:
    """Everything a text claims, each thing once.

    A name the input does not have is a claim with the verdict "not in input" and the words as written. A denial of a
    fact is ``absent``, of a level ``denied``; a denied extreme and anything left open assert nothing and are ``none``.
    A clause without any claim is kept as free prose (entity ''), so that no sentence is lost; one with a quantity in
    it is "not in input", because no measured value stands behind it, and so is one that names an unknown region or gene.

    Args:
        text: Raw generation.
        regions: Modality to its region names; the first is meant where the text does not say.
        facts: Fact column to its vocabulary.
        aliases: Other names of genes to their symbols.
    """
    lexicon = lexicon_of(regions, facts, aliases)
    marked, written = lexicon.mark(_SPACES.sub(" ", text))
    modality, claims = next(iter(regions), ""), {}
    for clause in _CLAUSE.split(marked):
        modality, body = _heading(clause, modality, lexicon)
        parsed = _Clause(body, modality, lexicon, written)
        for claim in list(parsed.claims()) or parsed.prose():
            claims.setdefault(_identity(claim), claim)
    return list(claims.values())


class _Clause:
    """One clause of the text with the names in it."""

    def __init__(self, body: str, modality: str, lexicon: Lexicon, written: list[str]):
        self.body, self.modality, self.lexicon, self.reader = _without_brackets(body), modality, lexicon, ListReader(written)
        # Brackets stay here, as "(z = -2.3)" belongs to the name before it; a fact such as "head and neck" is no region.
        self.text = MARK.sub(lambda mark: self.name(mark) if self.is_region(mark) else " ", body)
        self.named_at: list[Mention] | None = None

    def claims(self) -> Iterator[Claim]:
        """Claims of a comparison, or else of every keyword's list and of levels."""
        present = before_prior(self.text)
        if present is not None:
            yield self.prior()
            yield from self.levels(present)
            return
        found = _COMPARISON.fullmatch(_REPLY.sub("", self.body, count=1).strip()) if self.lexicon.regions else None
        if found and not (_NORM.search(found["second"]) and not MARK.search(found["second"])):
            yield self.comparison(found)
            return
        yield from self.lists()
        if not _EXTREME.search(self.text):
            yield from self.levels(self.text)

    def prose(self) -> list[Claim]:
        """The clause as a statement that no rule can check."""
        statement = self.statement
        if _UNSAID.search(statement) or not WORD.search(statement):
            return []
        unknown = [mention for mention in self.mentions() if not mention.known and self.could_be_known(mention)]
        if unknown and not _QUANTITY.search(statement):
            return [Claim(entity=unknown[0].entity, statement=statement, verdict=Verdict.NOT_IN_INPUT)]
        return [self.open_claim("", "")]

    @property
    def statement(self) -> str:
        """The clause as written."""
        return " ".join(self.reader.restored(self.body).split())

    def open_claim(self, entity: str, modality: str, than: str | None = None, kind: Kind = Kind.PROSE) -> Claim:
        """The whole clause, as a statement that asserts nothing a check could use."""
        verdict = Verdict.NOT_IN_INPUT if _QUANTITY.search(self.statement) else Verdict.UNCHECKABLE
        return Claim(entity=entity, statement=self.statement, kind=kind, than=than, modality=modality, verdict=verdict)

    def prior(self) -> Claim:
        """A comparison with an earlier examination, of which no input ever tells."""
        named = next(iter(self.mentions()), None)
        entity, modality = (named.entity, named.modality) if named else ("", "")
        mention = named.written if named else ""
        return Claim(entity=entity, mention=mention, statement=self.statement, kind=Kind.PRIOR, modality=modality, verdict=Verdict.NOT_IN_INPUT)

    def levels(self, text: str) -> Iterator[Claim]:
        """``A is increased``, ``z = 2.3``."""
        for level in levels_in(text, [mention for mention in self.mentions() if mention.end <= len(text)]):
            yield self.level_claim(level)

    def level_claim(self, level: Level) -> Claim:
        """The claim of one level; of a name that no input has, "not in input" where some input has names of its kind."""
        named = level.mention
        about = {"entity": named.entity, "mention": named.written, "modality": named.modality, "kind": Kind.LEVEL}
        unknown = not named.known and self.could_be_known(named)
        verdict = Verdict.NOT_IN_INPUT if unknown else Verdict.UNCHECKABLE
        if level.open:
            return Claim(**about, statement=self.statement, verdict=verdict)
        claimed, unit = level.quantity or (None, "")
        said = "" if level.direction is Direction.NONE else level.direction.value
        statement = grammar.level(named.entity, said, denied=level.denied, claimed=_told(claimed, unit))
        return Claim(**about, statement=statement, direction=level.direction, denied=level.denied, claimed=claimed, unit=unit, verdict=verdict)

    def mentions(self) -> list[Mention]:
        """Regions and genes that the clause names, whatever it calls them."""
        if self.named_at is None:
            self.named_at = self.lexicon.spoken.find(self.text, self.modality)
        return self.named_at

    def could_be_known(self, mention: Mention) -> bool:
        """Whether any input has names of this kind at all."""
        return bool(self.lexicon.spoken.genes) if mention.gene else self.lexicon.spoken.has_regions

    def is_region(self, mark: re.Match) -> bool:
        """Whether a mark stands for a region or gene, not for a fact."""
        return any(key(self.name(mark)) in names for names in self.lexicon.regions.values())

    def name(self, mark: re.Match) -> str:
        """What a mark stands for."""
        return self.reader.restored(mark.group())

    def comparison(self, found: re.Match) -> Claim:
        """``A is higher than B``; denied, it asserts nothing (they may be equal)."""
        first, second = (self.region(self.reader.exact(found[side])) for side in ("first", "second"))
        modality, direction = self.owner(first.text), grammar.LOWER if found["direction"].casefold() in _LOWER else grammar.HIGHER
        if negation.CUE.search(f"{found['first']} {found['verb']}"):
            return self.open_claim(first.text, modality, than=second.text, kind=Kind.COMPARISON)
        about = {"entity": first.text, "than": second.text, "modality": modality, "kind": Kind.COMPARISON, "direction": Direction(direction)}
        verdict = Verdict.UNCHECKABLE if first.known and second.known else Verdict.NOT_IN_INPUT
        return Claim(**about, statement=grammar.comparison(first.text, direction, second.text), verdict=verdict)

    def lists(self) -> Iterator[Claim]:
        """Claims of each keyword ("highest", "organ systems") and of the facts that stand before the first one."""
        keywords = list(self.lexicon.keyword.finditer(self.body)) if self.lexicon.keyword else []
        before = self.body[: keywords[0].start()] if keywords else self.body
        if any(not self.is_region(mark) for mark in MARK.finditer(before)):
            yield from self.facts_in_prose(before)
        for keyword, following in itertools.zip_longest(keywords, keywords[1:]):
            items = list(self.reader.items(self.body[keyword.end() : following.start() if following else None]))
            if not items and keyword is keywords[0]:
                items = [item for item in self.reader.items(before) if item.known]  # "A and B are highest"
            denied = negation.cue(self.body[max(0, keyword.start() - _REACH) : keyword.start()], negation.TRAILING_CUE)
            yield from (self.claim(key(keyword.group()), under(item, denied)) for item in items)

    def claim(self, keyword: str, item: Item) -> Claim:
        """The claim of one item in a keyword's list."""
        if keyword in (grammar.HIGHEST, grammar.LOWEST):
            return self.region_claim(keyword, item)
        return self.fact_claim(self.lexicon.columns[keyword], item)

    def region_claim(self, direction: str, item: Item) -> Claim:
        """``highest in the A``."""
        item = self.region(item)
        modality = self.owner(item.text) if item.known else self.modality
        if item.polarity is not Polarity.SAID:
            return self.open_claim(item.text, modality, kind=Kind.EXTREME)
        said = Direction.HIGHER if direction == grammar.HIGHEST else Direction.LOWER
        verdict = Verdict.UNCHECKABLE if item.known else Verdict.NOT_IN_INPUT
        about = {"entity": item.text, "mention": item.written, "modality": modality, "kind": Kind.EXTREME}
        return Claim(**about, statement=grammar.extreme(direction, [item.text]), direction=said, verdict=verdict)

    def fact_claim(self, column: str, item: Item) -> Claim:
        """``organ systems A``."""
        name = self.lexicon.facts[column].get(key(item.text)) if item.known else None
        entity, verdict = name or item.text, Verdict.UNCHECKABLE if name else Verdict.NOT_IN_INPUT
        said = {Polarity.SAID: Direction.PRESENT, Polarity.DENIED: Direction.ABSENT, Polarity.OPEN: Direction.NONE}[item.polarity]
        words = {Direction.PRESENT: "", Direction.ABSENT: "not ", Direction.NONE: "perhaps "}[said] + entity
        return Claim(entity=entity, statement=grammar.known(column, [words]), kind=Kind.FACT, direction=said, attribute=column, verdict=verdict)

    def facts_in_prose(self, text: str) -> Iterator[Claim]:
        """Facts named outside any list: "the eye is affected"."""
        for item in self.reader.items(text, prose=True):
            column = next((column for column, items in self.lexicon.facts.items() if key(item.text) in items), None)
            if column is not None:
                yield self.fact_claim(column, item)

    def region(self, item: Item) -> Item:
        """The item under the name its map has for it, unknown when no map has."""
        names = [known[key(item.text)] for known in self.lexicon.regions.values() if item.known and key(item.text) in known]
        names = names or [name for name in [self.other_name(item.text)] if name]
        return item._replace(text=names[0], known=True, written=item.text if names[0] != item.text else "") if names else item._replace(known=False)

    def other_name(self, text: str) -> str | None:
        """The one region that is also called so."""
        found = self.lexicon.spoken.exactly(text, self.modality)
        return found.entity if found and found.known and key(found.entity) in self.lexicon.regions[found.modality] else None

    def owner(self, name: str) -> str:
        """The map a region belongs to: the one spoken of if it has the name, else the first that has."""
        owners = [modality for modality, names in self.lexicon.regions.items() if key(name) in names]
        return self.modality if self.modality in owners or not owners else owners[0]


def _heading(clause: str, modality: str, lexicon: Lexicon) -> tuple[str, str]:
    """The modality that a heading such as "Brain findings:" names, and the clause without it."""
    found = re.match(rf"\s*([\w -]+?)\s+{grammar.FINDINGS}\s*:", clause, re.IGNORECASE)
    if found is None:
        return modality, clause
    return lexicon.sections.get(key(found[1]), modality), clause[found.end() :]


def _told(claimed: float | None, unit: str) -> str:
    """A stated quantity in words."""
    if claimed is None:
        return ""
    return f"z {claimed:+g}" if unit == "z" else f"{claimed:g} {unit}".strip()


def _identity(claim: Claim) -> tuple:
    """The same for two claims that say the same thing."""
    return claim.kind, claim.attribute, claim.modality, key(claim.entity or claim.statement), claim.direction, claim.denied, claim.claimed, claim.than


def _without_brackets(text: str) -> str:
    """Brackets that name something become part of the list, others ("(0.83)") are left out."""
    return re.sub(r"\(([^()]*)\)", lambda found: f", {found[1]}," if MARK.search(found[1]) else " ", text)
