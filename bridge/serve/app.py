"""The routes: the page's own files, and the JSON interface behind the same door."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from bridge.serve.file_routes import file_routes
from bridge.serve.pages import static
from bridge.serve.parts import Parts
from bridge.serve.refusal import Refusal, RefusedError
from bridge.serve.report_routes import report_routes
from bridge.serve.sessions import Sessions
from bridge.serve.wire import Problem

SWEEP_S = 5.0
ABOUT = """Reports and answers from one bundle. Every request needs `Authorization: Bearer TOKEN` (the token that `bridge serve` prints) or the page's
cookie. A request that begins a job stays open until the job ends; who hangs up cancels it. With `Accept: text/event-stream` it tells the progress
(`event: progress`, then one `event: end`), else it answers once at the end."""
PROBLEMS = {
    401: "Not the token",
    403: "Sent by another page",
    404: "Not there, or of another session",
    408: "The body came too slowly",
    413: "The body is too large",
    415: "Not JSON, or the parts of a form",
    421: "Wrong Host header",
    422: "The input is refused",
    429: "Too many jobs wait; see Retry-After",
    504: "The deadline passed",
    507: "No room for files",
}
RESPONSES: dict[int | str, dict[str, Any]] = {status: {"model": Problem, "description": why} for status, why in PROBLEMS.items()}


def application(parts: Parts) -> FastAPI:
    """The application, still without its guard."""
    settings = {"docs_url": None, "redoc_url": None, "openapi_url": "/api/openapi.json", "responses": RESPONSES, "redirect_slashes": False}
    app = FastAPI(title="bridge serve", description=ABOUT, version="1", lifespan=_lifespan(parts), **settings)
    app.include_router(_page())
    app.include_router(file_routes(parts), prefix="/api", tags=["files"])
    app.include_router(report_routes(parts), prefix="/api", tags=["reports"])
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(Exception, _failed)
    return app


def _page() -> APIRouter:
    """The page and its files."""
    router = APIRouter(include_in_schema=False)
    for path, name in {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js", "/icon.svg": "icon.svg", "/favicon.ico": "icon.svg"}.items():
        router.add_api_route(path, _static(name), methods=["GET"])
    return router


def _static(name: str) -> Any:
    async def get() -> Response:
        return static(name)

    return get


def _lifespan(parts: Parts) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(_sweep(parts.sessions))
        try:
            yield
        finally:
            sweeper.cancel()
            parts.close()

    return lifespan


async def _sweep(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        sessions.sweep()


async def _refused(_: Request, error: Any) -> Response:
    return Refusal(error.status, error.message, error.headers)


async def _no_route(_: Request, error: Any) -> Response:
    return JSONResponse({"error": str(error.detail).lower()}, error.status_code, headers=error.headers)


async def _not_valid(_: Request, __: Any) -> Response:
    return Refusal(422, "request: a parameter has another form than /api/openapi.json says")


async def _failed(_: Request, error: Exception) -> Response:
    return Refusal(500, f"the server failed ({type(error).__name__})")
