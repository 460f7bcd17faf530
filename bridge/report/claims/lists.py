"""Lists of names in a clause: what each piece names and how it is spoken of."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bridge.report.claims import negation
from bridge.report.claims.lexicon import MARK
from bridge.report.claims.negation import Polarity

_PIECE = re.compile(r",|/|&|\b(?:and|or|as well as|plus|with)\b|(?=\b(?:rather than|instead of|as opposed to|other than|apart from|except)\b)", re.IGNORECASE)
WORD = re.compile(r"[^\W\d_][\w'’-]*")
#: Words that may stand around a name without making it another name.
_FILLER = re.compile(
    r"a|affected|all|also|among|an|any|are|areas?|as|at|be|been|being|both|brain|by|do|does|disorders?|especially|evidence|expression|followed|following|for|"
    r"found|gene|has|have|in|includ(?:e|es|ing)|involv(?:e|es|ed|ing|ement)|is|its?|levels?|linked|listed|located|mainly|map|most|mostly|of|on|one|rank|regions?|"
    r"reported|respectively|score|seen|show|showing|shows|signal|signs?|that|the|then|there|these|this|three|to|two|typically|usually|values?|was|were|which|"
    r"whole|within|z",
    re.IGNORECASE,
)


class Item(NamedTuple):
    """One thing named in a clause: a known name or words the input does not have."""

    text: str
    known: bool
    polarity: Polarity
    written: str = ""


class ListReader:
    """Reads lists in a text whose known names are marks.

    Args:
        written: What each mark stands for.
    """

    def __init__(self, written: Sequence[str]):
        self.written = written

    def items(self, text: str, prose: bool = False) -> Iterator[Item]:
        """Things named in a list, each with how it is spoken of; in prose only known names, whatever stands around them."""
        for span in negation.spans(text):
            found, reach = [], Polarity.SAID
            for piece in _pieces(span):
                marks = list(MARK.finditer(piece))
                opening = negation.cue(piece[: marks[0].start()] if marks else piece)
                reach = opening if opening is not Polarity.SAID else reach
                back = negation.cue_after(piece[marks[-1].end() :]) if marks else Polarity.SAID
                found += [under(item, reach) for item in (self.marked(piece) if prose else self.named(piece))]
                found = found if back is Polarity.SAID else [under(item, back) for item in found]
            yield from found

    def named(self, piece: str) -> list[Item]:
        """What a piece names: its marks when all other words are filler, else the words as written."""
        rest = negation.CUE.sub(" ", MARK.sub(" ", piece))
        if all(_FILLER.fullmatch(word) for word in WORD.findall(rest)):
            return self.marked(piece)
        return [Item(entity, False, Polarity.SAID)] if (entity := self.stripped(negation.CUE.sub(" ", piece))) else []

    def marked(self, piece: str) -> list[Item]:
        """The known names in a piece."""
        return [Item(self.restored(mark.group()), True, Polarity.SAID) for mark in MARK.finditer(piece)]

    def exact(self, text: str) -> Item:
        """One side of a comparison."""
        return next(iter(self.named(text)), Item(self.restored(text).strip(), False, Polarity.SAID))

    def stripped(self, text: str) -> str:
        """Words as written, without the filler at either end."""
        words = self.restored(text).split()
        filler = [not (found := WORD.findall(word)) or all(_FILLER.fullmatch(part) for part in found) for word in words]
        kept = [number for number, empty in enumerate(filler) if not empty]
        return " ".join(words[kept[0] : kept[-1] + 1]).strip(" .,:;-") if kept else ""

    def restored(self, text: str) -> str:
        """Names in place of their marks, as written."""
        return MARK.sub(lambda mark: self.written[int(mark[1])], text)


def under(item: Item, polarity: Polarity) -> Item:
    """The item as denied or left open, if it is."""
    return item if polarity is Polarity.SAID else item._replace(polarity=polarity)


def _pieces(text: str) -> Iterator[str]:
    """A list cut at commas, at "and", and after every name but the last of a piece."""
    for piece in _PIECE.split(text):
        cuts = [0, *(mark.end() for mark in MARK.finditer(piece))][:-1] or [0]
        yield from (piece[start:end] for start, end in itertools.zip_longest(cuts, cuts[1:]))
