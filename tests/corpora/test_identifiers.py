"""What the scan finds of each class in made-up notes, what it leaves alone, and what a redacted note looks like."""

import pytest
from identifier_notes import RECALL, measured_recall

from bridge.corpora.identifiers import PATTERNS, scan


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
