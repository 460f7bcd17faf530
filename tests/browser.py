"""A real browser for the tests of pages: Debian's Chromium, headless, driven by playwright; nothing is downloaded.

A folder of tests uses it by naming the fixtures in its ``conftest.py``: ``from browser import browser, page`` and
``__all__ = ["browser", "page"]``. Where the browser or its driver is absent, these tests are skipped and the reason names
the command that installs it.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: No start page, no calls of the browser itself, no GPU; the sandbox needs rights that containers do not give.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Watched(NamedTuple):
    """What a page did while it was open.

    Args:
        requests: Address of every request, the page's own included.
        errors: Console errors and uncaught exceptions.
    """

    requests: list[str]
    errors: list[str]


def executable() -> str:
    """Path of Chromium; skips the test where it or playwright is absent."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on the PATH; install it: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("no playwright; install it: pip install playwright (no browser download is needed)")
    return path


def watch(page: Page) -> Watched:
    """Record the requests and errors of a page from now on."""
    watched = Watched([], [])
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on("console", lambda message: watched.errors.append(message.text) if message.type == "error" else None)
    return watched


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window; 0 where nothing scrolls sideways."""
    return page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - window.innerWidth")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a test file."""
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of desktop width, in a context of its own."""
    context = browser.new_context(viewport=DESKTOP, accept_downloads=True)
    yield context.new_page()
    context.close()
