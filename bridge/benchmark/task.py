"""One benchmark is one class and one config in ``configs/evaluate``; the data it needs are named by an environment variable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from bridge.benchmark.results import Record
from bridge.settings import DATA, data_root


class Skipped(Exception):
    """A benchmark cannot run here; says what is missing and where it was looked for."""


class Task(ABC):
    """A benchmark. Its constructor takes the settings of its config; all of them have defaults."""

    title: ClassVar[str]

    @abstractmethod
    def run(self, record: Record) -> None:
        """Measure, and put every figure with its baselines and intervals into the record.

        Raises:
            Skipped: the data are not here.
        """


def data_folder(name: str) -> Path:
    """Folder of the benchmark data, ``$BRIDGE_DATA/name``.

    Raises:
        Skipped: there is none.
    """
    folder = data_root() / name
    if not folder.is_dir():
        raise Skipped(f"{folder}: no such folder; set {DATA} to the folder that holds {name}/")
    return folder
