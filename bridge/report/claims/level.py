"""Statements on a level in a clause: "the left hippocampus is reduced (z = -2.3)", "no atrophy of the insula", "FOXP2 is normal".

Within a span that no "but" or "while" cuts, mentions and words of direction are read in their order. Where a mention
comes first, a direction speaks of the mentions since the last direction ("A is reduced and B enlarged"), otherwise of
those up to the next one ("atrophy of A and thickening of B"). A negator before a direction denies it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bridge.report.claims import negation
from bridge.report.claims.level_words import (
    BOUND,
    BREAK,
    CUE,
    DIRECTIONS,
    ENTITY_NOT,
    ENTITY_NOT_ANYWHERE,
    LISTED,
    PRIOR,
    QUANTITY,
    TO_PRIOR,
    VERB,
    Quantity,
    quantity_of,
)
from bridge.report.claims.mention import Mention
from bridge.report.schema import Direction


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
    return "" if TO_PRIOR.match(text[cut:].lstrip(",")) else text[:cut]


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
    cuts = [(found.start(), found.end()) for found in BREAK.finditer(text)]
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
        yield from (Level(mention, Direction.NONE, open=True) for mention in mentions if CUE.search(text) or mention in told)
        return
    governed = _governed(_cues(text), mentions, text)
    for mention in mentions:
        quantity, way = told.get(mention, (None, Direction.NONE))
        said = governed.get(mention, [])
        for cue in said:
            denied = cue.denied != bool(ENTITY_NOT.search(text[: mention.start]))
            yield Level(mention, cue.direction, denied, _signed(quantity, cue.direction))
        if not said and (quantity is not None or way is not Direction.NONE):
            yield Level(mention, way, False, quantity)


def _cues(text: str) -> list[_Cue]:
    """Words of direction with whether they are denied by what stands between them and the direction before."""
    cues: list[_Cue] = []
    found = list(CUE.finditer(QUANTITY.sub(lambda quantity: " " * len(quantity.group()), text)))
    reach = False
    for number, cue in enumerate(found):
        since = text[found[number - 1].end() if number else 0 : cue.start()]
        following = text[cue.end() : found[number + 1].start() if number + 1 < len(found) else len(text)]
        # "neither thin nor thick", "no atrophy or thinning": a denial goes on through a list of directions.
        before = bool(negation.NOT.search(ENTITY_NOT_ANYWHERE.sub(" ", since))) or (reach and LISTED.fullmatch(since) is not None)
        reach = before
        denied = before != bool(negation.NOT_FOUND.search(following))
        denied = denied != (cue.lastgroup == "unusual")
        cues.append(_Cue(cue.start(), cue.end(), DIRECTIONS[cue.lastgroup], denied))
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
        if number + 1 < len(groups) and LISTED.fullmatch(text[cues[number].end : cues[number + 1].start]):
            groups[number] = groups[number + 1]
        elif number and len(groups[number - 1]) > 1 and VERB.search(text[groups[number - 1][-1].end : cues[number].start]):
            groups[number] = [groups[number - 1].pop()]
    return groups


def _quantities(text: str, mentions: Sequence[Mention]) -> dict[Mention, tuple[Quantity | None, Direction]]:
    """The first quantity after each mention, or before the first of them; bounds ("more than 2 SD") are no quantities."""
    told: dict[Mention, tuple[Quantity | None, Direction]] = {}
    for found in QUANTITY.finditer(text):
        before = [mention for mention in mentions if mention.end <= found.start()]
        owner = before[-1] if before else mentions[0]
        quantity, way = quantity_of(found)
        told.setdefault(owner, (None if BOUND.search(text[: found.start()]) else quantity, way))
    return told


def _signed(quantity: Quantity | None, direction: Direction) -> Quantity | None:
    """A number of standard deviations without "above" or "below" has the sign of the direction that is said."""
    if quantity is None or quantity.unit != "SD":
        return quantity
    return Quantity(-quantity.value if direction is Direction.DECREASED else quantity.value, "z")
