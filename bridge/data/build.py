"""``bridge data build``: a cohort of the user's own measurements, joined by id and split by group."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from rich.console import Console

from bridge.data.cohort import Cohort
from bridge.data.join import IdRule, IdSource, Join, join_ids, unjoined
from bridge.data.measure import FIELDS, Measured, measure
from bridge.data.splits import OWN_GROUP, draw_split, given_split, group_column, manifest, own_groups, warn_of_twins
from bridge.data.table import SampleTable, observations, read_table
from bridge.data.whole import whole_file
from encoders.base import located

JOINS = ("outer", "inner")

#: What the table of notes is called beside the modalities.
TABLE = "table"

#: The encoder of vectors that are already computed.
VECTORS = "encoders.gene_table.GeneTable"


class Grouping(NamedTuple):
    """How samples are split: a ``split`` column of the table, or at random with whole groups."""

    group: str | None = None
    split: str | None = None
    validation: float = 0.1
    test: float = 0.2
    seed: int = 0


def build_cohort(
    out: Path | str,
    modalities: dict[str, dict],
    *,
    table: Path | str | None = None,
    texts: Sequence[str] = (),
    facts: dict[str, str] | None = None,
    group: str | None = None,
    split: str | None = None,
    id_column: str | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    normalise: dict[str, str] | None = None,
    join: str = "outer",
    id_rule: IdRule = (),
    trust: Sequence[str] = (),
) -> Cohort:
    """Make a cohort of your own files and write it, with a list of what did not join and a record of the split.

    Beside ``NAME.h5ad`` come ``NAME.unjoined.csv`` (every sample that some file lacks: where it was found, where it
    was missing, the nearest three ids there) and ``NAME.split.json`` (samples, groups and a hash of the ids per split).

    Args:
        out: The cohort to write, an .h5ad file.
        modalities: Name to ``{"class_path": encoder class, "init_args": {...}, "source": file or folder}``.
        table: Notes, reports, groups and covariates: csv, tsv, parquet, or an .h5ad whose ``obs`` is taken.
        texts: Text columns of the table.
        facts: Columns of known facts (items separated by '; ') to the modality that can tell them.
        group: Column whose values stay whole in one split (participant, family, site); ``id`` for a group per sample.
            By default a column that names participants, if there is one.
        split: Column with train, validation or test; by default the split is drawn.
        id_column: Column of the table with the sample ids, the first by default.
        validation: Part of the samples for validation.
        test: Part of the samples for test.
        seed: Seed of the drawn split.
        normalise: Modality to ``zscore``, ``global``, ``unit`` or ``none``, fitted on the training split.
        join: ``outer`` keeps a sample with any modality, ``inner`` one with all of them.
        id_rule: Rules under which two spellings are one id (nfkc, strip, casefold, sub-prefix, zero-pad), or ``exact``.
        trust: Modules outside the ``encoders`` package whose encoder classes may be loaded.

    Raises:
        ValueError: names the file and field, what was found and expected, and what to do.
    """
    out, facts = Path(out), facts or {}
    _require_output(out, [table, *(spec.get("source") for spec in modalities.values())])
    _require_modalities(modalities, facts, normalise or {})
    _require_settings(join, table, {"texts": texts, "facts": facts, "group": group if group != OWN_GROUP else None, "split": split, "id_column": id_column})
    about = None if table is None else read_table(Path(table), id_column=id_column, needed=(*texts, *facts))
    measured = measure(modalities, trust)
    sources = _sources(measured, about)
    joined = join_ids(sources, id_rule)
    grouping = Grouping(group_column(about, group), split, validation, test, seed)
    obs, left_out = _samples(joined, about, grouping, join=join, as_text=(*texts, *facts))
    aligned = {name: (each.encoder, _align(each.values, joined.rows[name], joined.ids, left_out)) for name, each in measured.items()}
    record = {"files": {source.name: source.file for source in sources}, "join": join, "id_rule": _described(id_rule)} | grouping._asdict()
    cohort = Cohort.assemble(obs, aligned, texts=texts, facts=facts, normalise=normalise, notes=record, source=about.file if about else out.name)
    warn_of_twins(cohort)
    _write(cohort, out, unjoined(sources, joined, left_out))
    cohort.source = str(out)
    return cohort


def from_table(path: Path, out: Path, modalities: dict[str, str | dict], **settings) -> Cohort:
    """A cohort from one .h5ad that already holds embeddings in ``obsm``; its ``obs`` is the table.

    Args:
        path: The .h5ad.
        out: The cohort to write.
        modalities: Name to where its vectors are (``obsm:X_scgpt``), or to ``{"class_path", "init_args"}`` of another encoder.
        settings: As for :func:`build_cohort`.
    """
    ids = {"id_column": settings["id_column"]} if settings.get("id_column") else {}
    vectors = {name: each if isinstance(each, dict) else {"class_path": VECTORS, "init_args": ids | {"key": each}} for name, each in modalities.items()}
    return build_cohort(out, {name: spec | {"source": path} for name, spec in vectors.items()}, table=path, **settings)


def _sources(measured: dict[str, Measured], about: SampleTable | None) -> list[IdSource]:
    """The table first: a sample is spelled as there."""
    table = [] if about is None else [IdSource(TABLE, about.file, about.ids)]
    return table + [IdSource(name, each.file, each.ids) for name, each in measured.items()]


def _samples(joined: Join, about: SampleTable | None, grouping: Grouping, *, join: str, as_text: Sequence[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Rows of the cohort with group and split, and the samples left out with the reason."""
    columns = [name for name in (grouping.group, grouping.split) if name not in (None, OWN_GROUP)]
    left_out = _left_out(joined, join, needs_table=columns)
    keep = [each not in left_out for each in joined.ids]
    ids = [each for each, kept in zip(joined.ids, keep, strict=True) if kept]
    if not ids:
        raise ValueError(f"join {join!r}: no sample remains of {len(joined.ids)}, for example {joined.ids[0]!r}: {left_out[joined.ids[0]]}")
    rows = joined.rows.get(TABLE, np.full(len(keep), -1))[keep]
    obs = observations(about, rows, ids, as_text=(*as_text, *columns))
    groups = _groups(about, grouping, rows, ids)
    if grouping.split:
        splits = given_split(about.values(grouping.split, "split", rows, ids), about.file, grouping.split)
    else:
        splits = draw_split(groups, validation=grouping.validation, test=grouping.test, seed=grouping.seed)
    return obs.assign(split=splits, group=groups), left_out


