"""i2b2-2010: concepts, relations and assertions of discharge summaries, in the challenge's own files (credentialed).

A record is ``NAME.txt`` with ``NAME.con``, ``NAME.rel`` and ``NAME.ast``, in folders as they were handed out; a folder whose
name has 'test' in it holds the test part. A concept is ``c="text" line:word line:word``, lines from 1, words from 0.
Source: Uzuner et al., JAMIA 2011.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from bridge.corpora.files import files_of, lines_of, text_of
from bridge.instructions.item import Instruction, Judged
from bridge.medical.asking import asked, listed

LICENCE = "n2c2 data use agreement"
SPAN = r'c="(?:.*?)" (\d+):(\d+) (\d+):(\d+)'
CONCEPT = re.compile(SPAN + r'\|\|t="(problem|test|treatment)"(?:\|\|a="(\w+)")?')
RELATION = re.compile(SPAN + r'\|\|r="(\w+)"\|\|' + SPAN)
NO_RELATION = "none of these"
RELATIONS = {
    "TrIP": "treatment improves problem",
    "TrWP": "treatment worsens problem",
    "TrCP": "treatment causes problem",
    "TrAP": "treatment is given for problem",
    "TrNAP": "treatment is not given because of problem",
    "TeRP": "test reveals problem",
    "TeCP": "test is done to investigate problem",
    "PIP": "problem indicates problem",
}
ASSERTIONS = ("present", "absent", "possible", "conditional", "hypothetical", "associated with someone else")
PAIRED = ({"treatment", "problem"}, {"test", "problem"}, {"problem"})


class Concept(NamedTuple):
    """A mention: its line from 1, its words from 0 to the last one, its kind, and what is asserted of it."""

    line: int
    first: int
    last: int
    kind: str
    assertion: str = ""


class Summary(NamedTuple):
    """A discharge summary: its lines as words, and where its annotations are."""

    number: int
    split: str
    lines: list[list[str]]
    annotations: dict[str, Path]

    def said(self, concept: Concept) -> str:
        """A concept as the text has it."""
        return " ".join(self.lines[concept.line - 1][concept.first : concept.last + 1])

    def item(self, task: str, number: int, question: str, answer: str, judged: Judged, choices: tuple[str, ...] = ()) -> Instruction:
        """An item without the name of the record."""
        family = {"concepts": "entity recognition", "relations": "relation extraction", "assertions": "classification"}[task]
        place = {"group": f"record-{self.split}-{self.number:04d}", "split": self.split, "licence": LICENCE}
        name = f"i2b2-2010-{task}-{self.split}-{self.number:04d}-{number:04d}"
        return Instruction(id=name, family=family, source="i2b2-2010", question=question, answer=answer, judged=judged, choices=choices, **place)


def concepts(folder: Path) -> Iterator[Instruction]:
    """Problems, tests and treatments of each line."""
    ask = "List the problems, tests and treatments that the line mentions, as written, each with its kind, such as 'problem: fever'."
    for summary in _summaries(folder, ".con"):
        found = _concepts(summary, ".con")
        for number, words in enumerate(summary.lines, start=1):
            answer = listed([f"{each.kind}: {summary.said(each)}" for each in found if each.line == number])
            if words:
                yield summary.item("concepts", number, asked(f"Line: {' '.join(words)}\n{ask}", "items"), answer, "items")


def relations(folder: Path) -> Iterator[Instruction]:
    """Every pair of a problem with a treatment, a test or another problem in one line."""
    choices = (*RELATIONS.values(), NO_RELATION)
    for summary in _summaries(folder, ".rel"):
        found, known = sorted(set(_concepts(summary, ".con"))), _relations(summary)
        pairs = [pair for pair in combinations(found, 2) if pair[0].line == pair[1].line and {each.kind for each in pair} in PAIRED]
        for number, pair in enumerate(pairs):
            ask = " and ".join(f"the {each.kind} '{summary.said(each)}'" for each in pair)
            text = f"Line: {' '.join(summary.lines[pair[0].line - 1])}\nHow are {ask} related?"
            answer = known.get(frozenset(each[:3] for each in pair), NO_RELATION)
            yield summary.item("relations", number, asked(text, "choice", choices), answer, "choice", choices)


def assertions(folder: Path) -> Iterator[Instruction]:
    """What a line says of each problem in it."""
    for summary in _summaries(folder, ".ast"):
        for number, each in enumerate(_concepts(summary, ".ast")):
            text = f"Line: {' '.join(summary.lines[each.line - 1])}\nHow does it speak of the problem '{summary.said(each)}'?"
            yield summary.item("assertions", number, asked(text, "choice", ASSERTIONS), each.assertion.replace("_", " "), "choice", ASSERTIONS)


def _summaries(folder: Path, needed: str) -> Iterator[Summary]:
    annotations = {ending: {path.stem: path for path in files_of(folder, (ending,))} for ending in {needed, ".con"} if needed != ".ast" or ending == ".ast"}
    texts = [path for path in files_of(folder, (".txt",)) if path.stem in annotations[needed]]
    if not texts:
        raise ValueError(f"{folder}: found no text with {needed} annotations, expected NAME.txt for each NAME{needed}; name the folder that holds both")
    for number, path in enumerate(texts):
        held = any("test" in part.casefold() for part in annotations[needed][path.stem].relative_to(folder).parts[:-1])
        lines = [line.split() for line in text_of(path).splitlines()]
        found = {ending: by_stem[path.stem] for ending, by_stem in annotations.items() if path.stem in by_stem}
        yield Summary(number, "test" if held else "train", lines, found)


def _concepts(summary: Summary, ending: str) -> list[Concept]:
    found = []
    for place, line in _annotation_lines(summary, ending):
        match = CONCEPT.fullmatch(line)
        if not match or match[1] != match[3]:
            raise ValueError(f'{place}: found {line!r:.100}, expected c="text" line:word line:word||t="problem" on one line')
        found.append(_checked(summary, Concept(int(match[1]), int(match[2]), int(match[4]), match[5], match[6] or ""), place))
    return found


def _relations(summary: Summary) -> dict[frozenset, str]:
    found = {}
    for place, line in _annotation_lines(summary, ".rel"):
        match = RELATION.fullmatch(line)
        if not match or match[5] not in RELATIONS:
            raise ValueError(f'{place}: found {line!r:.100}, expected c="..." 1:0 1:1||r="TrAP"||c="..." 1:3 1:4 with one of {", ".join(RELATIONS)}')
        ends = (int(match[1]), int(match[2]), int(match[4])), (int(match[6]), int(match[7]), int(match[9]))
        found[frozenset(ends)] = RELATIONS[match[5]]
    return found


def _annotation_lines(summary: Summary, ending: str) -> Iterator[tuple[str, str]]:
    path = summary.annotations.get(ending)
    if path is None:
        raise ValueError(f"i2b2-2010: a record has no {ending} file, expected one beside its text; relations need concepts as well")
    return ((f"{path}, line {number}", line.strip()) for number, line in lines_of(path) if line.strip())


def _checked(summary: Summary, concept: Concept, place: str) -> Concept:
    line = summary.lines[concept.line - 1] if 1 <= concept.line <= len(summary.lines) else []
    if not concept.first <= concept.last < len(line):
        where = f"words {concept.first} to {concept.last} of line {concept.line}"
        raise ValueError(f"{place}: found {where}, which the text does not have; take text and annotations of one release")
    return concept
