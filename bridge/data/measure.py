"""Modalities of a cohort, each read from its files by its encoder."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bridge.data.decode import decoded_by, holed
from bridge.data.registry import resolve
from encoders.base import Encoder, located

#: What a modality is described by.
FIELDS = ("class_path", "init_args", "source")


class Measured(NamedTuple):
    """A modality as its encoder read it."""

    encoder: Encoder
    file: str
    ids: list[str]
    values: Float[np.ndarray, "samples features"]


def measure(modalities: dict[str, dict], trust: Sequence[str] = ()) -> dict[str, Measured]:
    """Read every modality with its encoder, one line of progress for each."""
    measured = {}
    columns = TextColumn("{task.description}", markup=False), SpinnerColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for name, spec in modalities.items():
            line = progress.add_task(f"{name}: reading {located(spec['source']).name}", total=1)
            measured[name] = _measure(name, spec, trust)
            samples, features = measured[name].values.shape
            progress.update(line, completed=1, description=f"{name}: {samples} samples x {features} values from {measured[name].file}")
    return measured


def _measure(name: str, spec: dict, trust: Sequence[str]) -> Measured:
    source = Path(spec["source"])
    where = located(source)
    absent = [file for file in where.files if not file.exists()]
    if absent:
        raise ValueError(f"modality {name!r}: source {absent[0]} does not exist; expected a file or folder")
    init_args, width = resolve(spec.get("init_args", {}))
    try:
        encoder, (ids, values) = decoded_by(spec["class_path"], {"modality": name} | init_args, source, trust=trust)
    except ValueError as error:
        raise ValueError(f"modality {name!r}, {error}") from error
    if encoder.modality != name:
        raise ValueError(f"modality {name!r}: its encoder says {encoder.modality!r}; expected one name, leave 'modality' out of init_args")
    _require_width(name, source, np.asarray(values), width)
    _tell_holes(name, source, ids, holed(encoder, values))
    return Measured(encoder, where.name, *_present(f"{name} ({source})", list(ids), np.asarray(values)))


def _require_width(name: str, source: Path, values: np.ndarray, width: int | None) -> None:
    """Refuse vectors that the strategy they name cannot have made."""
    if width is not None and values.shape[1:] != (width,):
        found = f"{source} has {values.shape[-1]} values per sample, its strategy says {width}"
        raise ValueError(f"modality {name!r}, provenance: {found}; name the strategy it was made by")


def _tell_holes(name: str, source: Path, ids: list[str], rows: np.ndarray) -> None:
    if rows.any():
        found = f"{int(rows.sum())} samples lack some numbers of a vector (first {ids[int(np.argmax(rows))]!r})"
        warnings.warn(f"{name} ({source}): {found}; such a vector counts as missing", stacklevel=4)


def _present(label: str, ids: list[str], values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Rows that hold at least one value; a row without any is a sample without this modality."""
    if values.ndim != 2 or len(ids) != len(values) or not values.size:
        raise ValueError(f"{label}: found {len(ids)} ids and values of shape {values.shape}, expected [samples, features] with a row per id")
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        row, feature = infinite[0]
        raise ValueError(f"{label}: sample {ids[row]!r}, feature {feature + 1}: found an infinite value, expected a number or NaN where missing")
    present = ~np.isnan(values).all(axis=1)
    if not present.any():
        raise ValueError(f"{label}: every value is NaN, expected some that are measured")
    if not present.all():
        first = ids[int(np.flatnonzero(~present)[0])]
        warnings.warn(f"{label}: {int((~present).sum())} samples have no value (first {first!r}) and count as missing", stacklevel=4)
    return [each for each, found in zip(ids, present, strict=True) if found], values[present]
