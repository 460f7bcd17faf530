"""Cases and diseases as sparse rows over the terms of the ontology, so that all are compared at once."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from bridge.cases.case import Case
from bridge.cases.knowledge import Knowledge
from bridge.data.hpo import PHENOTYPE, Ontology

#: Share of patients where a disease's annotation records none: most annotated phenotypes are had by most patients.
USUAL_FREQUENCY = 0.5


class Terms:
    """The terms at or below 'Phenotypic abnormality', numbered.

    Args:
        ontology: Names and graph.
    """

    def __init__(self, ontology: Ontology):
        self.names = sorted(term for term in ontology.names if ontology.is_under(term, PHENOTYPE))
        self.number = {term: number for number, term in enumerate(self.names)}
        self.texts = [(ontology.names[term], *ontology.synonyms.get(term, ())) for term in self.names]
        above = [[self.number[each] for each in ontology.ancestors(term) if each in self.number] for term in self.names]
        self.above = rows_of_ones(above, len(self.names))

    def rows(self, terms: Iterable[Iterable[str]]) -> sparse.csr_array:
        """A row of ones per collection of terms; what is no phenotype (an onset, a term of a later release) is left out."""
        return rows_of_ones([{self.number[term] for term in each if term in self.number} for each in terms], len(self.names))

    def closed(self, rows: sparse.csr_array) -> sparse.csr_array:
        """The rows with every ancestor of their terms."""
        return _ones(rows @ self.above)


class Queries:
    """Phenotypes of cases; it holds nothing else of them, so no score made of it knows the gene.

    Args:
        cases: One row each.
        terms: The columns.
    """

    def __init__(self, cases: Sequence[Case], terms: Terms):
        self.terms, self.count = terms, len(cases)
        self.direct = terms.rows(case.present for case in cases)
        self.excluded = terms.rows(case.excluded for case in cases)

    @functools.cached_property
    def closed(self) -> sparse.csr_array:
        """With all ancestors."""
        return self.terms.closed(self.direct)


class Profiles:
    """Phenotypes of the diseases in one order, and how much each term tells.

    Args:
        knowledge: Of the diseases.
        terms: The columns.
    """

    def __init__(self, knowledge: Knowledge, terms: Terms):
        self.terms, self.candidates = terms, knowledge.candidates
        self.others = sorted(set(knowledge.diseases) - set(self.candidates))
        self.diseases = [knowledge.diseases[name] for name in self.candidates + self.others]
        self.number = {disease.id: row for row, disease in enumerate(self.diseases)}
        self.links = {symbol: [self.number[name] for name in sorted(found)] for symbol, found in knowledge.links.items() if found}
        self.direct = terms.rows((each.term for each in disease.phenotypes) for disease in self.diseases)

    @functools.cached_property
    def closed(self) -> sparse.csr_array:
        """With all ancestors."""
        return self.terms.closed(self.direct)

    @functools.cached_property
    def information(self) -> Float[np.ndarray, " terms"]:
        """Information content of each term, nats: -log of the share of diseases that have it or a term below it; 0 where none has."""
        having = self.closed.sum(axis=0)
        annotated = int((np.diff(self.closed.indptr) > 0).sum())
        return np.where(having > 0, -np.log(np.maximum(having, 1) / max(annotated, 1)), 0.0)

    @functools.cached_property
    def information_or_most(self) -> Float[np.ndarray, " terms"]:
        """Information content, and of a term that no disease has the most there is: it is as rare as can be."""
        return np.where(self.closed.sum(axis=0) > 0, self.information, self.information.max(initial=1.0))

    @functools.cached_property
    def frequency(self) -> sparse.csr_array:
        """Share of a disease's patients with each term: the largest recorded at or below it."""
        columns, values, starts = [], [], [0]
        for disease in self.diseases:
            row: dict[int, float] = {}
            for each in disease.phenotypes:
                value = USUAL_FREQUENCY if each.frequency is None else each.frequency
                for column in self._above(each.term):
                    row[column] = max(row.get(column, 0.0), value)
            columns += row
            values += row.values()
            starts.append(len(columns))
        found = sparse.csr_array((np.array(values), np.array(columns, dtype=np.int32), np.array(starts)), shape=self.closed.shape)
        found.sort_indices()
        return found

    @functools.cached_property
    def background(self) -> Float[np.ndarray, " terms"]:
        """Share of patients of any disease with each term, all diseases alike; never 0."""
        annotated = max(int((np.diff(self.closed.indptr) > 0).sum()), 1)
        return (self.frequency.sum(axis=0) + USUAL_FREQUENCY) / (annotated + 1)

    def linked(self, cases: Sequence[Case]) -> sparse.csr_array:
        """Which diseases the gene of each case is linked to; an empty row without a gene."""
        return rows_of_ones([self.links.get(case.gene, []) for case in cases], len(self.diseases))

    def _above(self, term: str) -> Int[np.ndarray, " _"]:
        number = self.terms.number.get(term)
        above = self.terms.above
        return above.indices[:0] if number is None else above.indices[above.indptr[number] : above.indptr[number + 1]]


def rows_of_ones(columns: Iterable[Iterable[int]], width: int) -> sparse.csr_array:
    """A sparse matrix from the columns of each row."""
    found = [sorted(each) for each in columns]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in found])])
    flat = np.array([column for each in found for column in each], dtype=np.int32)
    return sparse.csr_array((np.ones(len(flat)), flat, starts), shape=(len(found), width))


def _ones(rows: sparse.sparray) -> sparse.csr_array:
    rows = sparse.csr_array(rows)
    rows.data[:] = 1.0
    rows.sort_indices()
    return rows
