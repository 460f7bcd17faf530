"""Benchmarks that sort texts: hallmarks of cancer (HoC), specialties of transcribed notes (MTSample), drug interactions (DDI-2013)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from bridge.instructions.item import Instruction
from bridge.medical.asking import asked, listed, shortened
from bridge.medical.files import field, one_of, rows_of, split_files

WORDS = 400  # of an abstract or a note
HALLMARKS = (
    "activating invasion and metastasis",
    "avoiding immune destruction",
    "cellular energetics",
    "enabling replicative immortality",
    "evading growth suppressors",
    "genomic instability and mutation",
    "inducing angiogenesis",
    "resisting cell death",
    "sustaining proliferative signaling",
    "tumor promoting inflammation",
)
NO_INTERACTION = "false"
INTERACTIONS = {"DDI-mechanism": "mechanism", "DDI-effect": "effect", "DDI-advise": "advise", "DDI-int": "int", "DDI-false": NO_INTERACTION}
INTERACTION_QUESTION = (
    "What does the sentence say of the two drugs marked @DRUG$? mechanism: one changes the level of the other; effect: they change each other's effect; "
    "advise: how to use them together; int: that they interact, no more; false: no interaction."
)


def hoc(folder: Path) -> Iterator[Instruction]:
    """Abstracts with any of ten hallmarks of cancer, in the split that Me-LLaMA's laboratory published.

    Source: Baker et al., Bioinformatics 2016.
    """
    for split, path in split_files(folder, {"train": ("train",), "validation": ("dev",), "test": ("test",)}):
        for place, row in rows_of(path):
            found = {one_of(label.strip(), dict.fromkeys(HALLMARKS, label.strip()), place, "gold") for label in field(row, place, "gold").split(";")}
            text = f"Abstract: {shortened(field(row, place, 'sentence'), WORDS)}\nWhich hallmarks of cancer does it speak of?"
            yield Instruction(
                id=f"hoc-{field(row, place, 'index')}",
                family="classification",
                source="hoc",
                question=asked(text, "labels", HALLMARKS),
                answer=listed([label for label in HALLMARKS if label in found]),
                judged="labels",
                choices=HALLMARKS,
                group=field(row, place, "index"),
                split=split,
                licence="GPL-3.0",
            )


def ddi(folder: Path) -> Iterator[Instruction]:
    """Sentences with two marked drugs and what they say of their interaction; the published test part shares no document with the others.

    Source: Herrero-Zazo et al., Journal of Biomedical Informatics 2013.
    """
    choices = tuple(INTERACTIONS.values())
    for split, path in split_files(folder, {"train": ("train_rebuilt", "train"), "validation": ("dev",), "test": ("test",)}):
        for place, row in rows_of(path):
            number = field(row, place, "index")
            yield Instruction(
                id=f"ddi-{number}",
                family="relation extraction",
                source="ddi-2013",
                question=asked(f"Sentence: {shortened(field(row, place, 'sentence'), WORDS)}\n{INTERACTION_QUESTION}", "choice", choices),
                answer=one_of(field(row, place, "gold"), INTERACTIONS, place, "gold"),
                judged="choice",
                choices=choices,
                group=number.partition(".s")[0],
                split=split,
                licence="CC BY-NC 4.0",
            )


def mtsample(folder: Path) -> Iterator[Instruction]:
    """Transcribed notes with their specialty: ``mtsamples.csv``. It has no split, so a fifth is held out by a hash of the note.

    A note that stands under several specialties has each of them as a row, as published; its copies stay in one split.
    """
    rows = [(place, row) for _, path in split_files(folder, {"test": ("mtsamples",)}, (".csv",)) for place, row in rows_of(path) if row.get("transcription")]
    choices = tuple(sorted({field(row, place, "medical_specialty") for place, row in rows}))
    for number, (place, row) in enumerate(rows):
        note = field(row, place, "transcription")
        digest = hashlib.sha256(" ".join(note.split()).encode()).hexdigest()
        yield Instruction(
            id=f"mtsample-{number:05d}",
            family="classification",
            source="mtsample",
            question=asked(f"Note: {shortened(note, WORDS)}\nWhich specialty does the note belong to?", "choice", choices),
            answer=field(row, place, "medical_specialty"),
            judged="choice",
            choices=choices,
            group=digest[:16],
            split="test" if int(digest, 16) % 5 == 0 else "train",
            licence="CC0-1.0",
        )
