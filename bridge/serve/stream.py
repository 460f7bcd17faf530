"""Waiting for a job with the client on the line: where it hangs up, the job ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bridge.serve.jobs import Job, Jobs, State
from bridge.serve.wire import Progress, progress

#: Between two signs of life, and between two pieces of news.
BEAT_S, PAUSE_S = 10.0, 0.1
Tell = Callable[[Progress], Awaitable[None]]


async def followed(request: Request, job: Job, jobs: Jobs) -> Response:
    """The answer to whoever began a job: news as server-sent events for ``Accept: text/event-stream``, else its end alone."""
    if "text/event-stream" in request.headers.get("accept", ""):
        return Events(job, jobs)
    await follow(job, jobs, request.receive, _nobody)
    last = progress(job, jobs)
    return JSONResponse(last.model_dump(mode="json"), last.status)


async def follow(job: Job, jobs: Jobs, receive: Any, tell: Tell) -> None:
    """Tell the news of a job until it ends; end it where the client goes or the deadline passes."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()
    gone = asyncio.create_task(_gone(receive))
    try:
        with job.listening(lambda: loop.call_soon_threadsafe(changed.set)):
            async with asyncio.timeout(max(0.0, job.deadline - time.monotonic())):
                await _news(job, jobs, changed, gone, tell)
    except TimeoutError:
        jobs.end(job, State.TIMED_OUT)
    finally:
        jobs.end(job, State.CANCELLED)  # nothing where it has ended
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


async def _news(job: Job, jobs: Jobs, changed: asyncio.Event, gone: asyncio.Task, tell: Tell) -> None:
    while not job.over and not gone.done():
        changed.clear()
        await tell(progress(job, jobs))
        news = asyncio.create_task(changed.wait())
        try:
            await asyncio.wait({news, gone}, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        if not job.over:
            await asyncio.wait({gone}, timeout=PAUSE_S)


class Events(Response):
    """News of a job as server-sent events: ``progress`` each, then one ``end``."""

    media_type = "text/event-stream"

    def __init__(self, job: Job, jobs: Jobs):
        super().__init__(headers={"X-Accel-Buffering": "no"})
        self._job, self._jobs = job, jobs
        del self.headers["content-length"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send until the job ends."""

        async def tell(news: Progress, event: str = "progress") -> None:
            data = f"event: {event}\ndata: {news.model_dump_json()}\n\n".encode()
            await send({"type": "http.response.body", "body": data, "more_body": True})

        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        finally:
            await follow(self._job, self._jobs, receive, tell)
        await tell(progress(self._job, self._jobs), "end")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Any) -> None:
    """Ends when the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nobody(_: Progress) -> None:
    """Who waits for the end alone is told nothing before."""
