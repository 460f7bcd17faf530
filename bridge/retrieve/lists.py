"""What a cohort lists for its samples, such as phenotypes and disorders: items with names, and where the list comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import Field, ValidationError

from bridge.data.cohort import Cohort
from bridge.data.typed import Typed
from bridge.retrieve.schema import CandidateKind

Notes = TypeVar("Notes", bound=Typed)

#: Kinds of which a cohort can list some for every sample.
LISTED = (CandidateKind.PHENOTYPE, CandidateKind.DISORDER)


class Declared(Typed):
    """A list: its column of ``obs`` with items separated by '; ', their names, what each is a kind of, and where these come from."""

    column: str
    names: dict[str, str] = Field(default_factory=dict)
    above: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    source: str = ""


class DeclaredLists(Typed):
    """How a cohort's notes declare its lists: ``notes["candidates"]``."""

    phenotype: Declared | None = None
    disorder: Declared | None = None


class DeclaredSamples(Typed):
    """What the cohort's notes say a sample is: ``notes["samples"]``.

    Args:
        kind: A gene, or just a sample.
        label: Column of ``obs`` with the samples' names; '' where their ids are all there is.
    """

    kind: Literal[CandidateKind.GENE, CandidateKind.SAMPLE] = CandidateKind.SAMPLE
    label: str = ""


class Known(NamedTuple):
    """Items of one kind.

    Args:
        kind: Phenotypes or disorders.
        items: Ids per sample.
        names: Id to its name; an id without one is shown as it is.
        source: Where the names come from, with release.
        above: Item to the more general items that whoever has it has too.
    """

    kind: CandidateKind
    items: list[tuple[str, ...]]
    names: dict[str, str]
    source: str
    above: Mapping[str, tuple[str, ...]] = MappingProxyType({})


def known_lists(cohort: Cohort) -> list[Known]:
    """The lists that a cohort declares; of one that declares none the fact columns together, as phenotypes.

    Raises:
        ValueError: a declared list is not as expected, or its column is missing.
    """
    declared = cohort.about["notes"].get("candidates")
    if declared is None:
        return [_facts(cohort)] if cohort.facts else []
    lists = _checked(cohort, declared)
    return [Known(kind, cohort.fact(found.column), found.names, found.source, found.above) for kind, found in lists.items()]


def sample_labels(cohort: Cohort) -> tuple[CandidateKind, list[str]]:
    """What a sample is, and the name of each.

    Raises:
        ValueError: it is not declared as expected, or the column is missing.
    """
    found = _validated(cohort, "samples", DeclaredSamples, cohort.about["notes"].get("samples", {}))
    if not found.label:
        return found.kind, [""] * len(cohort.ids)
    _require_columns(cohort, "samples, field label", [found.label])
    return found.kind, cohort.text(found.label)


def own_candidates(cohort: Cohort, row: int) -> dict[CandidateKind, frozenset[str]]:
    """What the lists of a cohort say of one sample, as :meth:`bridge.retrieve.gallery.Gallery.search` takes it: its items and what they are kinds of."""
    return {known.kind: frozenset(known.items[row]).union(*(known.above.get(item, ()) for item in known.items[row])) for known in known_lists(cohort)}


def _checked(cohort: Cohort, declared: Any) -> dict[CandidateKind, Declared]:
    lists = _validated(cohort, "candidates", DeclaredLists, declared)
    found = {kind: each for kind in LISTED if (each := getattr(lists, kind.value)) is not None}
    _require_columns(cohort, "candidates, field column", [each.column for each in found.values()])
    return found


def _validated(cohort: Cohort, name: str, kind: type[Notes], fields: Any) -> Notes:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = f"{cohort.source}, uns['bridge'], notes, {name}, field {'.'.join(map(str, first['loc']))}"
        raise ValueError(f"{place}: {first['msg']}; make the cohort again with this version") from error


def _require_columns(cohort: Cohort, field: str, columns: Iterable[str]) -> None:
    for column in columns:
        if column not in cohort.table.obs:
            raise ValueError(f"{cohort.source}, uns['bridge'], notes, {field}: found {column!r}, expected a column of obs")


def _facts(cohort: Cohort) -> Known:
    """Items of several columns in one list; the column stands in the id, since two columns may hold the same word."""
    columns = {column: cohort.fact(column) for column in cohort.facts}
    items = [tuple(f"{column}: {item}" for column, facts in columns.items() for item in facts[row]) for row in range(len(cohort.ids))]
    names = {each: each.partition(": ")[2] for row in items for each in row}
    return Known(CandidateKind.PHENOTYPE, items, names, f"{', '.join(columns)} of {Path(cohort.source).name}")
