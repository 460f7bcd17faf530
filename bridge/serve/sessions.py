"""Who asks: a browser with its cookie, or a program with the token. What one session has, no other sees."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any

from bridge.serve.jobs import Job, Jobs, State
from bridge.serve.limits import Limits
from bridge.serve.refusal import RefusedError
from bridge.serve.uploads import Upload, Uploads


class Session:
    """Files, reports and running jobs of one visitor.

    Args:
        uploads: Where its files lie.
        jobs: Where its jobs are done.
        limits: How much it may have.
    """

    def __init__(self, uploads: Uploads, jobs: Jobs, limits: Limits):
        self._uploads, self._jobs, self.limits = uploads, jobs, limits
        self.uploads: dict[str, Upload] = {}
        self.jobs: dict[str, Job] = {}
        self.questions: set[Job] = set()
        self.used = time.monotonic()

    @property
    def bytes_left(self) -> int:
        """Room for further files."""
        return self.limits.session_bytes - sum(upload.bytes for upload in self.uploads.values())

    def keep(self, upload: Upload) -> None:
        """Keep a file until it is used; where others that came in meanwhile used the room up, it goes.

        Raises:
            RefusedError: no room.
        """
        if upload.bytes > self.bytes_left or len(self.uploads) >= self.limits.uploads_kept:
            self._uploads.delete(upload)
            raise RefusedError(413, "upload: too many unused files in this session; make the report, or delete some")
        self.uploads[upload.id] = upload

    def unused(self, upload_id: str) -> Upload:
        """One of its own files.

        Raises:
            RefusedError: 404.
        """
        if upload_id not in self.uploads:
            raise RefusedError(404, "upload: not found; it was used, deleted or is too old; upload the file again")
        return self.uploads[upload_id]

    def take(self, uploads: list[Upload]) -> None:
        """Hand over files to a job, which deletes them."""
        for upload in uploads:
            del self.uploads[upload.id]

    def drop(self, upload_id: str) -> None:
        """Delete an unused file."""
        self._uploads.delete(self.unused(upload_id))
        del self.uploads[upload_id]

    def add(self, job: Job) -> None:
        """Remember a job; the oldest that has ended makes room, and those that gave no report before those that did."""
        over = sorted((each for each in self.jobs.values() if each.over), key=lambda each: each.state is State.DONE)
        for old in over[: max(0, len(over) + 1 - self.limits.reports_kept)]:
            del self.jobs[old.id]
        self.jobs[job.id] = job

    def add_question(self, job: Job) -> None:
        """Remember a question until it has ended."""
        self.questions = {each for each in self.questions if not each.over} | {job}

    def job(self, job_id: str) -> Job:
        """One of its own jobs.

        Raises:
            RefusedError: 404.
        """
        if job_id not in self.jobs:
            raise RefusedError(404, "report: not found")
        return self.jobs[job_id]

    def forget(self, job_id: str) -> None:
        """Stop a job, and keep nothing of it."""
        self._jobs.end(self.job(job_id), State.CANCELLED)
        del self.jobs[job_id]

    def clear(self) -> None:
        """Stop and delete everything."""
        for job in tuple(self.questions):
            self._jobs.end(job, State.CANCELLED)
        for job_id in tuple(self.jobs):
            self.forget(job_id)
        for upload_id in tuple(self.uploads):
            self.drop(upload_id)

    def sweep(self, now: float | int) -> bool:
        """Delete what is too old; True where the whole session is."""
        for upload in [each for each in self.uploads.values() if now - each.since > self.limits.unused_s]:
            self.drop(upload.id)
        if any(not job.over for job in (*self.jobs.values(), *self.questions)) or now - self.used <= self.limits.session_s:
            return False
        self.clear()
        return True


class Sessions:
    """All sessions.

    Args:
        token: The secret that opens one.
        make: Makes an empty one.
        limits: How many, and for how long.
    """

    def __init__(self, token: str, make: Any, limits: Limits):
        self._token, self._make, self.limits = token, make, limits
        self._of: dict[bytes, Session] = {}
        self._programs = make()

    def admits(self, token: str) -> bool:
        """Whether this is the secret; takes the same time for every wrong one."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def open(self) -> str:
        """A new session; its key is for the browser's cookie alone."""
        if len(self._of) >= self.limits.sessions:
            oldest = min(self._of, key=lambda each: self._of[each].used)
            self._of.pop(oldest).clear()
        key = secrets.token_urlsafe(32)
        self._of[_digest(key)] = self._make()
        return key

    def of_cookie(self, key: str) -> Session | None:
        """The session of a browser."""
        return _used(self._of.get(_digest(key)))

    def of_bearer(self, token: str) -> Session | None:
        """The session that all programs with the token share."""
        return _used(self._programs) if self.admits(token) else None

    def sweep(self) -> None:
        """Forget what nobody has asked for in a long time."""
        now = time.monotonic()
        self._programs.sweep(now)
        for key in [key for key, session in self._of.items() if session.sweep(now)]:
            del self._of[key]

    def clear(self) -> None:
        """Forget everything."""
        for session in (self._programs, *self._of.values()):
            session.clear()


def _digest(key: str) -> bytes:
    """Looked up by digest, so that the time of a look-up tells nothing of the keys."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _used(session: Session | None) -> Session | None:
    if session is not None:
        session.used = time.monotonic()
    return session
