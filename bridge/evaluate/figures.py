"""Figures of an evaluation as PNG files: losses, bars with intervals, the shared space, a brain map.

Every function takes data and a path, and returns the path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from sklearn.decomposition import PCA

from bridge.evaluate.canvas import MARKERS, Bar, caption, colour, grouped_bars, legend, new_figure, save

#: nilearn leaves out what is 0: a measured 0 is drawn as this share of the largest value, and only NOTHING is left out.
ZERO, NOTHING = 1e-4, 1e-30
INTERVAL = "whiskers: 95 % bootstrap over groups"

Curve = tuple[Sequence[float | int], Sequence[float | int]]


def loss_curves(source: str | Path | Mapping[str, Curve], path: str | Path, *, title: str = "Loss", n: int | None = None, seed: int | None = None) -> Path:
    """Losses over steps.

    Args:
        source: Name to (steps, values), or a metrics CSV, see :func:`read_losses`.
        path: The PNG to write.
        title: What was trained.
        n: Training samples.
        seed: Seed of the run.
    """
    curves = source if isinstance(source, Mapping) else read_losses(source)
    figure = new_figure(8, 4.5)
    axes = figure.add_subplot()
    for number, (name, (steps, values)) in enumerate(curves.items()):
        style = {"marker": MARKERS[number % len(MARKERS)], "markersize": 5} if len(steps) <= 30 else {}
        axes.plot(steps, values, color=colour(number), label=name, linewidth=1.6, **style)
    axes.set(xlabel="step", ylabel="loss", title=caption(title, n=n, seed=seed))
    axes.legend(frameon=False)
    return save(figure, path)


def read_losses(source: str | Path) -> dict[str, Curve]:
    """Curves of a metrics CSV: every column with ``loss`` in its name over the ``step`` column, blank cells left out.

    Raises:
        ValueError: there is no step column or no loss.
    """
    table = pd.read_csv(source)
    losses = [column for column in table if "loss" in column and table[column].notna().any()]
    if "step" not in table or not losses:
        raise ValueError(
            f"{source}: found columns {list(table.columns)}, expected 'step' and at least one with 'loss' in its name; give the metrics.csv of a run"
        )
    kept = {column: table[["step", column]].dropna() for column in losses}
    return {column: (rows["step"].tolist(), rows[column].tolist()) for column, rows in kept.items()}


def retrieval_bars(rows: Mapping[str, Mapping[str, Any]], path: str | Path, *, k: int = 10, seed: int | None = None) -> Path:
    """Recall at k per direction: the bridge beside ridge, CCA and its permuted control, and the chance line.

    Args:
        rows: Direction to scores: ``n``, ``r{k}``, ``chance_r{k}`` and, where known, ``ridge_r{k}``, ``cca_r{k}``,
            ``permuted_r{k}``; each with ``_low`` and ``_high`` where there is an interval.
        path: The PNG to write.
        k: Cut-off.
        seed: Seed of the evaluation.
    """
    keys = {"bridge": f"r{k}", "ridge": f"ridge_r{k}", "CCA": f"cca_r{k}", "permuted control": f"permuted_r{k}"}
    figure = new_figure(max(6, 2 + 1.6 * len(rows)), 4.8)
    axes = figure.add_subplot()
    grouped_bars(axes, {_with_n(name, row): _bars(row, keys) for name, row in rows.items()}, list(keys))
    for position, row in enumerate(rows.values()):
        chance = row.get(f"chance_r{k}")
        if chance is not None:
            axes.hlines(chance, position - 0.45, position + 0.45, color="black", linestyle="--", label="chance" if position == 0 else None)
    axes.set(ylabel=f"R@{k}", title=caption("Held-out retrieval", seed=seed, interval=INTERVAL))
    legend(figure, axes)
    return save(figure, path)


def audit_bars(
    report: Mapping[str, Mapping[str, Any]],
    path: str | Path,
    *,
    scores: Sequence[str] = ("region_precision", "phenotype_precision"),
    seed: int | None = None,
) -> Path:
    """Precision of report facts with real, shuffled, zeroed and swapped prefixes, one panel per score, one group per input set.

    Args:
        report: Input set (gene, brain, both) to scores: ``n``, ``{score}``, ``{score}_shuffled``, ``{score}_zeroed``, ``{score}_swapped``,
            each with ``_low`` and ``_high`` where there is an interval, and the permutation p: ``permutation_p`` of the regions, ``{score}_p`` of others.
        path: The PNG to write.
        scores: Which scores; one that no input set has is left out.
        seed: Seed of the evaluation.
    """
    shown = [score for score in scores if any(score in row for row in report.values())]
    if not shown:
        raise ValueError(f"audit figure: none of {list(scores)} in the report metrics, found {sorted({key for row in report.values() for key in row})}")
    figure = new_figure(2 + 4.2 * len(shown), 4.8)
    panels = np.ravel(figure.subplots(1, len(shown), sharey=True))
    for axes, score in zip(panels, shown, strict=True):
        _audit_panel(axes, report, score)
    legend(figure, *panels)
    figure.suptitle(caption("Does the report depend on its input?", seed=seed, interval=INTERVAL))
    return save(figure, path)


def shared_space(
    embeddings: Mapping[str, Float[np.ndarray, "samples dim"]],
    labels: Sequence[str],
    path: str | Path,
    *,
    named: Sequence[str] | None = None,
    seed: int | None = None,
) -> Path:
    """First two principal components of all modalities' unit vectors; the modalities of a few samples are joined and named.

    Nothing is centred per modality, so a gap between modalities (Liang et al., NeurIPS 2022) stays visible.

    Args:
        embeddings: Modality to one row per sample; NaN where the sample lacks the modality.
        labels: Sample name per row.
        path: The PNG to write.
        named: Samples to join and name; six spread over the rows without it.
        seed: Seed of the run.
    """
    labels = [str(label) for label in labels]
    points, shares = _plane(embeddings, len(labels))
    figure = new_figure(8, 6.5)
    axes = figure.add_subplot()
    for number, (modality, where) in enumerate(points.items()):
        axes.scatter(*where.T, s=22, color=colour(number), marker=MARKERS[number % len(MARKERS)], alpha=0.55, linewidths=0, label=modality)
    named = _spread(labels) if named is None else named
    places = {name: np.array([where[labels.index(name)] for where in points.values()]) for name in named}
    _join(axes, {name: place[np.isfinite(place).all(axis=1)] for name, place in places.items()})
    title = caption("Shared space, principal components", n=len(labels), seed=seed)
    axes.set(xlabel=f"component 1 ({shares[0]:.0%} of variance)", ylabel=f"component 2 ({shares[1]:.0%})", title=title)
    axes.legend(frameon=False)
    return save(figure, path)


def brain_map(
    values: Float[np.ndarray, " regions"],
    names: Sequence[str],
    atlas_image: str | Path | nibabel.Nifti1Image,
    path: str | Path,
    title: str,
    *,
    labels: Sequence[int] | None = None,
    unit: str = "",
) -> Path:
    """One value per region on axial slices of the MNI152 template, the three highest and lowest regions named below.

    A region without a value (NaN) is not drawn; a region whose value is 0 is.

    Args:
        values: Value per region.
        names: Name per region.
        atlas_image: Label image in MNI152 space, mm; placed by its affine.
        path: The PNG to write.
        title: Whose map it is, from which data.
        labels: Label in the image per region; without it the image's labels in ascending order.
        unit: Unit of the values, for the colour bar.

    Raises:
        ValueError: values, names and labels do not match in number, no value is finite, or one is infinite.
    """
    # nilearn takes a second to import, which no other figure needs.
    from nilearn.plotting import plot_stat_map

    values = np.asarray(values, dtype=float)
    image = region_image(values, names, atlas_image, labels)
    limit, signed = float(np.nanmax(np.abs(values))) or 1.0, bool(np.nanmin(values) < 0)
    scale = {"cmap": "RdBu_r" if signed else "viridis", "vmin": -limit if signed else 0.0, "vmax": limit, "threshold": NOTHING}
    figure = new_figure(12, 2.9, layout=None)
    axes = figure.add_axes((0.01, 0.17, 0.96, 0.7))
    plot_stat_map(image, display_mode="z", cut_coords=_slice_heights(image), axes=axes, resampling_interpolation="nearest", draw_cross=False, **scale)
    figure.suptitle(f"{title} ({unit})" if unit else title)
    figure.text(0.5, 0.03, _extremes(values, names), ha="center")
    return save(figure, path)


def region_image(
    values: Float[np.ndarray, " regions"], names: Sequence[str], atlas_image: str | Path | nibabel.Nifti1Image, labels: Sequence[int] | None = None
) -> nibabel.Nifti1Image:
    """Values painted into their regions; 0 outside and where missing, a measured 0 a hair above 0."""
    atlas = atlas_image if isinstance(atlas_image, nibabel.Nifti1Image) else nibabel.load(atlas_image)
    codes = np.rint(np.asarray(atlas.dataobj)).astype(int)
    labels = np.unique(codes[codes > 0]) if labels is None else np.asarray(labels)
    if not len(values) == len(names) == len(labels):
        raise ValueError(f"brain map: found {len(values)} values, {len(names)} names and {len(labels)} labels; expected one of each per region")
    if np.isinf(values).any() or np.isnan(values).all():
        raise ValueError(f"brain map: found {int(np.isfinite(values).sum())} finite of {len(values)} values; expected one or more, and NaN where missing")
    shown = np.where(values == 0, ZERO * (np.nanmax(np.abs(values)) or 1.0), np.nan_to_num(values))
    table = np.zeros(max(codes.max(), labels.max()) + 1, dtype=np.float32)
    table[labels] = shown
    return nibabel.Nifti1Image(table[np.where(codes > 0, codes, 0)], atlas.affine)


def _slice_heights(image: nibabel.Nifti1Image, slices: int = 7) -> list[float]:
    drawn = np.argwhere(np.asarray(image.dataobj) != 0)
    heights = nibabel.affines.apply_affine(image.affine, drawn)[:, 2]
    return [float(height) for height in np.unique(np.round(np.linspace(*np.percentile(heights, (5, 95)), slices)))]


def _extremes(values: np.ndarray, names: Sequence[str], count: int = 3) -> str:
    order = [region for region in np.argsort(values) if np.isfinite(values[region])]
    lowest, highest = order[:count], order[::-1][:count]
    listed = [", ".join(f"{names[region]} {values[region]:.2g}" for region in regions) for regions in (highest, lowest)]
    return f"highest: {listed[0]}\nlowest: {listed[1]}"


def _plane(embeddings: Mapping[str, np.ndarray], samples: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    shapes = {modality: np.shape(vectors) for modality, vectors in embeddings.items()}
    if len({shape[1] for shape in shapes.values()}) != 1 or any(shape[0] != samples for shape in shapes.values()):
        raise ValueError(f"shared space: found shapes {shapes} for {samples} labels, expected one row per label and one width")
    unit = {modality: _unit_or_missing(vectors) for modality, vectors in embeddings.items()}
    present = np.concatenate([vectors[np.isfinite(vectors).all(axis=1)] for vectors in unit.values()])
    if len(present) < 2:
        raise ValueError(f"shared space: found {len(present)} embeddings in all, expected at least 2")
    axes = PCA(2, svd_solver="full").fit(present)
    return {modality: (vectors - axes.mean_) @ axes.components_.T for modality, vectors in unit.items()}, axes.explained_variance_ratio_


def _unit_or_missing(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, np.nan)


def _join(axes: Axes, lines: Mapping[str, Float[np.ndarray, "modalities 2"]]) -> None:
    """Join the places of each named sample; the names stand in the right margin in order of height, so none covers another."""
    ends = {name: line[np.argmax(line[:, 0])] for name, line in lines.items() if len(line)}
    order = sorted(ends, key=lambda name: ends[name][1])
    for name, height in zip(order, np.linspace(0.05, 0.95, len(order)), strict=True):
        axes.plot(*lines[name].T, color="black", linewidth=0.9, marker=".", markersize=5)
        leader = {"arrowstyle": "-", "color": "#777777", "linestyle": ":"}
        axes.annotate(name, ends[name], xytext=(1.02, height), textcoords="axes fraction", va="center", arrowprops=leader)


def _spread(labels: Sequence[str], count: int = 6) -> list[str]:
    return [labels[row] for row in np.unique(np.linspace(0, len(labels) - 1, count).astype(int))]


def _bars(row: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Bar]:
    known = {series: key for series, key in keys.items() if key in row}
    return {series: (row[key], row.get(f"{key}_low"), row.get(f"{key}_high")) for series, key in known.items()}


def _audit_panel(axes: Axes, report: Mapping[str, Mapping], score: str) -> None:
    keys = {"real input": score, "shuffled": f"{score}_shuffled", "zeroed": f"{score}_zeroed", "swapped": f"{score}_swapped"}
    rows = {name: row for name, row in report.items() if score in row}
    grouped_bars(axes, {_with_p(_with_n(name, row), row, score): _bars(row, keys) for name, row in rows.items()}, list(keys))
    axes.set(title=score.replace("_", " "), ylabel="share of the named that is right")
    axes.label_outer()


def _with_n(name: str, row: Mapping) -> str:
    return name.replace("->", " \u2192\n") + (f"\nn = {row['n']}" if row.get("n") is not None else "")


def _with_p(label: str, row: Mapping, score: str) -> str:
    p = row.get("permutation_p" if score == "region_precision" else f"{score}_p")
    return label if p is None else f"{label}\np = {p:.2g}"
