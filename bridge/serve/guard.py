"""The door: every request passes it, whatever its path, before anything else looks at it.

Checks, in this order: the Host header (a page elsewhere cannot reach the service through a name that it has pointed
here), the method, where the request comes from (Fetch Metadata and Origin), who asks (cookie or token), how large the
body says it is. Every answer carries the same strict headers; no answer may be stored or read by another origin.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect

from bridge.faults import where
from bridge.serve.body import bounded, declared, too_large
from bridge.serve.limits import Limits
from bridge.serve.pages import POLICY, entry
from bridge.serve.refusal import Refusal, RefusedError
from bridge.serve.sessions import Session, Sessions

LOG = logging.getLogger(__name__)
READING, CHANGING = ("GET", "HEAD"), ("POST", "DELETE")
UPLOAD_PATH = "/api/uploads/"

#: Of every answer; a route may set a stricter policy of its own.
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
}


@dataclasses.dataclass(frozen=True)
class Names:
    """Under which names the service answers.

    Args:
        port: The port it listens on.
        further: Names beside the loopback ones, with or without a port.
    """

    port: int
    further: tuple[str, ...] = ()

    def hosts(self) -> frozenset[str]:
        """Allowed Host headers."""
        return frozenset(_with_port(("127.0.0.1", "localhost", "[::1]"), self.port)) | frozenset(
            each for name in self.further for each in (name.lower(), f"{name.lower()}:{self.port}")
        )


def _with_port(names: Iterable[str], port: int) -> list[str]:
    return [each for name in names for each in ([f"{name}:{port}", name] if port == 80 else [f"{name}:{port}"])]


class Guard:
    """Wraps the application.

    Args:
        app: What is guarded.
        sessions: Who may ask.
        names: Under which names it answers.
        limits: Of bodies.
    """

    def __init__(self, app: Any, sessions: Sessions, names: Names, limits: Limits):
        self.app, self.sessions, self.limits = app, sessions, limits
        self.hosts, self.cookie = names.hosts(), f"bridge_session_{names.port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request; an error of the application becomes a line of text, in the answer and in the log."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})  # no route takes one
        started, send = _strict(send)
        try:
            await self._answer(scope, receive, send)
        except ClientDisconnect:  # a tab that was closed while it uploaded is no fault of the server
            return
        except RefusedError as refused:
            if not started:
                await Refusal(refused.status, refused.message, refused.headers)(scope, receive, send)
        except Exception as error:
            LOG.error("a request failed: %s", where(error))
            if not started:
                await Refusal(500, f"the server failed ({type(error).__name__})")(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        head = Head(scope)
        self._require_own_name(head)
        if scope["method"] not in (*READING, *CHANGING):
            raise RefusedError(405, "method: expected GET, HEAD, POST or DELETE", {"Allow": ", ".join((*READING, *CHANGING))})
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if scope["path"] == "/" and scope["method"] == "GET" and len(token) == 1:
            return await self._enter(token[0])(scope, receive, send)
        _require_same_origin(head)
        scope.setdefault("state", {})["session"] = self._session(head)
        limit = self.limits.file_bytes if scope["path"].startswith(UPLOAD_PATH) else self.limits.json_bytes
        if (declared(scope["headers"]) or 0) > limit:
            raise too_large(limit)
        scope = scope | {"method": "GET"} if scope["method"] == "HEAD" else scope  # the server leaves the body of the answer out
        await self.app(scope, bounded(receive, limit, self.limits), send)

    def _require_own_name(self, head: Head) -> None:
        hosts = head.all(b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            raise RefusedError(421, "host: this service does not answer under that name; use the address that bridge serve printed, or --allow-host")

    def _enter(self, token: str) -> Any:
        """A page that leads on, with the cookie: the token does not stay in the address."""
        if not self.sessions.admits(token):
            raise RefusedError(401, "token: wrong; use the address that bridge serve printed")
        return entry(f"{self.cookie}={self.sessions.open()}; Path=/; HttpOnly; SameSite=Strict")

    def _session(self, head: Head) -> Session:
        found = next(filter(None, map(self.sessions.of_cookie, head.cookies(self.cookie))), None)
        if found is not None:
            if head.method in CHANGING and not (head.all(b"origin") or head.all(b"sec-fetch-site")):
                raise RefusedError(403, "origin: missing; a browser sends it, a program uses the token instead of the cookie")
            return found
        kind, _, token = (head.all(b"authorization") or [""])[0].partition(" ")
        found = self.sessions.of_bearer(token.strip()) if kind.lower() == "bearer" else None
        if found is None:
            raise RefusedError(401, "token: missing or wrong; use the address that bridge serve printed, or the header", {"WWW-Authenticate": "Bearer"})
        return found


class Head:
    """Headers of a request."""

    def __init__(self, scope: Any):
        self.method, self._headers = scope["method"], scope["headers"]

    def all(self, name: bytes) -> list[str]:
        """Every value of a header."""
        return [value.decode("latin-1") for each, value in self._headers if each == name]

    def cookies(self, name: str) -> list[str]:
        """Every value of a cookie."""
        pairs = (pair.strip().partition("=") for header in self.all(b"cookie") for pair in header.split(";"))
        return [value for each, _, value in pairs if each == name]


def _require_same_origin(head: Head) -> None:
    """Refuse what another page sends here; a link from elsewhere to a page of ours only leads to the door."""
    site, mode = head.all(b"sec-fetch-site"), head.all(b"sec-fetch-mode")
    navigates = head.method in READING and mode == ["navigate"] and head.all(b"sec-fetch-dest") == ["document"]
    if site and site not in (["same-origin"], ["none"]) and not navigates:
        raise RefusedError(403, "sec-fetch-site: another page sent this request; expected this one")
    own = [f"{scheme}://{host.lower()}" for host in head.all(b"host") for scheme in ("http", "https")]
    if any(origin.lower() not in own for origin in head.all(b"origin")):
        raise RefusedError(403, "origin: another page sent this request; expected this one")


def _strict(send: Any) -> tuple[list[bool], Any]:
    """The same ``send`` with the headers of every answer, and a list that is no longer empty once an answer has begun."""
    started: list[bool] = []

    async def strict(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.append(True)
            given = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *((name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given)]
        await send(message)

    return started, strict
