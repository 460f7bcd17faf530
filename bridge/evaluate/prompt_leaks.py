"""Prompts that hold what they ask for: a score on them is of reading, not of the measurement."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.data.cohort import Cohort
from bridge.evaluate.copies import COPIED, words
from bridge.evaluate.finding import Finding, listed
from bridge.language.questions import Asked, Question, questions_for
from bridge.language.subject import Subject, region_names, subjects

#: A prompt tells a longer target by runs of this many words.
RUN = 5
MOST_SAMPLES = 100


def told_in_prompts(cohort: Cohort, *, seed: int = 0) -> Iterator[Finding]:
    """Kinds of question that hold their answer, or a fact of it, in up to 100 samples; as they are put, slots filled.

    Around the question a prompt has the same frame for all samples, so the question is all that can tell.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(cohort.ids))[:MOST_SAMPLES])
    questions, told = _questions(cohort), {}
    for subject in subjects(cohort, rows) if questions else ():
        for question in questions:
            asked = question.put(subject, np.random.default_rng(seed))
            if asked and holds_target(asked.question, *_targets(subject, question, asked)):
                told.setdefault(asked.name, []).append(f"{subject.id}: {asked.question}")
    for name, examples in told.items():
        found = f"{len(examples)} of {len(rows)} samples, for example {listed(examples[:1])}"
        yield Finding("target inside the prompt", f"question {name!r}", found, "the answer can be read from the question", severe=True)


def holds_target(prompt: str, *targets: str) -> bool:
    """Whether a prompt tells one of its targets: all of a target of up to five words, most runs of five words of a longer one.

    Args:
        prompt: Text a model is given.
        targets: Texts it is to write, or facts it is to tell.
    """
    given = words(prompt)
    return any(_holds(given, words(target)) for target in targets)


def _holds(given: list[str], wanted: list[str]) -> bool:
    length = min(RUN, len(wanted))
    runs, told = _runs(wanted, length), set(_runs(given, length))
    return bool(runs) and sum(run in told for run in runs) >= COPIED * len(runs)


def _runs(sequence: list[str], length: int) -> list[tuple[str, ...]]:
    return list(zip(*(sequence[start:] for start in range(length)), strict=False))


def _questions(cohort: Cohort) -> list[Question]:
    """What a cohort can be asked, with every text column as the report; nothing where it has nothing to ask about."""
    askable = region_names(cohort) or cohort.facts
    asked = questions_for(cohort) if askable else []
    return asked + [questions_for(cohort, column)[-1] for column in cohort.texts]


def _targets(subject: Subject, question: Question, asked: Asked) -> list[str]:
    """The answer, and the facts in it where the question is of the modality that tells them: one word of them is the answer.

    A comparison names regions by design, and a region may be called like a fact (the eye field), so other questions do not count.
    """
    told = [column for column, modality in subject.fact_modality.items() if modality in question.needs or not question.needs]
    said = words(asked.answer)
    items = [item for column in told for item in subject.facts[column] if _holds(said, words(item))]
    return [asked.answer, *items]
