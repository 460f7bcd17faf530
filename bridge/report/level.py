"""Statements on a level in a clause: "the left hippocampus is reduced (z = -2.3)", "no atrophy of the insula", "FOXP2 is normal".

Within a span that no "but" or "while" cuts, mentions and words of direction are read in their order. Where a mention
comes first, a direction speaks of the mentions since the last direction ("A is reduced and B enlarged"), otherwise of
those up to the next one ("atrophy of A and thickening of B"). A negator before a direction denies it.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bridge.report import negation
from bridge.report.mention import Mention
from bridge.report.schema import Direction

_NORM_LEAD = r"(?:the|a|an|in|what|its|is|was|be|would|one|for|of|by|healthy|matched|age-matched|sex-matched|training|reference|normative|control|all)"
_NORM = (
    rf"(?:{_NORM_LEAD}\s+){{0,5}}(?:normal|expected|average|usual|typical|controls?|references?|means?|norms?|peers|cohorts?|samples?|populations?|"
    r"limits?|intervals?|median|groups?|others|range)\b(?:\s+(?:range|limits?|mean|samples?|group|cohort|population|values?))?"
)
_AGAINST = rf"(?:\s+(?:than|to|with|against|from)\s+{_NORM})?"
_RISEN = (
    r"(?:much |slightly |mildly |clearly )?(?:higher|larger|greater|bigger|thicker)|high|large|increas(?:e|es|ed|ing)|elevat(?:ed|ion|ions)|raised|"
    r"enlarge(?:d|ment)|thickened|thickening|up-?regulat(?:ed|ion)|over-?express(?:ed|ion)|hypertroph(?:y|ic|ied)|expanded|expansion|hyperplas(?:ia|tic)|excess(?:ive)?|"
    r"augmented|heightened|hyperexpression|gains?|(?:is|are|was|were)\s+up"
)
_FALLEN = (
    r"(?:much |slightly |mildly |clearly )?(?:lower|smaller|lesser|thinner)|low|small|thin|decreas(?:e|es|ed|ing)|reduc(?:ed|tion|tions)|diminish(?:ed|ment)|"
    r"thinned|thinning|atroph(?:y|ic|ied)|down-?regulat(?:ed|ion)|under-?express(?:ed|ion)|hypoplas(?:ia|tic)|hypotroph(?:y|ic)|shr[ua]nken|shrinkage|shrunk|"
    r"suppress(?:ed|ion)|depressed|deficits?|deficien(?:t|cy)|loss(?:es)?|lost|wasting|wasted|declin(?:e|ed)|depleted|(?:is|are|was|were)\s+down"
)
_USUAL = (
    r"within\s+(?:the\s+)?(?:normal|reference|expected|usual|training|typical|average|limits|range)(?:\s+\w+)?\s*(?:range|limits?|interval)?|in\s+the\s+normal\s+range|"
    r"(?<!than )as expected|in line with\s+(?:the\s+)?\w+|normal|unremarkable|average|typical|preserved|intact|unaffected|spar(?:ed|ing)|uninvolved|in range"
)
_UNUSUAL = r"abnormal(?:ly|ity|ities)?|atypical|deviat(?:es?|ed|ing|ion|ions)|outside\s+(?:the\s+)?(?:normal|reference|expected|training)\s+\w+|out of range"
_CUE = re.compile(
    rf"\b(?:(?P<up>(?:{_RISEN}|exceeds?){_AGAINST}|above\s+{_NORM})|(?P<down>(?:{_FALLEN}){_AGAINST}|below\s+{_NORM})|(?P<unusual>{_UNUSUAL})|(?P<usual>{_USUAL}))"
    r"(?![\w-])",
    re.IGNORECASE,
)
_DIRECTIONS = {"up": Direction.INCREASED, "down": Direction.DECREASED, "usual": Direction.WITHIN, "unusual": Direction.WITHIN}
_NUMBER = r"[+\-−–]?\s?\d+(?:\.\d+)?"
_Z = rf"\bz(?:[\s-]*(?:scores?|values?))?\s*(?:=|:|of|is|was|at)?\s*(?P<z>{_NUMBER})(?![\d.]*\d)(?!\s*(?:%|percent|mm|cm|ml))"
_WAYS = r"above|over|higher|greater|larger|more|below|under|lower|smaller|less"
_SD = (
    r"(?P<sd>[+\-−–]?\d+(?:\.\d+)?)\s*(?:SDs?|standard[\s-]deviations?|sigmas?|σ)\b"
    rf"(?:\s+(?:units\s+)?(?P<way>{_WAYS})\b(?:\s+(?:than\s+)?{_NORM})?)?"
)
_OTHER = r"(?P<other>[+\-−–]?\d+(?:[.,]\d+)?)\s*(?P<unit>%|percent|mm[23³²]?|cm|ml|mg|μm|hz|-?fold|times)|\bp\s*[=<]\s*(?P<p>0?\.\d+)"
_QUANTITY = re.compile(rf"{_Z}|{_SD}|{_OTHER}", re.IGNORECASE)
_BOUND = re.compile(r"(?:more than|over|at least|less than|under|up to|exceed\w*(?: by)?|>|<|≥|≤|beyond)\s*\Z", re.IGNORECASE)
_BELOW = ("below", "under", "lower", "smaller", "less")
#: "but not the insula" denies for one mention what is said of the others; names are blanked with "_" where this is looked for.
_ENTITY_NOT = re.compile(r"\b(?:but\s+)?not\s+(?:in\s+|of\s+)?(?:the\s+)?\Z", re.IGNORECASE)
_ENTITY_NOT_ANYWHERE = re.compile(r"\b(?:but\s+)?not\s+(?:in\s+|of\s+)?(?:the\s+)?(?=_)", re.IGNORECASE)
_LISTED = re.compile(r"\s*(?:,|or|nor|and)\s+(?:any\s+)?", re.IGNORECASE)
_BREAK = re.compile(r"\b(?<!all )but\b(?!\s+not\b)|\bhowever\b|\balthough\b|\bwhereas\b|\bwhile\b|\byet\b|\bin contrast(?:\s+to)?\b", re.IGNORECASE)
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|shows?|showed|appears?|looks?|seems?|being|remains?)\b", re.IGNORECASE)
_TIMES = (
    r"scans?|stud(?:y|ies)|exam\w*|mris?|cts?|imaging|images?|reports?|visits?|measurements?|assessments?|sessions?|"
    r"time[ -]?points?|investigations?|acquisitions?|"
    r"comparisons?|tests?|values?|baseline|follow-?up"
)
#: A comparison with an earlier examination of the same person.
PRIOR = re.compile(
    rf"\b(?:prior|previous|earlier|preceding|last|former|past)\s+(?:\w+\s+){{0,2}}?(?:{_TIMES})\b|\bsince\s+(?:the\s+)?(?:last|previous|prior|baseline|then|\d{{4}})\b|"
    r"\b(?:than|as)\s+(?:before|previously|at baseline)\b|\b(?:from|at|with|to)\s+baseline\b|"
    r"\bpreviously\s+(?:seen|noted|described|reported|measured|observed)\b|"
    r"\binterval\s+(?:change|increase|decrease|growth|progression|enlargement|development|improvement|worsening|loss|thinning|atrophy|reduction)\b|"
    r"\b(?:has|have|had)\s+(?:\w+ly\s+)?(?:progressed|worsened|improved|regressed|resolved|deteriorated)\b|"
    r"\b(?:unchanged|stable|progressive)\s+(?:since|over|compared|from)\b|"
    r"\bremains?\s+(?:unchanged|stable)\b|\bover\s+time\b|\b(?:years?|months?|weeks?|days?)\s+(?:ago|earlier|before)\b|\bon\s+follow-?up\b|\blongitudinal",
    re.IGNORECASE,
)
_TO_PRIOR = re.compile(r"\s*(?:when\s+|as\s+)?(?:compared|relative|versus|in\s+comparison|than|since|with\s+respect)\b", re.IGNORECASE)


class Quantity(NamedTuple):
    """A number that a clause states, in standard deviations (``z``) or in a unit as written."""

    value: float
    unit: str


@dataclasses.dataclass(frozen=True)
class Level:
    """What a clause says of one mention; direction none where it tells a value alone or leaves it open."""

    mention: Mention
    direction: Direction
    denied: bool = False
    quantity: Quantity | None = None
    open: bool = False


class _Cue(NamedTuple):
    start: int
    end: int
    direction: Direction
    denied: bool


def before_prior(text: str) -> str | None:
    """What a clause says of the present beside a comparison with an earlier examination; None where there is no such comparison."""
    found = PRIOR.search(text)
    if found is None:
        return None
    cut = max(text.rfind(",", 0, found.start()), 0)
    return "" if _TO_PRIOR.match(text[cut:].lstrip(",")) else text[:cut]


def levels_in(text: str, mentions: Sequence[Mention]) -> Iterator[Level]:
    """Every statement on a level, in the order of the spans of the clause.

    Args:
        text: One clause.
        mentions: What it names, in order.
    """
    for start, end in _spans(text):
        inside = [mention for mention in mentions if start <= mention.start < end]
        if inside:
            yield from _span_levels(_masked(text, start, end, inside), inside)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the parts of a clause that no direction reaches out of begin and end."""
    cuts = [(found.start(), found.end()) for found in _BREAK.finditer(text)]
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)]
    yield from zip(starts, ends, strict=True)


