"""The rows of a language model on cases: zero-shot, on the candidates of a ranker, and there with soft tokens of the case's gene."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bridge.benchmark.answerers import opened
from bridge.benchmark.case_modes import (
    ORDERED,
    ZERO_SHOT,
    Likelihoods,
    best_weight,
    nearest,
    preferences,
    reordered,
    retrieval_questions,
    usual_likelihoods,
    written_preferences,
    written_ranks,
)
from bridge.benchmark.case_scores import GIVEN, Asked, difference, difference_in_words, put_ranks
from bridge.benchmark.results import OURS, Record
from bridge.bundle import load
from bridge.cases.case import Case
from bridge.cases.knowledge import Disease
from bridge.cases.rank import positions
from bridge.cases.words import Diagnoses, case_in_words
from bridge.data.cohort import Cohort
from bridge.data.hpo import Ontology
from bridge.evaluate.likelihood import choice_log_likelihoods
from bridge.medical.answer import Answerer, BundleAnswerer
from bridge.medical.comparators import EndpointAnswerer
from bridge.model import SemanticBridge

MAX_NEW_TOKENS = 200
HEADING = "Language model"


class Reader(NamedTuple):
    """Who reads the cases: an answerer in words, whether it tells likelihoods, and where it is a bundle what its soft tokens come from."""

    answerer: Answerer
    likelihoods: bool = True
    bridge: SemanticBridge | None = None
    cohort: Cohort | None = None


class Shortlist(NamedTuple):
    """Cases that are read, with the scores of the ranker whose best candidates stand in the prompt."""

    given: Asked
    scores: Float[np.ndarray, "cases candidates"]

    def some(self, limit: int, seed: int) -> Shortlist:
        """Seeded cases, in their order; all for 0."""
        count = len(self.given.cases)
        rows = np.sort(np.random.default_rng(seed).permutation(count)[: limit or count])
        return Shortlist(self.given.only(rows), self.scores[rows])


class Words(NamedTuple):
    """How diseases and phenotypes are called."""

    ontology: Ontology
    diseases: Sequence[Disease]
    diagnoses: Diagnoses


def reader(llm: str | None, endpoint: str | None, bundle: str | None, cohort: str | None) -> Reader | None:
    """The model that a run names: a bare LLM by its path, one behind an endpoint by its name there, or that of a bundle; None without any.

    Raises:
        ValueError: two are named, a bundle without its cohort, or an endpoint without a model.
    """
    if llm and bundle:
        raise ValueError("cases, fields llm and bundle: found both, expected one; a bundle names its own LLM")
    if (bundle is None) != (cohort is None):
        raise ValueError("cases, fields bundle and cohort: found one of them, expected both or neither; give the cohort that the bundle was trained on")
    if endpoint and not llm:
        raise ValueError("cases, field llm: found nothing, expected the name that the endpoint knows the model by")
    if endpoint:
        return Reader(EndpointAnswerer(endpoint, llm), likelihoods=False)
    if bundle:
        bridge = load(Path(bundle))
        return Reader(BundleAnswerer(bridge), True, bridge, Cohort.read(Path(cohort)))
    return Reader(opened(llm, Path(llm).name)) if llm else None


def put_modes(record: Record, read: Reader, ranker: str, validation: Shortlist, test: Shortlist, words: Words, *, condition: str, k: int) -> None:
    """Rows of every mode under one condition, on the cases that are read, beside the ranker on the same cases.

    Args:
        record: Takes the rows.
        read: The model.
        ranker: Name of the ranker.
        validation: Cases on which the model's weight beside the ranker is chosen.
        test: Cases that are scored.
        words: Names.
        condition: ``gene given`` or ``gene withheld``.
        k: Candidates in the prompt.
    """
    place, name = f"{condition}, read by {read.answerer.name}", read.answerer.name
    base = positions(test.scores, test.given.targets)
    put_ranks(record, ranker, base, test.given, place)
    put_ranks(record, f"{name}, zero-shot", _zero_shot(read, test.given, words, condition), test.given, place)
    ask = {f"{name}, retrieval-augmented": (read.answerer.log_likelihoods, read.answerer.log_likelihoods)}
    if read.bridge is not None and condition == GIVEN:
        soft = [functools.partial(choice_log_likelihoods, read.bridge, values=gene_values(read, each.given.cases)) for each in (validation, test)]
        ask[f"{OURS}, soft tokens and retrieval"] = tuple(soft)
        record.words(HEADING, _coverage(read, test.given.cases))
    for method, (of_validation, of_test) in ask.items():
        weight = best_weight(validation.scores, *_told(of_validation, read, validation, words, condition, k), validation.given.targets)
        best, told = _told(of_test, read, test, words, condition, k)
        found = positions(reordered(test.scores, best, told, weight), test.given.targets)
        put_ranks(record, method, found, test.given, place)
        more = difference_in_words(difference(found, base, test.given, record.seed))
        record.words(HEADING, f"{method}, {condition}: weight {weight:g} beside {ranker} (chosen on {len(validation.scores)} validation cases); {more}.")


def gene_values(read: Reader, cases: Sequence[Case]) -> dict[str, Float[Tensor, "cases _"]]:
    """Normalised values of each case's gene in the cohort, NaN where it is not there or the bundle was trained on it.

    Args:
        read: A bundle and its cohort, whose samples are gene symbols.
        cases: With their genes.
    """
    rows = {name: row for row, name in enumerate(read.cohort.ids)}
    for row in read.cohort.rows("train"):
        rows.pop(read.cohort.ids[row], None)
    found = {}
    for modality in read.bridge.projectors:
        values = read.cohort.values(modality)
        chosen = [values[rows[case.gene]] if case.gene in rows else np.full_like(values[0], np.nan) for case in cases]
        found[modality] = torch.from_numpy(np.stack(chosen)).float()
    return found


def _coverage(read: Reader, cases: Sequence[Case]) -> str:
    every = next(iter(gene_values(read, cases).values()))
    having = int(every.isfinite().any(dim=1).sum())
    return f"Soft tokens: {having} of {len(cases)} cases have a gene of the cohort that the bundle was not trained on; the others are asked without."


def _zero_shot(read: Reader, given: Asked, words: Words, condition: str) -> Float[np.ndarray, " cases"]:
    questions = [ZERO_SHOT.format(case=text) for text in _texts(given.cases, words, condition)]
    answers = read.answerer.generate(questions, max_new_tokens=MAX_NEW_TOKENS)
    return written_ranks(answers, given.targets, [disease.id for disease in words.diseases], words.diagnoses)


def _told(ask: Likelihoods, read: Reader, short: Shortlist, words: Words, condition: str, k: int) -> tuple[list[list[int]], list[list[float]]]:
    """Columns of the candidates shown, and what the model prefers of them."""
    best = nearest(short.scores, k)
    shown = [[words.diseases[column].name for column in columns] for columns in best]
    texts = _texts(short.given.cases, words, condition)
    if not read.likelihoods:
        answers = read.answerer.generate(retrieval_questions(texts, shown, ORDERED), max_new_tokens=MAX_NEW_TOKENS)
        return best, written_preferences(answers, shown)
    questions = retrieval_questions(texts, shown)
    return best, preferences(ask, questions, shown, usual_likelihoods(read.answerer.log_likelihoods, shown))


def _texts(cases: Sequence[Case], words: Words, condition: str) -> list[str]:
    return [case_in_words(case if condition == GIVEN else case.without_gene(), words.ontology) for case in cases]
