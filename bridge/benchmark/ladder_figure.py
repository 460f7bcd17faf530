"""The baseline ladder as a figure: a dot and its interval per method, the number beside it, and the line of chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from bridge.benchmark.results import Row
from bridge.benchmark.table import by_direction, counts, in_ladder_order, is_ours, metric_name, number
from bridge.evaluate.canvas import caption, colour, new_figure, save

OURS_COLOUR, BASELINE_COLOUR, CHANCE_COLOUR = colour(0), colour(1), colour(6)
ACROSS = 2  # panels side by side: what a printed page can hold with its numbers


def ladder_bars(rows: Sequence[Row], path: str | Path, *, metric: str) -> Path:
    """One metric of every method, from chance at the top to the bridge at the bottom, one panel per direction and split.

    Beside each line stand the value and its 95 % interval; ``undefined`` where there is no value. A method that a
    direction was not scored with has an empty line.

    Args:
        rows: Of a run.
        path: The PNG to write.
        metric: Which metric of the rows.

    Raises:
        ValueError: no row has this metric.
    """
    shown = [row for row in rows if row.metric == metric]
    if not shown:
        raise ValueError(f"ladder figure, field metric: found no row of {metric!r}, expected one of {sorted({row.metric for row in rows})}")
    methods, panels = in_ladder_order(row.method for row in shown), by_direction(shown)
    across = min(ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    figure = new_figure(0.4 + 0.1 * max(map(len, methods)) + 4.6 * across, 0.6 + (1.2 + 0.3 * len(methods)) * down)
    grid = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, ((direction, split), found) in zip(grid, panels.items(), strict=False):
        axes.set_title(_title(direction, split, found), fontsize=10, loc="left")
        _panel(axes, found, methods)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    seeds = {row.seed for row in shown}
    figure.suptitle(caption(metric_name(metric), seed=seeds.pop() if len(seeds) == 1 else None, interval="whiskers: 95 % interval"), fontsize=11)
    return save(figure, path)


def _panel(axes: Axes, rows: Iterable[Row], methods: Sequence[str]) -> None:
    rows = list(rows)
    axes.set(ylim=(len(methods) - 0.4, -0.6), xlim=(0, _reach(rows)), xlabel=metric_name(rows[0].metric))
    axes.set_yticks(range(len(methods)), methods)
    for tick, method in zip(axes.yaxis.get_major_ticks(), methods, strict=True):
        tick.label1.set_fontweight("bold" if is_ours(method) else "normal")
    for row in rows:
        _line(axes, row, methods.index(row.method))
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x", color="#DDDDDD", zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _line(axes: Axes, row: Row, place: int) -> None:
    """Dot, whiskers and number of one row; chance has its line through all of them."""
    axes.annotate(_written(row), (1, place), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9)
    if row.value is None:
        return
    shade = _shade(row.method)
    if row.method == "chance":
        axes.axvline(row.value, color=shade, linestyle="--", linewidth=1.2, zorder=1)
    if row.low is not None and row.high is not None:
        axes.hlines(place, row.low, row.high, color=shade, linewidth=2, zorder=2)
    axes.plot(row.value, place, marker="D" if is_ours(row.method) else "o", markersize=7, color=shade, zorder=3, clip_on=False)


def _written(row: Row) -> str:
    interval = f" [{number(row.low)}, {number(row.high)}]" if row.low is not None and row.high is not None else ""
    return f"{number(row.value)}{interval}"


def _shade(method: str) -> str:
    if method == "chance":
        return CHANCE_COLOUR
    return OURS_COLOUR if is_ours(method) else BASELINE_COLOUR


def _reach(rows: Iterable[Row]) -> float:
    """Right end of the axis: a little beyond the highest end, never beyond 1."""
    ends = [end for row in rows for end in (row.value, row.high) if end is not None]
    highest = float(np.max(ends, initial=0.0))
    return min(1.0, 1.08 * highest) if highest > 0 else 1.0


def _title(direction: str, split: str, rows: Sequence[Row]) -> str:
    where = f"{direction} ({split})" if direction else split
    return f"{where}\n{counts(rows)}".replace("->", " \u2192 ")
