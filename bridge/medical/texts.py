"""Benchmarks answered in free words: emrQA, and summaries of PubMed articles and of chest X-ray findings (MIMIC-CXR)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bridge.corpora.files import files_of, text_of
from bridge.instructions.item import Instruction
from bridge.medical.asking import asked, one_line, passage, shortened
from bridge.medical.files import field, json_of, rows_of, split_files

NOTE_WORDS, ARTICLE_WORDS = 300, 600
HEADING = re.compile(r"^[ \t]*([A-Z][A-Z /]+):", re.MULTILINE)


def emrqa(folder: Path) -> Iterator[Instruction]:
    """Questions on clinical notes, answered by a span of the note (credentialed): ``data.json`` as it is generated, or its SQuAD form.

    Of a long note the part with most of the question's words is shown. A question in several wordings is asked in the first;
    each of its answers is accepted.
    Source: Pampari et al., EMNLP 2018 (arXiv:1809.00732).
    """
    number = 0
    for path in files_of(folder, (".json",)):
        for section, paragraph in _paragraphs(json_of(path), str(path)):
            note = "\n".join(paragraph["context"]) if isinstance(paragraph["context"], list) else paragraph["context"]
            for asking in paragraph.get("qas", ()):
                accepted = _accepted(asking)
                if accepted:
                    yield _read(note, _wording(asking), accepted, f"emrqa-{number:06d}", section)
                    number += 1


def pubmed_summaries(folder: Path) -> Iterator[Instruction]:
    """PubMed articles with their abstracts: ``train.txt``, ``val.txt`` and ``test.txt`` of JSON lines.

    Source: Cohan et al., NAACL 2018 (arXiv:1804.05685).
    """
    stems = {"train": ("train",), "validation": ("val",), "test": ("test",)}
    for split, path in split_files(folder, stems, (".txt", ".json", ".jsonl")):
        for place, row in rows_of(path):
            article, abstract = _sentences(row, place, "article_text"), _sentences(row, place, "abstract_text")
            if article and abstract:
                yield Instruction(
                    id=f"pubmed-summarisation-{field(row, place, 'article_id')}",
                    family="summarisation",
                    source="pubmed-summarisation",
                    question=asked(f"Article: {shortened(article, ARTICLE_WORDS)}\nWrite its abstract.", "text"),
                    answer=abstract,
                    split=split,
                )


def mimic_cxr(folder: Path) -> Iterator[Instruction]:
    """Chest X-ray reports (credentialed), the impression from the findings; those with both sections.

    Reports of a patient's folder (``p10000032``) stay together. Where ``mimic-cxr-2.0.0-split.csv`` is there its split counts,
    else all reports are for the test. Source: Johnson et al., Scientific Data 2019.
    """
    splits, patients = _study_splits(folder), {}
    for number, path in enumerate(files_of(folder, (".txt",))):
        sections = report_sections(text_of(path))
        if sections.get("FINDINGS") and sections.get("IMPRESSION"):
            group = patients.setdefault(path.parent, len(patients))
            yield Instruction(
                id=f"mimic-cxr-{number:06d}",
                family="summarisation",
                source="mimic-cxr",
                question=asked(f"Findings: {shortened(sections['FINDINGS'], NOTE_WORDS)}\nWrite the impression.", "text"),
                answer=sections["IMPRESSION"],
                group=f"patient-{group}",
                split=splits.get(path.stem.lstrip("s"), "test"),
                licence="PhysioNet credentialed",
            )


def report_sections(report: str) -> dict[str, str]:
    """Sections of a report by their headings in capitals; of a heading that comes again, the first."""
    marks = list(HEADING.finditer(report))
    ends = [mark.start() for mark in marks[1:]] + [len(report)]
    found: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=True):
        found.setdefault(mark[1].strip(), one_line(report[mark.end() : end]))
    return found


def _paragraphs(content: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(content, dict) or "data" not in content:
        raise ValueError(f"{place}, field data: not there, expected emrQA's JSON with data, paragraphs, context and qas")
    number = 0
    for section in content["data"]:
        for paragraph in section.get("paragraphs", ()):
            if not paragraph.get("context"):
                raise ValueError(f"{place}, section {section.get('title')!r}, field context: found nothing, expected the note")
            yield f"note-{number:05d}", paragraph
            number += 1


def _wording(asking: Mapping[str, Any]) -> str:
    asked_so = asking.get("question") or [each[0] for each in asking["id"]]
    return asked_so if isinstance(asked_so, str) else asked_so[0]


def _accepted(asking: Mapping[str, Any]) -> tuple[str, ...]:
    texts = (each.get("text") for each in asking.get("answers", ()))
    return tuple(dict.fromkeys(one_line(text) for text in texts if isinstance(text, str) and text.strip()))


def _read(note: str, question: str, accepted: tuple[str, ...], name: str, group: str) -> Instruction:
    text = f"Note: {passage(note, question, NOTE_WORDS)}\n{question}\nAnswer with words of the note."
    place = {"group": group, "split": "test", "licence": "n2c2 data use agreement"}
    return Instruction(id=name, family="question answering", source="emrqa", question=asked(text, "text"), answer=accepted[0], choices=accepted, **place)


def _sentences(row: Mapping[str, Any], place: str, name: str) -> str:
    lines = row.get(name)
    if lines is None:
        raise ValueError(f"{place}, field {name}: not there, expected a list of sentences; found {sorted(row)}")
    text = lines if isinstance(lines, str) else " ".join(lines)
    return one_line(re.sub(r"</?S>", " ", text))


def _study_splits(folder: Path) -> dict[str, str]:
    names = {"train": "train", "validate": "validation", "test": "test"}
    found = sorted([*folder.glob("*split.csv"), *folder.glob("*split.csv.gz")])
    return {row["study_id"]: names[row["split"]] for path in found[:1] for row in csv.DictReader(io.StringIO(text_of(path)))}
