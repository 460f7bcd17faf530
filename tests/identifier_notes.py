"""Made-up notes with one identifier each, and how many of them the scan finds."""

from __future__ import annotations

import numpy as np

from bridge.corpora.identifiers import scan

NOTES = 200
#: Recall per class on 200 made-up notes each, seed 0, as measured. Below 1 because the last form of a class in ``forms`` is one
#: that a pattern cannot tell from other words and numbers: a name without a title, a number without a label, a date in words.
RECALL = {
    "name": 0.8,
    "phone": 0.8,
    "email": 1.0,
    "record number": 0.8,
    "ssn": 1.0,
    "date": 0.835,
    "address": 0.75,
    "age over 89": 0.8,
    "url": 1.0,
    "ip": 1.0,
}

FIRST, LAST = ("Anna", "Jorge", "Mei", "Tom", "Ingrid"), ("Kumar", "O’Neill", "Garcia-Lopez", "Smith", "Brown")
MONTHS = ("January", "Feb", "March", "Aug.", "December")
STREETS = ("Elm Street", "N. Oak Ave", "Saint Mary Road", "5th Avenue", "Lake Shore Drive")


def forms(random: np.random.Generator) -> dict[str, list[str]]:
    """Ways to write an identifier of each class; the last of a list are such as patterns miss."""
    first, last, month = random.choice(FIRST), random.choice(LAST), random.choice(MONTHS)
    day, year, old = random.integers(1, 29), random.integers(1950, 2025), random.integers(90, 110)
    digits = "".join(map(str, random.integers(1, 10, 10)))
    area, middle, end = digits[:3], digits[3:6], digits[6:]
    return {
        "name": [f"seen by Dr. {last}", f"Mrs {first} {last} came", f"Patient name: {first} {last}", f"signed: {first} {last}, MD", f"her son {first} agrees"],
        "phone": [
            f"call ({area}) {middle}-{end}",
            f"{area}-{middle}-{end} for results",
            f"+44 20 {digits[:4]} {end}",
            f"pager {middle}-{end}",
            f"at {area}{middle}{end}",
        ],
        "email": [f"write to {first.lower()}.b@clinic-mail.org", f"{first.lower()}_7@mail.example.com"],
        "record number": [
            f"MRN: {digits[:7]}",
            f"medical record number {digits[:8]}",
            f"Patient ID #{digits[:6]}",
            f"chart no. {digits[:6]}",
            f"[{digits[:8]}] admitted",
        ],
        "ssn": [f"SSN {area}-{digits[3:5]}-{end}", f"social security number {area} {digits[3:5]} {end}"],
        "date": [
            *(f"on {month} {day}, {year}", f"on {day} {month} {year}", f"on {random.integers(1, 13)}/{day}/{year}", f"in {month} {year}"),
            *(f"on {year}-{random.integers(1, 13):02}-{day:02}", f"the {day}th of {month.lower()}"),
        ],
        "address": [
            f"lives at {random.integers(1, 999)} {random.choice(STREETS)}",
            f"Springfield, IL {digits[:5]}",
            f"P.O. Box {digits[:3]}",
            f"the red house in {last}ville",
        ],
        "age over 89": [f"a {old}-year-old man", f"aged {old}", f"{old} y/o woman", "ninety-four years old", f"his {old}th birthday"],
        "url": [f"https://portal.example.org/{digits}", "see www.clinic-site.org/results"],
        "ip": [f"from 10.{day}.0.{old}", "from 2001:0db8:0000:0000:0000:ff00:0042:8329"],
    }


def measured_recall(name: str, seed: int = 0) -> float:
    """Share of made-up notes in which the scan finds the identifier of this class."""
    random = np.random.default_rng(seed)
    found = 0
    for number in range(NOTES):
        ways = forms(random)[name]
        found += name in scan(f"The patient was seen and is well; {ways[number % len(ways)]} after the visit.").found
    return found / NOTES
