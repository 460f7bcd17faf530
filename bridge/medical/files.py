"""Files of a benchmark's folder: which holds which split, and the rows in them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.corpora.files import lines_of, text_of

ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".txt")


def split_files(folder: Path, stems: Mapping[str, Sequence[str]], endings: Sequence[str] = ENDINGS) -> Iterator[tuple[str, Path]]:
    """Split and file for each split that is there; the file's name is one of the stems, with an ending, gzipped or not.

    Args:
        folder: Of the benchmark.
        stems: Split to the names its file may have, without endings.
        endings: That the file may have.

    Raises:
        ValueError: there is no file of the test split.
    """
    for split, names in stems.items():
        allowed = {f"{name}{ending}{packed}" for name in names for ending in endings for packed in ("", ".gz")}
        found = sorted(path for path in folder.iterdir() if path.name in allowed)
        if found:
            yield split, found[0]
        elif split == "test":
            raise ValueError(f"{folder}: no file of the test split, expected {' or '.join(names)} with {', '.join(endings)}; name the folder that holds it")


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where a row stands, and its fields: of a csv or tsv file with a header, a JSON list, or JSON lines.

    Raises:
        ValueError: names the file and the line that is no such row.
    """
    name = path.name.removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        yield from _table_rows(path, "\t" if name.endswith(".tsv") else ",")
    elif text_begins(path, "["):
        for number, row in enumerate(json_of(path)):
            yield f"{path}, item {number}", _mapping(row, f"{path}, item {number}")
    else:
        for number, line in lines_of(path):
            if line.strip():
                yield f"{path}, line {number}", _mapping(_json(line, f"{path}, line {number}"), f"{path}, line {number}")


def json_of(path: Path) -> Any:
    """The content of a JSON file."""
    return _json(text_of(path), str(path))


def text_begins(path: Path, mark: str) -> bool:
    """Whether the first line that is not empty begins so."""
    return next((line.lstrip() for _, line in lines_of(path) if line.strip()), "").startswith(mark)


def field(row: Mapping[str, Any], place: str, *names: str) -> str:
    """The text of the first of these fields that a row has.

    Raises:
        ValueError: it has none of them, or nothing in it.
    """
    found = next((row[name] for name in names if row.get(name) not in (None, "")), None)
    if found is None:
        raise ValueError(f"{place}, field {names[0]}: found nothing, expected text; the row has {sorted(map(str, row))}")
    return str(found).strip()


def one_of(value: str, known: Mapping[str, str], place: str, name: str) -> str:
    """What a label of the file is called here.

    Raises:
        ValueError: the label is not known.
    """
    if value not in known:
        raise ValueError(f"{place}, field {name}: found {value!r}, expected one of {', '.join(known)}")
    return known[value]


def _table_rows(path: Path, delimiter: str) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text_of(path), newline=""), delimiter=delimiter)
    for row in reader:
        yield f"{path}, line {reader.line_num}", row


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{place}: not JSON ({error}), expected the file as its publisher writes it") from error


def _mapping(row: Any, place: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ValueError(f"{place}: found {type(row).__name__}, expected an object with fields")
    return row
