"""Rows that were measured: what a failed export leaves instead is refused before it is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

#: From so many features on, equal numbers in all of them are not a measurement.
LEAST_FEATURES = 4


def require_measured(ids: Sequence[str], values: Float[np.ndarray, "samples features"], source: str | Path) -> None:
    """Refuse rows of zeros and rows of one number.

    Args:
        ids: Of the rows.
        values: NaN where missing; a row without any value is a sample without this modality.
        source: The file, for the error.

    Raises:
        ValueError: names the file, the row, and what to do.
    """
    missing = np.isnan(values)
    present = ~missing.all(axis=1)
    zero = present & (np.where(missing, 0.0, values) == 0).all(axis=1)
    constant = present & ~zero & _constant(values)
    for rows, found in ((zero, "zeros only"), (constant, "the same number in every column")):
        if rows.any():
            row = int(np.argmax(rows))
            count = f" ({int(rows.sum())} such rows)" if rows.sum() > 1 else ""
            expected = "expected measured values, or none of the row at all where the sample has none; leave the row out"
            raise ValueError(f"{source}, row {ids[row]!r}: found {found}{count}, {expected}")


def _constant(values: Float[np.ndarray, "samples features"]) -> np.ndarray:
    if values.shape[1] < LEAST_FEATURES or not len(values):
        return np.zeros(len(values), dtype=bool)
    filled = np.where(np.isnan(values), -np.inf, values)
    highest = filled.max(axis=1)
    return (np.isnan(values) | (values == highest[:, None])).all(axis=1)
