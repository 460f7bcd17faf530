"""What is asked of a sample and what the true answer is, from the sample's measured data.

Questions hold no measured value, and none but "compare" names a region: an answer has to come from the prefix.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from bridge.data.cohort import Cohort
from bridge.language import grammar
from bridge.language.subject import NAMED, RegionValues, Subject, fact_vocabulary, region_names, subjects

__all__ = ["Asked", "Question", "RegionValues", "Subject", "fact_vocabulary", "questions_for", "region_names", "sample_questions", "subjects"]

ITEMS = 5  # items of one fact column that an answer lists
#: Phrasings that ask for the report; the first is the one asked outside training.
REPORT_ASK = ("Write the report.", "Report the findings on everything that was given.", "Write a full report of the inputs.")


class Answer(NamedTuple):
    """A true answer, and what the draw put into the question's slots."""

    text: str
    slots: tuple[tuple[str, str], ...] = ()


class Asked(NamedTuple):
    """One question as put to the model, with its true answer."""

    name: str
    question: str
    answer: str


@dataclasses.dataclass(frozen=True)
class Question:
    """A kind of question.

    Args:
        name: Unique name, for logs.
        needs: Modalities without which it cannot be asked.
        ask: Phrasings of the same question, one of which is drawn; ``{slot}`` is filled from the answer.
        answer: The true answer for a subject, None where there is none.
        weight: How often it is drawn, relative to the others.
    """

    name: str
    needs: frozenset[str]
    ask: tuple[str, ...]
    answer: Callable[[Subject, np.random.Generator], Answer | None]
    weight: float = 1.0

    def put(self, subject: Subject, rng: np.random.Generator) -> Asked | None:
        """The question for one subject, None where it needs a modality that is absent or has no true answer."""
        answer = self.answer(subject, rng) if self.needs <= subject.present else None
        if answer is None:
            return None
        question = self.ask[rng.integers(len(self.ask))]
        for slot, value in answer.slots:
            question = question.replace("{" + slot + "}", value)
        return Asked(self.name, question, answer.text)


def questions_for(cohort: Cohort, text: str | None = None) -> list[Question]:
    """Every kind of question this cohort can answer.

    Args:
        cohort: Any cohort: region names give questions about maps, fact columns questions about facts.
        text: Text column that is the report; where a cohort has neither regions nor facts it is the first one.

    Raises:
        ValueError: the cohort has nothing to ask about, or no such text column.
    """
    maps, facts = region_names(cohort), cohort.facts
    vocabulary = fact_vocabulary(cohort)
    questions = [question for modality in maps for question in _map_questions(modality)]
    questions += [_fact_question(column, facts[column], vocabulary[column]) for column in facts]
    pairs = [(modality, column) for modality in maps for column in facts if facts[column] != modality]
    questions += [_both_question(modality, column, facts[column], vocabulary[column]) for modality, column in pairs]
    if text is not None or not questions:
        return [*questions, _text_question(_text_column(cohort, text))]
    told = [modality for modality in cohort.modalities if modality in maps]
    told += [modality for modality in cohort.modalities if modality in facts.values() and modality not in maps]
    return [*questions, _report_question(told, frozenset(maps), vocabulary)]


def sample_questions(
    subject: Subject, questions: Sequence[Question], present: Iterable[str], seed: int | Sequence[int], *, count: int | None = None
) -> list[Asked]:
    """Questions for one subject in random order; the same seed and subject give the same questions.

    Args:
        subject: The sample.
        questions: From :func:`questions_for`.
        present: Modalities that are handed to the model, for example after modality dropout.
        seed: A number, or several such as (seed, step).
        count: How many at most; all that can be asked when None.
    """
    rng = np.random.default_rng([*np.atleast_1d(seed).tolist(), zlib.crc32(subject.id.encode())])
    given = subject.given(present)
    # Exponential waiting times with these rates come up in the order of a weighted draw without replacement.
    order = np.argsort(rng.exponential(size=len(questions)) / [question.weight for question in questions])
    asked = [item for number in order if (item := questions[number].put(given, rng)) is not None]
    return asked[:count]


def _map_questions(modality: str) -> list[Question]:
    name = grammar.map_label(modality)
    asks = {
        "highest": (f"Which regions of the {name} are highest?", f"Name the highest regions of the {name}.", f"Where does the {name} peak?"),
        "lowest": (f"Which regions of the {name} are lowest?", f"Name the lowest regions of the {name}."),
        "describe": (f"Describe the {name}.", f"What does the {name} show?", f"Summarise the {name}: where is it high and where is it low?"),
        "compare": (f"In the {name}, is the {{first}} higher or lower than the {{second}}?", f"Compare the {{first}} with the {{second}} in the {name}."),
    }
    answers = {"highest": _extremes(modality, grammar.HIGHEST), "lowest": _extremes(modality, grammar.LOWEST)}
    answers |= {"describe": _extremes(modality, grammar.HIGHEST, grammar.LOWEST), "compare": _compare(modality)}
    return [Question(f"{kind}:{modality}", frozenset({modality}), asks[kind], answers[kind]) for kind in asks]


