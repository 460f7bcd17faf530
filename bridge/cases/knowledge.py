"""What is known of diseases and genes without what the test cases themselves have published.

From phenotype.hpoa and genes_to_phenotype.txt of a release of the Human Phenotype Ontology (bridge.data.hpo).
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bridge.data.hpo import DisorderRow, Gene, Ontology, parse_frequency, read_disorder_rows, read_genes

#: What candidates are ranked: cases are diagnosed with an OMIM id.
CANDIDATES = "OMIM:"


class Finding(NamedTuple):
    """What is recorded of a disease: a term, its share of patients, None where not recorded, and every publication that reports it."""

    term: str
    frequency: float | None
    references: tuple[str, ...]


class Disease(NamedTuple):
    """A disease as it is annotated.

    Args:
        id: OMIM, ORPHA or DECIPHER id.
        name: Its name.
        phenotypes: What patients have, each term once.
        excluded: Terms that were looked for and not found.
        inheritance: Modes of inheritance.
        onset: Terms of its clinical course, the age of onset among them.
    """

    id: str
    name: str
    phenotypes: tuple[Finding, ...]
    excluded: tuple[Finding, ...]
    inheritance: tuple[Finding, ...]
    onset: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is recorded."""
        return self.phenotypes + self.excluded + self.inheritance + self.onset


class Removed(NamedTuple):
    """What was taken out because it cites certain publications: annotations, diseases they belong to, diseases left without any, links of genes."""

    annotations: int
    diseases: int
    emptied: int
    links: int


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """Diseases by id, and the diseases of each gene.

    Args:
        diseases: Every disease of the release, those left without annotations too.
        links: Gene symbol to the ids of its diseases.
        release: Of the ontology.
        removed: What was taken out.
    """

    diseases: Mapping[str, Disease]
    links: Mapping[str, frozenset[str]]
    release: str
    removed: Removed

    @property
    def candidates(self) -> list[str]:
        """Ids that are ranked: every OMIM disease of the release."""
        return sorted(name for name in self.diseases if name.startswith(CANDIDATES))

    def gene_profile(self, symbol: str) -> dict[str, float]:
        """Phenotypes of a gene in all its diseases: term to its largest recorded share of patients, 0 where none was recorded."""
        profile: dict[str, float] = {}
        for disease in sorted(self.links.get(symbol, ())):
            for each in self.diseases[disease].phenotypes:
                profile[each.term] = max(profile.get(each.term, 0.0), each.frequency or 0.0)
        return profile


class Annotations:
    """All rows of a release, from which knowledge without any publication is made.

    Args:
        rows: Of ``phenotype.hpoa``.
        genes: Of ``genes_to_phenotype.txt``.
        release: Of the ontology.
    """

    def __init__(self, rows: Iterable[DisorderRow], genes: Mapping[str, Gene], release: str):
        self.rows, self.release = list(rows), release
        self.genes = {symbol: {(each.disorder, each.term) for each in gene.annotations} for symbol, gene in genes.items()}

    def without(self, publications: Collection[str]) -> Knowledge:
        """Knowledge without any annotation that cites one of these publications, however many others it cites.

        A gene's link to a disease comes with the disease's annotations (``genes_to_phenotype.txt`` is the one joined to the other):
        it stays as long as an annotation of that disease stays that the file lists under the gene, and goes with the last one.
        """
        publications = frozenset(publications)
        kept = [row for row in self.rows if publications.isdisjoint(row.references)]
        gone = [row for row in self.rows if not publications.isdisjoint(row.references)]
        links, every = self._links(kept), self._links(self.rows)
        lost = sum(len(found) - len(links[symbol]) for symbol, found in every.items())
        touched, left = {row.disorder for row in gone}, {row.disorder for row in kept}
        names = {row.disorder: row.name for row in self.rows}
        knowledge = Knowledge(_diseases(kept, names), links, self.release, Removed(len(gone), len(touched), len(touched - left), lost))
        require_without(knowledge, publications)
        return knowledge

    def _links(self, rows: Iterable[DisorderRow]) -> dict[str, frozenset[str]]:
        standing = {(row.disorder, row.term) for row in rows}
        return {symbol: frozenset(disease for disease, _ in pairs & standing) for symbol, pairs in self.genes.items()}


def read_annotations(disorders: Path, genes: Path, ontology: Ontology) -> Annotations:
    """Read ``phenotype.hpoa`` and ``genes_to_phenotype.txt``.

    Raises:
        ValueError: a file is not of its kind.
    """
    return Annotations(read_disorder_rows(disorders, ontology), read_genes(genes, ontology), ontology.release)


def require_without(knowledge: Knowledge, publications: Collection[str]) -> None:
    """Refuse knowledge that cites a publication.

    Raises:
        ValueError: names the disease, the term and the publication.
    """
    for disease in knowledge.diseases.values():
        for each in disease.findings:
            cited = frozenset(publications).intersection(each.references)
            if cited:
                raise ValueError(f"{disease.id}, term {each.term}: cites {min(cited)}, expected none of a test case; make the knowledge without them")


def _diseases(rows: Iterable[DisorderRow], names: Mapping[str, str]) -> dict[str, Disease]:
    grouped: dict[str, list[DisorderRow]] = defaultdict(list)
    for row in rows:
        grouped[row.disorder].append(row)
    return {name: _disease(name, label, grouped.get(name, [])) for name, label in names.items()}


def _disease(name: str, label: str, rows: list[DisorderRow]) -> Disease:
    present = [row for row in rows if not row.excluded]
    found = {aspect: _findings(row for row in present if row.aspect == aspect) for aspect in "PIC"}
    had = {each.term for each in found["P"]}
    excluded = _findings(row for row in rows if row.aspect == "P" and row.excluded and row.term not in had)
    return Disease(name, label, found["P"], excluded, found["I"], found["C"])


def _findings(rows: Iterable[DisorderRow]) -> tuple[Finding, ...]:
    """Each term once; of several reports the mean of the frequencies they record."""
    grouped: dict[str, list[DisorderRow]] = defaultdict(list)
    for row in rows:
        grouped[row.term].append(row)
    return tuple(_finding(term, some) for term, some in sorted(grouped.items()))


def _finding(term: str, rows: list[DisorderRow]) -> Finding:
    known = [each for each in (parse_frequency(row.frequency) for row in rows) if each is not None]
    references = dict.fromkeys(name for row in rows for name in row.references)
    return Finding(term, float(np.mean(known)) if known else None, tuple(references))
