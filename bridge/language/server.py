"""JSON over HTTP to one server: what goes wrong is said in one line, and a busy server is asked again."""

from __future__ import annotations

import email.utils
import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

BUSY = (429, 503)
LONGEST_PAUSE = 60.0  # seconds


class Server:
    """A server; it is reached directly, through no proxy.

    Args:
        url: For example ``http://localhost:8000``.
        key: API key, where the server wants one.
        timeout: Seconds for one answer.
        attempts: How often a busy server is asked.
        pause: Waits so many seconds.
        remedy: What to do where nobody answers.

    Raises:
        ValueError: not an http address.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        timeout: float | int = 600,
        attempts: int = 6,
        pause: Callable[[float], object] = time.sleep,
        remedy: str = "start it with the export's launch.sh",
    ):
        if not re.match(r"https?://[^/]", url):
            raise ValueError(f"server {url!r}: expected an address such as http://localhost:8000")
        self.url, self.timeout, self.attempts, self.pause, self.remedy = url.rstrip("/"), timeout, attempts, pause, remedy
        self.headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(self, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON answer to a GET, or to a POST of some content; a busy server is asked again after the time it names.

        Raises:
            ValueError: nobody answers, or with an error, or not with JSON.
        """
        data = None if content is None else json.dumps(content).encode()
        for attempt in range(1, self.attempts + 1):
            request = urllib.request.Request(self.url + path, data, self.headers)
            try:
                with self._opener.open(request, timeout=self.timeout) as response:
                    return _json(response.read(), self.url)
            except urllib.error.HTTPError as error:
                with error:
                    self._require_busy(error, attempt)
                    wait = retry_after(error.headers.get("Retry-After"), otherwise=2.0 ** (attempt - 1))
                self.pause(wait)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                raise ValueError(f"server {self.url}: no answer ({reason or type(error).__name__}); {self.remedy}") from error
        raise AssertionError("the last attempt returns or raises")

    def _require_busy(self, error: urllib.error.HTTPError, attempt: int) -> None:
        """Go on only where it is worth asking again."""
        if error.code not in BUSY or attempt == self.attempts:
            raise ValueError(f"server {self.url}: answered {error.code}, {_message(error)}") from error


def retry_after(header: str | None, otherwise: float) -> float:
    """Seconds to wait: a number or a date as the server gave it, at most a minute."""
    wait = otherwise
    if header and header.strip().isdigit():
        wait = float(header)
    elif header:
        try:
            wait = (email.utils.parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):  # neither a number nor a date with its zone
            wait = otherwise
    return min(max(wait, 0.0), LONGEST_PAUSE)


def _json(body: bytes, url: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise ValueError(f"server {url}: its answer is not JSON ({error}); is this the address of its API?") from error
    if not isinstance(answer, dict):
        raise ValueError(f"server {url}: found {type(answer).__name__}, expected a JSON object; is this the address of its API?")
    return answer


def _message(error: urllib.error.HTTPError) -> str:
    """The server's own words, in one line."""
    body = error.read().decode("utf-8", "replace")
    try:
        said = json.loads(body)
        body = str(said.get("error", said).get("message", body))
    except (ValueError, AttributeError):  # not the JSON of the API
        pass
    return " ".join(body.split())[:300] or error.reason
