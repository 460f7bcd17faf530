"""Attribution where users look for it: tables of regions and gene sets, a brain map, the ``var`` of an AnnData, and words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from bridge.data.cohort import Cohort, whole_file
from bridge.evaluate.attribution import Attribution, attribute, attribution_rows
from bridge.evaluate.gene_sets import read_gmt
from bridge.evaluate.page import write_json
from bridge.evaluate.significance import LEVEL, attainable_p, effects, fewest_samples
from bridge.language.questions import REPORT_ASK
from bridge.model import SemanticBridge
from bridge.report.generate import generate
from encoders.region_map import write_map

CLAIMS = "attribution_claims.parquet"


def attribute_bundle(
    bridge: SemanticBridge,
    cohort: Cohort,
    out: Path,
    *,
    split: str = "test",
    limit: int = 16,
    gene_sets: str | None = None,
    max_new_tokens: int = 120,
    seed: int = 0,
) -> dict[str, Attribution]:
    """Write the reports of some samples and say what each of their claims rests on.

    Writes into ``out``: ``attribution_claims.parquet`` (every claim under every set), ``attribution_MODALITY.parquet``
    (effect per set, see :func:`set_table`), ``attribution_MODALITY.nii.gz`` where the modality has a label image,
    ``attribution.h5ad`` where the features are the ``var`` of the cohort, and ``attribution.json`` (figures and words).

    Args:
        bridge: A loaded bundle.
        cohort: The cohort it was trained on.
        out: Folder to write.
        split: Split the samples are drawn from.
        limit: Samples; each costs as many answers as there are regions.
        gene_sets: GMT file; its sets take the place of single features where the modality has those genes.
        max_new_tokens: Longest report.
        seed: Of the samples and the bootstrap.

    Raises:
        ValueError: no modality has a gene of the sets.
    """
    sets = read_gmt(gene_sets) if gene_sets else None
    chosen = {modality: _sets_for(cohort, modality, sets) for modality in bridge.projectors}
    if sets is not None and not any(chosen.values()):
        named = [modality for modality in bridge.projectors if cohort.card(modality).names]
        raise ValueError(f"{gene_sets}: no modality has a gene of its {len(sets)} sets; named features are in {named or 'none'}, an embedding has none")
    rows = cohort.rows(split)
    rows = np.sort(np.random.default_rng(seed).choice(rows, min(limit, len(rows)), replace=False))
    values = {modality: torch.from_numpy(cohort.values(modality)[rows]) for modality in bridge.projectors}
    texts = generate(bridge, values, [REPORT_ASK[0]] * len(rows), max_new_tokens=max_new_tokens, show_progress=True)
    found = {modality: attribute(bridge, cohort, rows, modality, texts=texts, sets=chosen[modality]) for modality in bridge.projectors}
    write_attribution(found, bridge, cohort, out, seed=seed)
    return found


def write_attribution(found: Mapping[str, Attribution], bridge: SemanticBridge, cohort: Cohort, out: Path, *, seed: int = 0) -> None:
    """All files of :func:`attribute_bundle`; what could not be written is said."""
    _write_table(pd.concat([claim_table(each) for each in found.values()], ignore_index=True), out / CLAIMS)
    summary, columns = {}, {}
    for modality, attribution in found.items():
        table, names = set_table(attribution, seed=seed), cohort.card(modality).names
        _write_table(table, out / f"attribution_{modality}.parquet")
        told = [words(attribution, table)]
        if names:
            effect = feature_effects(attribution, table, names)
            told += [_write_brain(effect, bridge, modality, out / f"attribution_{modality}.nii.gz")]
            columns |= {modality: effect} if set(names) <= set(cohort.table.var_names) else {}
        summary[modality] = {"words": " ".join(filter(None, told)), "rows": attribution_rows(attribution, seed=seed)}
        print(summary[modality]["words"], flush=True)
    if columns:
        _write_var(cohort, columns, out / "attribution.h5ad")
    write_json(out / "attribution.json", summary)


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
        return said + lacking + f" {fewest_samples(tests)} groups are needed."
    found = int((table["q"] < LEVEL).sum())
    return said + f" Wilcoxon over {groups} groups, Benjamini and Hochberg over {tests} tests: {found} with q < {LEVEL}."


def _sets_for(cohort: Cohort, modality: str, sets: dict[str, tuple[str, ...]] | None) -> dict[str, tuple[str, ...]] | None:
    """The sets where the modality has any of their genes."""
    names = set(cohort.card(modality).names)
    return sets if sets and any(names & set(members) for members in sets.values()) else None


def _write_table(table: pd.DataFrame, path: Path) -> None:
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False)


def _write_brain(effect: Float[np.ndarray, " regions"], bridge: SemanticBridge, modality: str, path: Path) -> str:
    """The map through the encoder's own label image; says why where there is none."""
    encoder = bridge.encoders[modality]
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
    return f"Brain map: {path.name}."


def _write_var(cohort: Cohort, columns: Mapping[str, Float[np.ndarray, " features"]], path: Path) -> None:
    """A copy of the cohort whose ``var`` has a column ``attribution_MODALITY``."""
    table = cohort.table.copy()
    for modality, effect in columns.items():
        table.var[f"attribution_{modality}"] = pd.Series(effect, index=list(cohort.card(modality).names)).reindex(table.var_names).to_numpy()
    with whole_file(path) as partial:
        table.write_h5ad(partial, compression="gzip")