def _masked(text: str, start: int, end: int, mentions: Sequence[Mention]) -> str:
    """The span in its place in the clause, names blanked out: "superior" in a name is no direction."""
    letters = [" "] * start + list(negation.EMPTY.sub(lambda found: " " * len(found.group()), text[start:end]))
    for mention in mentions:
        letters[mention.start : min(mention.end, end)] = "_" * (min(mention.end, end) - mention.start)
    return "".join(letters)


def _span_levels(text: str, mentions: Sequence[Mention]) -> Iterator[Level]:
    told = _quantities(text, mentions)
    if negation.HEDGE.search(text):
        yield from (Level(mention, Direction.NONE, open=True) for mention in mentions if _CUE.search(text) or mention in told)
        return
    governed = _governed(_cues(text), mentions, text)
    for mention in mentions:
        quantity, way = told.get(mention, (None, Direction.NONE))
        said = governed.get(mention, [])
        for cue in said:
            denied = cue.denied != bool(_ENTITY_NOT.search(text[: mention.start]))
            yield Level(mention, cue.direction, denied, _signed(quantity, cue.direction))
        if not said and (quantity is not None or way is not Direction.NONE):
            yield Level(mention, way, False, quantity)


def _cues(text: str) -> list[_Cue]:
    """Words of direction with whether they are denied by what stands between them and the direction before."""
    cues: list[_Cue] = []
    found = list(_CUE.finditer(_QUANTITY.sub(lambda quantity: " " * len(quantity.group()), text)))
    reach = False
    for number, cue in enumerate(found):
        since = text[found[number - 1].end() if number else 0 : cue.start()]
        following = text[cue.end() : found[number + 1].start() if number + 1 < len(found) else len(text)]
        # "neither thin nor thick", "no atrophy or thinning": a denial goes on through a list of directions.
        before = bool(negation.NOT.search(_ENTITY_NOT_ANYWHERE.sub(" ", since))) or (reach and _LISTED.fullmatch(since) is not None)
        reach = before
        denied = before != bool(negation.NOT_FOUND.search(following))
        denied = denied != (cue.lastgroup == "unusual")
        cues.append(_Cue(cue.start(), cue.end(), _DIRECTIONS[cue.lastgroup], denied))
    return cues


