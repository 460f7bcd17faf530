"""Which samples may not be parted, which split each one is in, and whether something is in two of them all the same."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from bridge.data.cohort import SPLITS, Cohort, apply_normalisation, fit_normalisation, split_by_group
from bridge.data.table import SampleTable

#: Columns that name the person a sample was taken from, in order of preference.
PARTICIPANT_COLUMNS = ("participant", "participant_id", "subject", "subject_id", "patient", "patient_id", "donor", "donor_id", "individual")

#: Says that every sample is a group of its own.
OWN_GROUP = "id"

#: Below this many features two samples are alike by chance.
LEAST_FEATURES = 8


def group_column(table: SampleTable | None, group: str | None) -> str | None:
    """The column whose values are the groups; ``id`` where the user wants one per sample, None where nothing says.

    A column that names the participants is used without being asked for, and the choice is said in a warning.
    """
    if table is None or group is not None:
        return OWN_GROUP if table and group == table.id_column else group
    lower = {str(column).lower(): column for column in reversed(table.columns.columns)}
    found = next((lower[name] for name in PARTICIPANT_COLUMNS if name in lower), None)
    if found is not None:
        warnings.warn(f"{table.file}: samples that share {found!r} stay in one split; choose another column with --group, or --group {OWN_GROUP}", stacklevel=3)
    return found


def own_groups(ids: Sequence[str], *, asked: bool) -> list[str]:
    """A group per sample, or per participant where ids are BIDS names with sessions (``sub-01_ses-2``).

    Args:
        ids: Sample ids.
        asked: The user asked for a group per sample: the names are not read.
    """
    participants = [re.sub(r"^(sub-[^_]+)_.*$", r"\1", each) for each in ids]
    if asked or len(set(participants)) == len(ids):
        return list(ids)
    first = next(each for each in ids if each not in participants)
    warnings.warn(f"ids such as {first!r} name a participant and a session: a participant stays in one split; else --group {OWN_GROUP}", stacklevel=3)
    return participants


def draw_split(groups: Sequence[str], *, validation: float, test: float, seed: int) -> list[str]:
    """A split by group in which no split that is asked for is empty.

    Raises:
        ValueError: there are too few groups, or one is too large.
    """
    drawn = split_by_group(groups, validation=validation, test=test, seed=seed)
    asked = [name for name, part in (("train", 1.0), ("validation", validation), ("test", test)) if part > 0]
    empty = [name for name in asked if name not in drawn]
    if empty:
        largest = pd.Series(groups, dtype=object).value_counts()
        found = f"{len(largest)} groups, the largest {largest.index[0]!r} with {int(largest.iloc[0])} of {len(groups)} samples"
        raise ValueError(f"split: {found}, leave nothing for {' and '.join(empty)}; choose a finer --group, other fractions, or give a --split column")
    return drawn


def given_split(values: pd.Series, file: str, column: str) -> list[str]:
    """The split a table gives.

    Raises:
        ValueError: a value is not the name of a split, or no sample is in train.
    """
    unknown = values[~values.isin(SPLITS)]
    if len(unknown):
        raise ValueError(f"{file}, column {column!r}: sample {unknown.index[0]!r} has {unknown.iloc[0]!r}, expected one of {', '.join(SPLITS)}")
    if "train" not in set(values):
        raise ValueError(f"{file}, column {column!r}: no sample of the cohort is in 'train', expected some")
    return list(values)


def manifest(cohort: Cohort) -> dict[str, dict]:
    """Per split the number of samples and groups, and hashes by which two runs can tell that they used the same one.

    ``drawn`` says from what: the column of the groups (null: each sample its own), the seed, and the parts asked for, or
    the column of a split that was given.
    """
    notes = cohort.about["notes"]
    obs, entries = cohort.table.obs, {"drawn": {name: notes.get(name) for name in ("group", "split", "seed", "validation", "test")}}
    for split in SPLITS:
        rows = obs[obs["split"] == split]
        groups = rows["group"].astype(str).unique()
        entries[split] = {"samples": len(rows), "groups": len(groups), "sha256_of_sorted_ids": _digest(rows.index), "sha256_of_sorted_groups": _digest(groups)}
    return entries


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def twins(cohort: Cohort, modality: str, *, cosine: float = 0.999, block: int = 512) -> list[tuple[int, int]]:
    """Rows outside train whose values are nearly those of a sample in another split, each with that other row.

    Compared are standardised values (mean and scale of the training rows, missing = mean): brain maps are all positive,
    and raw ones all look alike. A modality with fewer than eight features is left out.
    """
    raw, split = cohort.raw(modality), cohort.table.obs["split"].astype(str).to_numpy()
    if raw.shape[1] < LEAST_FEATURES:
        return []
    values = np.nan_to_num(apply_normalisation(raw, fit_normalisation(raw[split == "train"])))
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit = values / np.maximum(length, 1e-12)
    held_out = np.flatnonzero(split != "train")
    found = [_alike(rows, unit, split, cosine) for rows in np.split(held_out, range(block, len(held_out), block))]
    return [pair for pairs in found for pair in pairs]


def warn_of_twins(cohort: Cohort) -> None:
    """Say how many held-out samples have a twin in another split, for each modality."""
    ids, split = cohort.ids, cohort.table.obs["split"].astype(str).tolist()
    for modality in cohort.modalities:
        pairs = twins(cohort, modality)
        if pairs:
            row, other = pairs[0]
            example = f"{ids[row]!r} ({split[row]}) and {ids[other]!r} ({split[other]})"
            warnings.warn(
                f"{modality}: {len(pairs)} samples outside train have nearly the values (cosine > 0.999) of a sample in another split, "
                f"for example {example}; scores on them are too good: split by what they share (--group)",
                stacklevel=3,
            )


def _alike(rows: Int[np.ndarray, " rows"], unit: np.ndarray, split: np.ndarray, cosine: float) -> list[tuple[int, int]]:
    likeness = unit[rows] @ unit.T
    likeness = np.where(split[rows][:, None] != split[None, :], likeness, -1.0)
    best = likeness.argmax(axis=1)
    return [(int(row), int(other)) for row, other, value in zip(rows, best, likeness.max(axis=1), strict=True) if value > cosine]
