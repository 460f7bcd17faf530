"""Documents that are already text: JSON lines, tables, folders of text files; notes and general text alike."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
import pyarrow.parquet

from bridge.corpora.files import files_of, lines_of, opened, readable, text_of
from bridge.corpora.record import Record
from bridge.data.sources import fetch, read_sources

#: Abstracts of studies whose coordinates a package for meta-analysis ships.
RIGHTS = "NiMARE is MIT; rights in the abstracts stay with their publishers"
STUDIES = "nimare/resources/nback_vs_flanker_studyset_2026-07/studies.parquet"
ROWS = 1024  # of a parquet file, in memory at a time
LONGEST_FIELD = 2**31 - 1  # characters; a note is often longer than the 131,072 that csv allows


class Columns(NamedTuple):
    """Which fields of a row are what.

    Args:
        text: Fields that make the text, one paragraph each.
        id: Field with the id; the number of the row where none is named.
        licence: Field with the licence.
        source: Field with the source.
    """

    text: Sequence[str]
    id: str = ""
    licence: str = ""
    source: str = ""

    def record(self, row: Mapping[str, Any], place: str, file: Path, number: int) -> Record:
        """A row as a document.

        Raises:
            ValueError: the row lacks a field, or a text is none.
        """
        for name in (*self.text, self.id, self.licence, self.source):
            if name and name not in row:
                raise ValueError(f"{place}, field {name}: is missing, found {list(row)[:8]}; name the fields by text_column, id_column, licence_column")
        wrong = next((name for name in self.text if not isinstance(row[name], str | None)), None)
        if wrong:
            raise ValueError(f"{place}, field {wrong}: found {type(row[wrong]).__name__}, expected text; name another text_column")
        told = {name: str(row[field] or "") for name, field in (("id", self.id), ("licence", self.licence), ("source", self.source)) if field}
        text = "\n\n".join(row[name].strip() for name in self.text if row[name] and row[name].strip())
        return Record(**{"id": f"{file.name}:{number}", "source": file.name} | told, text=text)


def read_json_lines(
    path: Path, *, text_column: str | list[str] = "text", id_column: str = "", licence_column: str = "", source_column: str = ""
) -> Iterator[Record]:
    """Documents of a ``.jsonl`` file (gzipped or not) or of all below a folder, an object in each line.

    Args:
        path: File or folder.
        text_column: Field, or fields, that make the text.
        id_column: Field with the id; file and line where none is named.
        licence_column: Field with the licence.
        source_column: Field with the source; the name of the file where none is named.
    """
    columns = _columns(text_column, id_column, licence_column, source_column)
    for file in files_of(path, (".jsonl", ".ndjson")):
        for number, line in lines_of(file):
            if line.strip():
                yield columns.record(_object(line, f"{file}, line {number}"), f"{file}, line {number}", file, number)


def read_delimited(
    path: Path, *, text_column: str | list[str] = "text", id_column: str = "", licence_column: str = "", source_column: str = "", separator: str = ","
) -> Iterator[Record]:
    """Documents of a ``.csv`` or ``.tsv`` file (gzipped or not) or of all below a folder, a row each.

    Args:
        path: File or folder.
        text_column: Column, or columns, that make the text.
        id_column: Column with the id; file and row where none is named.
        licence_column: Column with the licence.
        source_column: Column with the source; the name of the file where none is named.
        separator: Between the fields of a row.
    """
    columns = _columns(text_column, id_column, licence_column, source_column)
    for file in files_of(path, (".tsv",) if separator == "\t" else (".csv",)):
        for number, row in enumerate(_rows(file, separator), start=1):
            yield columns.record(row, f"{file}, row {number}", file, number)


def read_parquet(
    path: Path, *, text_column: str | list[str] = "text", id_column: str = "", licence_column: str = "", source_column: str = ""
) -> Iterator[Record]:
    """Documents of a ``.parquet`` file or of all below a folder, a row each; 1,024 rows are in memory at a time.

    Args:
        path: File or folder.
        text_column: Column, or columns, that make the text.
        id_column: Column with the id; file and row where none is named.
        licence_column: Column with the licence.
        source_column: Column with the source; the name of the file where none is named.
    """
    columns = _columns(text_column, id_column, licence_column, source_column)
    for file in files_of(path, (".parquet",)):
        for number, row in enumerate(_parquet_rows(file, columns), start=1):
            yield columns.record(row, f"{file}, row {number}", file, number)


def read_text_files(path: Path, *, endings: Sequence[str] = (".txt", ".md", ".rst")) -> Iterator[Record]:
    """Text files of a folder, a document each; its id is the path inside the folder.

    Args:
        path: File or folder.
        endings: Of the names of the files that are read.
    """
    for file in files_of(path, tuple(endings)):
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        yield Record(name, text_of(file), path.name)


def read_study_abstracts(path: Path | None = None) -> Iterator[Record]:
    """Titles and abstracts of a studyset in NiMARE's parquet form.

    Args:
        path: ``studies.parquet``; the 320 studies of n-back and flanker tasks that the pinned package ships where none is given.
    """
    pinned = read_sources()["nimare"]
    path, source = (path, path.name) if path else (fetch("nimare", [STUDIES])[STUDIES], f"NiMARE {pinned.version}, {STUDIES.split('/')[-2]}")
    for record in read_parquet(path, text_column=["name", "description"], id_column="study_id"):
        yield record._replace(source=source, licence=RIGHTS)


def _columns(text: str | list[str], identity: str, licence: str, source: str) -> Columns:
    return Columns([text] if isinstance(text, str) else text, identity, licence, source)


def _object(line: str, place: str) -> dict:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{place}: found {error.msg} at character {error.pos + 1}, expected one JSON object; no JSON lines, or cut off") from error
    if not isinstance(found, dict):
        raise ValueError(f"{place}: found {type(found).__name__}, expected a JSON object with its text in a field")
    return found


def _rows(file: Path, separator: str) -> Iterator[dict[str, str]]:
    csv.field_size_limit(LONGEST_FIELD)
    with readable(file), opened(file) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=separator, strict=True)
        try:
            header = next(reader, [])
            for row in filter(None, reader):
                _require_width(file, reader.line_num, row, header)
                yield dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise ValueError(f"{file}, line {reader.line_num}: found {error}, expected a table with quoted texts; write it again with a csv library") from error


def _require_width(file: Path, line: int, row: list[str], header: list[str]) -> None:
    if len(row) != len(header):
        raise ValueError(f"{file}, line {line}: found {len(row)} fields, expected {len(header)} as in the header; put texts with separators in quotes")


def _parquet_rows(file: Path, columns: Columns) -> Iterator[dict[str, Any]]:
    wanted = {*columns.text, columns.id, columns.licence, columns.source} - {""}
    try:
        with pyarrow.parquet.ParquetFile(file) as stored:
            known = [name for name in stored.schema_arrow.names if name in wanted]
            if len(known) < len(wanted):
                columns.record(dict.fromkeys(stored.schema_arrow.names), str(file), file, 0)
            batches = stored.iter_batches(batch_size=ROWS, columns=known)
            yield from itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{file}: cannot be read: found {str(error).splitlines()[0]}; expected a whole parquet file, fetch it again") from error
