"""A benchmark run as one HTML page that stands alone: words, tables and figures, then every row. Nothing outside it is loaded."""

from __future__ import annotations

import base64
import datetime
import functools
import importlib.metadata
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import jinja2

from bridge.benchmark.results import Part, Record, Row
from bridge.benchmark.table import by_direction, by_metric, counts, is_ours, metric_name, number

#: Parts under these headings stand at the top of the page.
VERDICT, DATA = "Verdict", "Data"

PACKAGES = {"bridge": "neuro-omics-bridge", "torch": "torch", "transformers": "transformers"}
NONE = "\u2013"  # an interval, p or number of candidates that a row does not have


class Section(NamedTuple):
    """Parts that stand together under one heading."""

    anchor: str
    heading: str
    parts: list[Part]


class Group(NamedTuple):
    """Rows of one direction and split, by metric."""

    anchor: str
    title: str
    counts: str
    metrics: dict[str, list[Row]]


def page(record: Record, *, title: str = "", date: datetime.date | None = None) -> str:
    """The page of a run. The same record and date give the same page.

    The parts under "Verdict" and "Data" (source and licence) stand at the top, then the others by heading in the order
    they were given, then one table per direction, split and metric. A figure that was not drawn is named as such.

    Args:
        record: Of the run; all of it is shown, and all text in it is escaped.
        title: Of the page; the name of the benchmark without it.
        date: Of the run; today without it.
    """
    top = {name: [part for part in record.parts if part.heading == name] for name in (VERDICT, DATA)}
    return _template().render(
        title=title or f"Benchmark: {record.task}",
        task=record.task,
        date=(date or datetime.date.today()).isoformat(),
        seed=record.seed,
        command=record.command,
        versions=_versions(),
        verdict=top[VERDICT],
        data=top[DATA],
        sections=_sections(part for part in record.parts if part.heading not in top),
        groups=_groups(record.rows),
    )


def _sections(parts: Iterable[Part]) -> list[Section]:
    found: dict[str, Section] = {}
    for part in parts:
        found.setdefault(part.heading, Section(f"section-{len(found) + 1}", part.heading, [])).parts.append(part)
    return list(found.values())


def _groups(rows: Iterable[Row]) -> list[Group]:
    titled = [(f"{direction} ({split})" if direction else split, some) for (direction, split), some in by_direction(rows).items()]
    return [Group(f"rows-{place + 1}", title, counts(some), by_metric(some)) for place, (title, some) in enumerate(titled)]


def _versions() -> list[str]:
    return [f"{name} {importlib.metadata.version(package)}" for name, package in PACKAGES.items()] + [f"Python {platform.python_version()}"]


@functools.cache
def _template() -> jinja2.Template:
    settings = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FileSystemLoader(Path(__file__).parent), **settings)
    environment.filters |= {"number": number, "interval": _interval, "given": _given, "arrow": _arrow, "metric": metric_name, "inlined": _inlined, "alt": _alt}
    environment.tests["ours"] = is_ours
    return environment.get_template("page.html.j2")


def _interval(row: Row) -> str:
    return NONE if row.low is None or row.high is None else f"{number(row.low)} to {number(row.high)}"


def _given(found: float | int | None) -> str:
    """A p-value or a count, where the row has one."""
    return NONE if found is None else f"{found:,}" if isinstance(found, int) else number(found)


def _arrow(text: str) -> str:
    return text.replace("->", " \u2192 ")


def _inlined(figure: Path) -> str | None:
    """A PNG as an address that holds it; None where it was not drawn."""
    return f"data:image/png;base64,{base64.b64encode(figure.read_bytes()).decode('ascii')}" if figure.is_file() else None


def _alt(part: Part) -> str:
    """What a figure shows, for who cannot see it."""
    shown = part.figure.stem.replace("_", " ") if part.figure else ""
    return f"{part.heading} ({shown}). {part.words or 'The numbers stand in the tables of this page.'}"
