"""Brain phenotype, gene facts and reports: questions on a cohort's own measurements, with the sample's soft tokens in front."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator

from bridge.data.cohort import Cohort
from bridge.instructions.item import Instruction
from bridge.instructions.task import KEPT
from bridge.language import grammar
from bridge.language.questions import Question, questions_for, sample_questions, subjects

#: Wordings beside those of ``bridge.language.questions``, which the product asks and training therefore holds; the last two are the test's.
FURTHER = {
    "highest": (
        "Where is the {name} at its highest?",
        "List the regions with the highest values in the {name}.",
        "In which regions does the {name} reach its top values?",
        "Give the regions that lead the {name}.",
    ),
    "lowest": (
        "Where is the {name} at its lowest?",
        "List the regions with the lowest values in the {name}.",
        "In which regions does the {name} reach its bottom values?",
        "Give the regions that come last in the {name}.",
    ),
    "describe": (
        "Give an account of the {name}.",
        "Say where the {name} is highest and lowest.",
        "Put the {name} into words.",
        "What are the extremes of the {name}?",
    ),
    "compare": (
        "Is the {{first}} higher or lower than the {{second}} in the {name}?",
        "Set the {{first}} against the {{second}} in the {name}.",
        "How does the {{first}} stand to the {{second}} in the {name}?",
        "Which way does the {name} differ between the {{first}} and the {{second}}?",
    ),
    "facts": (
        "List the {said} of this {owner}.",
        "Which {said} belong to this {owner}?",
        "State the {said} recorded for this {owner}.",
        "Give the {said} that go with this {owner}.",
    ),
    "both": (
        "Give the highest region of the {name} with the {said} of this {owner}.",
        "State where the {name} is highest and the {said} for this {owner}.",
        "Name the peak of the {name}, then the {said} of this {owner}.",
        "What is the top region of the {name}, and which {said} does this {owner} have?",
        "Combine the two: the highest region of the {name} and the {said} of this {owner}.",
    ),
    "report": (
        "Set out what the inputs show.",
        "Draft the report of this sample.",
        "Put all inputs into a report.",
        "Give the findings of this sample as a report.",
    ),
}


def family_of(question: str) -> str:
    """The family of a kind of question by its name: ``highest:brain``, ``facts:inheritance``, ``report``."""
    return {"report": "report", "facts": "gene disease"}.get(question.partition(":")[0], "brain phenotype")


def wordings(question: Question, cohort: Cohort) -> tuple[str, ...]:
    """Every wording of a kind of question, those of the test last."""
    kind, *parts = question.name.split(":")
    slots = {}
    if kind == "facts":
        slots = {"said": grammar.label(parts[0]), "owner": grammar.label(cohort.facts[parts[0]])}
    elif kind != "report":
        slots = {"name": grammar.map_label(parts[0])}
    if kind == "both":
        slots |= {"said": grammar.label(parts[1]), "owner": grammar.label(cohort.facts[parts[1]])}
    return (*question.ask, *(wording.format(**slots) for wording in FURTHER[kind]))


def measured(cohort: Cohort, split: str, *, seed: int = 0, rounds: int = 2) -> Iterator[Instruction]:
    """Questions on every sample of a split, ``rounds`` wordings of each kind; the answers are those of ``bridge.language.questions``.

    Args:
        cohort: With named regions, fact columns or a text.
        split: Whose samples and wordings.
        seed: Of the wordings and of what is compared.
        rounds: How often each kind is asked of each sample, each time with another draw.

    Raises:
        ValueError: the cohort has nothing to ask about.
    """
    worded = {question.name: wordings(question, cohort) for question in questions_for(cohort)}
    asked = [_for_split(question, worded[question.name], split) for question in questions_for(cohort)]
    groups = cohort.table.obs["group"].astype(str).tolist()
    rows = cohort.rows(split)
    seen: set[tuple[str, str]] = set()
    for row, subject in zip(rows, subjects(cohort, rows), strict=True):
        for number in range(rounds):
            for each in sample_questions(subject, asked, subject.present, (seed, number, zlib.crc32(split.encode()))):
                if (subject.id, each.question) not in seen:
                    seen.add((subject.id, each.question))
                    yield _item(each, subject.id, groups[row], split, cohort, number)


def _for_split(question: Question, worded: tuple[str, ...], split: str) -> Question:
    return dataclasses.replace(question, ask=worded[-KEPT:] if split == "test" else worded[:-KEPT])


def _item(asked, sample: str, group: str, split: str, cohort: Cohort, number: int) -> Instruction:
    return Instruction(
        id=f"{asked.name}:{sample}:{number}",
        family=family_of(asked.name),
        source="cohort",
        question=asked.question,
        answer=asked.answer,
        group=f"sample group {group}",
        template=f"{asked.name}/{'test' if split == 'test' else 'training'}",
        split=split,
        licence="; ".join(dict.fromkeys(filter(None, (cohort.card(modality).licence for modality in cohort.modalities)))),
        sample=sample,
    )
