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
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bridge.language.subject import RegionValues, Subject
from bridge.report.anatomy import place_of
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
    """Facts of one sample by modality and name.

    Args:
        facts: All of them, those not measured included.
    """

    def __init__(self, facts: Iterable[Fact]):
        self.facts = {(fact.modality, fact.name): fact for fact in facts}
        self._by_side: dict[str, dict[tuple[str, str], Fact]] = {}

    @classmethod
    def of(cls, subject: Subject, reference: Reference) -> FactSheet:
        """Every feature that the training reference knows."""
        return cls(fact for modality in reference.regions for fact in _facts(subject, reference, modality))

    def find(self, modality: str, entity: str) -> tuple[Fact, ...]:
        """The fact of a name; of a region named without a side both of its facts; none where the sheet has no such name."""
        if (modality, entity) in self.facts:
            return (self.facts[modality, entity],)
        concept = place_of(entity).concept
        sides = self._sides(modality)
        pair = sides.get((concept, "left")), sides.get((concept, "right"))
        return () if None in pair else pair

    def mirrored(self, fact: Fact) -> Fact | None:
        """The same region of the other side."""
        other = {"left": "right", "right": "left"}.get(fact.side)
        return self._sides(fact.modality).get((place_of(fact.name).concept, other)) if other else None

    def strongest(self, k: int) -> list[Fact]:
        """Up to k facts that are up or down, the farthest from the training mean first."""
        marked = [fact for fact in self.facts.values() if fact.state in (State.UP, State.DOWN)]
        return sorted(marked, key=lambda fact: (-abs(fact.z), fact.name))[:k]

    def _sides(self, modality: str) -> Mapping[tuple[str, str], Fact]:
        if modality not in self._by_side:
            own = [fact for fact in self.facts.values() if fact.modality == modality]
            self._by_side[modality] = {(place_of(fact.name).concept, fact.side): fact for fact in own}
        return self._by_side[modality]


def state_of(value: float | None, z: float | None) -> State:
    """State of a value by the table at the top."""
    if value is None:
        return State.NOT_MEASURED
    if z is None or USUAL <= abs(z) < MARKED:
        return State.INDETERMINATE
    if abs(z) < USUAL:
        return State.WITHIN
    return State.UP if z > 0 else State.DOWN


def _facts(subject: Subject, reference: Reference, modality: str) -> Iterable[Fact]:
    names = reference.regions[modality]
    regions = subject.regions.get(modality) if modality in subject.present else None
    raw = np.full(len(names), np.nan) if regions is None else _in_order(regions, names)
    spread = np.where(reference.spread[modality] > 0, reference.spread[modality], np.nan)
    z = (raw - reference.mean[modality]) / spread
    units = regions.units if regions else ""
    for name, side, value, place in zip(names, _sides_of(tuple(names)), raw.tolist(), z.tolist(), strict=True):
        known, placed = value if math.isfinite(value) else None, place if math.isfinite(place) else None
        yield Fact(modality, name, side, known, units, placed, state_of(known, placed))


def _in_order(regions: RegionValues, names: tuple[str, ...]) -> Float[np.ndarray, " regions"]:
    """Measured values of these names, NaN for one that the sample does not have."""
    values = np.append(regions.values if regions.raw is None else regions.raw, np.nan).astype(np.float64)
    if regions.names == names:
        return values[:-1]
    places = {name: number for number, name in enumerate(regions.names)}
    return values[[places.get(name, -1) for name in names]]


@functools.lru_cache(maxsize=64)
def _sides_of(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(place_of(name).side for name in names)
