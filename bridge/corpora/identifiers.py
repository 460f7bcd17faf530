"""Obvious identifiers of people in a text, by class: what must not be trained on.

The classes follow the Safe Harbor list of HIPAA, 45 CFR 164.514(b)(2), as far as patterns can tell them. A name without a
title or a label, and a date in words, are not found: this is a last look at notes that were de-identified, not a de-identification.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

#: What is done with a document that has identifiers: it is left out, they are replaced by their class, or nobody looks.
Handling = Literal["refuse", "redact", "ignore"]

#: A place that was already de-identified, as MIMIC writes it: ``[**2151-7-16**]``.
PLACEHOLDER = re.compile(r"(\[\*\*.*?\*\*\])")

_MONTH = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d{2}"
_NAME = r"(?:[A-Z][\w'’-]+|[A-Z]\.)(?:[ ,]+(?:[A-Z][\w'’-]+|[A-Z]\.)){0,2}"
_STREET = r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Terrace|Square|Parkway|Pkwy|Highway|Hwy)\b"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_OVER_89 = r"(?:9\d|1[0-2]\d)"
_TENS = r"(?:ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|one hundred(?: and \w+)?)"

#: Class to its pattern, in the order in which they are looked for: an address in the net is no telephone number.
PATTERNS = {
    "email": re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "url": re.compile(r"\b(?:https?|ftp)://[^\s<>\"')\]]+|\bwww\.[\w-]+(?:\.[\w-]+)+[^\s<>\"')\]]*", re.IGNORECASE),
    "ip": re.compile(rf"(?<![\w.])(?<!EC[ :])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w.]\d|\d)|(?<![\w:])(?:[0-9A-Fa-f]{{1,4}}:){{7}}[0-9A-Fa-f]{{1,4}}(?![\w:])"),
    "ssn": re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])|\b(?:SSN|social security(?: number| no\.?)?)\W{0,4}\d{3}[- ]?\d{2}[- ]?\d{4}\b", re.IGNORECASE),
    "record number": re.compile(
        r"\b(?:MRN|MR ?#|medical record(?: number| no\.?)?|record (?:number|no\.?)|patient (?:ID|number|no\.?)|chart (?:number|no\.?)"
        r"|account (?:number|no\.?)|hospital (?:number|no\.?)|accession(?: number| no\.?)?|encounter(?: number| no\.?)?)"
        r"(?: is)?[\s:#=]{0,4}[A-Z]{0,4}-?\d[\d-]{3,}",
        re.IGNORECASE,
    ),
    "date": re.compile(
        rf"(?<![\d/.-])(?:{_DAY}(?P<apart>[/.-]){_DAY}(?P=apart)(?:{_YEAR}|\d{{2}})|{_YEAR}(?P<between>[/.-]){_DAY}(?P=between){_DAY})(?![\d/-]|\.\d)"
        rf"|\b{_MONTH} +{_DAY}(?:st|nd|rd|th)?\b(?:,? +{_YEAR}\b)?"
        rf"|\b{_DAY}(?:st|nd|rd|th)?(?: of)?[ -]+{_MONTH}(?:,?[ -]+{_YEAR}\b)?"
        rf"|\b{_MONTH}(?: of)?,? +{_YEAR}\b"
    ),
    "phone": re.compile(
        r"(?<![\w.-])(?:\+?1[-. ]?)?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-])"
        r"|(?<!\w)\+(?=(?:[ .()-]{0,2}\d){8})\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}(?!\w)"
        r"|\b(?:tel(?:ephone)?|phone|fax|pager|cell|mobile)\b(?: number| no\.?)?\W{0,4}\d[\d .()-]{5,}\d",
        re.IGNORECASE,
    ),
    "address": re.compile(
        rf"\b\d{{1,5}} (?:[NSEW]\.? )?(?:(?:[A-Z][\w'’-]*|\d+(?:st|nd|rd|th)) ){{1,3}}{_STREET}|\bP\.? ?O\.? Box \d+"
        r"|\b[A-Z][a-z]+(?: [A-Z][a-z]+){0,2}, [A-Z]{2} \d{5}(?:-\d{4})?\b"
    ),
    "age over 89": re.compile(
        rf"\b(?:{_OVER_89}|{_TENS})[- ]?(?:years?|yrs?\.?|y)[-/ ]?(?:old|o\b|of age)"
        rf"|\b(?:aged?|age of)[: ]+{_OVER_89}\b(?! ?%)|\b{_OVER_89} ?y/?o\b",
        re.IGNORECASE,
    ),
    "name": re.compile(
        rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor|Doctor|Sister|Father|Rev)\b\.? +{_NAME}"
        rf"|(?:^[ \t]*Name|\b(?:[Pp]atient(?:'s)?|[Ff]ull|[Ll]ast|[Ff]irst) [Nn]ame|\bNAME)[:=] *{_NAME}"
        rf"|\b(?:[Aa]ttending|[Dd]ictated by|[Ss]igned(?: by)?|[Rr]eferred by|[Nn]ext of kin)[:=] *{_NAME}"
        rf"|\b{_NAME},? (?:MD|M\.D\.|D\.O\.|RN|PhD|NP)(?!\w)",
        re.MULTILINE,
    ),
}


class Scanned(NamedTuple):
    """A text with its identifiers replaced by their class, and how many there were of each class."""

    text: str
    found: dict[str, int]


def scan(text: str) -> Scanned:
    """Look for identifiers; what was already replaced by a placeholder is let be."""
    found: dict[str, int] = {}
    pieces = [piece if number % 2 else _redacted(piece, found) for number, piece in enumerate(PLACEHOLDER.split(text))]
    return Scanned("".join(pieces), found)


def _redacted(text: str, found: dict[str, int]) -> str:
    for name, pattern in PATTERNS.items():
        text, count = pattern.subn(f"[{name}]", text)
        if count:
            found[name] = found.get(name, 0) + count
    return text
