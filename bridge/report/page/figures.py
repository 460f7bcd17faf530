"""The figures of a report as numbers and outlines; the templates draw them, so that no text of a report is ever part of a drawing made here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bridge.report.given import Measured
from bridge.report.page.brain_figure import View, views
from bridge.report.page.colours import Scale
from bridge.report.page.content import Findings
from bridge.retrieve.schema import Point, Position
from encoders.region_map import Atlas

#: Rows of a table that stand open, and all that it holds.
FIRST, ALL = 12, 200
#: Edge of the plane of the shared space, and its margin, in units of the drawing.
EDGE, MARGIN = 1000, 60
#: Distance between the numbers of neighbours, and rounds in which they are moved apart.
CLEAR, ROUNDS = 62, 100


class Feature(NamedTuple):
    """One value of the sample.

    Args:
        mark: Number that a claim, a row and a shape of the same feature share.
        name: As the input names it.
        value: As measured.
        z: Standard deviations from the training mean.
        colour: On the scale.
        changed: A what-if replaced it.
    """

    mark: int
    name: str
    value: float | None
    z: float | None
    colour: str
    changed: bool


class FeatureTable(NamedTuple):
    """Values of one input, those that a claim names and those farthest from the training mean first."""

    units: str
    scale: Scale
    first: tuple[Feature, ...]
    rest: tuple[Feature, ...]
    left_out: int


class Picture(NamedTuple):
    """One view of the brain with its features, in the order in which they are drawn: number of the outline and what it shows."""

    view: View
    shapes: tuple[tuple[int, Feature], ...]


class BrainMap(NamedTuple):
    """All views of one input on an atlas."""

    scale: Scale
    atlas: str
    pictures: tuple[Picture, ...]


class Near(NamedTuple):
    """A neighbour in the plane: its place, and where its number stands clear of the others."""

    x: int
    y: int
    label_x: int
    label_y: int
    point: Point


class Plane(NamedTuple):
    """The sample among others in the shared space; places in a square of ``EDGE``, y downwards."""

    position: Position
    sample: tuple[int, int]
    others: str
    near: tuple[Near, ...]


class Marks(dict[tuple[str, str], int]):
    """A number for every feature that is shown: modality and name to it."""

    def of(self, modality: str, name: str) -> int:
        """The number of a feature, a new one where it has none."""
        return self.setdefault((modality, name), len(self))


def feature_table(part: Findings, marks: Marks) -> FeatureTable | None:
    """The table of one input; None where its values have no names."""
    if part.measured is None:
        return None
    named = {evidence.feature for claim in part.claims for evidence in claim.evidence}
    scale = scale_of(part.measured)
    features = sorted(_features(part.measured, marks, scale), key=lambda feature: (feature.name not in named, -abs(_place(feature) or 0.0)))
    first = sorted(features[: max(FIRST, len(named))], key=lambda feature: -(_place(feature) or 0.0))
    return FeatureTable(part.measured.units, scale, tuple(first), tuple(features[len(first) : ALL]), max(0, len(features) - ALL))


def brain_map(measured: Measured | None, atlas: Atlas | None, marks: Marks) -> BrainMap | None:
    """The measured values on an atlas; None where there is no atlas, or it has none of the names."""
    if measured is None or atlas is None or not set(measured.names) & set(atlas.names):
        return None
    scale = scale_of(measured)
    features = {feature.name: feature for feature in _features(measured, marks, scale)}
    regions = [features.get(name) or Feature(marks.of(measured.modality, name), name, None, None, scale.colour(None), False) for name in atlas.names]
    strength = {number: abs(_place(feature)) for number, feature in enumerate(regions) if _place(feature) is not None}
    pictures = tuple(Picture(view, tuple((number, regions[number]) for number in view.drawn(strength))) for view in views(atlas))
    return BrainMap(scale, measured.atlas, pictures) if pictures else None


def plane(position: Position | None) -> Plane | None:
    """The figure of the shared space."""
    if position is None:
        return None
    places = [(position.x, position.y), *((point.x, point.y) for point in position.others)]
    columns, rows = (_fitted([place[axis] for place in places]) for axis in (0, 1))
    at = [(column, EDGE - row) for column, row in zip(columns, rows, strict=True)]
    far = "".join(f"M{x} {y}h0" for (x, y), point in zip(at[1:], position.others, strict=True) if not point.near)
    near = [(*place, point) for place, point in zip(at[1:], position.others, strict=True) if point.near]
    labels = _apart(np.array([at[0], *((x, y) for x, y, _ in near)], dtype=float))
    return Plane(position, at[0], far, tuple(Near(x, y, *label, point) for (x, y, point), label in zip(near, labels, strict=True)))


def scale_of(measured: Measured) -> Scale:
    """Colours by z; by the values themselves where training does not tell."""
    return Scale.of_z(measured.z) if _has_reference(measured) else Scale.of_values(measured.values, measured.units)


def atlas_of(modality: str, atlas: Atlas | Mapping[str, Atlas] | None) -> Atlas | None:
    """The atlas of a modality; a single one is everybody's."""
    return atlas.get(modality) if isinstance(atlas, Mapping) else atlas


def _features(measured: Measured, marks: Marks, scale: Scale) -> list[Feature]:
    count = len(measured.names)
    values, z = (tuple(numbers[:count]) + (None,) * (count - len(numbers)) for numbers in (measured.values, measured.z))
    drawn = z if _has_reference(measured) else values
    rows = zip(measured.names, values, z, drawn, strict=True)
    changed = set(measured.changed)
    return [Feature(marks.of(measured.modality, name), name, value, own, scale.colour(shown), name in changed) for name, value, own, shown in rows]


def _has_reference(measured: Measured) -> bool:
    return any(z is not None for z in measured.z)


def _place(feature: Feature) -> float | None:
    return feature.value if feature.z is None else feature.z


def _apart(places: Float[np.ndarray, "points 2"]) -> list[tuple[int, int]]:
    """Where the numbers of all but the first point stand: pushed away from it and from each other until none covers another."""
    turns = np.arange(len(places)) * 2.4  # the golden angle: points of one place go different ways
    labels = places + np.column_stack([np.cos(turns), np.sin(turns)])
    labels[0] = places[0]
    for _ in range(ROUNDS):
        between = labels[:, None] - labels[None]
        distance = np.maximum(np.linalg.norm(between, axis=-1), 1e-6) + np.eye(len(labels)) * CLEAR
        push = between / distance[..., None] * np.maximum(CLEAR - distance, 0)[..., None]
        labels[1:] = (labels + push.sum(axis=1) / 2)[1:].clip(MARGIN / 2, EDGE - MARGIN / 2)
    return [(round(x), round(y)) for x, y in labels[1:].tolist()]


def _fitted(numbers: list[float]) -> list[int]:
    """Numbers spread over the edge of the square, one distance for one difference at least of a hair."""
    low, span = min(numbers), max(max(numbers) - min(numbers), 1e-9)
    return [round(MARGIN + (number - low) / span * (EDGE - 2 * MARGIN)) for number in numbers]
