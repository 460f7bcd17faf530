"""The body of a request, bounded in size, in pauses and in pace while it comes in; what it says of its size is not believed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bridge.serve.limits import Limits
from bridge.serve.refusal import RefusedError

Receive = Callable[[], Awaitable[Any]]


def declared(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Bytes that the head of a request announces; None where it announces none.

    Raises:
        RefusedError: it announces several sizes, or none that is a number.
    """
    sizes = {value for name, value in headers if name == b"content-length"}
    if len(sizes) > 1 or not all(size.isdigit() for size in sizes):
        raise RefusedError(400, "content-length: expected one number")
    return int(sizes.pop()) if sizes else None


def too_large(limit: int) -> RefusedError:
    """The refusal of a body beyond its limit."""
    return RefusedError(413, f"body: more than {size(limit)}, expected at most that; send a smaller file")


def size(count: int) -> str:
    """Bytes for people."""
    for unit, each in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= each:
            return f"{count / each:.3g} {unit}"
    return f"{count} bytes"


def bounded(receive: Receive, limit: int, limits: Limits) -> Receive:
    """The same stream of a body, which ends with a refusal where it is larger, pauses longer or comes slower than allowed."""
    start, read, whole = time.monotonic(), 0, False

    async def next_message() -> Any:
        nonlocal read, whole
        if whole:
            return await receive()  # waits for the client to go
        try:
            async with asyncio.timeout(limits.idle_s):
                message = await receive()
        except TimeoutError:
            raise RefusedError(408, f"body: nothing came for {limits.idle_s:g} s; send it again") from None
        read += len(message.get("body", b""))
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        if read > limit:
            raise too_large(limit)
        if not whole and time.monotonic() - start > limits.idle_s + read / limits.slowest_bytes_s:
            raise RefusedError(408, f"body: came slower than {size(limits.slowest_bytes_s)} a second; send it over a faster connection")
        return message

    return next_message
