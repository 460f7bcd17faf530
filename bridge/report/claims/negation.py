"""Is a thing said to be there, said not to be there, or left open? "No involvement of the eye" is not a finding.

A small clause-level rule in the manner of NegEx (Chapman et al. 2001, J Biomed Inform 34:301): a cue before a
term reaches forward to the end of its scope, a cue after it ("the eye is spared") reaches back.
"""

from __future__ import annotations

import enum
import re


class Polarity(enum.Enum):
    """How a term is spoken of."""

    SAID = "said"
    DENIED = "denied"
    OPEN = "open"


_OPEN = r"insufficient evidence|(?:not|un)\s*(?:known|clear|certain|determined)|cannot be \w+|can not be \w+|whether|undetermined|uncertain"
_NOT = (
    r"no longer|not|nothing|no|none|never|neither|nor|without|absence of|absent|free of|free from|except(?: for)?|excluding|excludes?|excluded|"
    r"rules? out|ruled out|lacks?|lacking|den(?:y|ies|ied)|negative for|all but|cannot|rather than|instead of|other than|apart from|as opposed to"
)
#: Words that deny that a thing is affected, but are themselves a statement on its level.
_SOUND = r"spares?|spared|sparing|unaffected|uninvolved|unremarkable|normal"
_DENIED = rf"{_NOT}|{_SOUND}"
_AFTER = r"not|never|absent|spared|unaffected|uninvolved|excluded|ruled out|unremarkable|normal|negative|no"
#: Phrases that hold a cue but deny nothing.
EMPTY = re.compile(r"\bnot (?:only|just|merely)\b|\bno doubt\b|\bwithout (?:a )?doubt\b", re.IGNORECASE)
#: Words that end the reach of a cue.
BREAK = re.compile(r"\b(?<!all )but\b|\bhowever\b|\balthough\b|\bwhereas\b|\bwhile\b|\byet\b", re.IGNORECASE)
OPEN_CUE = re.compile(rf"\b(?:{_OPEN})\b", re.IGNORECASE)
CUE = re.compile(rf"\b(?:{_OPEN}|{_DENIED})\b|n['’]t\b", re.IGNORECASE)
#: A cue that speaks of what stands before it: "eye is not involved", "eye: absent".
AFTER_CUE = re.compile(
    rf"\s*(?:(?:is|are|was|were|has|have|does|do|seems?|appears?)(?:n['’]t|\s+(?:\w+\s+)?(?:{_AFTER}|{_OPEN}))|:?\s*(?:{_AFTER}|{_OPEN}))\b", re.IGNORECASE
)
_LINK = r"(?:\s+(?:the|a|an|any|one|among|of|in|for|its|be|been|evidence|sign|signs|being|is|are|was|were|to|found))*"
#: A cue that denies a level: "no reduction", "isn't thin", "nothing to suggest atrophy".
NOT = re.compile(rf"\b(?:{_NOT})\b|n['’]t\b", re.IGNORECASE)
#: Words after a finding that deny it: "atrophy is not seen", "enlargement was excluded".
NOT_FOUND = re.compile(
    r"\b(?:not|never)\s+(?:\w+\s+)?(?:seen|present|identified|observed|found|detected|evident|confirmed|noted|demonstrated|visible|appreciated|shown)\b"
    r"|\b(?:is|are|was|were)\s+(?:absent|excluded|ruled out)\b",
    re.IGNORECASE,
)
#: Words that leave a finding open.
HEDGE = re.compile(
    rf"\b(?:{_OPEN}|may|might|possib(?:le|ly)|perhaps|probabl[ey]|suspected|suspicion|suspicious|questionable|equivocal|borderline|cannot be excluded)\b",
    re.IGNORECASE,
)
#: A cue at the very end of what precedes a keyword: "not among the" highest.
TRAILING_CUE = re.compile(rf"(?:\b(?:{_OPEN}|{_DENIED})|n['’]t){_LINK}\s*$", re.IGNORECASE)


def cue(text: str, pattern: re.Pattern = CUE) -> Polarity:
    """Polarity that the last cue in the text gives to what follows it."""
    found = list(pattern.finditer(text))
    if not found:
        return Polarity.SAID
    return Polarity.OPEN if OPEN_CUE.search(found[-1].group()) else Polarity.DENIED


def cue_after(text: str) -> Polarity:
    """Polarity that the words right after a term give to it."""
    found = AFTER_CUE.match(text)
    if found is None:
        return Polarity.SAID
    return Polarity.OPEN if OPEN_CUE.search(found.group()) else Polarity.DENIED


def spans(text: str) -> list[str]:
    """The text in pieces that no cue reaches out of; phrases that deny nothing are taken out."""
    # "all organ systems but the eye": with nothing before it, "but" makes an exception.
    return BREAK.split(re.sub(r"^\s*but\b", "except", EMPTY.sub(" ", text), flags=re.IGNORECASE))
