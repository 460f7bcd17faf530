"""Cases of any source: a phenopacket, a folder of them, or JSON lines, each a phenopacket or the compact form of one."""

from __future__ import annotations

import functools
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bridge.cases.case import SEXES, Case, Variant, current_terms
from bridge.cases.phenopacket import case_of, files_of, read_phenopacket
from bridge.data.hpo import Ontology

FIELDS = ("id", "hpo", "hpo_excluded", "disease", "gene", "variants", "refs")
LINES = (".jsonl", ".jsonl.gz")


class Unread(NamedTuple):
    """What could not be read, and why: the error names the place and the field; ``id`` where it is that of a case read before."""

    source: str
    reason: str
    id: str = ""


def read_cases(path: str | Path, ontology: Ontology) -> list[Case]:
    """Cases of a phenopacket (.json), of a folder of phenopackets, or of lines (.jsonl, .jsonl.gz) that are phenopackets or compact.

    Raises:
        ValueError: there is none, an id is found twice, or a file is not of its kind.
    """
    cases = []
    for each in each_case(path, ontology):
        if isinstance(each, Unread):
            raise ValueError(each.reason)
        cases.append(each)
    return cases


def each_case(path: str | Path, ontology: Ontology) -> Iterator[Case | Unread]:
    """The same one by one, where a packet or line that cannot be read is told and the others are read all the same.

    Raises:
        ValueError: the file or folder itself cannot be read, or holds nothing.
    """
    seen: set[str] = set()
    for place, read in _parts(Path(path), ontology):
        try:
            case = read()
        except ValueError as error:
            yield Unread(place, str(error))
            continue
        if case.id in seen:
            yield Unread(place, f"{place}, field id: {case.id!r} is found twice, expected each once", case.id)
            continue
        seen.add(case.id)
        yield case


def _parts(path: Path, ontology: Ontology) -> Iterable[tuple[str, Callable[[], Case]]]:
    """Place of each case, and what reads it."""
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder; expected a phenopacket (.json), a folder of them, or cases in lines (.jsonl, .jsonl.gz)")
    if path.is_dir():
        return ((str(file), functools.partial(read_phenopacket, file, ontology)) for file in files_of(path))
    if path.name.endswith(LINES):
        return ((place, functools.partial(_parsed, line, place, ontology)) for place, line in _lines(path))
    return [(str(path), functools.partial(read_phenopacket, path, ontology))]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path}, line {number}", line
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read ({error}); expected JSON lines, gzip where the name ends in .gz, in UTF-8") from error


def _parsed(line: str, place: str, ontology: Ontology) -> Case:
    """A line that is a phenopacket, or compact: ``hpo``, ``hpo_excluded``, ``gene`` and ``disease`` are then pairs of id and name.

    Raises:
        ValueError: names the file, the line, the field and what is wrong with it.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place}: {error}; expected one JSON object") from error
    if isinstance(row, dict) and ("metaData" in row or "meta_data" in row):
        return case_of(line, place, ontology)
    missing = [name for name in FIELDS if not isinstance(row, dict) or name not in row]
    if missing:
        raise ValueError(f"{place}, field {missing[0]}: is missing, expected the fields {', '.join(FIELDS)}")
    try:
        return _case(row, place, ontology)
    except (TypeError, IndexError, AttributeError, KeyError, ValueError) as error:
        if str(error).startswith(place):
            raise
        raise ValueError(f"{place}: {error}; expected hpo, hpo_excluded, gene and disease as pairs of id and name, variants as objects") from error


def _case(row: dict[str, Any], place: str, ontology: Ontology) -> Case:
    disease, name = row["disease"][0] if row["disease"] else ("", "")
    return Case(
        id=_text(row["id"]),
        present=current_terms((term for term, _ in row["hpo"]), ontology, f"{place}, field hpo"),
        excluded=current_terms((term for term, _ in row["hpo_excluded"]), ontology, f"{place}, field hpo_excluded"),
        gene=_text(row["gene"][0][1]) if row["gene"] else "",
        variants=tuple(map(_variant, row["variants"])),
        disease=_text(disease),
        disease_name=_text(name),
        sex=SEXES.get(row.get("sex"), ""),
        age=_text(row.get("age") or ""),
        publications=tuple(map(_text, row["refs"])),
        neurological=row.get("neuro"),
        imaged=row.get("imaging_hpo"),
        other_genes=tuple(symbol for _, symbol in row["gene"][1:]),
        other_diseases=tuple((each, name) for each, name in row["disease"][1:]),
        source=place,
    )


def _variant(row: dict[str, Any]) -> Variant:
    return Variant(tuple(row.get("hgvs") or ()), row.get("zygosity") or "", row.get("acmg") or "", row.get("status") or "")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"found {type(value).__name__} {value!r:.40}, expected text")
    return value
