"""Jobs: a bounded line, one worker, and an end that comes exactly once."""

from __future__ import annotations

import contextlib
import enum
import logging
import secrets
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from bridge.faults import where
from bridge.serve.limits import Limits
from bridge.serve.refusal import RefusedError
from bridge.serve.watch import StoppedError, Watch

LOG = logging.getLogger(__name__)


class State(enum.StrEnum):
    """Where a job is; the last four are ends."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"


ENDS = (State.DONE, State.FAILED, State.CANCELLED, State.TIMED_OUT)


class Job:
    """One piece of work for the model.

    Args:
        work: What to do; it calls the watch as it goes on.
        deadline_s: Seconds until it must have ended.
        ended: Called once, when it has ended and its work has stopped: the place to remove its files.
    """

    def __init__(self, work: Callable[[Watch], Any], deadline_s: float | int, ended: Callable[[], None] = lambda: None):
        self.id, self.state, self.result, self.error, self.refused = secrets.token_urlsafe(16), State.WAITING, None, "", False
        self.deadline = time.monotonic() + deadline_s
        self.watch = Watch(self.deadline, self._tell)
        self._work, self._ended, self._listeners = work, ended, []

    @contextlib.contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Have a function called after every change, from any thread, while the block lasts."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDS

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            with contextlib.suppress(RuntimeError):  # the event loop has closed
                listener()


class Jobs:
    """A line of jobs and the thread that does them one after another.

    Args:
        limits: How many may wait.
    """

    def __init__(self, limits: Limits):
        self.limits, self.counts = limits, Counter({"accepted": 0} | {str(state): 0 for state in ENDS})
        self._line: deque[Job] = deque()
        self._change, self._closed, self._busy = threading.Condition(), False, None
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Take a job in.

        Raises:
            RefusedError: 429, too many wait.
        """
        with self._change:
            if self._closed:
                raise RefusedError(503, "the server is stopping")
            if len(self._line) >= self.limits.waiting:
                raise RefusedError(429, f"{len(self._line)} jobs wait already; try again later", {"Retry-After": str(self.limits.retry_s)})
            self._line.append(job)
            self.counts["accepted"] += 1
            self._change.notify()

    def place(self, job: Job) -> int:
        """How many jobs come before this one; 0 where it is being done or has ended."""
        with self._change:
            return self._line.index(job) + (self._busy is not None) if job in self._line else 0

    def end(self, job: Job, state: State, *, result: Any = None, error: str = "", refused: bool = False) -> bool:
        """End a job; False where it has ended before.

        Args:
            job: Which.
            state: How.
            result: What it gave.
            error: One line, where it failed.
            refused: It failed because of what it was given.
        """
        with self._change:
            if job.over:
                return False
            job.result, job.error, job.refused, job.state = result, error, refused, state
            self.counts[str(state)] += 1
            waited = job in self._line
            if waited:
                self._line.remove(job)
        job.watch.stop()
        if waited:
            job._ended()
        job._tell()
        for other in tuple(self._line):
            other._tell()
        return True

    @property
    def load(self) -> dict[str, int]:
        """Jobs that are being done and that wait, and how all others ended."""
        with self._change:
            return {"running": int(self._busy is not None), "waiting": len(self._line), **self.counts}

    def close(self) -> None:
        """End every job and the thread."""
        with self._change:
            self._closed, open_jobs = True, [*self._line, *filter(None, [self._busy])]
            self._change.notify()
        for job in open_jobs:
            self.end(job, State.CANCELLED)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._do(job)
            finally:
                job._ended()
                with self._change:
                    self._busy = None

    def _next(self) -> Job | None:
        with self._change:
            self._change.wait_for(lambda: self._line or self._closed)
            if self._closed:
                return None
            self._busy = self._line.popleft()
            self._busy.state = State.RUNNING
            begun = self._busy
        for job in (begun, *tuple(self._line)):
            job._tell()
        return begun

    def _do(self, job: Job) -> None:
        """Errors of the work end here: what they say is for the person who asked, never for the log."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a warning may name a sample
                self.end(job, State.DONE, result=job._work(job.watch))
        except StoppedError:
            self.end(job, State.TIMED_OUT if time.monotonic() > job.deadline else State.CANCELLED)
        except (ValueError, RefusedError) as error:
            self.end(job, State.FAILED, error=str(error), refused=True)
        except BaseException as error:  # a panic of a compiled library is no Exception, and must not end the one worker
            LOG.error("a job failed: %s", where(error))
            self.end(job, State.FAILED, error=f"the server failed ({type(error).__name__})")
