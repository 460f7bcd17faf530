"""The rows of a run in the order a reader climbs them, and as a table in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bridge.benchmark.results import OURS, Row

#: Methods from the lowest rung up; other baselines follow them, and ours are last.
LADDER = "chance", "ridge", "cca", "nearest neighbour", "two tower mlp", "plain text"

UNDEFINED = "undefined"
WIDTH, GAP = 140, "  "


class _Column(NamedTuple):
    """One metric: its figures by method."""

    metric: str
    cells: dict[str, str]

    @property
    def width(self) -> int:
        return max(map(len, (self.metric, *self.cells.values())))


class _Panel(NamedTuple):
    """Columns side by side under a direction and its counts."""

    titles: tuple[str, str]
    columns: list[_Column]

    @property
    def width(self) -> int:
        return max(*map(len, self.titles), _width(self.columns))

    def lines(self, methods: Sequence[str]) -> list[str]:
        """Titles, metrics, then a line per method, all of one width."""
        metrics = GAP.join(column.metric.ljust(column.width) for column in self.columns)
        figures = [GAP.join(column.cells.get(method, "").ljust(column.width) for column in self.columns) for method in methods]
        return [line.ljust(self.width) for line in (*self.titles, metrics, *figures)]


def print_table(rows: Sequence[Row]) -> str:
    """All rows as text: methods as lines, the metrics of each direction as columns, at most about 140 letters wide.

    A cell is the value with its 95 % interval; ``undefined`` where there is no value, blank where the method was not scored.
    """
    methods = in_ladder_order(row.method for row in rows)
    room = WIDTH - max(map(len, methods), default=0) - 2 * len(GAP)
    found = [panel for (direction, split), some in by_direction(rows).items() for panel in _panels(_title(direction, split), some, room)]
    return "\n\n".join(_block(panels, methods) for panels in _packed(found, room)) or "no figures"


def in_ladder_order(methods: Iterable[str]) -> list[str]:
    """Each method once: chance first, the known baselines as in :data:`LADDER`, others as they came, ours last and its ensemble at the very end."""
    return sorted(dict.fromkeys(methods), key=_rung)


def is_ours(method: str) -> bool:
    """Whether a method is the bridge or a variant of it."""
    return method == OURS or method.startswith(f"{OURS} ")


def by_direction(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by (direction, split), in the order they came."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.direction, row.split), []).append(row)
    return found


def by_metric(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by metric, in the order they came, methods in the order of the ladder."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.metric, []).append(row)
    return {metric: sorted(some, key=lambda row: _rung(row.method)) for metric, some in found.items()}


def metric_name(metric: str) -> str:
    """A metric as a reader knows it: ``r10`` is R@10, ``mean_percentile`` mean percentile."""
    return {"mrr": "MRR", "ece": "ECE", "auroc": "AUROC"}.get(metric, re.sub(r"^r(\d+)$", r"R@\1", metric).replace("_", " "))


def number(value: float | None) -> str:
    """Three decimals, or two digits of what is smaller than 0.001."""
    if value is None:
        return UNDEFINED
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def counts(rows: Iterable[Row]) -> str:
    """Samples and candidates behind some rows, as a range where they differ: ``n 1000, 1000 candidates``."""
    rows = list(rows)
    candidates = [row.candidates for row in rows if row.candidates is not None]
    return f"n {_range([row.n for row in rows])}" + (f", {_range(candidates)} candidates" if candidates else "")


def _rung(method: str) -> int:
    name = re.sub(r"[-_\s]+", " ", method.casefold())
    if is_ours(method):
        return len(LADDER) + 1 + ("ensemble" in name)
    return next((place for place, rung in enumerate(LADDER) if f"{name} ".startswith(f"{rung} ")), len(LADDER))


def _title(direction: str, split: str) -> str:
    return ", ".join(filter(None, (direction, split)))


def _panels(title: str, rows: list[Row], room: int) -> list[_Panel]:
    """As many panels as it takes for none to be wider than the room."""
    columns = [_Column(metric_name(metric), {row.method: _cell(row) for row in some}) for metric, some in by_metric(rows).items()]
    chunks: list[list[_Column]] = [[]]
    for column in columns:
        if chunks[-1] and _width([*chunks[-1], column]) > room:
            chunks.append([])
        chunks[-1].append(column)
    return [_Panel((title, counts(rows)), chunk) for chunk in chunks]


def _packed(panels: Iterable[_Panel], room: int) -> list[list[_Panel]]:
    """Panels side by side as long as there is room."""
    blocks: list[list[_Panel]] = []
    for panel in panels:
        if blocks and sum(other.width + 2 * len(GAP) for other in blocks[-1]) + panel.width <= room:
            blocks[-1].append(panel)
        else:
            blocks.append([panel])
    return blocks


def _block(panels: Sequence[_Panel], methods: Sequence[str]) -> str:
    shown = [method for method in methods if any(method in column.cells for panel in panels for column in panel.columns)]
    width = max(map(len, methods))
    lines = zip([name.ljust(width) for name in ("", "", "", *shown)], *(panel.lines(shown) for panel in panels), strict=True)
    return "\n".join((2 * GAP).join(parts).rstrip() for parts in lines)


def _cell(row: Row) -> str:
    known = row.value is not None and row.low is not None and row.high is not None
    return f"{number(row.value)} {number(row.low)}\u2013{number(row.high)}" if known else number(row.value)


def _width(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)


def _range(found: Sequence[int]) -> str:
    low, high = min(found), max(found)
    return f"{low}" if low == high else f"{low} to {high}"
