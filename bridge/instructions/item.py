"""One instruction: what is asked in words, the answer that is learned or judged, and where both come from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args

from bridge.data.cohort import SPLITS
from bridge.data.whole import whole_file

#: The six families of Me-LLaMA (arXiv:2402.12749), then those of genes, brains and cases.
FAMILIES = (
    "question answering",
    "entity recognition",
    "relation extraction",
    "classification",
    "summarisation",
    "inference",
    "gene disease",
    "brain phenotype",
    "counselling",
    "case reasoning",
    "report",
)

#: How an answer is judged: one of ``choices``; a set of them; a list of items found in the text; a text of one's own.
Judged = Literal["choice", "labels", "items", "text"]

SEPARATOR = "; "  # between the items of an answer that is a set or a list
NOTHING = "none"  # such an answer without items


@dataclasses.dataclass(frozen=True)
class Instruction:
    """A question and its answer.

    Args:
        id: Unique within its source.
        family: One of ``FAMILIES``.
        source: Data set it comes from, for example ``hpo`` or ``pubmedqa``.
        question: All that is asked, as it is put into the prompt: instruction, text, options.
        answer: The true answer, in the form that the question asks for.
        judged: How an answer is scored.
        choices: What an answer may be (``choice``) or hold (``labels``); empty where it is free.
        group: What must not stand on both sides of a split, and what is drawn in a bootstrap: a gene, a disease, a document; '' for the id.
        template: Which wording it was made with; '' for none.
        split: ``train``, ``validation`` or ``test``.
        licence: Of the text.
        sample: Sample of a cohort whose soft tokens stand in front of it; '' for words alone.
    """

    id: str
    family: str
    source: str
    question: str
    answer: str
    judged: Judged = "text"
    choices: tuple[str, ...] = ()
    group: str = ""
    template: str = ""
    split: str = "train"
    licence: str = ""
    sample: str = ""

    def __post_init__(self) -> None:
        for field, allowed in (("family", FAMILIES), ("judged", get_args(Judged)), ("split", SPLITS)):
            if getattr(self, field) not in allowed:
                raise ValueError(f"instruction {self.id!r}, field {field}: found {getattr(self, field)!r}, expected one of {', '.join(allowed)}")
        for field in ("id", "source", "question", "answer"):
            if not getattr(self, field).strip():
                raise ValueError(f"instruction {self.id!r}, field {field}: found nothing, expected text")
        wrong = [part for part in self.parts if self.choices and part not in self.choices]
        if wrong:
            raise ValueError(f"instruction {self.id!r}, field answer: found {wrong[0]!r}, expected one of {', '.join(self.choices)}")

    @property
    def parts(self) -> tuple[str, ...]:
        """The items of the answer; the answer itself where it is one."""
        if self.judged in ("choice", "text"):
            return (self.answer,)
        return () if self.answer == NOTHING else tuple(self.answer.split(SEPARATOR))

    @property
    def unit(self) -> str:
        """What is drawn in a bootstrap."""
        return self.group or self.id


def write_instructions(items: Iterable[Instruction], path: str | Path) -> int:
    """Write JSON lines, whole or not at all; says how many."""
    with whole_file(Path(path)) as partial, partial.open("w", encoding="utf-8") as file:
        return sum(bool(file.write(json.dumps(dataclasses.asdict(item), ensure_ascii=False) + "\n")) for item in items)


def read_instructions(path: str | Path) -> Iterator[Instruction]:
    """Instructions of a JSON-lines file, as they come.

    Raises:
        ValueError: names the file, the line and what is wrong with it.
    """
    known = {field.name for field in dataclasses.fields(Instruction)}
    with Path(path).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _parsed(line, f"{path}, line {number}", known)


def _parsed(line: str, place: str, known: set[str]) -> Instruction:
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict) or set(fields) - known:
            raise ValueError(f"found {sorted(set(fields) - known) if isinstance(fields, dict) else type(fields).__name__}, expected fields {sorted(known)}")
        return Instruction(**fields | {"choices": tuple(fields.get("choices", ()))})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{place}: {error}") from error
