"""A report as one HTML page that stands alone: nothing outside it is loaded, and it may be read without scripts.

All text goes through :func:`bridge.report.page.plain.plain` and Jinja2's escaping; drawings are made of numbers only. A policy
in the page itself (Content-Security-Policy) lets only this page's own style and script act, by their digests.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from bridge.report.page import content, what_if_told
from bridge.report.page.figures import Marks, atlas_of, brain_map, feature_table, plane
from bridge.report.page.plain import plain, signed
from bridge.report.schema import Report
from encoders.region_map import Atlas


def to_html(report: Report, atlas: Atlas | Mapping[str, Atlas] | None = None) -> str:
    """The page of a report; the same report gives the same bytes.

    Args:
        report: All that is shown.
        atlas: Label image per modality, or one for all, to draw brains on; without it regions are shown as bars.
    """
    marks, parts = Marks(), []
    for part in content.findings(report):
        table = feature_table(part, marks)
        parts.append((part, table, brain_map(part.measured, atlas_of(part.modality, atlas), marks)))
    told = [*content.standing(report), *content.unchecked(report), *report.struck]
    for evidence in (evidence for claim in told for evidence in claim.evidence):
        marks.of(evidence.modality, evidence.feature)
    style = Markup(_environment().get_template("report.css.j2").render(marks=sorted(_shown(parts, marks, told))))
    script = Markup(Path(__file__).with_name("report.js").read_text(encoding="utf-8"))
    policy = f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    page = _environment().get_template("report.html.j2")
    given = {"report": report, "parts": parts, "marks": marks, "plane": plane(report.position), "content": content, "what_if": what_if_told}
    return page.render(given, style=style, script=script, policy=policy).lstrip()


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    made = jinja2.Environment(loader=loader, autoescape=True, finalize=_shown_text, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"number": _number, "signed": _signed, "percent": _percent, "chance": content.chance}
    return made


def _shown_text(value: object) -> object:
    """What a template puts out: text without hidden characters; what was drawn or escaped here stays as it is."""
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _shown(parts: list, marks: Marks, told: list) -> set[int]:
    """Numbers of the features that a pointer can light up."""
    drawn = {feature.mark for _, table, _ in parts if table for feature in (*table.first, *table.rest)}
    regions = {feature.mark for _, _, brain in parts if brain for picture in brain.pictures for _, feature in picture.shapes}
    return drawn | regions | {marks.of(evidence.modality, evidence.feature) for claim in told for evidence in claim.evidence}


def _digest(text: str) -> str:
    """The text as a Content-Security-Policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _number(value: float | int | None) -> str:
    return "not measured" if value is None else re.sub("^-", "\u2212", f"{value:.3g}")


def _signed(value: float | int | None, digits: int = 2) -> str:
    return "unknown" if value is None else signed(value, digits).replace("-", "\u2212")


def _percent(value: float | int) -> str:
    return f"{value:.0%}"
