"""How a benchmark's question is put: the text, the options, and the form that its answer has to have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bridge.instructions.item import NOTHING, SEPARATOR, Instruction
from bridge.instructions.task import FORMS

SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def lettered(question: str, options: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """A question with its options as lines '(A) ...', and the letters as they are answered."""
    letters = tuple(f"({chr(ord('A') + place)})" for place in range(len(options)))
    lines = [f"{letter} {one_line(option)}" for letter, option in zip(letters, options, strict=True)]
    return "\n".join([question.strip(), *lines, FORMS["letter"]]), letters


def options_of(item: Instruction) -> tuple[str, ...]:
    """Texts of the lettered options of a question, in the order of its choices; () where its choices are no letters."""
    if not (item.choices and all(re.fullmatch(r"\([A-Z]\)", choice) for choice in item.choices)):
        return ()
    found, rest = [], item.question
    for letter in reversed(item.choices):
        rest, mark, text = rest.rpartition(f"{letter} ")
        if not mark:
            return ()
        found.append(text.partition("\n")[0].strip())
    return tuple(reversed(found))


def asked(text: str, judged: str, choices: Sequence[str] = ()) -> str:
    """A question whose answer is one of some choices, a set of them, a list of items, or free."""
    return "\n".join(filter(None, (text.strip(), FORMS[judged].format(choices=SEPARATOR.join(choices)))))


def listed(parts: Sequence[str]) -> str:
    """An answer that is a set or a list: every part once, in the order of the text."""
    cleaned = (one_line(part).replace(SEPARATOR.strip(), ",") for part in parts)
    return SEPARATOR.join(dict.fromkeys(filter(None, cleaned))) or NOTHING


def one_line(text: str) -> str:
    """A text without line breaks and double spaces."""
    return " ".join(text.split())


def shortened(text: str, words: int) -> str:
    """The sentences at the beginning that together have at most so many words; of a first sentence that is longer, its beginning."""
    kept: list[str] = []
    for sentence in filter(None, SENTENCE_END.split(text.strip())):
        if sum(len(each.split()) for each in kept) + len(sentence.split()) > words:
            break
        kept.append(sentence.strip())
    return " ".join(kept) or " ".join(text.split()[:words])


def passage(text: str, question: str, words: int) -> str:
    """The run of sentences of at most so many words that holds most of a question's words; the first of several.

    Only the question decides, so nothing of the answer does.
    """
    sentences = [sentence for sentence in SENTENCE_END.split(text.strip()) if sentence.strip()]
    wanted = set(re.findall(r"\w{4,}", question.casefold()))
    hits = [len(wanted & set(re.findall(r"\w{4,}", sentence.casefold()))) for sentence in sentences]
    sizes = [len(sentence.split()) for sentence in sentences]
    best, start, total, score = (0, 0), 0, 0, 0
    for end, (size, hit) in enumerate(zip(sizes, hits, strict=True)):
        total, score = total + size, score + hit
        while total > words and start < end:
            total, score, start = total - sizes[start], score - hits[start], start + 1
        if score > best[1]:
            best = (start, score)
    return shortened(" ".join(sentences[best[0] :]), words)
