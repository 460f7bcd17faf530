"""The service: requests that all end once, a worker that is free again, and nothing that gets out of its place."""

from __future__ import annotations

import sys
from pathlib import Path

from figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))

import load


def figures(fast: bool, folder: Path) -> list[Figure]:
    """The figures of ``tests/serve/load.py``, each with what it has to be."""
    rounds, tabs = (1, 5) if fast else (3, 20)
    found, longest = load.ends_once(rounds), load.freed(tabs)
    ends = ", ".join(f"{found[f'of them {end}']} {end}" for end in ("done", "failed", "cancelled", "timed out"))
    return [
        Figure(
            f"200 requests at once, {rounds} times: accepted that ended exactly once", found["accepted that ended exactly once"], found["accepted"], note=ends
        ),
        Figure("of these requests, refused with 429 but without Retry-After", found["429 without Retry-After"], 0),
        Figure("of these requests, neither accepted nor refused", found["requests neither accepted nor refused"], 0),
        Figure(f"{tabs} closed tabs: worker free again", "within 2 s" if longest < 2 else "later", "within 2 s", note=f"longest {longest:.2f} s"),
        Figure(f"{len(load.TRAVERSALS)} traversal names: files outside their folder", load.escapes(), 0),
        Figure(f"{len(load.SCRIPTS)} script payloads in every field: answers with live markup", load.live_markup(), 0),
        Figure("marks in names, notes and values: hits in logs, output and temporary files", load.canaries(), 0),
    ]
