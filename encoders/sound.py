"""Rows that were measured: what a failed export leaves instead is refused before it is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

#: From so many features on, equal numbers in all of them are not a measurement.
LEAST_FEATURES = 4

#: What other programs write where nothing was measured: -999, 9999 and the like.
CODES = tuple(sign * (10**digits - 1) for digits in range(2, 7) for sign in (-1, 1))


def require_measured(ids: Sequence[str], values: Float[np.ndarray, "samples features"], source: str | Path) -> None:
    """Refuse rows of zeros, rows of one number, and codes that stand for a missing value.

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
    codes = _codes(values)
    if codes.any():
        row, column = np.argwhere(codes)[0]
        found = f"found {values[row, column]:g}, far from all other values ({int(codes.sum())} such cells)"
        raise ValueError(f"{source}, row {ids[row]!r}, column {column + 1}: {found}; expected a measured value, or an empty cell where there is none")


def _codes(values: Float[np.ndarray, "samples features"]) -> Bool[np.ndarray, "samples features"]:
    """Cells that hold one of :data:`CODES` ten times as far from zero as all other values, or below zero where no other is."""
    coded = np.zeros(values.shape, dtype=bool)
    for code in CODES:
        coded |= values == code
    others = values[~coded & ~np.isnan(values)] if coded.any() else values[:0]
    if len(others) < LEAST_FEATURES:
        return np.zeros(values.shape, dtype=bool)
    return coded & ((np.abs(values) > 10 * np.abs(others).max()) | ((values < 0) & (others.min() >= 0)))


def _constant(values: Float[np.ndarray, "samples features"]) -> np.ndarray:
    if values.shape[1] < LEAST_FEATURES or not len(values):
        return np.zeros(len(values), dtype=bool)
    filled = np.where(np.isnan(values), -np.inf, values)
    highest = filled.max(axis=1)
    return (np.isnan(values) | (values == highest[:, None])).all(axis=1)
