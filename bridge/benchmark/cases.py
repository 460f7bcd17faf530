"""``bridge evaluate cases``: ranked diagnoses of published patients, with nothing known that their own publications say of the disease.

The gene withheld and the gene given are two benchmarks: the gene alone often fixes the disease.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from bridge.benchmark.case_llm import Reader, Shortlist, Words, put_modes, reader
from bridge.benchmark.case_scores import GIVEN, WITHHELD, Asked, asked, difference, difference_in_words, put_ranks
from bridge.benchmark.results import Record
from bridge.benchmark.task import Task, data_folder
from bridge.cases.case import Case
from bridge.cases.combine import Choices, Model, choices, chosen, models
from bridge.cases.imaging import ImagingMap
from bridge.cases.imaging_coverage import HEADER, Covered, coverage
from bridge.cases.knowledge import Annotations, Removed, read_annotations
from bridge.cases.rank import SIMGIC, Evidence, Rankers, positions, targets_of
from bridge.cases.read import read_cases
from bridge.cases.space import Profiles, Terms
from bridge.cases.split import TEST, TRAIN, VALIDATION, publications, split_cases
from bridge.cases.words import Diagnoses
from bridge.data.hpo import Ontology, read_ontology
from bridge.data.releases import source_files

FILE = "cases.jsonl.gz"
RELEASED = f"{WITHHELD}, nothing removed"
OTHER = "phenotypes of another case"

DATA = (
    "Published patients with Mendelian disease as phenopackets (phenopacket-store, BSD-3-Clause); hp.obo, phenotype.hpoa and genes_to_phenotype.txt of the "
    "Human Phenotype Ontology, release {release} (https://hpo.jax.org/license)."
)
PROTOCOL = (
    "Split by gene (by disease where there is no gene): {train} training, {validation} validation and {test} test cases; no gene and no publication is in two. "
    "Knowledge: {rows} annotations of the release less {removed} that cite a publication of a test case; these belonged to {diseases} diseases, of which "
    "{emptied} have none left, and {links} links between a gene and a disease went with the last annotation that carried them. "
    "Candidates: all {candidates} OMIM diseases of the release. Right is the same OMIM id; the release maps neither ORPHA ids nor phenotypic series to OMIM, "
    "so nothing else counts. {known} of {test} test cases have a diagnosis that the release knows, and figures are of those: over all {test} a top-k figure is "
    "{share:.3f} times as large. Ties get the mean of the ranks they share. Intervals: 95 % bootstrap over genes. "
    "Gene given: the diseases of the gene come first, in each ranker's order; in the fitted combination the link is one more feature, and a gene without a "
    "link left helps nothing. Fitted: weights of {features} features, none below 0, on {fitted} training cases (at most {per_gene} of a gene) with knowledge "
    "that lacks the publications of all cases; its penalty, whether cases count of "
    "whose disease nothing is left, and the method that a language model builds on are chosen on {chosen} validation cases."
)
CONTROL = (
    "Control: with the phenotypes of another case (of another gene, as a rule) {method} has top-10 {top:.3f} and MRR {mrr:.3f} where the gene is withheld; "
    "chance is {chance:.4f} and {chance_mrr:.4f}. Were a disease found because its annotations were taken out, this would be far above chance."
)


class Part(NamedTuple):
    """Cases of a split, with what the rankers say of them without the gene and with it."""

    given: Asked
    evidence: dict[str, Evidence]


class Cases(Task):
    """Ranked diagnoses of phenopacket cases.

    Args:
        cases: A phenopacket, a folder of them or compact lines; by default those of the benchmark data.
        per_gene: Most training cases of a gene that weights are fitted on.
        released: Score with nothing removed too, as published figures are.
        llm: Folder of a language model that reads cases too, or the name of the default one; none without it.
        endpoint: Address of an OpenAI-compatible server to ask instead; ``llm`` is then the name of the model there.
        bundle: A bundle whose LLM reads them, with soft tokens of the case's gene where that is given.
        cohort: The cohort the bundle was trained on, samples by gene symbol.
        limit: Seeded cases of test, and as many of validation, that are read; 0 for all.
        k: Candidates in the prompt.
    """

    title: ClassVar[str] = "Ranked diagnoses of published patients"

    def __init__(
        self,
        cases: str | None = None,
        per_gene: int = 1,
        released: bool = True,
        llm: str | None = None,
        endpoint: str | None = None,
        bundle: str | None = None,
        cohort: str | None = None,
        limit: int = 50,
        k: int = 8,
    ):
        self.cases, self.per_gene, self.released = cases, per_gene, released
        self.model, self.limit, self.k = (llm, endpoint, bundle, cohort), limit, k

    def run(self, record: Record) -> None:
        path = Path(self.cases) if self.cases else data_folder("cases") / FILE
        read, files = reader(*self.model), source_files()
        ontology = read_ontology(files.ontology)
        annotations, terms = read_annotations(files.disorders, files.genes, ontology), Terms(ontology)
        every = read_cases(path, ontology)
        splits = split_cases(every)
        held_out = publications([*splits[TEST], *splits[VALIDATION]])
        found = choices(Rankers(_profiles(annotations, publications(every), terms)), self._few(splits[TRAIN], record.seed), record.seed)
        validation = part(Rankers(_profiles(annotations, held_out, terms)), splits[VALIDATION], ontology)
        knowledge = annotations.without(publications(splits[TEST]))
        rankers = Rankers(Profiles(knowledge, terms))
        test = part(rankers, splits[TEST], ontology)
        record.words("Data", DATA.format(release=ontology.release))
        put_coverage(record, coverage(every, ImagingMap(ontology)))
        record.words("Protocol", self._protocol(annotations, knowledge.removed, splits, (validation, test), found))
        words = Words(ontology, rankers.profiles.diseases[: test.given.candidates], Diagnoses(knowledge.diseases))
        for condition in (WITHHELD, GIVEN):
            ways = chosen(models(found, gene=condition == GIVEN), validation.evidence[condition], validation.given.targets)
            record.table("Chosen on validation", ("condition", "method", "MRR"), [(condition, name, f"{figure:.3f}") for name, (_, figure) in ways.items()])
            put_models(record, ways, test, condition)
            if condition == WITHHELD and self.released:
                put_released(record, ways, Rankers(_profiles(annotations, (), terms)), test.given)
            if read is not None:
                self._read(record, read, ways, (validation, test), words, condition)

    def _few(self, cases: Iterable[Case], seed: int) -> list[Case]:
        """Seeded training cases, a few of each gene."""
        cases, found = list(cases), {}
        for row in np.random.default_rng(seed).permutation(len(cases)):
            found.setdefault(cases[row].unit, []).append(cases[row])
        return [case for unit in sorted(found) for case in found[unit][: self.per_gene]]

    def _read(self, record: Record, read: Reader, ways: Mapping[str, tuple[Model, float]], parts: tuple[Part, Part], words: Words, condition: str) -> None:
        """What a language model adds to the best method."""
        name, (model, _) = max(ways.items(), key=lambda way: way[1][1])
        short = [Shortlist(each.given, model(each.evidence[condition])).some(self.limit, record.seed) for each in parts]
        put_modes(record, read, name, *short, words, condition=condition, k=self.k)

    def _protocol(self, annotations: Annotations, removed: Removed, splits: Mapping[str, list[Case]], parts: tuple[Part, Part], found: Choices) -> str:
        validation, test = (each.given for each in parts)
        counts = {split: len(some) for split, some in splits.items()}
        taken = {"removed": removed.annotations, "diseases": removed.diseases, "emptied": removed.emptied, "links": removed.links}
        shown = {"rows": len(annotations.rows), "candidates": test.candidates, "known": len(test.cases), "chosen": len(validation.cases)}
        fitted = {"features": len(found.names), "fitted": len(found.starts), "per_gene": self.per_gene}
        return PROTOCOL.format(share=len(test.cases) / max(counts[TEST], 1), **counts, **taken, **shown, **fitted)


def put_coverage(record: Record, covered: Sequence[Covered]) -> None:
    """How many imaging phenotypes have a region."""
    told = "; ".join(f"{each.share:.3f} of {each.total} {each.of}" for each in covered if each.total)
    record.words("Imaging phenotypes with a region", f"{told}." if told else "No case has an imaging phenotype.")
    record.table("Imaging phenotypes mapped to regions", HEADER, [each.cells() for each in covered])


def part(rankers: Rankers, cases: Sequence[Case], ontology: Ontology) -> Part:
    """The cases whose diagnosis is a candidate, and the evidence on them.

    Raises:
        ValueError: there is none.
    """
    given = asked(cases, targets_of(cases, rankers.profiles), len(rankers.profiles.candidates), ontology)
    if not given.cases:
        raise ValueError(f"cases: found {len(cases)} cases of a split and no diagnosis that the release knows, expected some; give more cases")
    withheld = rankers.evidence(given.cases)
    return Part(given, {WITHHELD: withheld, GIVEN: rankers.with_gene(withheld, given.cases)})


def put_models(record: Record, ways: Mapping[str, tuple[Model, float]], test: Part, condition: str) -> None:
    """Rows of every method, and what the chosen one has more than simGIC."""
    scores = {name: model(test.evidence[condition]) for name, (model, _) in ways.items()}
    ranks = {name: positions(found, test.given.targets) for name, found in scores.items()}
    for name, found in ranks.items():
        put_ranks(record, name, found, test.given, condition)
    best = max(ways, key=lambda name: ways[name][1])
    for kind, rows in (("all", range(len(test.given.cases))), ("neurological", np.flatnonzero(test.given.neurological))):
        rows = np.asarray(rows)
        more = difference_in_words(difference(ranks[best][rows], ranks[SIMGIC][rows], test.given.only(rows), record.seed))
        record.words("Verdict", f"{condition}, {kind} ({len(rows)} cases): {best}, chosen on validation, against {SIMGIC}: {more}.")
    if condition == WITHHELD:
        _put_control(record, best, scores[best], test.given)


def put_released(record: Record, ways: Mapping[str, tuple[Model, float]], rankers: Rankers, given: Asked) -> None:
    """The same methods with every annotation of the release, those from the cases' own publications too: what published figures compare with."""
    evidence = rankers.evidence(given.cases)
    ranks = {name: positions(model(evidence), given.targets) for name, (model, _) in ways.items()}
    for name, found in ranks.items():
        put_ranks(record, name, found, given, RELEASED)
    best = max(ways, key=lambda name: ways[name][1])
    more = difference_in_words(difference(ranks[best], ranks[SIMGIC], given, record.seed))
    record.words("Nothing removed", f"{best} against {SIMGIC} on the same {len(given.cases)} cases, with what their own publications say: {more}.")


def _put_control(record: Record, method: str, scores: np.ndarray, given: Asked) -> None:
    order = np.argsort(given.groups, kind="stable")
    partner = np.empty_like(order)
    partner[order] = np.roll(order, len(order) // 2)
    ranks = positions(scores[partner], given.targets)
    chance = min(1.0, 10 / given.candidates), float(np.mean(1 / np.arange(1, given.candidates + 1)))
    put_ranks(record, f"{method}, {OTHER}", ranks, given, WITHHELD)
    told = {"method": method, "top": float(np.mean(ranks <= 10)), "mrr": float(np.mean(1 / ranks)), "chance": chance[0], "chance_mrr": chance[1]}
    record.words("Control", CONTROL.format(**told))


def _profiles(annotations: Annotations, hidden: Collection[str], terms: Terms) -> Profiles:
    return Profiles(annotations.without(hidden), terms)
