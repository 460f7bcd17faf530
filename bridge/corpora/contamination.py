"""Test items of benchmarks in training text, found by runs of words.

A document that holds a run of 13 words of an item is left out as a whole: a cut passage would leave the rest of the same
abstract or note behind, which often tells the answer, and join text that does not belong together.
Source of the length: Brown et al. 2020, arXiv:2005.14165, appendix C.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bridge.corpora.files import files_of, lines_of
from bridge.corpora.words import normalised_words, runs

NGRAM = 13
#: A shorter item has to be the whole document: two or three words stand everywhere.
SHORTEST_RUN = 5
#: A run in the items of more groups than this is wording of the question, not content.
COMMON = 10


class Item(NamedTuple):
    """What must not stand in training text: a question with all it shows, or a long answer; ``group`` as in the instructions."""

    id: str
    group: str
    text: str


class TestItems:
    """The runs of words of all test items.

    Args:
        items: Test items.
        ngram: Words of a run; an item with fewer is one run.
    """

    __test__ = False  # pytest takes a name that begins so for a test

    def __init__(self, items: Sequence[Item] = (), ngram: int = NGRAM):
        if ngram < SHORTEST_RUN:
            raise ValueError(f"decontamination, field ngram: found {ngram}, expected at least {SHORTEST_RUN}; shorter runs of words stand everywhere")
        self.ngram, self.count = ngram, len(items)
        self.by_length: dict[int, dict[str, str]] = {}
        self.whole: dict[str, str] = {}
        common = _common(items, ngram)
        for item in items:
            self._add(item, normalised_words(item.text), common)

    def found_in(self, text: str) -> str | None:
        """The id of an item that the text holds."""
        if not self.count:
            return None
        words = normalised_words(text)
        held = (known[run] for length, known in self.by_length.items() for run in runs(words, length) if run in known)
        return self.whole.get(" ".join(words)) or next(held, None)

    def _add(self, item: Item, words: list[str], common: set[str]) -> None:
        if len(words) < SHORTEST_RUN:
            self.whole.setdefault(" ".join(words), item.id)
            return
        length = min(self.ngram, len(words))
        for run in runs(words, length):
            if run not in common:
                self.by_length.setdefault(length, {}).setdefault(run, item.id)


def read_items(path: Path) -> Iterator[Item]:
    """Test items of a benchmark.

    Args:
        path: JSON lines of instructions (``question``, ``answer``, ``split``; only the split ``test`` counts, a line without a split is one),
            or a text file with an item in each line. Of answers those as long as a run count: short ones stand everywhere.

    Raises:
        ValueError: a line is damaged, or there is no test item.
    """
    found = 0
    read = _instructions if ".jsonl" in path.name.lower() else _lines
    for file in files_of(path, (".jsonl", ".txt")):
        for item in read(file):
            found += 1
            yield item
    if not found:
        raise ValueError(f"{path}, field split: found no item of the split 'test', expected some; name the file with the test items")


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lines(path: Path) -> Iterator[Item]:
    return (Item(f"{path.name}:{number}", f"{number}", line) for number, line in lines_of(path) if normalised_words(line))


def _instructions(path: Path) -> Iterator[Item]:
    for number, line in lines_of(path):
        if not line.strip():
            continue
        fields = _fields(line, f"{path}, line {number}")
        if fields.get("split", "test") == "test":
            name = str(fields.get("id") or f"{path.name}:{number}")
            texts = [fields["question"]] + [fields.get("answer") or ""] * (len(normalised_words(fields.get("answer") or "")) >= NGRAM)
            yield from (Item(name, str(fields.get("group") or name), text) for text in texts)


def _fields(line: str, place: str) -> dict:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{place}: found {error.msg}, expected one JSON object; the file is damaged") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("question"), str) or not isinstance(fields.get("answer", ""), str):
        found = list(fields)[:8] if isinstance(fields, dict) else type(fields).__name__
        raise ValueError(
            f"{place}, field question: found {found}, expected an instruction with question and answer as text; or give a .txt with an item a line"
        )
    return fields


def _common(items: Sequence[Item], ngram: int) -> set[str]:
    """Runs in the items of more than ten groups: the wording that all questions of a benchmark share."""
    of_group: dict[str, set[str]] = {}
    for item in items:
        of_group.setdefault(item.group, set()).update(runs(normalised_words(item.text), ngram))
    return {run for run, groups in Counter(run for found in of_group.values() for run in found).items() if groups > COMMON}
