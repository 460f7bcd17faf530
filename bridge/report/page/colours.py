"""Values to colours: blue below, white at, red above the training mean; without a reference, light to dark.

The hues are told apart by the common forms of colour blindness (ColorBrewer RdBu and Blues; Harrower and Brewer 2003).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

DIVERGING = ("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f")
RISING = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
#: Not measured.
ABSENT = "#bdbdbd"
#: Least and greatest z at the ends of the scale: an ordinary sample is not drawn in full colour, an outlier does not bleach the rest.
LEAST, GREATEST = 2, 5


class Scale(NamedTuple):
    """Which value has which colour.

    Args:
        label: What is drawn, with its units.
        low: Value of the first colour; lower ones have it too.
        high: Value of the last colour; higher ones have it too.
        colours: From low to high, in equal steps.
        signed: Both signs are written.
    """

    label: str
    low: float
    high: float
    colours: tuple[str, ...]
    signed: bool

    @classmethod
    def of_z(cls, values: Iterable[float | None]) -> Scale:
        """Of standard deviations from the training mean."""
        limit = float(min(GREATEST, max(LEAST, math.ceil(max((abs(value) for value in values if value is not None), default=0)))))
        return cls("z against the training reference", -limit, limit, DIVERGING, True)

    @classmethod
    def of_values(cls, values: Iterable[float | None], units: str) -> Scale:
        """Of values as measured."""
        known = [value for value in values if value is not None] or [0.0]
        return cls(f"value ({units})" if units else "value", min(known), max(max(known), math.nextafter(min(known), math.inf)), RISING, False)

    def colour(self, value: float | None) -> str:
        """Of one value; grey where it is not known."""
        if value is None:
            return ABSENT
        place = np.clip((value - self.low) / (self.high - self.low), 0, 1) * (len(self.colours) - 1)
        channels = [[int(colour[start : start + 2], 16) for colour in self.colours] for start in (1, 3, 5)]
        return "#" + "".join(f"{round(float(np.interp(place, range(len(self.colours)), channel))):02x}" for channel in channels)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Values to write beside the colour bar."""
        return tuple(np.linspace(self.low, self.high, 5 if self.signed else 3).tolist())
