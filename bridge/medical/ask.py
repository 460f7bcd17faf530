"""Puts the questions of a set to an answerer, in words or by likelihood, and judges what comes back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bridge.instructions.item import Instruction
from bridge.medical.answer import Answerer
from bridge.medical.asking import options_of
from bridge.medical.scores import Scored, scored

#: Longest answer in tokens, by the way it is judged.
LONGEST = {"choice": 8, "labels": 48, "items": 48, "text": 96}


def written(answerer: Answerer, items: Sequence[Instruction]) -> list[Scored]:
    """Greedy answers in words, judged; items that are judged in one way are asked together."""
    answers = dict.fromkeys(range(len(items)), "")
    for judged, tokens in LONGEST.items():
        rows = [row for row, item in enumerate(items) if item.judged == judged]
        if rows:
            answers |= dict(zip(rows, answerer.generate([items[row].question for row in rows], max_new_tokens=tokens), strict=True))
    return judged_answers(items, [answers[row] for row in range(len(items))])


def likeliest(answerer: Answerer, items: Sequence[Instruction], *, letters_alone: bool = False) -> dict[str, list[Scored]]:
    """The likeliest choice of each item: by the whole probability of the choice as it is asked for, and by that of its text for each of its signs.

    Args:
        answerer: Tells likelihoods.
        items: All of them with choices, of which one is right.
        letters_alone: The answerer knows the probability of single tokens only, so texts are left out.
    """
    choices = [item.choices for item in items]
    texts = [options_of(item) or item.choices for item in items]
    asked = [list(dict.fromkeys(each if letters_alone else (*each, *text))) for each, text in zip(choices, texts, strict=True)]
    found = answerer.log_likelihoods([item.question for item in items], asked)
    known = [dict(zip(each, values, strict=True)) for each, values in zip(asked, found, strict=True)]
    told = {"likelihood": [_best([values[choice] for choice in item.choices]) for item, values in zip(items, known, strict=True)]}
    if not letters_alone:
        told["likelihood of text"] = [_best([values[part] / len(part) for part in text]) for text, values in zip(texts, known, strict=True)]
    return {way: judged_answers(items, [item.choices[best] for item, best in zip(items, rows, strict=True)]) for way, rows in told.items()}


def judged_answers(items: Sequence[Instruction], answers: Sequence[str]) -> list[Scored]:
    """Each answer with what it is worth."""
    return [scored(item, answer) for item, answer in zip(items, answers, strict=True)]


def _best(values: Sequence[float]) -> int:
    return int(np.argmax(values))