def _extremes(modality: str, *directions: str) -> Callable[[Subject, np.random.Generator], Answer | None]:
    def answer(subject: Subject, rng: np.random.Generator) -> Answer | None:
        parts = _map_parts(subject, modality, directions)
        return Answer(grammar.sentence(parts)) if parts else None

    return answer


def _compare(modality: str) -> Callable[[Subject, np.random.Generator], Answer | None]:
    def answer(subject: Subject, rng: np.random.Generator) -> Answer | None:
        pair = separated_pair(subject.regions[modality], rng)
        if pair is None:
            return None
        first, direction, second = pair
        return Answer(grammar.capitalised(grammar.comparison(first, direction, second)) + ".", (("first", first), ("second", second)))

    return answer


def separated_pair(regions: RegionValues, rng: np.random.Generator) -> tuple[str, str, str] | None:
    """Two regions at least a third of the ranks apart, and whether the first is higher or lower than the second."""
    order = regions.ordered()
    gap = -(-len(order) // 3)
    if len(order) < NAMED:
        return None
    upper = int(rng.integers(len(order) - gap))
    pair = [order[upper], order[rng.integers(upper + gap, len(order))]]
    if regions.values[pair[0]] == regions.values[pair[1]]:
        return None
    first, second = pair if (higher := rng.random() < 0.5) else pair[::-1]
    return regions.names[first], grammar.HIGHER if higher else grammar.LOWER, regions.names[second]


def _fact_question(column: str, modality: str, vocabulary: tuple[str, ...]) -> Question:
    said, owner = grammar.label(column), grammar.label(modality)
    ask = (f"Name the {said} linked to this {owner}.", f"What is known of the {said} for this {owner}?", f"Summarise the {said} for this {owner}.")

    def answer(subject: Subject, rng: np.random.Generator) -> Answer | None:
        parts = _fact_parts(subject, column, vocabulary)
        return Answer(grammar.sentence(parts)) if parts else None

    return Question(f"facts:{column}", frozenset({modality}), ask, answer)


def _both_question(modality: str, column: str, owner: str, vocabulary: tuple[str, ...]) -> Question:
    name, said, of = grammar.map_label(modality), grammar.label(column), grammar.label(owner)
    ask = (f"Name the highest region of the {name} and the {said} linked to this {of}.", f"Where does the {name} peak, and what is the {said} for this {of}?")

    def answer(subject: Subject, rng: np.random.Generator) -> Answer | None:
        peak, facts = subject.regions[modality].extremes(grammar.HIGHEST)[:1], _fact_parts(subject, column, vocabulary)
        return Answer(grammar.sentence([grammar.extreme(grammar.HIGHEST, peak), *facts])) if peak and facts else None

    return Question(f"both:{modality}:{column}", frozenset({modality, owner}), ask, answer)


def _report_question(told: Sequence[str], maps: frozenset[str], vocabulary: dict[str, tuple[str, ...]]) -> Question:
    def section(subject: Subject, modality: str) -> str:
        if modality not in subject.present:
            return grammar.absent(grammar.map_label(modality) if modality in maps else grammar.label(modality))
        parts = _map_parts(subject, modality, (grammar.HIGHEST, grammar.LOWEST)) if modality in maps else []
        columns = [column for column in vocabulary if subject.fact_modality[column] == modality]
        return grammar.section(modality, parts + [part for column in columns for part in _fact_parts(subject, column, vocabulary[column])])

    def answer(subject: Subject, rng: np.random.Generator) -> Answer | None:
        given = subject.present & set(told)
        return Answer(" ".join(section(subject, modality) for modality in told)) if given else None

    # The report is what is scored in the end, so it is drawn more often than any single question.
    return Question("report", frozenset(), REPORT_ASK, answer, weight=3.0)


def _text_question(column: str) -> Question:
    ask = (*REPORT_ASK, f"Write the {grammar.label(column)} of this sample.")

    def answer(subject: Subject, rng: np.random.Generator) -> Answer | None:
        text = subject.texts[column].strip()
        return Answer(text) if text and subject.present else None

    return Question("report", frozenset(), ask, answer)


def _text_column(cohort: Cohort, text: str | None) -> str:
    if text is None and cohort.texts:
        return cohort.texts[0]
    if text not in cohort.texts:
        raise ValueError(
            f"{cohort.source}: text column {text!r} is not in the cohort, found {cohort.texts}; "
            "a model needs region names, fact columns or a text column to be asked about: add one with: bridge data build"
        )
    return text


def _map_parts(subject: Subject, modality: str, directions: Iterable[str]) -> list[str]:
    regions = subject.regions[modality]
    return [grammar.extreme(direction, regions.extremes(direction)) for direction in directions] if regions.named else []


def _fact_parts(subject: Subject, column: str, vocabulary: tuple[str, ...]) -> list[str]:
    """At most one part: the items in the order of the vocabulary. An item never seen in training cannot be asked for."""
    items = [item for item in vocabulary if item in subject.facts.get(column, ())][:ITEMS]
    return [grammar.known(column, items)] if items else []
