"""Ours and what a user would use instead, side by side: equal results first, then both in turn in one process, the ratio last."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Ratio:
    """One line of the table.

    Args:
        path: The hot path.
        peer: What a user would use instead.
        ratio: How many times ours is faster (or smaller).
        bar: The least ratio that counts as reached.
        unit: What is compared, with its direction: ``seconds``, ``real tokens/s``, ``bytes at the peak``.
        ours: Ours, in words with unit.
        theirs: Theirs, in words with unit.
        equal: How equality was checked, and the largest difference found.
    """

    path: str
    peer: str
    ratio: float
    bar: float
    unit: str
    ours: str = ""
    theirs: str = ""
    equal: str = ""


def alternated(ours: Callable[[], object], peer: Callable[[], object], *, rounds: int = 5, warm: int = 1) -> tuple[float, float]:
    """Median seconds of each, taken in turn, so that whatever slows the machine down slows both.

    Args:
        ours: One run of ours.
        peer: One run of theirs.
        rounds: Timed runs of each.
        warm: Runs of each that are not timed.
    """
    for _ in range(warm):
        ours(), peer()
    taken = [(_seconds(ours), _seconds(peer)) if turn % 2 else _seconds(peer, ours) for turn in range(rounds)]
    return statistics.median(first for first, _ in taken), statistics.median(second for _, second in taken)


def _seconds(*calls: Callable[[], object]):
    """Seconds of one call; of two calls given the other way round, in the usual order."""
    spent = []
    for call in calls:
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return spent[0] if len(spent) == 1 else (spent[1], spent[0])
