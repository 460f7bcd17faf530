"""Data dictionaries of dbGaP: one record per variable of a study.

Source: https://www.ncbi.nlm.nih.gov/gap/docs/submissionguide, files ``phs*.data_dict.xml``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from bridge.corpora.files import files_of, opened, readable
from bridge.corpora.record import Record
from bridge.corpora.safe_xml import elements, plain


def read_dbgap(path: Path) -> Iterator[Record]:
    """Variables of a data dictionary, or of all below a folder: name, description, unit, range and value codes."""
    for file in files_of(path, (".xml",)):
        with readable(file), opened(file) as stream:
            for table, variable in elements(str(file), stream, "variable"):
                yield _record(table, variable, file)


def _record(table: Element, variable: Element, file: Path) -> Record:
    name, number = plain(variable.find("name")), variable.get("id", "")
    for field, found in (("id", number), ("name", name)):
        if not found:
            raise ValueError(f"{file}, field {field}: found a <variable> without it, expected one for each; take the dictionary as dbGaP gives it")
    source = " ".join(filter(None, [table.get("study_id", ""), table.get("id", ""), file.name]))
    return Record(number, " ".join(_sentences(name, table, variable)), source)


def _sentences(name: str, table: Element, variable: Element) -> Iterator[str]:
    """What is described; a variable of which only the name is known says nothing."""
    description = plain(variable.find("description"))
    codes = [f"{each.get('code')} = {plain(each)}" if each.get("code") else plain(each) for each in variable.iterfind("value")]
    if not description and not codes:
        return
    about = plain(table.find("description"))
    yield f"Variable {name}{f' ({_closed(about)[:-1]})' if about else ''}: {_closed(description or 'coded values')}"
    limits = [plain(variable.find(each)) for each in ("logical_min", "logical_max")]
    facts = (("Type", plain(variable.find("type"))), ("Unit", plain(variable.find("unit"))), ("Range", " to ".join(limits) if all(limits) else ""))
    yield from (f"{label}: {value}." for label, value in facts if value)
    if codes:
        yield f"Values: {'; '.join(codes)}."
    if comment := plain(variable.find("comment")):
        yield _closed(comment)


def _closed(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
