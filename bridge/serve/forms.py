"""A report in the forms that the service hands out."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.report.render import to_html, to_json, to_markdown
from bridge.report.schema import Report
from bridge.serve.engine import Written
from encoders.region_map import Atlas


def written(report: Report, atlases: Mapping[str, Atlas] | None = None) -> Written:
    """All forms of a report.

    Args:
        report: What to render.
        atlases: Modality to the label image its figures are drawn on.
    """
    return Written(report=report, page=to_html(report, atlases), markdown=to_markdown(report), json_text=to_json(report))
