"""``atlas``: every pair of the default data, or of a cohort of your own, up the ladder; what a confound explains; spatial nulls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy.stats import false_discovery_control
from sklearn.linear_model import RidgeCV

from bridge.benchmark.alignment import compare, control, shuffled_pairs, trained, within
from bridge.benchmark.default import SHARED, default_cohort
from bridge.benchmark.results import Record
from bridge.benchmark.task import Task
from bridge.data.cohort import Cohort
from bridge.evaluate.baselines import vector_features
from bridge.evaluate.retrieval import bootstrap_interval
from bridge.evaluate.spatial_null import map_correlation, moran_surrogates, region_distances

SURROGATES = 1000
SIGNIFICANT = 0.05


class Atlas(Task):
    """All pairs of modality and text of a cohort, split by group.

    Args:
        cohort: A cohort of your own (.h5ad); the default data without it.
        align: What differs from ``configs/align.yaml``; of a cohort of your own, which projectors and pairs are used is found from its cards.
        genes: Size of the default data's subset.
        seeds: Bridges of the ensemble, with the run's seed and the next ones.
        strata: Columns of the cohort within which retrieval is scored too, for example site, year or chromosome.
        limit: Candidates at most.
        shuffled: Train once more on shuffled pairs, the control.
    """

    title: ClassVar[str] = "Every pair of a cohort"

    def __init__(
        self,
        cohort: str | None = None,
        align: dict | None = None,
        genes: int = 1000,
        seeds: int = 1,
        strata: list[str] | None = None,
        limit: int | None = None,
        shuffled: bool = True,
    ):
        self.cohort, self.align, self.genes = cohort, align or {}, genes
        self.seeds, self.strata, self.limit, self.shuffled = seeds, strata or [], limit, shuffled

    def run(self, record: Record) -> None:
        path = Path(self.cohort) if self.cohort else default_cohort(record.out.parent / SHARED, seed=record.seed, genes=self.genes)
        cohort = Cohort.read(path)
        _require_columns(cohort, self.strata)
        record.words("Data", _about(cohort))
        settings = _for_cohort(cohort, self.align) if self.cohort else self.align
        bridges = [trained(record, cohort, settings, seed=record.seed + number, name=f"seed{record.seed + number}") for number in range(self.seeds)]
        found = compare(record, cohort, bridges, limit=self.limit)
        for column in self.strata:
            within(record, cohort, found, column)
        spatial(record, cohort, path)
        if self.shuffled:
            control(record, cohort, trained(record, shuffled_pairs(cohort, record.seed), settings, seed=record.seed, name="shuffled"), limit=self.limit)


def spatial(record: Record, cohort: Cohort, path: Path) -> None:
    """Maps predicted from vectors against the measured ones, with p that allow for smoothness; only where there is an atlas image."""
    image = next(iter(sorted((path.parent / "atlas").glob("*.nii.gz"))), None)
    maps = [modality for modality in cohort.modalities if len(cohort.card(modality).names) and cohort.card(modality).dim == 1]
    vectors = [modality for modality in cohort.modalities if modality not in maps]
    if image is None or not maps or not vectors:
        record.words("Spatial nulls", "not made: they need a map with named regions, its atlas image beside the cohort, and a vector to predict it from.")
        return
    for vector in vectors:
        _predicted(record, cohort, vector, maps[0], region_distances(image))


def _predicted(record: Record, cohort: Cohort, vector: str, modality: str, distances: np.ndarray) -> None:
    """Ridge from the vector to the map; each held-out sample's correlation and its two p."""
    train, test = (_both(cohort, vector, modality, split) for split in ("train", "test"))
    x, held_out = vector_features(cohort.values(vector)[train], cohort.values(vector)[test])
    mean = np.nanmean(cohort.values(modality)[train], axis=0)
    model = RidgeCV(np.logspace(0, 5, 11)).fit(x, np.nan_to_num(cohort.values(modality)[train] - mean))
    measured = cohort.values(modality)[test] - mean
    pairs = zip(model.predict(held_out), measured.astype(float), strict=True)
    found = [map_correlation(a, b, distances, SURROGATES, record.seed, surrogates=moran_surrogates) for a, b in pairs]
    direction, n, groups = f"{vector}->{modality} map", len(test), cohort.groups[test]
    for name, method in (("p_parametric", "parametric"), ("p_spatial", "Moran surrogates")):
        p = np.array([each[name] for each in found], dtype=float)
        low, high = bootstrap_interval((p < SIGNIFICANT).astype(float), groups, seed=record.seed)
        record.row("share_significant", method, (p < SIGNIFICANT).mean(), n=n, direction=direction, low=low, high=high)
        record.row("share_significant_fdr", method, (false_discovery_control(p) < SIGNIFICANT).mean(), n=n, direction=direction)
    r = np.array([each["r"] for each in found], dtype=float)
    low, high = bootstrap_interval(r, groups, seed=record.seed)
    record.words(
        "Spatial nulls",
        f"{direction}: ridge predicts the map of a held-out sample with mean r {r.mean():+.3f} (95 % {low:+.3f} to {high:+.3f}, n = {n}); "
        f"share with p < {SIGNIFICANT}: {np.mean([each['p_parametric'] < SIGNIFICANT for each in found]):.2f} parametric, "
        f"{np.mean([each['p_spatial'] < SIGNIFICANT for each in found]):.2f} against surrogates as smooth as the map.",
    )


def _for_cohort(cohort: Cohort, align: dict) -> dict:
    """Projectors and pairs that fit a cohort's modalities and texts, unless they are given."""
    if not cohort.texts:
        raise ValueError(f"{cohort.source}: no text column, expected at least one; add one with: bridge data build --texts COLUMN")
    model = {
        "projectors": {modality: _projector(cohort, modality) for modality in cohort.modalities},
        "pairs": {f"{modality}~{column}": 1.0 for modality in cohort.modalities for column in cohort.texts},
        "linear": 100,
    }
    return align | {"model": model | align.get("model", {})}


def _projector(cohort: Cohort, modality: str) -> dict:
    """The projector that fits a modality's tokens."""
    card = cohort.card(modality)
    kind = "identity.IdentityValue" if card.names else "mlp.FactorisedMLP" if card.tokens == 1 else "resampler.PerceiverResampler"
    return {"class_path": f"bridge.project.{kind}"}


def _both(cohort: Cohort, left: str, right: str, split: str) -> np.ndarray:
    measured = [np.isfinite(cohort.raw(modality)).any(axis=1) for modality in (left, right)]
    return np.array([row for row in cohort.rows(split) if measured[0][row] and measured[1][row]], dtype=int)


def _require_columns(cohort: Cohort, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in cohort.table.obs:
            raise ValueError(f"{cohort.source}, field strata: obs has no column {column!r}, found {list(cohort.table.obs.columns)}")


def _about(cohort: Cohort) -> str:
    sizes = ", ".join(f"{len(cohort.rows(split))} {split}" for split in ("train", "validation", "test"))
    terms = "; ".join(dict.fromkeys(f"{cohort.card(modality).source} ({cohort.card(modality).licence})" for modality in cohort.modalities))
    return f"{cohort.source}: {sizes}; split by group. {terms}"
