"""Attribution where users look for it: tables of regions and gene sets, a brain map, the ``var`` of an AnnData, and words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from bridge.data.cohort import Cohort
from bridge.data.whole import whole_file
from bridge.evaluate.attribution import Attribution
from bridge.evaluate.significance import LEVEL, attainable_p, effects, fewest_samples
from bridge.model import SemanticBridge
from encoders.base import Encoder
from encoders.region_map import write_map

CLAIMS = "attribution_claims.parquet"


class Written(NamedTuple):
    """What was written of one modality.

    Args:
        table: Effect per set, see :func:`set_table`.
        effect: Effect of each named feature, None for an input without names.
        words: What was done and may be concluded.
        mapped: Whether the effects are a brain map too.
    """

    table: pd.DataFrame
    effect: Float[np.ndarray, " features"] | None
    words: str
    mapped: bool


def write_attribution(found: Mapping[str, Attribution], bridge: SemanticBridge, cohort: Cohort, out: Path, *, seed: int = 0) -> dict[str, Written]:
    """Write tables and maps into a folder; what could not be written is said.

    ``attribution_claims.parquet`` (every claim under every set), ``attribution_MODALITY.parquet`` (effect per set),
    ``attribution_MODALITY.nii.gz`` where the modality has a label image, and ``attribution.h5ad`` where the features are
    the ``var`` of the cohort.

    Args:
        found: Modality to its attribution.
        bridge: The bundle, whose encoders know their label images.
        cohort: The cohort of the samples.
        out: Folder to write.
        seed: Of the bootstrap.
    """
    _write_table(pd.concat([claim_table(each) for each in found.values()], ignore_index=True), out / CLAIMS)
    written = {modality: _write_modality(each, cohort.card(modality).names, bridge.encoders[modality], out, seed) for modality, each in found.items()}
    genes = set(cohort.table.var_names)
    columns = {name: each.effect for name, each in written.items() if each.effect is not None and set(cohort.card(name).names) <= genes}
    if columns:
        _write_var(cohort, columns, out / "attribution.h5ad")
    return written


def set_table(attribution: Attribution, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """One row per set: what claims about the modality lose without it.

    Columns: ``set``, ``n_features``, ``n`` (groups of samples), ``effect`` (mean change of a claim's log-likelihood,
    nats), ``low``, ``high`` (95 %, bootstrap over groups), ``p`` (Wilcoxon signed-rank over groups), ``q`` (Benjamini
    and Hochberg); both None where so few groups cannot reach 0.05. ``named_effect``, ``named_n``: the same mean over
    the claims that name a feature of the set.
    """
    table = effects(attribution.change, attribution.groups, list(attribution.sets), resamples=resamples, seed=seed)
    named = np.where(attribution.own, attribution.change, np.nan)
    known = np.isfinite(named).sum(axis=0)
    table.insert(1, "n_features", [len(members) for members in attribution.sets.values()])
    table["named_effect"] = pd.array([float(np.nanmean(named[:, place])) if count else None for place, count in enumerate(known)], dtype="Float64")
    return table.assign(named_n=known)


def claim_table(attribution: Attribution) -> pd.DataFrame:
    """One row per claim and set: sample, modality, claim, entity, verdict, set, whether the claim names it, change in nats."""
    rows = [
        (sample, attribution.modality, claim.statement, claim.entity, claim.verdict.value, name, bool(own), float(change))
        for sample, claim, owns, changes in zip(attribution.samples, attribution.claims, attribution.own, attribution.change, strict=True)
        for name, own, change in zip(attribution.sets, owns, changes, strict=True)
        if np.isfinite(change)
    ]
    return pd.DataFrame(rows, columns=["sample", "modality", "claim", "entity", "verdict", "set", "named", "change"])


def feature_effects(attribution: Attribution, table: pd.DataFrame, names: tuple[str, ...]) -> Float[np.ndarray, " features"]:
    """Effect of each feature: the mean over the sets that hold it, NaN where there is none."""
    effect = table["effect"].to_numpy(dtype=float, na_value=np.nan)
    holds = np.array([[name in members for name in names] for members in attribution.sets.values()]) & np.isfinite(effect)[:, None]
    sums, counts = np.nan_to_num(effect) @ holds, holds.sum(axis=0)
    return np.divide(sums, counts, out=np.full(len(names), np.nan), where=counts > 0)


def words(attribution: Attribution, table: pd.DataFrame) -> str:
    """What was done and what may be concluded, in two or three sentences."""
    groups, tests = len(set(attribution.groups.tolist())), len(attribution.sets)
    said = f"{attribution.modality}: {len(attribution.claims)} claims of {len(set(attribution.samples))} samples, {tests} set(s) taken away one at a time."
    if attribution.left_out:
        said += f" {attribution.left_out} claims were not found in their text and are left out."
    if attainable_p(groups, tests) >= LEVEL:
        lacking = f" {groups} groups of samples can reach p = {attainable_p(groups, tests):.2g} at best over {tests} tests: p and q are left empty;"
        return said + lacking + f" {fewest_samples(tests)} groups are needed. Effects and intervals describe these samples; they single out no set."
    found = table.loc[(table["q"] < LEVEL).fillna(False), "set"].tolist()
    listed = f" ({', '.join(found[:3])}{' ...' if found[3:] else ''})" if found else ""
    return said + f" Wilcoxon over {groups} groups, Benjamini and Hochberg over {tests} tests: {len(found)} with q < {LEVEL}{listed}."


def _write_modality(attribution: Attribution, names: tuple[str, ...], encoder: Encoder, out: Path, seed: int) -> Written:
    table, stem = set_table(attribution, seed=seed), out / f"attribution_{attribution.modality}"
    _write_table(table, stem.with_name(f"{stem.name}.parquet"))
    if not names:
        return Written(table, None, words(attribution, table), mapped=False)
    effect, image = feature_effects(attribution, table, names), stem.with_name(f"{stem.name}.nii.gz")
    unmapped = _why_no_map(effect, encoder, image)
    said = f"Brain map: {image.name}." if unmapped is None else unmapped
    return Written(table, effect, " ".join(filter(None, (words(attribution, table), said))), mapped=unmapped is None)


def _write_table(table: pd.DataFrame, path: Path) -> None:
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False)


def _why_no_map(effect: Float[np.ndarray, " regions"], encoder: Encoder, path: Path) -> str | None:
    """Write the map through the encoder's own label image; where there is none, the reason ('' where none is to be expected)."""
    atlas = getattr(encoder, "atlas", None)
    if atlas is None or not np.isfinite(effect).any():
        return ""
    if not Path(atlas).is_file():
        return f"No brain map: the label image {atlas or '(none)'} of its encoder is not here."
    # Without a table the atlas has no names of its own: values go in the order of the labels.
    values = dict(zip(encoder.names, effect.tolist(), strict=True)) if encoder.labels else effect[np.argsort(encoder.indices or range(len(effect)))]
    try:
        write_map(values, atlas, path, encoder.labels)
    except ValueError as error:
        return f"No brain map: {error}."
    return None


def _write_var(cohort: Cohort, columns: Mapping[str, Float[np.ndarray, " features"]], path: Path) -> None:
    """A copy of the cohort whose ``var`` has a column ``attribution_MODALITY``."""
    table = cohort.table.copy()
    for modality, effect in columns.items():
        table.var[f"attribution_{modality}"] = pd.Series(effect, index=list(cohort.card(modality).names)).reindex(table.var_names).to_numpy()
    with whole_file(path) as partial:
        table.write_h5ad(partial, compression="gzip")
