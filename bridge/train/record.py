"""What a run leaves beside its bundle: its settings and its log, and while it runs its checkpoints."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from bridge.data.whole import whole_file
from bridge.settings import read_yaml
from bridge.train.log import LINES

#: Settings that a run has to share with the one it goes on from.
FIXED = ("seed_everything", "data", "model")

LOG = "log"


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
    found = read_yaml(path)
    if not isinstance(found, dict):
        raise ValueError(f"{path}: found {type(found).__name__}, expected the settings of a run; begin again with --resume false, or choose another --out")
    stored, asked = (dict(_flat({key: each.get(key) for key in FIXED})) for each in (found, yaml.safe_load(settings)))
    changed = sorted(field for field in stored.keys() | asked.keys() if stored.get(field) != asked.get(field))
    if changed:
        raise ValueError(
            f"{path}, field {changed[0]}: the run that was stopped had {stored.get(changed[0])!r}, this one has {asked.get(changed[0])!r}\n"
            "go on with the same settings, begin again with --resume false, or choose another --out"
        )


def settings_digest(settings: str) -> str:
    """By which a checkpoint knows the settings that it was made with."""
    fixed = {key: yaml.safe_load(settings).get(key) for key in FIXED}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True, default=str).encode()).hexdigest()


def clear(run: Path) -> None:
    """Take away what only a stopped run is gone on with: checkpoints first, then the lines of the log."""
    for path in [*sorted(run.glob("step-*"), reverse=True), run / LOG / LINES]:
        if path.is_dir():  # of a strategy that writes one file per process
            shutil.rmtree(path)
        path.unlink(missing_ok=True)


def _flat(settings: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every single setting with its full name."""
    if not isinstance(settings, dict):
        yield name, settings
        return
    for key, value in settings.items():
        yield from _flat(value, f"{name}.{key}" if name else str(key))