def _groups(about: SampleTable | None, grouping: Grouping, rows: np.ndarray, ids: Sequence[str]) -> list[str]:
    if grouping.group in (None, OWN_GROUP):
        return own_groups(ids, asked=grouping.group == OWN_GROUP)
    return list(about.values(grouping.group, "groups", rows, ids))


def _left_out(joined: Join, join: str, *, needs_table: Sequence[str]) -> dict[str, str]:
    """Samples that cannot be in the cohort; where the group is unknown, so is the split they may be in."""
    found = {name: rows >= 0 for name, rows in joined.rows.items()}
    measured = np.stack([present for name, present in found.items() if name != TABLE])
    reasons: dict[str, str] = {}
    for place, sample in enumerate(joined.ids):
        if not measured[:, place].any():
            reasons[sample] = "no modality"
        elif join == "inner" and not measured[:, place].all():
            reasons[sample] = "a modality is missing and join is 'inner'"
        elif needs_table and not found[TABLE][place]:
            reasons[sample] = f"not in the table, so its {' and '.join(needs_table)} is unknown"
    return reasons


def _align(values: np.ndarray, rows: np.ndarray, ids: Sequence[str], left_out: dict[str, str]) -> Float[np.ndarray, "samples features"]:
    """Values in the order of the cohort, a row of NaN where a sample has none."""
    rows = rows[[each not in left_out for each in ids]]
    aligned = np.full((len(rows), values.shape[1]), np.nan, dtype=np.float32)
    aligned[rows >= 0] = values[rows[rows >= 0]]
    return aligned


def _write(cohort: Cohort, out: Path, missing: pd.DataFrame) -> None:
    """All three files or none."""
    with whole_file(out.with_suffix(".split.json")) as split, whole_file(out.with_suffix(".unjoined.csv")) as listed:
        split.write_text(json.dumps(manifest(cohort), indent=2) + "\n", encoding="utf-8")
        missing.to_csv(listed, index=False)
        cohort.write(out)
    counts = ", ".join(f"{name} {int(np.isfinite(cohort.raw(name)).any(axis=1).sum())}" for name in cohort.modalities)
    summary = f"{out}: {len(cohort.ids)} samples ({counts}); {len(missing)} not found everywhere, see {out.stem}.unjoined.csv"
    Console(stderr=True).print(summary, markup=False, highlight=False, soft_wrap=True)


def _described(id_rule: IdRule) -> list[str]:
    return [getattr(id_rule, "__name__", "function")] if callable(id_rule) else list(id_rule)


def _require_output(out: Path, sources: Iterable[Path | str | None]) -> None:
    if out.suffix != ".h5ad":
        raise ValueError(f"out {out}: found suffix {out.suffix!r}, expected .h5ad")
    files = [file for source in sources if source is not None for file in located(source).files]
    if any(file.resolve() == out.resolve() for file in files):
        raise ValueError(f"out {out}: is one of the files the cohort is made from; give it another name")


def _require_modalities(modalities: dict[str, dict], facts: dict[str, str], normalise: dict[str, str]) -> None:
    if not modalities:
        raise ValueError("modalities: found none, expected at least one")
    for name, spec in modalities.items():
        if name == TABLE or not re.fullmatch(r"[A-Za-z][\w-]*", name):
            raise ValueError(f"modality {name!r}: expected a name of letters, digits, '_' and '-', other than {TABLE!r}")
        if not {"class_path", "source"} <= set(spec) <= set(FIELDS):
            raise ValueError(f"modality {name!r}: found {sorted(spec)}, expected class_path and source, and perhaps init_args")
    for field, wanted in (("facts", facts.values()), ("normalise", normalise)):
        unknown = sorted(set(wanted) - set(modalities))
        if unknown:
            raise ValueError(f"{field}: no modality {unknown[0]!r}; expected one of {', '.join(modalities)}")


def _require_settings(join: str, table: Path | str | None, of_table: dict[str, object]) -> None:
    if join not in JOINS:
        raise ValueError(f"join: found {join!r}, expected {' or '.join(JOINS)}")
    given = [name for name, value in of_table.items() if value]
    if table is None and given:
        raise ValueError(f"{given[0]}: found {of_table[given[0]]!r} and no table that has it; name one with --table")
