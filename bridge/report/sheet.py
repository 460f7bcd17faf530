"""What is known of one sample in numbers: every region and gene with its value, its place in the training reference and its state.

==================  ==================================================
``up``, ``down``    z at or beyond ``MARKED`` (2) above, below the training mean
``within range``    z closer to the mean than ``USUAL`` (1)
``indeterminate``   between these, or no reference to place the value in
``not measured``    the sample has no value for it
==================  ==================================================
"""

from __future__ import annotations

import enum
import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bridge.language.subject import RegionValues, Subject
from bridge.report.claims.anatomy import place_of
from bridge.report.reference import Reference

MARKED, USUAL = 2.0, 1.0


class State(enum.StrEnum):
    """Where a value lies in the training reference."""

    UP = "up"
    DOWN = "down"
    WITHIN = "within range"
    INDETERMINATE = "indeterminate"
    NOT_MEASURED = "not measured"


class Fact(NamedTuple):
    """One value of the sample.

    Args:
        modality: The input that holds it.
        name: Region or gene.
        side: left, right or ''.
        value: As measured; None where it is not.
        units: Units of the value.
        z: Standard deviations from the training mean; None where training does not tell.
        state: See the table at the top.
    """

    modality: str
    name: str
    side: str
    value: float | None
    units: str
    z: float | None
    state: State


class FactSheet:
    """Facts of one sample.

    Args:
        subject: The sample as measured.
        reference: Its names, and where their values lie in training.
    """

    def __init__(self, subject: Subject, reference: Reference):
        self.columns = {modality: _Column.of(subject, reference, modality) for modality in reference.regions}

    @property
    def facts(self) -> list[Fact]:
        """Every name that the reference knows, those not measured included."""
        return [column.fact(number) for column in self.columns.values() for number in range(len(column.names))]

    def find(self, modality: str, entity: str) -> tuple[Fact, ...]:
        """The fact of a name; of a region named without a side both of its facts; none where the sheet has no such name."""
        column = self.columns.get(modality)
        if column is None:
            return ()
        places = _places(column.names)
        if (entity, None) in places:
            return (column.fact(places[entity, None]),)
        concept = place_of(entity).concept
        pair = [places.get((concept, side)) for side in ("left", "right")]
        return () if None in pair else tuple(map(column.fact, pair))

    def mirrored(self, fact: Fact) -> Fact | None:
        """The same region of the other side."""
        column, other = self.columns[fact.modality], {"left": "right", "right": "left"}.get(fact.side)
        number = _places(column.names).get((place_of(fact.name).concept, other)) if other else None
        return None if number is None else column.fact(number)

    def strongest(self, k: int) -> list[Fact]:
        """Up to k facts that are up or down, the farthest from the training mean first."""
        marked = [column.fact(number) for column in self.columns.values() for number in np.flatnonzero(np.abs(column.z) >= MARKED).tolist()]
        return sorted(marked, key=lambda fact: (-abs(fact.z), fact.name))[:k]


def state_of(value: float | None, z: float | None) -> State:
    """State of a value by the table at the top."""
    if value is None:
        return State.NOT_MEASURED
    if z is None or USUAL <= abs(z) < MARKED:
        return State.INDETERMINATE
    if abs(z) < USUAL:
        return State.WITHIN
    return State.UP if z > 0 else State.DOWN


class _Column(NamedTuple):
    """Values of one modality in the order of its names, NaN where missing."""

    modality: str
    names: tuple[str, ...]
    values: Float[np.ndarray, " names"]
    z: Float[np.ndarray, " names"]
    units: str

    @classmethod
    def of(cls, subject: Subject, reference: Reference, modality: str) -> _Column:
        names = tuple(reference.regions[modality])
        regions = subject.regions.get(modality) if modality in subject.present else None
        values = np.full(len(names), np.nan) if regions is None else _in_order(regions, names)
        spread = np.where(reference.spread[modality] > 0, reference.spread[modality], np.nan)
        return cls(modality, names, values, (values - reference.mean[modality]) / spread, regions.units if regions else "")

    def fact(self, number: int) -> Fact:
        name = self.names[number]
        value, z = (float(numbers[number]) if np.isfinite(numbers[number]) else None for numbers in (self.values, self.z))
        return Fact(self.modality, name, place_of(name).side, value, self.units, z, state_of(value, z))


def _in_order(regions: RegionValues, names: tuple[str, ...]) -> Float[np.ndarray, " regions"]:
    """Measured values of these names, NaN for one that the sample does not have."""
    values = np.append(regions.values if regions.raw is None else regions.raw, np.nan).astype(np.float64)
    if regions.names == names:
        return values[:-1]
    places = {name: number for number, name in enumerate(regions.names)}
    return values[[places.get(name, -1) for name in names]]


@functools.lru_cache(maxsize=64)
def _places(names: tuple[str, ...]) -> dict[tuple[str, str | None], int]:
    """Where each name stands: under (name, None), and under its concept and side."""
    by_side = {place_of(name): number for number, name in reversed(list(enumerate(names)))}
    return {tuple(place): number for place, number in by_side.items()} | {(name, None): number for number, name in enumerate(names)}
