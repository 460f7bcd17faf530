"""What can be known of a sample without its measurements: what is missing, the shape and place of its files, the length of its texts."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from bridge.data.cohort import Cohort
from bridge.evaluate.copies import words

MISSING, FILES, LENGTH = "what is missing", "shape and place of files", "length of texts"

#: Most features of one kind, those that vary most: missing values of a modality, folders of a column.
MOST_FEATURES = 30
#: Names of numeric columns that tell the shape of a file or the amount of its data.
SHAPE_COLUMN = re.compile(r"^n_|^num_|(^|_)(size|bytes|length|width|height|depth|slices|voxels|frames|volumes|shape|dims?)(_|$)", re.IGNORECASE)
#: A cell that is a path or the name of a file.
PATH = re.compile(r"[/\\]|\.(nii|gz|csv|tsv|npy|npz|h5ad|h5|dcm|mgz|parquet|json|txt|edf|mat)$", re.IGNORECASE)


def shapes(cohort: Cohort) -> dict[str, Float[np.ndarray, "samples _"]]:
    """Features of every sample by kind: what is missing, the shape and place of files, the length of texts."""
    files = [
        *map(_numeric, (cohort.table.obs[column] for column in shape_columns(cohort))),
        *map(_places, (cohort.text(column) for column in path_columns(cohort))),
    ]
    kinds = {
        MISSING: [_missing(cohort.raw(modality)) for modality in cohort.modalities],
        FILES: files,
        LENGTH: [_lengths(cohort.text(name)) for name in cohort.texts],
    }
    return {kind: np.concatenate([np.empty((len(cohort.ids), 0)), *parts], axis=1) for kind, parts in kinds.items()}


def shape_columns(cohort: Cohort) -> list[str]:
    """Numeric columns of ``obs`` that by their name tell the shape of a file, such as ``n_voxels``."""
    return [name for name in _free(cohort) if SHAPE_COLUMN.search(name) and pd.api.types.is_numeric_dtype(cohort.table.obs[name])]


def path_columns(cohort: Cohort) -> list[str]:
    """Columns of ``obs`` whose cells are paths or names of files."""
    return [name for name in _free(cohort) if _is_path([text for text in cohort.text(name) if text])]


def _free(cohort: Cohort) -> list[str]:
    """Columns that are not the cohort's own."""
    return [name for name in cohort.table.obs.columns if name not in ("split", "group", *cohort.texts, *cohort.facts)]


def _is_path(cells: list[str]) -> bool:
    return bool(cells) and all(PATH.search(cell) and " " not in cell.strip() for cell in cells)


def _missing(values: Float[np.ndarray, "samples features"]) -> Float[np.ndarray, "samples _"]:
    """Whether a modality is there, how many of its values are, and which are missing (of those that differ most between samples)."""
    missing = ~np.isfinite(values)
    return np.column_stack([missing.all(axis=1), (~missing).sum(axis=1), _most_varying(missing)]).astype(float)


def _places(paths: list[str]) -> Float[np.ndarray, "samples _"]:
    """Folders and endings of paths as indicators, and their length; what only one path has tells nothing of another."""
    parts = [PurePosixPath(path.replace("\\", "/")) for path in paths]
    marks = [{*(f"{folder}/" for folder in part.parts[:-1]), "".join(part.suffixes)} for part in parts]
    known = sorted(set.union(*marks))
    indicators = np.array([[mark in has for mark in known] for has in marks], dtype=bool).reshape(len(paths), len(known))
    return np.column_stack([_most_varying(indicators), [len(path) for path in paths]]).astype(float)


def _lengths(texts: list[str]) -> Float[np.ndarray, "samples three"]:
    """Whether there is a text, its letters and its words, both as logarithms."""
    return np.array([[bool(text), np.log1p(len(text)), np.log1p(len(words(text)))] for text in texts], dtype=float)


def _numeric(column: pd.Series) -> Float[np.ndarray, "samples two"]:
    """The number, and whether it is missing."""
    values = column.to_numpy(dtype=float, na_value=np.nan)
    known = np.isfinite(values)
    return np.column_stack([np.where(known, values, np.median(values[known]) if known.any() else 0.0), ~known])


def _most_varying(indicators: Bool[np.ndarray, "samples features"]) -> Bool[np.ndarray, "samples _"]:
    share = indicators.mean(axis=0)
    order = np.argsort(-share * (1 - share), kind="stable")[:MOST_FEATURES]
    return indicators[:, order]
