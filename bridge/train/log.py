"""The log of a run: a line as soon as there is one, cut back to its checkpoint when a run goes on, a table at the end."""

from __future__ import annotations

import json
import os
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
        if self.path.is_file():
            os.truncate(self.path, min(size, self.path.stat().st_size))


def tabulate(folder: Path) -> None:
    """Make tables of the lines: ``metrics.csv``, and ``skipped.csv`` where steps were skipped."""
    path = folder / LINES
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    for name, rows in ((TABLE, [each for each in entries if "skipped" not in each]), (SKIPPED, [each for each in entries if "skipped" in each])):
        if rows:
            with whole_file(folder / name) as partial:
                pd.DataFrame(rows, columns=sorted(set().union(*rows))).to_csv(partial, index=False)