def _governed(cues: Sequence[_Cue], mentions: Sequence[Mention], text: str) -> dict[Mention, list[_Cue]]:
    """Which directions speak of which mention."""
    if not cues:
        return {}
    predicative = mentions[0].start < cues[0].start
    groups = _predicated(cues, mentions) if predicative else _attributed(cues, mentions, text)
    governed: dict[Mention, list[_Cue]] = {}
    last: Iterable[Mention] = ()
    for cue, group in zip(cues, groups, strict=True):
        last = group or last
        for mention in last:
            governed.setdefault(mention, []).append(cue)
    return governed


def _predicated(cues: Sequence[_Cue], mentions: Sequence[Mention]) -> list[list[Mention]]:
    """``A and B are reduced, C is enlarged``; mentions after the last direction share it."""
    starts = [-1, *(cue.start for cue in cues)]
    groups = [[mention for mention in mentions if start < mention.start < end] for start, end in itertools.pairwise(starts)]
    groups[-1] = groups[-1] + [mention for mention in mentions if mention.start > cues[-1].start]
    return groups


def _attributed(cues: Sequence[_Cue], mentions: Sequence[Mention], text: str) -> list[list[Mention]]:
    """``reduction of A and B, enlargement of C``; directions side by side share what follows, a verb gives the last mention back."""
    ends = [*(cue.start for cue in cues[1:]), len(text) + 1]
    groups = [[mention for mention in mentions if cue.start < mention.start < end] for cue, end in zip(cues, ends, strict=True)]
    for number in range(len(groups) - 1, -1, -1):
        if groups[number]:
            continue
        if number + 1 < len(groups) and _LISTED.fullmatch(text[cues[number].end : cues[number + 1].start]):
            groups[number] = groups[number + 1]
        elif number and len(groups[number - 1]) > 1 and _VERB.search(text[groups[number - 1][-1].end : cues[number].start]):
            groups[number] = [groups[number - 1].pop()]
    return groups


def _quantities(text: str, mentions: Sequence[Mention]) -> dict[Mention, tuple[Quantity | None, Direction]]:
    """The first quantity after each mention, or before the first of them; bounds ("more than 2 SD") are no quantities."""
    told: dict[Mention, tuple[Quantity | None, Direction]] = {}
    for found in _QUANTITY.finditer(text):
        before = [mention for mention in mentions if mention.end <= found.start()]
        owner = before[-1] if before else mentions[0]
        quantity, way = _quantity(found)
        told.setdefault(owner, (None if _BOUND.search(text[: found.start()]) else quantity, way))
    return told


def _quantity(found: re.Match) -> tuple[Quantity, Direction]:
    if found["z"] is not None:
        return Quantity(_number(found["z"]), "z"), Direction.NONE
    if found["sd"] is not None:
        value, way = _number(found["sd"]), (found["way"] or "").casefold()
        below = way in _BELOW
        direction = Direction.NONE if not way else Direction.DECREASED if below else Direction.INCREASED
        return Quantity(-value if below else value, "z" if way or value < 0 else "SD"), direction
    if found["p"] is not None:
        return Quantity(float(found["p"]), "p"), Direction.NONE
    return Quantity(_number(found["other"].replace(",", ".")), found["unit"].casefold()), Direction.NONE


def _signed(quantity: Quantity | None, direction: Direction) -> Quantity | None:
    """A number of standard deviations without "above" or "below" has the sign of the direction that is said."""
    if quantity is None or quantity.unit != "SD":
        return quantity
    return Quantity(-quantity.value if direction is Direction.DECREASED else quantity.value, "z")


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace("–", "-").replace(" ", ""))
