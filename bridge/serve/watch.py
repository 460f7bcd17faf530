"""The line between a job and whoever waits for it: progress out, the wish to stop in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class StoppedError(Exception):
    """Nobody waits for the work any more."""


class Watch:
    """What the work calls as it goes on; every call ends the work where nobody waits any more.

    Args:
        deadline: Of the monotonic clock, in seconds; the work ends then too.
        told: Called after each change, from the thread of the work.
    """

    def __init__(self, deadline: float | int, told: Callable[[], None] = lambda: None):
        self._stopped, self._deadline, self._told = threading.Event(), deadline, told
        self.step_name, self.tokens, self.of = "", 0, 0

    def step(self, name: str, of: int = 0) -> None:
        """A new step begins.

        Args:
            name: Of the step, for people.
            of: Tokens it writes at most; 0 where it writes none.
        """
        self.heed()
        self.step_name, self.tokens, self.of = name, 0, of
        self._told()

    def token(self, *_: object) -> None:
        """One token more was written; what a decoder hands over is not looked at."""
        self.heed()
        self.tokens += 1
        self._told()

    def heed(self) -> None:
        """Go on, or not.

        Raises:
            StoppedError: the work is to end.
        """
        if self._stopped.is_set() or time.monotonic() > self._deadline:
            raise StoppedError

    def stop(self) -> None:
        """Ask the work to end."""
        self._stopped.set()
