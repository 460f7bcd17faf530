"""Outlines of labelled pictures as SVG paths: smooth, without gaps between neighbours, in tenths of a pixel.

The borders of neighbouring regions lie where their blurred masks are equal, so both draw the same line. Contours are
traced by contourpy, the library behind matplotlib's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import contourpy
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

#: Units of the paths in a pixel of the picture.
UNITS = 10
#: Blur of the masks, pixels, and how far a line may be simplified.
BLUR, TOLERANCE = 0.7, 0.12
#: Pixels that a blurred mask reaches beyond its region.
REACH = 3
#: The background gives way a little: a cortex one pixel thick would vanish when blurred.
BACKGROUND = 0.75


def partition(picture: Int[np.ndarray, "rows columns"]) -> dict[int, str]:
    """Outline of each region.

    Args:
        picture: Number of the region in each pixel, first row on top, below 0 outside.
    """
    windows = {number - 1: window for number, window in enumerate(ndimage.find_objects(picture + 1), start=1) if window}
    first, second = BACKGROUND * _blurred(picture < 0), np.zeros(picture.shape)
    blurred = {}
    for region, tight in windows.items():
        window = tuple(slice(max(part.start - REACH, 0), part.stop + REACH) for part in tight)
        blurred[region] = window, _blurred(picture[window] == region)
        first[window], lower = np.maximum(first[window], blurred[region][1]), np.minimum(first[window], blurred[region][1])
        second[window] = np.maximum(second[window], lower)
    fields = {region: (window, np.where(own == first[window], own - second[window], own - first[window])) for region, (window, own) in blurred.items()}
    return {region: path for region, (window, field) in fields.items() if (path := _path(field, window))}


def outline(mask: Bool[np.ndarray, "rows columns"]) -> str:
    """Outline of one region."""
    return partition(mask.astype(np.int32) - 1).get(0, "")


def _blurred(mask: Bool[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    return ndimage.gaussian_filter(mask.astype(np.float64), BLUR)


def _path(field: Float[np.ndarray, "rows columns"], window: tuple[slice, slice]) -> str:
    """The lines where a field is 0, closed; the field begins at the window's corner."""
    lines = contourpy.contour_generator(z=np.pad(field, 1, constant_values=-1.0)).lines(0.0)
    corner = np.array([window[1].start, window[0].start]) - 0.5
    return "".join(_closed(np.rint((_simplified(line) + corner) * UNITS).astype(int)) for line in lines if len(line) > 3)


def _closed(points: Int[np.ndarray, "points 2"]) -> str:
    """One closed line: its first point, then the steps from point to point."""
    steps = np.diff(points, axis=0)[:-1]
    steps = steps[steps.any(axis=1)]
    return f"M{_pair(points[0])}l{' '.join(map(_pair, steps))}z" if len(steps) > 1 else ""


def _pair(point: Sequence[int] | Int[np.ndarray, " 2"]) -> str:
    return f"{point[0]} {point[1]}"


def _simplified(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "kept 2"]:
    """The line with fewer points, none farther than the tolerance from it (Douglas and Peucker 1973)."""
    kept, open_parts = {0, len(points) - 1}, [(0, len(points) - 1)]
    while open_parts:
        start, end = open_parts.pop()
        distances = _distances(points[start + 1 : end], points[start], points[end])
        if len(distances) and distances.max() > TOLERANCE:
            far = start + 1 + int(distances.argmax())
            kept.add(far)
            open_parts += [(start, far), (far, end)]
    return points[sorted(kept)]


def _distances(points: Float[np.ndarray, "points 2"], start: Float[np.ndarray, " 2"], end: Float[np.ndarray, " 2"]) -> Float[np.ndarray, " points"]:
    """Of points from the line through two others; from the first of them where both are one place."""
    along, away = end - start, points - start
    length = np.hypot(*along)
    return np.hypot(*away.T) if length == 0 else np.abs(along[0] * away[:, 1] - along[1] * away[:, 0]) / length
