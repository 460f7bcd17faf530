"""The log of a run: a line as soon as there is one, cut back to its checkpoint when a run goes on, a table at the end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from bridge.data.whole import whole_file

LINES, TABLE, SKIPPED = "metrics.jsonl", "metrics.csv", "skipped.csv"


class StepLog(Logger):
    """Lightning's metrics and the steps that were skipped, however often the run was stopped.

    Args:
        folder: Where it is written.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder, self.path, self.last = folder, folder / LINES, ""

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.name

    @property
    def version(self) -> str:
        """A run has one log."""
        return ""

    def log_hyperparams(self, *settings: Any, **more: Any) -> None:
        """Settings stand in the run's config."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write the metrics of a step; the very same line twice in a row is one."""
        self.write({"step": step, **metrics})

    @rank_zero_only
    def write(self, entry: Mapping[str, Any]) -> None:
        """Write a line.

        Raises:
            ValueError: it cannot be written.
        """
        line = json.dumps(dict(entry))
        if line == self.last:
            return
        self.last = line
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise ValueError(f"{self.path}: the log cannot be written ({error.strerror}); make room, and run the same command again to go on") from error

    def written(self) -> int:
        """Bytes so far, all of them on disk."""
        if not self.path.is_file():
            return 0
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        return self.path.stat().st_size

    @rank_zero_only
    def cut(self, size: int) -> None:
        """Forget what was logged after so many bytes."""
        found = self.path.stat().st_size if self.path.is_file() else 0
        if found < size:
            told = f"found {found:,} bytes, {size:,} when the run was stopped"
            print(f"{self.path}: {told}; what is gone of the log stays away, the run itself is whole", file=sys.stderr, flush=True)
        if self.path.is_file():
            os.truncate(self.path, min(size, found))


def _entry(line: str) -> dict[str, Any] | None:
    """What a line says, None of one that is damaged."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def tabulate(folder: Path) -> None:
    """Make tables of the lines: ``metrics.csv``, and ``skipped.csv`` where steps were skipped."""
    path = folder / LINES
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] if path.is_file() else []
    entries = [entry for entry in map(_entry, lines) if entry is not None]
    if len(entries) < len(lines):
        print(f"{path}: {len(lines) - len(entries)} of {len(lines)} lines cannot be read and are left out of the table", file=sys.stderr, flush=True)
    for name, rows in ((TABLE, [each for each in entries if "skipped" not in each]), (SKIPPED, [each for each in entries if "skipped" in each])):
        if rows:
            with whole_file(folder / name) as partial:
                pd.DataFrame(rows, columns=sorted(set().union(*rows))).to_csv(partial, index=False)
