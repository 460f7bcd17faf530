"""How a request is turned down: one line of JSON, sent whole even to a client that is still sending its body."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

#: What is still read of a body after its refusal, so that the client gets to see the answer before the connection closes.
DRAINED_BYTES, DRAINED_S = 16 << 20, 1.0


class RefusedError(Exception):
    """A request that is turned down.

    Args:
        status: Of the answer.
        message: One line for the person who asked; holds nothing of anybody else.
        headers: Of the answer, for example ``Retry-After``.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


class Refusal(JSONResponse):
    """``{"error": ...}``; the connection closes after it."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__({"error": one_line(message)}, status, {**(headers or {}), "Connection": "close"})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the answer, read on for a moment, then close."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if has_body(scope):
            await _drained(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def one_line(message: str, longest: int = 600) -> str:
    """A message without line breaks, cut where it is very long."""
    line = " ".join(message.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def has_body(scope: Any) -> bool:
    """Whether the head of a request announces a body."""
    return any(name in (b"content-length", b"transfer-encoding") and value != b"0" for name, value in scope["headers"])


async def _drained(receive: Any) -> None:
    read = 0
    with contextlib.suppress(TimeoutError, RefusedError):
        async with asyncio.timeout(DRAINED_S):
            while read < DRAINED_BYTES:
                message = await receive()
                read += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
