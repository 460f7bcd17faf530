"""Results of a run of reports in a copy of the cohort's file: the original is never opened for writing, and no key of it is written over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch
from anndata.io import write_elem
from jaxtyping import Float

from bridge.data.cohort import Cohort
from bridge.data.manifest import signed_file
from bridge.model import SemanticBridge
from bridge.project.space import JOINT
from bridge.report.cohort.cohort_index import Row
from bridge.retrieve.embed import side_vectors

#: Columns of ``obs`` behind the key: what a report holds in numbers, and where it is.
COUNTS = ("claims", "supported", "near", "unchecked", "struck", "contradicted")
FILE, FAILURE = "report", "failure"


def keys_added(key: str) -> dict[str, tuple[str, ...]]:
    """Everything that is added to a file: its group to the names in it. ``uns['bridge']`` is the cohort's own record, so that ours is another."""
    return {"obsm": (f"X_{key}",), "obs": tuple(f"{key}_{name}" for name in (FILE, *COUNTS, FAILURE)), "uns": (f"{key}_report",)}


def require_free_keys(path: Path, key: str) -> None:
    """Refuse a file that has one of the keys already.

    Raises:
        ValueError: names the first one, or a file of an encoding to which no column can be added.
    """
    if not key or "/" in key:
        raise ValueError(f"report, field key_added: found {key!r}, expected a word without '/'")
    with h5py.File(path, "r") as file:
        if not isinstance(file.get("obs"), h5py.Group):
            raise ValueError(f"{path}, obs: of an encoding before anndata 0.7, to which no column can be added; read it and write it again with anndata")
        taken = [f"{group}[{name!r}]" for group, names in keys_added(key).items() for name in names if name in file.get(group, ())]
    if taken:
        raise ValueError(f"{path}: has {taken[0]} already, and nothing is written over; choose other names with --key_added NAME")


def write_back(bridge: SemanticBridge, cohort: Cohort, rows: Iterable[Row], failures: Mapping[str, str], about: Mapping[str, Any], out: Path, key: str) -> None:
    """Copy the cohort's file and add what a run found: vectors in the shared space, numbers of each report, what made them.

    Args:
        bridge: A loaded bundle.
        cohort: Read from a file.
        rows: Of the reports.
        failures: Sample to the reason why it has no report.
        about: What made the reports, as :meth:`bridge.report.cohort.cohort_reports.CohortReports.identity` tells it.
        out: The copy.
        key: What the names that are added begin with.

    Raises:
        ValueError: the cohort's file has one of the keys already, or the copy would be that file.
    """
    source, names = Path(cohort.source), keys_added(key)
    if out.resolve() == source.resolve():
        raise ValueError(f"{out}: is the cohort itself, which is never written to; choose another --write_back FILE")
    require_free_keys(source, key)
    rows = {row.sample: row for row in rows}
    with signed_file(out) as partial:
        shutil.copyfile(source, partial)
        with h5py.File(partial, "r+") as file:
            if bridge.space is not None and rows:
                write_elem(file.require_group("obsm"), names["obsm"][0], shared_vectors(bridge, cohort, rows, about["use"] or bridge.projectors))
            _add_columns(file["obs"], _columns(cohort.ids, rows, failures, key))
            write_elem(file.require_group("uns"), names["uns"][0], json.dumps(about, sort_keys=True))


def shared_vectors(bridge: SemanticBridge, cohort: Cohort, samples: Iterable[str], modalities: Iterable[str]) -> Float[np.ndarray, "samples dim"]:
    """One unit vector per sample of the cohort: the mean direction of these modalities in the shared space; NaN for a sample without a report."""
    chosen = set(samples)
    reported = np.array([sample in chosen for sample in cohort.ids])
    wanted = np.flatnonzero(reported)
    values = {modality: torch.from_numpy(cohort.values(modality, wanted)) for modality in modalities}
    sides = np.stack([vectors for side, vectors in side_vectors(bridge, values).items() if JOINT not in side])
    found = np.full((len(reported), sides.shape[2]), np.nan, dtype=np.float32)
    found[reported] = _mean_direction(sides)
    return found


def _mean_direction(sides: Float[np.ndarray, "sides samples dim"]) -> Float[np.ndarray, "samples dim"]:
    total = np.nansum(sides, axis=0)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return total / np.where(length > 0, length, np.nan)


def _columns(ids: Iterable[str], rows: Mapping[str, Row], failures: Mapping[str, str], key: str) -> dict[str, Any]:
    ids = list(ids)
    found = [rows.get(sample) for sample in ids]
    columns: dict[str, Any] = {f"{key}_{FILE}": np.array([row.file if row else "" for row in found], dtype=object)}
    columns |= {f"{key}_{name}": pd.array([getattr(row, name) if row else None for row in found], dtype="Int64") for name in COUNTS}
    return columns | {f"{key}_{FAILURE}": np.array([failures.get(sample, "") for sample in ids], dtype=object)}


def _add_columns(obs: h5py.Group, columns: Mapping[str, Any]) -> None:
    """Columns behind those there are."""
    for name, values in columns.items():
        write_elem(obs, name, values)
    obs.attrs["column-order"] = np.array([*obs.attrs["column-order"], *columns], dtype=object)
