"""What a run leaves beside its bundle: its settings, one log however often it was stopped, and while it runs a checkpoint."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from lightning.pytorch.plugins.io import TorchCheckpointIO

from bridge.data.cohort import whole_file

#: Settings that a run has to share with the one it goes on from.
FIXED = ("seed_everything", "data", "model")

LOG = "log"
CHECKPOINT = "last.ckpt"


class CheckpointFile(TorchCheckpointIO):
    """A checkpoint is written whole or not at all; Lightning's own way over the temporary folder can leave half a file."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        with whole_file(path) as partial:
            torch.save(checkpoint, partial)

    def load_checkpoint(self, path: str | Path, *arguments: Any, **settings: Any) -> dict[str, Any]:
        try:
            return super().load_checkpoint(path, *arguments, **settings)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path}: the checkpoint is damaged ({str(error).splitlines()[0]}); begin again with --resume false") from error


def write_settings(path: Path, settings: str) -> None:
    """Write a run's settings, as YAML."""
    with whole_file(path) as partial:
        partial.write_text(settings, encoding="utf-8")


def require_same_settings(path: Path, settings: str) -> None:
    """Refuse to go on from a checkpoint with other settings than it was made with.

    Raises:
        ValueError: names the first setting that differs.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file beside the checkpoint; begin again with --resume false, or choose another --out")
    stored, asked = (dict(_flat({key: yaml.safe_load(text).get(key) for key in FIXED})) for text in (path.read_text(encoding="utf-8"), settings))
    changed = sorted(field for field in stored.keys() | asked.keys() if stored.get(field) != asked.get(field))
    if changed:
        raise ValueError(
            f"{path}, field {changed[0]}: the run that was stopped had {stored.get(changed[0])!r}, this one has {asked.get(changed[0])!r}\n"
            "go on with the same settings, begin again with --resume false, or choose another --out"
        )


def log_part(run: Path, *, stopped: bool) -> str:
    """Name of the log folder of this start: ``log``, and ``log-2``, ``log-3`` ... after stops."""
    parts = sorted(run.glob(f"{LOG}*"))
    return f"{LOG}-{len(parts) + 1}" if stopped and parts else LOG


def join_log(run: Path) -> None:
    """Make ``log/metrics.csv`` the log of the whole run: of a start that was stopped only the steps before the next one."""
    parts = [path for path in sorted(run.glob(f"{LOG}*/metrics.csv"), key=lambda path: (len(path.parent.name), path)) if path.stat().st_size]
    if len(parts) < 2:
        return
    tables = [pd.read_csv(path) for path in parts]
    starts = [table["step"].min() for table in tables[1:]] + [float("inf")]
    whole = pd.concat([table[table["step"] < start] for table, start in zip(tables, starts, strict=True)], ignore_index=True)
    with whole_file(run / LOG / "metrics.csv") as partial:
        whole.to_csv(partial, index=False)


def clear(run: Path) -> None:
    """Take away what only a stopped run is gone on with: the checkpoint and the parts of the log."""
    for path in [run / CHECKPOINT, *run.glob(f"{LOG}-*")]:
        if path.is_dir():  # a checkpoint too, where the strategy writes one file per process
            shutil.rmtree(path)
        path.unlink(missing_ok=True)


def _flat(settings: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every single setting with its full name."""
    if not isinstance(settings, dict):
        yield name, settings
        return
    for key, value in settings.items():
        yield from _flat(value, f"{name}.{key}" if name else str(key))
