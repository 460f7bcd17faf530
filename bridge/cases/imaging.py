"""Imaging phenotypes to regions of the brain, by a reviewed table: ``imaging_terms.csv`` over the regions of ``imaging_regions.csv``.

A term without a row of its own takes the rows of its nearest ancestors that have any. A row without regions says that the
term names no place (or none that the atlases have), and stands for the terms below it as well. A term that names no side
speaks of both; one that says a single side without naming it has no regions.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable
from importlib import resources
from typing import NamedTuple

import pandas as pd

from bridge.cases.case import Case
from bridge.data.hpo import Ontology

#: 'Abnormal brain morphology'.
ROOT = "HP:0012443"
LOWER, HIGHER, ABNORMAL, EXCLUDED = "lower", "higher", "abnormal", "excluded"
DIRECT, INHERITED, NOWHERE = "mapped directly", "through an ancestor", "no region can be named"


class Region(NamedTuple):
    """A region of the vocabulary.

    Args:
        name: As in a region table.
        side: left, right or ''.
        atlas: That has it.
        labels: What the atlas calls it; several where it is their sum.
        groups: Names under which the table of terms speaks of it.
    """

    name: str
    side: str
    atlas: str
    labels: tuple[str, ...]
    groups: tuple[str, ...]


class Part(NamedTuple):
    """Regions that a term speaks of in one direction."""

    regions: tuple[str, ...]
    direction: str


class Mapped(NamedTuple):
    """What a term says of regions.

    Args:
        term: HPO id.
        through: Terms whose rows these are: the term itself, or its nearest ancestors with rows.
        parts: None where no region can be named.
    """

    term: str
    through: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def how(self) -> str:
        """Mapped directly, through an ancestor, or not at all."""
        if not self.parts:
            return NOWHERE
        return DIRECT if self.through == (self.term,) else INHERITED


class ImagingMap:
    """The table over an ontology.

    Args:
        ontology: Whose terms are looked up; rows of terms that it does not have stay unused.
    """

    def __init__(self, ontology: Ontology):
        self.ontology, self.vocabulary = ontology, regions()
        self.rows = {term: parts for term, parts in _rows(self.vocabulary).items() if term in ontology.names}
        self.find = functools.lru_cache(maxsize=None)(self._find)

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of all regions in order."""
        return tuple(region.name for region in self.vocabulary)

    def is_imaging(self, term: str) -> bool:
        """Whether the term is at or below 'Abnormal brain morphology'."""
        return self.ontology.is_under(term, ROOT)

    def findings(self, case: Case) -> list[Mapped]:
        """What each imaging phenotype of a case says, in its order."""
        return [self.find(term) for term in case.present if self.is_imaging(term)]

    def states(self, case: Case) -> dict[str, str]:
        """Region to ``lower``, ``higher``, ``abnormal`` (or found in both directions) or ``excluded``; a region nothing is said of is left out.

        A finding outweighs one that was looked for in vain. What is excluded counts by the term's own row alone: without a
        narrow finding the wider one may still be there.
        """
        told: dict[str, set[str]] = defaultdict(set)
        for mapped in self.findings(case):
            _put(told, mapped.parts)
        excluded: dict[str, set[str]] = defaultdict(set)
        for term in case.excluded:
            _put(excluded, self.rows.get(term, ()))
        found = {name: _one_of(directions) for name, directions in told.items()}
        return {name: found.get(name, EXCLUDED) for name in self.regions if name in found or name in excluded}

    def _find(self, term: str) -> Mapped:
        if term in self.rows:
            return Mapped(term, (term,), self.rows[term])
        above = {each for each in self.ontology.ancestors(term) if each in self.rows}
        nearest = sorted(each for each in above if not any(each != other and self.ontology.is_under(other, each) for other in above))
        parts = tuple(dict.fromkeys(part for each in nearest for part in self.rows[each]))
        return Mapped(term, tuple(nearest), parts)


def regions() -> tuple[Region, ...]:
    """The vocabulary in order."""
    rows = _table("imaging_regions.csv").itertuples(index=False)
    return tuple(Region(row.region, row.side, row.atlas, tuple(row.labels.split(" ")), tuple(row.groups.split("; "))) for row in rows)


def _rows(vocabulary: Iterable[Region]) -> dict[str, tuple[Part, ...]]:
    named: dict[str, list[str]] = defaultdict(list)
    for region in vocabulary:
        for name in dict.fromkeys((region.name, *region.groups)):
            named[name].append(region.name)
    found: dict[str, tuple[Part, ...]] = {}
    for row in _table("imaging_terms.csv").itertuples(index=False):
        places = tuple(place for name in filter(None, row.regions.split("; ")) for place in named[name])
        found[row.hpo_id] = found.get(row.hpo_id, ()) + ((Part(places, row.direction),) if places else ())
    return found


def _put(told: dict[str, set[str]], parts: Iterable[Part]) -> None:
    for part in parts:
        for name in part.regions:
            told[name].add(part.direction)


def _one_of(directions: set[str]) -> str:
    """Of a size and an unknown change the size; of both sizes neither."""
    sizes = directions - {ABNORMAL}
    return next(iter(sizes)) if len(sizes) == 1 else ABNORMAL


def _table(name: str) -> pd.DataFrame:
    with resources.files("bridge.cases").joinpath(name).open("r", encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
