"""A brain as shapes to draw: slices and a glass brain, one shape per region, coloured by z.

The glass brain shows every region's shadow from one side, the regions farthest from the training mean on top: the
greatest |z| along each line of sight, as in any glass brain.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from scipy import ndimage

from bridge.report.page.outlines import UNITS, outline, partition
from encoders.region_map import Atlas

#: Slices of each direction, and the edge of a voxel that is fine enough for a figure, mm.
SLICES, EDGE = 5, 2.0
#: Share of the brain, from either end, that no slice shows.
MARGIN = 12


class View(NamedTuple):
    """One picture of the brain; paths are in units of its width and height.

    Args:
        title: What is seen, for example ``z = 12 mm``.
        width: Of the picture.
        height: Of the picture.
        sides: Letters at the left and right edge: ``L`` and ``R``, or ``P`` and ``A``.
        silhouette: Outline of the whole.
        regions: Region number to its outline.
        glass: The regions lie behind each other.
    """

    title: str
    width: int
    height: int
    sides: tuple[str, str]
    silhouette: str
    regions: dict[int, str]
    glass: bool

    def drawn(self, strength: Mapping[int, float]) -> list[int]:
        """Regions in the order in which they are drawn: the strongest last, on top."""
        return sorted(self.regions, key=lambda region: (strength.get(region, -1.0), region))


def views(atlas: Atlas) -> tuple[View, ...]:
    """Axial and coronal slices, and the glass brain from the left, the right, above and in front; drawn once per atlas."""
    return _views(atlas.labels.astype(np.int32).tobytes(), atlas.labels.shape, atlas.affine.astype(np.float64).tobytes(), tuple(atlas.indices))


@functools.lru_cache(maxsize=4)
def _views(labels: bytes, shape: tuple[int, ...], affine: bytes, indices: tuple[int, ...]) -> tuple[View, ...]:
    numbers, corner, step = _cropped(np.frombuffer(labels, np.int32).reshape(shape), np.frombuffer(affine).reshape(4, 4), indices)
    if not numbers.size:
        return ()
    return tuple(_slices(numbers, corner, step)) + tuple(_glass(numbers))


def _cropped(labels: Int[np.ndarray, "x y z"], affine: np.ndarray, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Region numbers (-1 outside) on a grid fine enough for a figure, cut to the regions; mm of its first voxel and of a step."""
    order = np.argsort(indices)
    rising = np.asarray(indices)[order]
    place = np.searchsorted(rising, labels).clip(max=len(rising) - 1)
    numbers = np.where(rising[place] == labels, order[place], -1)
    every = [max(1, round(EDGE / float(np.linalg.norm(affine[:3, axis])))) for axis in range(3)]
    numbers = numbers[:: every[0], :: every[1], :: every[2]]
    inside = np.argwhere(numbers >= 0)
    low, high = (np.maximum(inside.min(axis=0) - 2, 0), inside.max(axis=0) + 3) if len(inside) else (np.zeros(3, int), np.zeros(3, int))
    step = affine[:3, :3].diagonal() * every
    return numbers[tuple(map(slice, low, high))], affine[:3, 3] + low * step, step


def _slices(numbers: Int[np.ndarray, "x y z"], corner: np.ndarray, step: np.ndarray) -> list[View]:
    places = [(axis, name, place) for axis, name in ((2, "z"), (1, "y")) for place in _spread(numbers, axis)]
    return [_slice(numbers.take(place, axis), f"{name} = {corner[axis] + place * step[axis]:.0f} mm") for axis, name, place in places]


def _slice(plane: Int[np.ndarray, "right up"], title: str) -> View:
    picture = np.flipud(plane.T)
    return View(title.replace("-", "\u2212"), *_size(picture), ("L", "R"), outline(_filled(picture >= 0)), partition(picture), False)


def _spread(numbers: Int[np.ndarray, "x y z"], axis: int) -> list[int]:
    """Places of slices, evenly spread over the regions."""
    places = np.argwhere(numbers >= 0)[:, axis]
    return sorted({round(float(place)) for place in np.linspace(*np.percentile(places, (MARGIN / 2, 100 - MARGIN / 2)), SLICES)})


def _glass(numbers: Int[np.ndarray, "x y z"]) -> list[View]:
    middle = numbers.shape[0] // 2
    seen = (
        ("from the left", numbers[: middle + 1], 0, ("P", "A"), False),
        ("from the right", numbers[middle:], 0, ("A", "P"), True),
        ("from above", numbers, 2, ("L", "R"), False),
        ("from the front", numbers, 1, ("R", "L"), True),
    )
    return [_shadows(part, axis, title, sides, mirrored) for title, part, axis, sides, mirrored in seen]


def _shadows(numbers: Int[np.ndarray, "x y z"], axis: int, title: str, sides: tuple[str, str], mirrored: bool) -> View:
    """Shadow of every region along an axis."""
    flips = (0, 1) if mirrored else (0,)
    whole = np.flip(_filled((numbers >= 0).any(axis=axis).T), flips)
    shadows = {region: outline(np.flip(mask.T, flips)) for region, mask in _masks(numbers, axis).items()}
    return View(title, *_size(whole), sides, outline(whole), {region: path for region, path in shadows.items() if path}, True)


def _masks(numbers: Int[np.ndarray, "x y z"], axis: int) -> dict[int, Bool[np.ndarray, "across up"]]:
    """Which lines of sight meet each region."""
    masks = {}
    for region, window in enumerate(ndimage.find_objects(numbers + 1)):
        if window is not None:
            masks[region] = np.zeros(np.delete(numbers.shape, axis), dtype=bool)
            masks[region][tuple(np.delete(np.array(window, dtype=object), axis))] = (numbers[window] == region).any(axis=axis)
    return masks


def _filled(mask: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """The regions and what lies between them."""
    wide = np.pad(mask, 6)
    return ndimage.binary_fill_holes(ndimage.binary_closing(wide, iterations=4))[6:-6, 6:-6]


def _size(picture: np.ndarray) -> tuple[int, int]:
    return picture.shape[1] * UNITS, picture.shape[0] * UNITS
