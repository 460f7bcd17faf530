"""Answers are kept as they come, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from bridge.medical.answer import Answerer

NAME = "answers.jsonl"
AT_ONCE = 48  # questions between two writes


class Journal:
    """An answerer whose answers are written down; what it was asked before, in the same form, it is not asked again.

    Args:
        answerer: Who answers.
        identity: Tells its weights and its prompt form from all others.
        path: JSON lines; a line that was cut off by a stop is left out.
    """

    def __init__(self, answerer: Answerer, identity: str, path: Path):
        self.answerer, self.identity, self.path, self.name = answerer, identity, path, answerer.name
        self.known = _read(path)

    def generate(self, questions: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """See :class:`bridge.medical.answer.Answerer`."""
        keys = [self._key("words", max_new_tokens, question) for question in questions]
        return self._all(keys, lambda rows: self.answerer.generate([questions[row] for row in rows], max_new_tokens=max_new_tokens))

    def log_likelihoods(self, questions: Sequence[str], choices: Sequence[Sequence[str]]) -> list[list[float]]:
        """See :class:`bridge.medical.answer.Answerer`."""
        keys = [self._key("choices", list(each), question) for question, each in zip(questions, choices, strict=True)]
        return self._all(keys, lambda rows: self.answerer.log_likelihoods([questions[row] for row in rows], [choices[row] for row in rows]))

    def _all(self, keys: Sequence[str], ask: Callable[[Sequence[int]], list[Any]]) -> list[Any]:
        first = {key: row for row, key in reversed(list(enumerate(keys))) if key not in self.known}
        missing = sorted(first.values())
        for start in track(range(0, len(missing), AT_ONCE), f"Asking {self.name}", disable=not missing):
            rows = missing[start : start + AT_ONCE]
            self._write({keys[row]: answer for row, answer in zip(rows, ask(rows), strict=True)})
        return [self.known[key] for key in keys]

    def _write(self, answers: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps({"key": key, "answer": answer}) + "\n" for key, answer in answers.items()))
            file.flush()
            os.fsync(file.fileno())
        self.known |= answers

    def _key(self, *asked: Any) -> str:
        return hashlib.sha256(json.dumps([self.identity, *asked]).encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if not path.is_file():
        return known
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):  # a line that a stop cut off; the next one must begin a line of its own
        path.write_bytes(whole[:end])
    for line in whole[:end].decode("utf-8").splitlines():
        fields = json.loads(line)
        known[fields["key"]] = fields["answer"]
    return known
