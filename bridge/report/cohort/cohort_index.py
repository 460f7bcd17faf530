"""The index of a cohort's reports: one row per sample, sortable in a browser and readable without a script."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_type_hints

import jinja2
from markupsafe import Markup

from bridge.report.cohort.cohort_reports import FAILURES, REPORTS
from bridge.report.cohort.report_files import file_name
from bridge.report.page.content import NOTICE
from bridge.report.page.plain import plain
from bridge.report.schema import Report, Verdict

ENDINGS = {"html": ".html", "markdown": ".md", "json": ".json"}


class Row(NamedTuple):
    """One report in numbers.

    Args:
        sample: Its id.
        file: The report, from the folder of the index.
        given: Inputs that it had.
        missing: Inputs that it had not.
        claims: Claims that stand.
        supported: Of these, those that the input supports.
        near: Of these, those that are nearly so.
        unchecked: Of these, those that nothing can check.
        struck: Claims that were struck.
        contradicted: Of these, those that the input contradicts.
    """

    sample: str
    file: str
    given: str
    missing: str
    claims: int
    supported: int
    near: int
    unchecked: int
    struck: int
    contradicted: int


#: Heading of each column, and whether it holds numbers.
COLUMNS = tuple((name, kind is int) for name, kind in get_type_hints(Row).items() if name != "file")


def row_of(report: Report, form: str) -> Row:
    """The row of one report.

    Args:
        report: The report.
        form: Of the file that the row points at: html, markdown or json.
    """
    standing = Counter(claim.verdict for section in report.sections for claim in section.claims)
    struck = Counter(claim.verdict for claim in report.struck)
    counts = (sum(standing.values()), standing[Verdict.SUPPORTED], standing[Verdict.NEAR], standing[Verdict.UNCHECKABLE])
    return Row(
        report.id,
        f"{REPORTS}/{file_name(report.id)}{ENDINGS[form]}",
        ", ".join(report.given),
        ", ".join(report.missing),
        *counts,
        len(report.struck),
        struck[Verdict.CONTRADICTED],
    )


def index_page(rows: Sequence[Row], failures: Mapping[str, str], title: str) -> str:
    """The page; it loads nothing, and its one script sorts the table.

    Args:
        rows: In the order of the cohort.
        failures: Sample to the reason why it has no report.
        title: What the reports are of.
    """
    folder = Path(__file__).parent
    loader = jinja2.FileSystemLoader(folder)
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    script, style = (Markup((folder / name).read_text(encoding="utf-8")) for name in ("cohort_index.js", "cohort_index.css"))
    policy = f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    shown = [row._replace(sample=plain(row.sample), given=plain(row.given), missing=plain(row.missing)) for row in rows]
    failed = [(plain(sample), plain(reason)) for sample, reason in failures.items()]
    told = {"columns": COLUMNS, "rows": shown, "failures": failed, "title": plain(title), "notice": NOTICE, "failures_file": FAILURES}
    return pages.get_template("cohort_index.html.j2").render(**told, script=script, style=style, policy=policy, totals=_totals(rows))


def _totals(rows: Iterable[Row]) -> dict[str, int]:
    counted = {name: 0 for name, number in COLUMNS if number}
    for row in rows:
        counted = {name: total + getattr(row, name) for name, total in counted.items()}
    return counted


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
