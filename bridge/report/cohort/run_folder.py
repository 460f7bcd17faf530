"""The folder of a long run: one process at a time, and one set of settings for as long as it is there."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge.data.whole import whole_file

RUN, LOCK = "run.json", ".lock"


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """No other process works on the folder meanwhile; the system itself ends the hold of one that is killed.

    Raises:
        ValueError: another process does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(f"{folder}: another process writes its reports here; wait until it has ended, or choose another --out") from error
        yield


def require_same_run(folder: Path, settings: Mapping[str, Any]) -> None:
    """Note the settings of a new run; refuse to go on with one of other settings.

    Args:
        folder: New, empty, or of a run that was stopped.
        settings: All that the reports depend on, as JSON types.

    Raises:
        ValueError: names the setting, or that the folder holds something else.
    """
    path = folder / RUN
    if path.is_file():
        _require_equal(path, dict(settings))
        return
    others = sorted(each.name for each in folder.iterdir() if each.name != LOCK and ".partial." not in each.name)
    if others:
        raise ValueError(f"{folder}: found {others[0]!r} and no {RUN}, expected a new or empty folder, or that of a run to go on with; choose another --out")
    with whole_file(path) as partial:
        partial.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _require_equal(path: Path, settings: dict[str, Any]) -> None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); the folder is damaged, choose another --out") from error
    names = sorted(set(stored) | set(settings)) if isinstance(stored, dict) else []
    different = next((name for name in names if stored.get(name) != settings.get(name)), None)
    if different is not None or not names:
        found = stored.get(different) if names else stored
        raise ValueError(f"{path}, field {different}: made with {found!r}, now asked for {settings.get(different)!r}; use the same settings or another --out")
