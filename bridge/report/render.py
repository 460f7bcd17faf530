"""A report as a page, as Markdown for people who read text, and as JSON for programs.

All three come from the one typed object; page and Markdown show only what was checked or is marked as unchecked.
"""

from __future__ import annotations

from bridge.report.page.html import to_html
from bridge.report.page.markdown import to_markdown
from bridge.report.schema import Report

__all__ = ["to_html", "to_json", "to_markdown"]


def to_json(report: Report) -> str:
    """The whole report, raw generation and struck claims included; read back by ``Report.model_validate_json``."""
    return report.model_dump_json(indent=2)
