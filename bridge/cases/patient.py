"""One patient: the record read from a file, and the disorders that it speaks for, with what speaks for and against each."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bridge.cases.case import Case
from bridge.cases.imaging import ImagingMap
from bridge.cases.knowledge import Knowledge
from bridge.cases.knowledge_cache import cached_knowledge, knowledge_without
from bridge.cases.likelihood_ratio import UNRELATED, likelihood_ratio
from bridge.cases.rank import linked_first
from bridge.cases.read import Unread, each_case
from bridge.cases.space import Profiles, Queries, Terms
from bridge.data.hpo import PHENOTYPE, Ontology, read_ontology
from bridge.data.releases import SourceFiles, source_files

SPECIFIC = 3.0  # nats: a finding of one disease in twenty or fewer, which a disease that lacks it does not explain
NEAR = 0.5  # of a finding's information: a wider term of the disease that has less does not explain it
FREQUENT = 0.3  # of a disease's patients: 'frequent' and above in HPO's own words
MOST = 8  # findings told of a disease, for it and against it


class Shared(NamedTuple):
    """A finding of the patient that a disease explains.

    Args:
        term: What was found.
        through: The most informative term at or above it that the disease has, itself or through a term below.
        information: Of that term, nats.
        ratio: Log of how much likelier the finding is in the disease than in any, nats.
    """

    term: str
    through: str
    information: float
    ratio: float


class Missed(NamedTuple):
    """A feature of a disease that was looked for and not found; its share of patients, None where not recorded."""

    term: str
    frequency: float | None


class Ranked(NamedTuple):
    """A disorder in its place.

    Args:
        id: Of the disorder.
        name: Its name.
        rank: 1 is best; equals share the best rank among them.
        score: Sum of the log-ratios of all findings, nats; the disorders of the gene come first whatever it is, where the gene is used.
        linked: Whether it is a disorder of the patient's gene.
        shared: Findings that it explains, the most telling first.
        unexplained: Specific findings that it does not explain.
        missed: Its frequent features that were looked for and not found.
    """

    id: str
    name: str
    rank: int
    score: float
    linked: bool
    shared: tuple[Shared, ...]
    unexplained: tuple[str, ...]
    missed: tuple[Missed, ...]


class Ranking(NamedTuple):
    """The best disorders.

    Args:
        disorders: Best first.
        candidates: How many were ranked.
        gene_used: Whether disorders of the patient's gene come first; False too where none is known.
        release: Of the knowledge.
        hidden: Annotations left out because they cite a publication of the patient's own.
    """

    disorders: tuple[Ranked, ...]
    candidates: int
    gene_used: bool
    release: str
    hidden: int


def read_patient(path: str | Path, ontology: Ontology, *, sample: str | None = None) -> Case:
    """The record of one patient.

    Args:
        path: A phenopacket; or a folder of them, or JSON lines, and then ``sample`` says whose.
        ontology: Of the phenotypes.
        sample: Id of the patient.

    Raises:
        ValueError: names the file and the field; or there are several patients and none is named, or the named one is not there, or there twice.
    """
    cases, unread = [], []
    for each in each_case(path, ontology):
        (unread if isinstance(each, Unread) else cases).append(each)
    if not cases or (unread and sample is None):
        raise ValueError(unread[0].reason if unread else f"{path}: found no patient, expected a phenopacket")
    if sample is None and len(cases) > 1:
        raise ValueError(f"{path}: holds {len(cases)} patients, expected one; name it with --sample, for example {cases[0].id!r}")
    found = next((case for case in cases if sample in (None, case.id)), None)
    if found is None:
        nearest = difflib.get_close_matches(sample, [case.id for case in cases], n=3, cutoff=0)
        raise ValueError(f"{path}: no patient {sample!r}; of {len(cases)} the nearest are {', '.join(map(repr, nearest))}")
    again = next((each for each in unread if each.id == found.id), None)
    if again is not None:
        raise ValueError(again.reason)
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnostics:
    """What patients are compared with; make it once, it takes seconds.

    Args:
        ontology: Names and graph.
        knowledge: Of the disorders.
    """

    ontology: Ontology
    knowledge: Knowledge

    @classmethod
    def read(cls, cache: Path | None = None, files: SourceFiles | None = None) -> Diagnostics:
        """From the release in the cache, downloaded on first use."""
        files = files or source_files(cache)
        ontology = read_ontology(files.ontology)
        return cls(ontology, cached_knowledge(files, ontology, cache))

    @property
    def release(self) -> str:
        """Of the ontology."""
        return self.knowledge.release

    @functools.cached_property
    def imaging(self) -> ImagingMap:
        """Imaging phenotypes to regions."""
        return ImagingMap(self.ontology)

    @functools.cached_property
    def terms(self) -> Terms:
        """The terms, numbered."""
        return Terms(self.ontology)

    @functools.cached_property
    def profiles(self) -> Profiles:
        """Of every disorder, with nothing left out."""
        return Profiles(self.knowledge, self.terms)

    def ranked(self, case: Case, *, top: int = 10, gene: bool = True) -> Ranking:
        """Disorders by the likelihood ratio of the phenotypes, on knowledge without what the patient's own publications say.

        The ranker is the best of those that need no fitting where nothing is left out of the release (``bridge evaluate cases``).

        Args:
            case: The patient.
            top: How many disorders are told.
            gene: Put the disorders of the patient's gene first.
        """
        case = case if gene else case.without_gene()
        knowledge = knowledge_without(self.knowledge, case.publications)
        profiles = self.profiles if not knowledge.removed.annotations else Profiles(knowledge, self.terms)
        count = len(profiles.candidates)
        scores = likelihood_ratio(Queries([case], self.terms), profiles)[:, :count]
        linked = profiles.linked([case])[:, :count]
        own = set(linked.indices.tolist())
        order = (linked_first(scores, linked) if own else scores)[0]
        best = np.argsort(-order, kind="stable")[:top].tolist()
        ratios = _Ratios(profiles)
        disorders = tuple(ratios.ranked(number, case, int((order > order[number]).sum()) + 1, float(scores[0, number]), number in own) for number in best)
        return Ranking(disorders, count, bool(own), self.release, knowledge.removed.annotations)


class _Ratios:
    """Why a disorder stands where it stands.

    Args:
        profiles: Of the disorders.
    """

    def __init__(self, profiles: Profiles):
        self.profiles, self.terms = profiles, profiles.terms

    def ranked(self, number: int, case: Case, rank: int, score: float, linked: bool) -> Ranked:
        row = self.profiles.frequency[[number]].toarray()[0]
        known = [term for term in case.present if term in self.terms.number]
        shared = sorted((self._shared(term, row) for term in known), key=lambda each: -each.ratio)
        explained = tuple(each for each in shared if self._explains(each))
        left = [each.term for each in reversed(shared) if each not in explained and self._information(each.term) >= SPECIFIC]
        disease = self.profiles.diseases[number]
        return Ranked(disease.id, disease.name, rank, score, linked, explained[:MOST], tuple(left[:MOST]), self._missed(number, case)[:MOST])

    def _shared(self, term: str, row: Float[np.ndarray, " terms"]) -> Shared:
        """The finding with the most telling term that the disease has at or above it, and how the ranker counts it."""
        above = self._above(term)
        had = above[row[above] > 0]
        best = had[np.argmax(self.profiles.information[had])] if len(had) else self.terms.number[PHENOTYPE]
        best = self.terms.number[term] if self.terms.number[term] in had else int(best)
        ratio = UNRELATED + (1 - UNRELATED) * float((row[above] / self.profiles.background[above]).max())
        return Shared(term, self.terms.names[best], float(self.profiles.information[best]), float(np.log(ratio)))

    def _missed(self, number: int, case: Case) -> tuple[Missed, ...]:
        """Features of the disease at or below a term that was looked for in vain, the most frequent first."""
        hidden = {self.terms.number[term] for term in case.excluded if term in self.terms.number}
        found = [
            Missed(each.term, each.frequency)
            for each in self.profiles.diseases[number].phenotypes
            if each.term in self.terms.number and not hidden.isdisjoint(self._above(each.term).tolist())
        ]
        frequent = [each for each in found if each.frequency is None or each.frequency >= FREQUENT]
        return tuple(sorted(frequent, key=lambda each: (-(each.frequency or 0.0), each.term)))

    def _explains(self, shared: Shared) -> bool:
        """Whether what the disease has is not far wider than what was found."""
        return shared.ratio > 0 and shared.information >= NEAR * self._information(shared.term)

    def _information(self, term: str) -> float:
        return float(self.profiles.information_or_most[self.terms.number[term]])

    def _above(self, term: str) -> np.ndarray:
        number, above = self.terms.number[term], self.terms.above
        return above.indices[above.indptr[number] : above.indptr[number + 1]]
