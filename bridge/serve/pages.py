"""The page: three files written by hand, no build step, nothing from outside; and the door page that sets the cookie.

Not Gradio: its page needs inline scripts and addresses outside, and its routes could not all be put behind one guard.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib.resources import files

from starlette.responses import HTMLResponse, Response

#: Of everything but reports: own files alone, no inline script or style, and no way for text to become markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_SCRIPT = b64encode(hashlib.sha256(files("bridge.report.page").joinpath("report.js").read_bytes()).digest()).decode()
#: Of a report: it has an origin of its own, which holds nothing and reaches nothing, and runs no script but the report's; the
#: page's own policy names its style besides.
REPORT_POLICY = (
    f"sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_SCRIPT}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
STATIC = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


def static(name: str) -> Response:
    """One of the page's files."""
    return Response(files("bridge.serve").joinpath(name).read_bytes(), media_type=STATIC[name])


def entry(cookie: str) -> Response:
    """Leads on to the page; from there on the cookie says who asks, and the token is in no address."""
    text = "<!doctype html><html lang=en><meta charset=utf-8><title>Bridge</title><link rel=icon href=/icon.svg><p><a href='/'>Continue</a></p></html>"
    return HTMLResponse(text, headers={"Refresh": "0; url=/", "Set-Cookie": cookie})
