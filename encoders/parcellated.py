"""A table of region values per participant, as BIDS derivatives have it: a column per region, or a row per region."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.atlas_labels import INDEX, NAME
from encoders.tables import MISSING, numbers, read_cells

#: Columns that say whose the row is, or when, and are no region.
ABOUT = ("participant_id", "subject", "subject_id", "sub", "session_id", "session", "ses", "run", "time", "volume", "frame", "onset")

#: Suffixes of files whose rows are times; a region is its mean over them.
SERIES = ("timeseries", "bold")


def read_parcellated(files: Mapping[str, Path | None], measure: str = "") -> pd.DataFrame:
    """One row per participant; a participant without a file, and a region that a file lacks, is NaN.

    Args:
        files: Participant to file, see :func:`encoders.bids.chosen`.
        measure: Column of the values, of a table with a row per region and several columns.

    Raises:
        ValueError: a file is neither form, or holds several rows that are not times.
    """
    rows = {sample: {} if file is None else _values(file, measure) for sample, file in files.items()}
    return pd.DataFrame.from_dict(rows, orient="index", dtype=np.float64).reindex(list(rows)).rename_axis("participant_id")


def _values(file: Path, measure: str) -> dict[str, float]:
    cells = read_cells(file)
    cells = cells.mask(cells.isin(MISSING))
    plain = {str(name).strip().lower(): name for name in cells}
    cells = cells.drop(columns=[column for name, column in plain.items() if name in ABOUT])
    if not len(cells) or not cells.shape[1]:
        raise ValueError(f"{file}: found {len(cells)} rows and {cells.shape[1]} columns of values, expected region values")
    name = next((plain[each] for each in NAME if each in plain and _is_text(cells[plain[each]])), None)
    if name is not None:
        return _listed(cells, name, file, measure)
    values = numbers(cells.apply(_number), file)
    if len(values) > 1 and file.name.partition(".")[0].rpartition("_")[2] not in SERIES:
        raise ValueError(f"{file}: found {len(values)} rows, expected one row of region values, or a time series (suffix {' or '.join(SERIES)})")
    present = ~np.isnan(values).all(axis=0)
    means = np.nanmean(values[:, present], axis=0)
    return dict(zip([str(column) for column in cells.columns[present]], means.tolist(), strict=True))


def _listed(cells: pd.DataFrame, name: str, file: Path, measure: str) -> dict[str, float]:
    """Values of a table with a row per region."""
    others = [column for column in cells if column != name and str(column).lower() not in INDEX and not _is_text(cells[column])]
    chosen = [column for column in others if str(column).lower() == measure.lower()] or others
    if len(chosen) != 1:
        raise ValueError(f"{file}: found the columns {others} beside the regions' names, expected one of values; name it with measure")
    if cells[name].duplicated().any() or cells[name].isna().any():
        raise ValueError(f"{file}, column {name!r}: found a region without a name or twice, expected one row per region")
    values = numbers(cells[chosen].apply(_number), file)[:, 0]
    return {str(region): float(value) for region, value in zip(cells[name], values, strict=True) if np.isfinite(value)}


def _is_text(column: pd.Series) -> bool:
    """Whether no cell is a number."""
    return bool(pd.to_numeric(column, errors="coerce").isna().all() and column.notna().any())


def _number(column: pd.Series) -> pd.Series:
    """Numbers where all cells are; else as they stand, for the message about the first that is none."""
    found = pd.to_numeric(column, errors="coerce")
    return found if (found.notna() | column.isna()).all() else column
