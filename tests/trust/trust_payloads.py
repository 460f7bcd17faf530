"""No file runs code: payloads of every form under an audit hook, each refused with a line, and no folder made by any of them."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from pathlib import Path

import payloads
from figure import Figure
from tiny_checkpoints import save_checkpoint
from tiny_study import make_cohort, save_bundle

#: Events of Python that say that something was run which no reader of data has to run.
FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn", "socket.connect", "urllib.Request"}


def figures(fast: bool, folder: Path) -> list[Figure]:
    """Payloads, refusals, markers, forbidden events."""
    llm = save_checkpoint(folder / "llm")
    cohort, bundle = folder / "cohort.h5ad", save_bundle(folder / "bundle", llm)
    make_cohort().write(cohort)
    place, marker, events = folder / "payloads", folder / "marker", []
    place.mkdir()
    sys.path.insert(0, str(place))  # a module that lies beside the file could be found
    every = list(payloads.payloads(place, marker, llm, bundle, cohort))
    chosen = every[::3] if fast else every
    sys.addaudithook(functools.partial(_watch, marker=str(marker), events=events))
    outcomes = [_outcome(payload, marker) for payload in chosen]
    count = len(chosen)
    wrong = [f"{payload.name}: {outcome}" for payload, outcome in zip(chosen, outcomes, strict=True) if outcome != "refused"]
    enough = "60 or more" if fast or len(every) < 60 else len(every)
    return [
        Figure("files that carry code: how many kinds", len(every) if not fast else enough, enough),
        Figure("files that carry code: refused with a line or two", outcomes.count("refused"), count, note="; ".join(wrong[:5])),
        Figure("files that carry code: code that ran", sum("ran" in outcome for outcome in outcomes), 0),
        Figure("files that carry code: programs started or addresses asked", len(events), 0, note="; ".join(events[:3])),
    ]


def _watch(event: str, arguments: tuple, *, marker: str, events: list[str]) -> None:
    if event in FORBIDDEN or (event == "os.mkdir" and str(arguments[0]) == marker):
        events.append(f"{event} {str(arguments)[:60]}")


def _outcome(payload: payloads.Payload, marker: Path) -> str:
    """``refused``, or what happened instead."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            payload.read()
        outcome = "accepted"
    except (ValueError, OSError) as error:
        outcome = "refused" if len(str(error).splitlines()) <= 2 else "refused in many lines"
    except Exception as error:  # whatever else it is, it is not a clear line
        outcome = f"{type(error).__name__}: {str(error)[:80]}"
    if marker.exists():
        os.rmdir(marker)
        return f"{outcome}, code ran"
    return outcome
