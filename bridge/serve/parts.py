"""What all routes share."""

from __future__ import annotations

import functools

from starlette.requests import Request

from bridge.serve.engine import Engine
from bridge.serve.jobs import Jobs
from bridge.serve.limits import Limits
from bridge.serve.sessions import Session, Sessions
from bridge.serve.uploads import Uploads


class Parts:
    """Engine, files, jobs and sessions of a running service.

    Args:
        engine: Writes reports.
        limits: Bounds.
        uploads: Where files lie.
        token: The secret that opens a session.
    """

    def __init__(self, engine: Engine, limits: Limits, uploads: Uploads, token: str):
        self.engine, self.limits, self.uploads, self.jobs = engine, limits, uploads, Jobs(limits)
        self.sessions = Sessions(token, functools.partial(Session, uploads, self.jobs, limits), limits)

    def close(self) -> None:
        """Stop all work and delete all files."""
        self.sessions.clear()
        self.jobs.close()
        self.uploads.close()


def session_of(request: Request) -> Session:
    """Whoever the guard let in."""
    return request.scope["state"]["session"]
