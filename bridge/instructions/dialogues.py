"""Two public sets as instructions: MTS-Dialog, where a dialogue becomes a section of a note, and MEDIQA-RQE, where one question entails another.

Ben Abacha et al. 2023, doi:10.18653/v1/2023.eacl-main.168 (CC BY 4.0); Ben Abacha et al. 2019, doi:10.18653/v1/W19-5039.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

from bridge.corpora.files import opened, text_of
from bridge.corpora.safe_xml import elements, plain
from bridge.instructions.item import Instruction
from bridge.instructions.task import Draw, Task

#: Section headers of MTS-Dialog in words.
SECTIONS = {
    "ALLERGY": "allergies",
    "ASSESSMENT": "assessment",
    "CC": "chief complaint",
    "DIAGNOSIS": "diagnosis",
    "DISPOSITION": "disposition",
    "EDCOURSE": "emergency department course",
    "EXAM": "physical examination",
    "FAM/SOCHX": "family and social history",
    "GENHX": "history of present illness",
    "GYNHX": "gynaecological history",
    "IMAGING": "imaging",
    "IMMUNIZATIONS": "immunisations",
    "LABS": "laboratory results",
    "MEDICATIONS": "medications",
    "OTHER_HISTORY": "other history",
    "PASTMEDICALHX": "past medical history",
    "PASTSURGICAL": "past surgical history",
    "PLAN": "plan",
    "PROCEDURES": "procedures",
    "ROS": "review of systems",
}

SECTION = Task(
    "dialogue-section",
    "summarisation",
    (
        "{dialogue}\n\nWrite the section '{section}' of the clinical note.",
        "Read the dialogue.\n{dialogue}\n\nSummarise it as the section '{section}' of a note.",
        "{dialogue}\n\nWhat goes into the note under '{section}'?",
        "Dialogue of doctor and patient:\n{dialogue}\n\nNote, section '{section}':",
        "{dialogue}\n\nTurn this talk into the note's section '{section}'.",
        "Document the following visit under the heading '{section}'.\n{dialogue}",
    ),
    judged="text",
    source="mts-dialog",
    licence="CC BY 4.0",
)
ENTAILED = Task(
    "question-entailment",
    "inference",
    (
        "First question: {first}\nSecond question: {second}\nDoes a full answer to the second also answer the first, at least in part?",
        "{first}\n{second}\nDoes the first question entail the second?",
        "A patient asks: {first}\nA known question: {second}\nWould its answer help the patient?",
        "Decide whether question 1 entails question 2.\n1: {first}\n2: {second}",
        "Asked: {first}\nAnswered before: {second}\nDoes the earlier answer cover what is asked, at least partly?",
        "Is the second question implied by the first?\n{first}\n{second}",
    ),
    source="mediqa-rqe",
    licence="none stated (US National Library of Medicine)",
)


def read_mts_dialog(path: str | Path, split: str = "train", *, seed: int = 0) -> Iterator[Instruction]:
    """Dialogues of one CSV file of MTS-Dialog.

    Args:
        path: ``TrainingSet.csv``, ``ValidationSet.csv`` or a test set.
        split: Split the items are for.
        seed: Of the wordings.

    Raises:
        ValueError: a column is missing, or a section is unknown.
    """
    path, draw = Path(path), Draw(split, (seed, 1))
    rows = csv.DictReader(io.StringIO(text_of(path), newline=""))
    missing = {"ID", "section_header", "section_text", "dialogue"} - set(rows.fieldnames or ())
    if missing:
        raise ValueError(f"{path}: found no column {sorted(missing)[0]!r}, expected ID, section_header, section_text and dialogue")
    for row in rows:
        header = row["section_header"].strip().upper()
        if header not in SECTIONS:
            raise ValueError(f"{path}, ID {row['ID']}, field section_header: found {header!r}, expected one of {', '.join(SECTIONS)}")
        dialogue = "\n".join(_spaced(line) for line in row["dialogue"].strip().splitlines())
        text = _spaced(row["section_text"])
        if text and dialogue:
            yield SECTION.put(draw, f"mts-dialog {_digest(dialogue)}", text, dialogue=dialogue, section=SECTIONS[header])


def read_question_entailment(path: str | Path, split: str = "train", *, seed: int = 0) -> Iterator[Instruction]:
    """Pairs of questions of one XML file (or .gz) of MEDIQA-RQE.

    Args:
        path: ``TrainingSet.xml``, ``ValidationSet.xml`` or ``TestSet-wLabels.xml``.
        split: Split the items are for.
        seed: Of the wordings and the order of the choices.

    Raises:
        ValueError: the file is no XML, or the value of a pair is neither true nor false.
    """
    path, draw = Path(path), Draw(split, (seed, 2))
    with opened(path) as stream:
        for _, pair in elements(str(path), stream, "pair"):
            first, second = plain(pair.find("chq")), plain(pair.find("faq"))
            if pair.get("value") not in ("true", "false"):
                raise ValueError(f"{path}, pair {pair.get('pid')!r}, field value: found {pair.get('value')!r}, expected true or false")
            answer = "yes" if pair.get("value") == "true" else "no"
            if first and second:  # a few pairs of the published training set have an empty question
                yield ENTAILED.put(draw, f"mediqa-rqe {_digest(first)}", answer, ("yes", "no"), first=first, second=second)


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
