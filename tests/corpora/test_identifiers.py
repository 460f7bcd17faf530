"""What the scan finds of each class in made-up notes, what it leaves alone, and what a redacted note looks like."""

import numpy as np
import pytest

from bridge.corpora.identifiers import PATTERNS, scan

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


def forms(random):
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


def measured_recall(name, seed=0):
    random = np.random.default_rng(seed)
    found = 0
    for number in range(NOTES):
        ways = forms(random)[name]
        found += name in scan(f"The patient was seen and is well; {ways[number % len(ways)]} after the visit.").found
    return found / NOTES


@pytest.mark.parametrize("name", PATTERNS)
def test_recall_on_made_up_notes_is_what_is_published(name):
    assert measured_recall(name) == pytest.approx(RECALL[name])


@pytest.mark.parametrize(
    "text",
    [
        "Blood pressure 120/80, pulse 72, strength 5/5, glucose 98, temperature 98.6, O2 saturation 95% on 2 L.",
        "A 76-year-old woman takes metoprolol 25 mg 1-2 times a day since 2008; ejection fraction 90%, aged 45.",
        "Lactate dehydrogenase (EC 1.1.1.27), EC:1.14.11.4; a refraction of +2.00 or +100; haemoglobin 9.7-12.",
        "L4-L5 disc, T12-L1; C5/6; grade 2/6 murmur; ratio 1:2:3; version 1.2.3; 10 to 14 days; 3-4-5 rule.",
        "Doctor: How are you? Patient: I may 5 times a day feel dizzy, as in march music. Drug name: Aspirin.",
        "NM_001165963.4(SCN1A):c.2589+3A>T, HP:0001250, OMIM 607208, doi 10.1093, chromosome 2, base 165,984,641.",
        "Seen on [**2151-7-16**] by Dr. [**Last Name (STitle) 123**] of [**Hospital 4**].",
        "He DO NOT resuscitate order was discussed; the court way of life; 5 Place of birth.",
    ],
)
def test_what_is_no_identifier_is_left_alone(text):
    assert scan(text) == (text, {})


def test_a_redacted_note_names_the_class_and_counts_it():
    text = "Dr. Kumar saw the 94-year-old man of 12 Elm Street on July 31, 2008 and on 8/2/08; call 555-123-4567 or mail a.b@c.org."
    found = scan(text)
    assert found.text == "[name] saw the [age over 89] man of [address] on [date] and on [date]; call [phone] or mail [email]."
    assert found.found == {"email": 1, "date": 2, "phone": 1, "address": 1, "age over 89": 1, "name": 1}
    assert scan(found.text) == (found.text, {})


def test_numbers_of_one_class_are_not_taken_for_another():
    assert scan("SSN 123-45-6789.").found == {"ssn": 1}
    assert scan("MRN 555-123-4567.").found == {"record number": 1}
    assert scan("http://10.0.0.1/2008-07-31/x").found == {"url": 1}
