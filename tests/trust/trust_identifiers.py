"""What the scan for identifiers finds in made-up notes; what it misses is as much of the figure."""

from __future__ import annotations

from pathlib import Path

from figure import Figure
from identifier_notes import NOTES, RECALL, measured_recall


def figures(fast: bool, folder: Path) -> list[Figure]:
    """Recall per class, beside the one that is published."""
    return [Figure(f"recall of the scanner, {name}, {NOTES} made-up notes", measured_recall(name), recall, 0) for name, recall in RECALL.items()]
