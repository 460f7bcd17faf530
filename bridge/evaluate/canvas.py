"""How every figure is drawn and written: colours, bars with intervals, titles, PNG files.

Figures are objects of their own, without pyplot's global state. Colours are those of Okabe and Ito (Wong, Nature
Methods 2011), which colour-blind readers tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bridge.data.whole import whole_file

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")
MARKERS = ("o", "^", "s", "D", "v", "P", "X")

#: Value, low and high end of its interval; None where undefined.
Bar = tuple[float | None, float | None, float | None]


def new_figure(width: float | int, height: float | int, layout: str | None = "constrained") -> Figure:
    """An empty figure, inches."""
    return Figure(figsize=(width, height), layout=layout)


def save(figure: Figure, path: str | Path) -> Path:
    """Write a PNG: a stopped run leaves the old figure or the new one."""
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=150)
    return Path(path)


def grouped_bars(axes: Axes, groups: Mapping[str, Mapping[str, Bar]], series: list[str]) -> None:
    """Bars of each group side by side; a series has one colour in every group, and takes no room where a group lacks it."""
    for position, bars in enumerate(groups.values()):
        width = 0.84 / max(1, len(bars))
        for number, (name, bar) in enumerate(bars.items()):
            place = position + (number - (len(bars) - 1) / 2) * width
            _draw_bar(axes, place, width * 0.92, bar, color=colour(series.index(name)), label=name)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set(xlim=(-0.6, len(groups) - 0.4), ylim=(0, 1.12), yticks=np.linspace(0, 1, 6))
    axes.grid(axis="y", color="#DDDDDD", zorder=0)


def _draw_bar(axes: Axes, place: float, width: float, bar: Bar, **style) -> None:
    value, low, high = bar
    axes.bar(place, value or 0.0, width, zorder=2, **style)
    text, turn = ("undefined", 90) if value is None else (f"{value:.2f}", 0)
    top = (place, max(value or 0.0, high or 0.0))
    axes.annotate(text, top, xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=9, rotation=turn)
    if low is not None and high is not None:
        axes.vlines(place, low, high, color="black", linewidth=1.4, zorder=3)


def legend(figure: Figure, *panels: Axes) -> None:
    """One legend below all panels."""
    handles = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), frameon=False, loc="outside lower center", ncols=5)


def caption(title: str, *, n: int | None = None, seed: int | None = None, interval: str | None = None) -> str:
    """A title that says the number of samples, the seed and the interval, as far as they are known."""
    known = [f"n = {n}" if n is not None else None, f"seed {seed}" if seed is not None else None, interval]
    known = [part for part in known if part]
    return f"{title} ({', '.join(known)})" if known else title


def colour(number: int) -> str:
    """The colour of a series."""
    return COLOURS[number % len(COLOURS)]
