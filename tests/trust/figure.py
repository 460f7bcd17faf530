"""One published figure of trust: what was found, what is expected, and from which seed."""

from __future__ import annotations

from typing import NamedTuple

MEASURED = "measured"


class Figure(NamedTuple):
    """A row of the table.

    Args:
        name: What was done, and how often; a whole phrase.
        found: What came of it.
        expected: What has to come of it; ``MEASURED`` where nothing is promised and the figure alone is told.
        seed: Of what was drawn; None where nothing was.
        note: What was left out and why, where something was.
    """

    name: str
    found: int | float | str
    expected: int | float | str
    seed: int | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether what was found is what is expected."""
        return self.expected in (self.found, MEASURED)
