"""What an answer says, read strictly: in a few defined forms, never by looking for a choice somewhere in the text.

A scorer that takes the first choice it finds as a substring marks "Answer: B" as A and "not known" as no.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from bridge.instructions.item import NOTHING, SEPARATOR, Instruction
from bridge.medical.asking import options_of

#: Words that may stand in front of an answer.
LEAD = re.compile(
    r"(?:so,? |therefore,? |thus,? |hence,? )?(?:the )?(?:(?:correct|right|best|final|most likely) )?(?:answer|option|choice)(?: is)?(?: ?:| (?=\S))\s*", re.I
)
#: A letter as an answer: in brackets; or in front of the end, a comma or closing mark, or a reason. "A. fumigatus" is a species, "A patient" is an article.
BRACKETED = r"[(\[]([A-Za-z])[)\]]"
BARE = r"([A-Z])(?=\s*$|\s*\n|[,;:)\]]|\.(?!\s*[a-z])|\s+(?:because|since|as)\b)"
FIRST = re.compile(rf"(?:[Oo]ption |[Cc]hoice )?(?:{BRACKETED}|{BARE})")
ALONE = re.compile(r"[(\[]?([A-Za-z])[)\]]?[.:]?")
#: A second letter that an answer goes on with.
AND = re.compile(r"[)\].:]?\s*(?:,|/|\+|&|;|\bor\b|\band\b|\bbut\b)\s*(?:or\s+|and\s+)?[(\[]?([A-Z])[)\]]?(?=\s*$|[\s.,;:)/\]])")
#: Marks between an answer and what is said of it.
STOP = re.compile(r"[.,;:!?\n]+|\s[-–—]+\s")
DECORATION = re.compile(r"[*_`\"“”]+")
BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")


def parsed(item: Instruction, text: str) -> frozenset[str] | None:
    """What an answer says: its choice, its labels or its items in their normal form; None where it says none of what was asked for.

    A free text is its normal form, None where it is empty.
    """
    if item.judged == "choice":
        options = options_of(item)
        found = parse_letter(text, item.choices, options) if options else parse_choice(text, item.choices)
        return None if found is None else frozenset({normal(found)})
    if item.judged == "labels":
        return parse_labels(text, item.choices)
    return parse_items(text) if item.judged == "items" else frozenset(filter(None, [normal(text)])) or None


def truth(item: Instruction) -> frozenset[str]:
    """The true answer in the form of :func:`parsed`."""
    return frozenset(map(normal, item.parts))


def normal(text: str) -> str:
    """One spelling of a text: no case, no space around signs, no quotes or full stop around it."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(" \"'“”‘’`*.")
    return re.sub(r"\s*([^\w\s])\s*", r"\1", plain)


def parse_letter(text: str, letters: Sequence[str], options: Sequence[str]) -> str | None:
    """The letter that an answer names: alone or in brackets at its beginning, behind 'Answer:' or 'the answer is', or by its option's whole text.

    Two different letters, and a letter that is no choice, are no answer.

    Args:
        text: The answer.
        letters: As the question has them, '(A)' and on.
        options: Their texts.
    """
    plain = DECORATION.sub("", text).strip()
    claims, whole = _claims(plain), _whole(options)
    found = {_named(claim, whole) for claim in claims} - {""}
    if found and not (len(claims) == 1 and normal(claims[0]) in whole):  # brackets in an option's own text are no answers
        found |= {match[1].upper() for match in re.finditer(BRACKETED, plain) if f"({match[1].upper()})" in letters}
    chosen = f"({found.pop()})" if len(found) == 1 else ""
    return chosen if chosen in letters else None


def parse_choice(text: str, choices: Sequence[str]) -> str | None:
    """The choice that an answer begins with, alone or in front of a full stop, a comma or another such mark; 'no effect' is not 'no'.

    Any other choice that stands by itself later makes it no answer.
    """
    plain = DECORATION.sub("", text).strip()
    found = {said for part in _claims(plain) if (said := _leading(part, choices))}
    behind = {normal(part) for part in STOP.split(plain)} | {normal(part) for part in plain.splitlines()}
    other = {choice for choice in choices if normal(choice) in behind and not any(normal(choice) in normal(each) for each in found)}
    return found.pop() if len(found) == 1 and not other else None


def parse_labels(text: str, choices: Sequence[str]) -> frozenset[str] | None:
    """The set of choices that an answer lists, each spelled whole; other words in the list are left out, and None where nothing else is there."""
    known = {normal(choice) for choice in choices}
    parts = _list(text, commas=not any("," in choice for choice in choices))
    found = frozenset(parts) & known
    return found if found or parts == [NOTHING] else None


def parse_items(text: str) -> frozenset[str] | None:
    """The items that an answer lists; None where it is empty."""
    parts = _list(text, commas=False)
    return frozenset(part for part in parts if part != NOTHING) if parts else None


def _claims(text: str) -> list[str]:
    """Where an answer may stand: the beginning, and behind each lead such as 'the answer is'."""
    return [text[match.end() :].strip() for match in LEAD.finditer(text) if _begins(text, match.start())] or [text]


def _begins(text: str, place: int) -> bool:
    """Whether a clause begins here."""
    return bool(re.search(r"(?:^|[.,;:!?\n])\s*$", text[:place]))


def _named(text: str, whole: dict[str, str]) -> str:
    """The letter that a claim names, '' for none; two of them joined together are '?'."""
    if alone := ALONE.fullmatch(text):
        return alone[1].upper()
    spelled = whole.get(normal(text)) or whole.get(normal(text.partition("\n")[0]))
    if spelled:
        return spelled
    match = FIRST.match(text)
    if not match:
        return ""
    letter, following = (match[1] or match[2]).upper(), AND.match(text, match.end())
    return "?" if following and following[1] != letter else letter


def _whole(options: Sequence[str]) -> dict[str, str]:
    """Each option as it may be written out, with or without its letter, to the letter; a text that two options have is none."""
    plain = [normal(DECORATION.sub("", option)) for option in options]
    letters = [chr(ord("A") + place) for place in range(len(options))]
    alone = {text: letter for text, letter in zip(plain, letters, strict=True) if plain.count(text) == 1}
    lettered = {normal(form.format(letter) + text): letter for text, letter in zip(plain, letters, strict=True) for form in ("({}) ", "{}. ", "{}) ", "{}: ")}
    return lettered | alone


def _leading(text: str, choices: Sequence[str]) -> str | None:
    """The longest choice that a claim begins with, up to a mark."""
    ends = [0, *(match.start() for match in STOP.finditer(text)), len(text)]
    beginnings = {normal(text[:end]) for end in ends}
    return max((choice for choice in choices if normal(choice) in beginnings), key=len, default=None)


def _list(text: str, *, commas: bool) -> list[str]:
    plain = DECORATION.sub("", text).strip()
    lead = LEAD.match(plain)
    plain = plain[lead.end() :] if lead else plain
    parts = re.split(rf"[{SEPARATOR.strip()}\n{',' if commas else ''}]", plain)
    return [part for part in (normal(BULLET.sub("", each)) for each in parts) if part]
