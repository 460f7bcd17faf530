"""Cases of any source: a phenopacket, a folder of them, or the compact JSON lines they are boiled down to."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bridge.cases.case import SEXES, Case, Variant, current_terms
from bridge.cases.phenopacket import read_folder, read_phenopacket
from bridge.data.hpo import Ontology

FIELDS = ("id", "hpo", "hpo_excluded", "disease", "gene", "variants", "refs")
LINES = (".jsonl", ".jsonl.gz")


def read_cases(path: str | Path, ontology: Ontology) -> list[Case]:
    """Cases of a phenopacket (.json), of a folder of phenopackets, or of compact lines (.jsonl, .jsonl.gz).

    Raises:
        ValueError: there is none, an id is found twice, or a file is not of its kind.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder; expected a phenopacket (.json), a folder of them, or compact cases (.jsonl, .jsonl.gz)")
    cases = list(_read(path, ontology))
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise ValueError(f"{case.source}, field id: {case.id!r} is found twice, expected each once")
        seen.add(case.id)
    return cases


def _read(path: Path, ontology: Ontology) -> Iterable[Case]:
    if path.is_dir():
        return read_folder(path, ontology)
    if path.name.endswith(LINES):
        return read_compact(path, ontology)
    return [read_phenopacket(path, ontology)]


def read_compact(path: str | Path, ontology: Ontology) -> Iterator[Case]:
    """Cases of JSON lines, packed or not: ``hpo``, ``hpo_excluded``, ``gene`` and ``disease`` are pairs of id and name.

    Raises:
        ValueError: names the file, the line, the field and what is wrong with it.
    """
    path = Path(path)
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _parsed(line, f"{path}, line {number}", ontology)
    except (OSError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); expected JSON lines, gzip where the name ends in .gz") from error


def _parsed(line: str, place: str, ontology: Ontology) -> Case:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{place}: {error}; expected one JSON object") from error
    missing = [name for name in FIELDS if not isinstance(row, dict) or name not in row]
    if missing:
        raise ValueError(f"{place}, field {missing[0]}: is missing, expected the fields {', '.join(FIELDS)}")
    try:
        return _case(row, place, ontology)
    except (TypeError, IndexError, AttributeError, KeyError) as error:
        raise ValueError(f"{place}: {error}; expected hpo, hpo_excluded, gene and disease as pairs of id and name, variants as objects") from error


def _case(row: dict[str, Any], place: str, ontology: Ontology) -> Case:
    disease, name = row["disease"][0] if row["disease"] else ("", "")
    return Case(
        id=row["id"],
        present=current_terms((term for term, _ in row["hpo"]), ontology, f"{place}, field hpo"),
        excluded=current_terms((term for term, _ in row["hpo_excluded"]), ontology, f"{place}, field hpo_excluded"),
        gene=row["gene"][0][1] if row["gene"] else "",
        variants=tuple(map(_variant, row["variants"])),
        disease=disease,
        disease_name=name,
        sex=SEXES.get(row.get("sex"), ""),
        age=row.get("age") or "",
        publications=tuple(row["refs"]),
        neurological=row.get("neuro"),
        source=place,
    )


def _variant(row: dict[str, Any]) -> Variant:
    return Variant(tuple(row.get("hgvs") or ()), row.get("zygosity") or "", row.get("acmg") or "", row.get("status") or "")
