"""Reports as files of a folder, one set per sample: each is written whole, and a sample whose JSON is there is done."""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.data.whole import whole_file
from bridge.report.render import to_json
from bridge.report.schema import Report

JSON = ".json"
#: Most letters of a file name before its ending: file systems take 255 bytes.
LONGEST = 180


def file_name(sample: str) -> str:
    """A sample's id as the name of a file: what a file name cannot hold is written as %XX, and so is a dot in front.

    Of an id that is too long the beginning stands, with a digest of the whole.
    """
    quoted = urllib.parse.quote(sample, safe=" +,=@")
    quoted = f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted
    return quoted if len(quoted) <= LONGEST else f"{quoted[: LONGEST - 20]}%{hashlib.sha256(sample.encode()).hexdigest()[:16]}"


def put_report(folder: Path, report: Report, forms: Mapping[str, Callable[[Report], str]]) -> None:
    """Write the files of one report; the JSON, which says that it is done, comes last.

    Args:
        folder: Where they go.
        report: The report.
        forms: Ending of a file, such as ``.md``, to what renders it.
    """
    name = file_name(report.id)
    for ending, render in {**forms, JSON: to_json}.items():
        with whole_file(folder / f"{name}{ending}") as partial:
            partial.write_text(render(report), encoding="utf-8")


def kept_report(folder: Path, sample: str) -> Report | None:
    """The report of a sample that is there already."""
    path = folder / f"{file_name(sample)}{JSON}"
    return Report.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None
