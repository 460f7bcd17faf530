"""A real server on a free port in a thread of the test, and a program that talks to it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from urllib.parse import quote

import httpx

from bridge.serve.limits import Limits
from bridge.serve.listen import Server, bound


@contextlib.contextmanager
def running(engine, limits: Limits | None = None, **settings) -> Iterator[Server]:
    """Serve an engine while the block lasts."""
    with bound("127.0.0.1", 0) as address:
        server = Server(engine, address, limits or Limits(), **settings)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_for(lambda: server.started)
        try:
            yield server
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive()


def base(server: Server) -> str:
    """The address without the token."""
    return f"http://127.0.0.1:{server.port}"


def program(server: Server, **settings) -> httpx.Client:
    """A client with the token."""
    headers = {"Authorization": f"Bearer {server.token}"} | settings.pop("headers", {})
    return httpx.Client(base_url=base(server), headers=headers, trust_env=False, timeout=30, **settings)


def visitor(server: Server) -> httpx.Client:
    """A client with a session of its own, as a browser has it."""
    entered = httpx.get(server.link, trust_env=False, timeout=30).raise_for_status()
    return httpx.Client(base_url=base(server), headers={"Origin": base(server)}, cookies=entered.cookies, trust_env=False, timeout=30)


def upload(client: httpx.Client, name: str, content: bytes = b"content", modality: str = "brain") -> str:
    """Upload a file; its id."""
    answer = client.post(f"/api/uploads/{modality}", content=content, headers={"X-File-Name": quote(name, safe="")})
    answer.raise_for_status()
    return answer.json()["id"]


def events(response: httpx.Response) -> Iterator[tuple[str, dict]]:
    """Server-sent events of a response: name and data."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        if line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def wait_for(done, seconds: float = 20.0) -> float:
    """Wait until something is so; the seconds it took. A file that goes away while it is looked at means "not yet"."""
    start = time.monotonic()
    while True:
        with contextlib.suppress(FileNotFoundError):
            if done():
                return time.monotonic() - start
        assert time.monotonic() - start < seconds, "it did not come to be so"
        time.sleep(0.005)
