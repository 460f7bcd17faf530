"""Rankers: a score per case and candidate, by phenotypes alone; the gene is given, where it is, on top and apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse
from scipy.stats import rankdata

from bridge.cases import similarity
from bridge.cases.case import Case
from bridge.cases.likelihood_ratio import likelihood_ratio
from bridge.cases.names import DiseaseNames
from bridge.cases.space import Profiles, Queries

SIMGIC, BY_NAME, BY_KIN = "simGIC", "disease name", "alike names"

#: Rankers that compare terms.
BY_TERMS: dict[str, Callable[[Queries, Profiles], np.ndarray]] = {
    SIMGIC: similarity.simgic,
    "phenodigm": similarity.phenodigm,
    "Resnik": similarity.resnik,
    "likelihood ratio": likelihood_ratio,
    "TF-IDF": similarity.tfidf,
}
RANKERS = (*BY_TERMS, BY_NAME, BY_KIN)


CONSTANT = 60.0  # of reciprocal ranks: Cormack et al., SIGIR 2009


class Evidence(NamedTuple):
    """What is known of some cases and every candidate; made by :func:`evidence_of`.

    Args:
        scores: Ranker to its scores, by phenotypes alone.
        reciprocal: Ranker to 1 / (60 + rank) of each candidate.
        annotated: Which candidates have any phenotype.
        linked: Which candidates the gene of each case is linked to; None where the gene is withheld.
    """

    scores: dict[str, Float[np.ndarray, "cases candidates"]]
    reciprocal: dict[str, Float[np.ndarray, "cases candidates"]]
    annotated: Bool[np.ndarray, " candidates"]
    linked: sparse.csr_array | None = None

    def ranked(self, ranker: str) -> Float[np.ndarray, "cases candidates"]:
        """Scores of one ranker; where the gene is given its diseases come first, each in the ranker's order."""
        return self.ordered(self.scores[ranker])

    def ordered(self, scores: Float[np.ndarray, "cases candidates"]) -> Float[np.ndarray, "cases candidates"]:
        """Scores as they are, or with the diseases of the gene above all others."""
        return scores if self.linked is None else linked_first(scores, self.linked)


class Rankers:
    """Every ranker over the candidates of some profiles.

    Args:
        profiles: Diseases, the candidates first.
    """

    def __init__(self, profiles: Profiles):
        self.profiles, self.names = profiles, DiseaseNames(profiles)

    def evidence(self, cases: Sequence[Case]) -> Evidence:
        """What the phenotypes of these cases say; gene and variants are taken off before anything is looked at."""
        queries = Queries([case.without_gene() for case in cases], self.profiles.terms)
        count = len(self.profiles.candidates)
        return evidence_of({name: found[:, :count] for name, found in self._scores(queries).items()}, np.diff(self.profiles.direct.indptr)[:count] > 0)

    def with_gene(self, evidence: Evidence, cases: Sequence[Case]) -> Evidence:
        """The same evidence with the genes of these cases."""
        return evidence._replace(linked=self.profiles.linked(cases)[:, : len(self.profiles.candidates)])

    def _scores(self, queries: Queries) -> dict[str, Float[np.ndarray, "cases diseases"]]:
        found = {name: rank(queries, self.profiles) for name, rank in BY_TERMS.items()}
        return found | {BY_NAME: self.names.described(queries), BY_KIN: self.names.kindred(found[SIMGIC])}


def evidence_of(scores: dict[str, Float[np.ndarray, "cases candidates"]], annotated: Bool[np.ndarray, " _"]) -> Evidence:
    """Scores with their ranks; of equals each has the mean rank."""
    return Evidence(scores, {name: 1 / (CONSTANT + rankdata(-found, axis=1)) for name, found in scores.items()}, annotated)


def linked_first(scores: Float[np.ndarray, "cases candidates"], linked: sparse.csr_array) -> Float[np.ndarray, "cases candidates"]:
    """The diseases of the gene above all others; among them, and among the others, the order and the ties stay."""
    low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
    within = (scores - low) / np.where(high > low, high - low, 1.0)
    return within + 2.0 * linked.toarray()


def positions(scores: Float[np.ndarray, "cases candidates"], targets: Sequence[int | None]) -> Float[np.ndarray, " cases"]:
    """Rank of each case's disease, 1 is best; ties get the mean of the ranks they share; infinite where it is no candidate."""
    found = np.full(len(targets), np.inf)
    for row, target in enumerate(targets):
        if target is not None:
            right = scores[row, target]
            found[row] = (scores[row] > right).sum() + ((scores[row] == right).sum() + 1) / 2
    return found


def targets_of(cases: Sequence[Case], profiles: Profiles) -> list[int | None]:
    """Column of each case's own disease, None where it is no candidate: matched by its OMIM id, exactly."""
    count = len(profiles.candidates)
    numbers = (profiles.number.get(case.disease) for case in cases)
    return [number if number is not None and number < count else None for number in numbers]
