"""A kind of question: its wordings, some of which are kept for the test, and how its answer is asked for."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from bridge.instructions.item import NOTHING, SEPARATOR, Instruction, Judged

KEPT = 2  # wordings of each task that only the test has
LEAST = 6  # wordings of each task

#: What a question says of the form of its answer.
FORMS = {
    "letter": "Answer with the letter in brackets.",
    "choice": "Answer with one of: {choices}.",
    "labels": f"Answer with all that apply of: {{choices}}. Separate them by '{SEPARATOR.strip()}'; write '{NOTHING}' if none applies.",
    "items": f"Separate items by '{SEPARATOR.strip()}'; write '{NOTHING}' if there is none.",
    "text": "",
}

Item = TypeVar("Item")


class Draw:
    """Random choices for the items of one split.

    Args:
        split: Split the items are for.
        seed: Of every choice.
    """

    def __init__(self, split: str, seed: int | Sequence[int]):
        self.split, self.random = split, np.random.default_rng(seed)

    def one(self, items: Sequence[Item]) -> Item:
        """One of them."""
        return items[int(self.random.integers(len(items)))]

    def some(self, items: Sequence[Item], count: int) -> list[Item]:
        """Several different ones in random order, fewer where there are fewer."""
        order = self.random.choice(len(items), size=min(count, len(items)), replace=False) if len(items) else []
        return [items[int(place)] for place in order]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """All of them in random order."""
        return self.some(items, len(items))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.random.random() < probability)


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of question.

    Args:
        name: Unique; stands in template ids. One that begins with ``closed-book`` has to be answered from knowledge alone.
        family: Family of its items.
        wordings: The question in several wordings with the same slots; the last two are asked in the test only.
        judged: How its answers are scored.
        letters: The choices are lettered in the question and the answer is a letter, '(B)'.
        source: Data set of its items.
        licence: Of the text.
    """

    name: str
    family: str
    wordings: tuple[str, ...]
    judged: Judged = "choice"
    letters: bool = False
    source: str = "hpo"
    licence: str = "HPO terms of use, https://hpo.jax.org/app/license"

    def __post_init__(self) -> None:
        if len(set(self.wordings)) < LEAST:
            raise ValueError(f"task {self.name}, field wordings: found {len(set(self.wordings))}, expected at least {LEAST}, two of them for the test")

    def put(self, draw: Draw, group: str, answer: str, choices: Sequence[str] = (), **slots: Any) -> Instruction:
        """An item.

        Args:
            draw: Of the wording and the order of the choices.
            group: What must stay in one split.
            answer: The true answer; one of the choices where there are any.
            choices: In any order.
            slots: What the wording leaves open.
        """
        number = self._wording(draw)
        listed = draw.shuffled(list(choices))
        question = self.wordings[number].format(**slots)
        if self.letters:
            question, answer, listed = _lettered(question, answer, listed)
        else:
            # An answer that is a set has the order in which the question lists what it may hold.
            answer = SEPARATOR.join(each for each in listed if each in answer.split(SEPARATOR)) or NOTHING if self.judged == "labels" else answer
            question = "\n".join(filter(None, (question, FORMS[self.judged].format(choices=SEPARATOR.join(listed)))))
        return Instruction(
            id=f"{self.name}:{draw.split}:{hashlib.sha256(question.encode()).hexdigest()[:16]}",
            family=self.family,
            source=self.source,
            question=question,
            answer=answer,
            judged=self.judged,
            choices=tuple(listed),
            group=group,
            template=f"{self.name}/{number}",
            split=draw.split,
            licence=self.licence,
        )

    def _wording(self, draw: Draw) -> int:
        learned = len(self.wordings) - KEPT
        return learned + int(draw.random.integers(KEPT)) if draw.split == "test" else int(draw.random.integers(learned))


def _lettered(question: str, answer: str, choices: Sequence[str]) -> tuple[str, str, list[str]]:
    """Choices as '(A) ... (B) ...'; the answer and the choices as letters."""
    letters = [f"({chr(ord('A') + place)})" for place in range(len(choices))]
    options = " ".join(f"{letter} {choice}" for letter, choice in zip(letters, choices, strict=True))
    return f"{question}\n{options}\n{FORMS['letter']}", letters[list(choices).index(answer)], letters
