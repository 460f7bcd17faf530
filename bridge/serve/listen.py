"""The server: on loopback unless told otherwise, without an access log, patient with no one."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.serve.app import application
from bridge.serve.engine import Engine
from bridge.serve.guard import Guard, Names
from bridge.serve.limits import Limits
from bridge.serve.parts import Parts
from bridge.serve.uploads import Uploads


class Server(uvicorn.Server):
    """A server whose jobs end before it waits for connections to close.

    Args:
        engine: Writes reports.
        address: A socket that is bound.
        limits: Bounds.
        further: Host names beside the loopback ones.
        token: The secret that opens a session; drawn by default.
    """

    def __init__(self, engine: Engine, address: socket.socket, limits: Limits, further: Sequence[str] = (), token: str | None = None):
        self.address, self.token, self.port = address, token or secrets.token_urlsafe(32), address.getsockname()[1]
        self.parts = Parts(engine, limits, Uploads(limits), self.token)
        guard = Guard(application(self.parts), self.parts.sessions, Names(self.port, tuple(further)), limits)
        super().__init__(_config(guard, limits))

    @property
    def link(self) -> str:
        """The address to open, with the token."""
        host = self.address.getsockname()[0]
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)
        return f"http://{shown}:{self.port}/?token={self.token}"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        try:
            super().run(sockets or [self.address])
        finally:
            self.parts.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all jobs, so that whoever waits for one gets an answer."""
        await asyncio.to_thread(self.parts.jobs.close)
        await super().shutdown(sockets)


def bound(host: str, port: int, *, public: bool = False) -> socket.socket:
    """A socket on an address of this machine that others reach only where that is wanted.

    Args:
        host: Name or number.
        port: 0 for any that is free.
        public: Allow an address that other machines reach.

    Raises:
        ValueError: it is reached from outside, or cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        if not public and not ipaddress.ip_address(address[0]).is_loopback:
            raise ValueError(f"serve, field host: {host} is reached from other machines, expected 127.0.0.1; pass --public if that is what you want")
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise ValueError(f"serve, fields host and port: {host}:{port} cannot be had ({error.strerror}); choose another --port") from error
    listener.set_inheritable(False)
    return listener


def _config(app: Any, limits: Limits) -> uvicorn.Config:
    silent = {"log_config": None, "access_log": False, "server_header": False, "proxy_headers": False}
    waits = {"timeout_keep_alive": 5, "timeout_graceful_shutdown": 3, "limit_concurrency": limits.connections, "h11_max_incomplete_event_size": 32 << 10}
    return uvicorn.Config(app, http=_impatient(limits.header_s), ws="none", lifespan="on", **silent, **waits)


def _impatient(header_s: float | int) -> type[H11Protocol]:
    """A protocol that hangs up on who does not finish the head of a request in so many seconds."""

    class Impatient(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._wait()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait(over=True)
            super().connection_lost(exc)

        def _wait(self, over: bool = False) -> None:
            """Run the clock while no request is being answered."""
            answering = self.cycle is not None and not self.cycle.response_complete
            if self._late is not None and (over or answering):
                self._late.cancel()
                self._late = None
            elif self._late is None and not (over or answering):
                self._late = self.loop.call_later(header_s, self.transport.abort)

    return Impatient
