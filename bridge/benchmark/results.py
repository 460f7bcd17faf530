"""What a benchmark run leaves: rows with stable keys, figures, tables and words; every file is written as the run goes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bridge.data.whole import whole_file
from bridge.evaluate.page import write_json

OURS = "bridge"
Number = float | int | np.floating | np.integer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. ``value``, ``low`` and ``high`` lie in 0..1, or are None where undefined.

    Args:
        task: Name of the benchmark.
        split: Split that was scored.
        n: Samples behind the figure.
        candidates: Size of the gallery of a retrieval; None elsewhere.
        direction: ``query->candidates`` of a retrieval, or what is judged (``brain``, ``site left out``).
        metric: ``r10``, ``mean_percentile``, ``region_precision`` ...
        method: ``bridge`` for ours, the baseline's name otherwise; variants of ours are ``bridge (what differs)``.
        value: The figure.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p: p-value of the test named in the run's words.
        seed: Of every draw.
    """

    task: str
    split: str
    n: int
    candidates: int | None
    direction: str
    metric: str
    method: str
    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    seed: int

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "p"):
            number = getattr(self, name)
            if number is not None and not (math.isfinite(number) and -1e-9 <= number <= 1 + 1e-9):
                raise ValueError(f"benchmark {self.task}, {self.metric} of {self.method}, field {name}: found {number}, expected 0..1, or None where undefined")


@dataclasses.dataclass(frozen=True)
class Part:
    """One part of the page under a heading: words, a table, or a figure.

    Args:
        heading: Section it stands in; parts with one heading stand together, in the order they were given.
        words: A paragraph; '' for none.
        table: Header and rows, already as text.
        figure: Path of a PNG.
    """

    heading: str
    words: str = ""
    table: tuple[tuple[str, ...], tuple[tuple[str, ...], ...]] | None = None
    figure: Path | None = None


class Record:
    """Collects a run's results.

    Args:
        task: Name of the benchmark.
        out: Folder to write.
        seed: Of every draw.
        title: Of the page.
        command: How to run it again.
    """

    def __init__(self, task: str, out: Path, seed: int = 0, *, title: str = "", command: str = ""):
        self.task, self.out, self.seed, self.title, self.command = task, Path(out), seed, title, command
        self.rows: list[Row] = []
        self.parts: list[Part] = []
        self.out.mkdir(parents=True, exist_ok=True)

    def row(
        self,
        metric: str,
        method: str,
        value: Number | None,
        *,
        n: int | np.integer,
        direction: str = "",
        candidates: int | None = None,
        split: str = "test",
        low: Number | None = None,
        high: Number | None = None,
        p: Number | None = None,
    ) -> None:
        """Add one figure."""
        found = {"value": value, "low": low, "high": high, "p": p}
        numbers = {name: None if number is None else float(number) for name, number in found.items()}
        place = {"direction": direction, "candidates": candidates, "split": split}
        self.rows.append(Row(task=self.task, metric=metric, method=method, n=int(n), seed=self.seed, **place, **numbers))

    def words(self, heading: str, words: str) -> None:
        """Add a paragraph, and print it."""
        print(f"{heading}: {words}", flush=True)
        self.parts.append(Part(heading, words))

    def table(self, heading: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table whose cells are text."""
        self.parts.append(Part(heading, table=(tuple(header), tuple(tuple(row) for row in rows))))

    def figure(self, heading: str, name: str) -> Path:
        """Where to draw a figure that the page shows under this heading."""
        path = self.out / "figures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.parts.append(Part(heading, figure=path))
        return path

    def folder(self, name: str) -> Path:
        """A folder for whatever else a run keeps, such as its bundles."""
        path = self.out / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def write(self) -> None:
        """Write ``results.json`` and ``page.html``."""
        from bridge.benchmark.page import page  # the page shows a record

        write_json(self.out / "results.json", [dataclasses.asdict(row) for row in self.rows])
        with whole_file(self.out / "page.html") as partial:
            partial.write_text(page(self, title=self.title), encoding="utf-8")
