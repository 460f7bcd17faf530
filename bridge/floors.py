"""Versions of libraries with known holes that this package would be open to: refused at import, with what to install instead."""

from __future__ import annotations

import importlib.metadata
import re
from typing import NamedTuple


class Floor(NamedTuple):
    """The first sound version of a library, releases that are not, and where the hole is described."""

    version: str
    why: str
    never: tuple[str, ...] = ()


FLOORS = {
    "torch": Floor("2.10.0", "CVE-2026-24747: weights_only loading corrupts memory"),
    "lightning": Floor("2.6", "GHSA-w37p-236h-pfx3: malicious releases", ("2.6.2", "2.6.3")),
    "pyarrow": Floor("14.0.1", "CVE-2023-47248: code from a parquet file"),
    "PyYAML": Floor("5.4", "CVE-2020-14343: code from a YAML file"),
    "jinja2": Floor("3.1.6", "CVE-2025-27516: a template leaves its sandbox"),
    "starlette": Floor("1.0.1", "PYSEC-2026-161: a Host header stands for another path"),
    "h11": Floor("0.16.0", "CVE-2025-43859: malformed chunks are taken for a request"),
    "urllib3": Floor("2.5.0", "CVE-2025-50181: redirects are followed where they were disabled"),
}


def require_sound(floors: dict[str, Floor] = FLOORS) -> None:
    """Compare what is installed with the floors; what is not installed cannot harm.

    Raises:
        ImportError: names the library, the version found and the one expected.
    """
    for name, floor in floors.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if _release(found) < _release(floor.version) or found.partition("+")[0] in floor.never:
            sound = f"{floor.version} or newer" + (f", but not {' or '.join(floor.never)}" if floor.never else "")
            raise ImportError(f"{name}: found version {found}, expected {sound} ({floor.why}); install it with: pip install -U {name}")


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version; a pre-release counts as the release it leads to."""
    return tuple(int(number) for number in re.match(r"\d+(?:\.\d+)*", version).group().split("."))
