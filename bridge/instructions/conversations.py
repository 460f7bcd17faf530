"""Instruction sets of others in JSON: Alpaca's ``instruction, input, output`` and ShareGPT's ``conversations``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge.corpora.files import lines_of, text_of
from bridge.instructions.item import Instruction

ASKS, ANSWERS = ("human", "user"), ("gpt", "assistant")


def read_conversations(path: str | Path, family: str, *, split: str = "train", source: str = "", licence: str = "") -> Iterator[Instruction]:
    """Items of a JSON-lines file (or .gz), or of a JSON file with a list; the form of each row is told by its fields.

    An Alpaca row gives one item. A conversation gives one item per answer: the turns before it are the question.

    Args:
        path: The file.
        family: Family of its items, since the file does not say.
        split: Split of its items.
        source: What the set is called; the file's name by default.
        licence: Of the text.

    Raises:
        ValueError: names the file, the row and what is wrong with it.
    """
    path = Path(path)
    given = {"family": family, "split": split, "source": source or path.name.split(".")[0], "licence": licence}
    for number, row in _rows(path):
        place = f"{path}, row {number}"
        turns = _turns(row, place)
        for turn, (question, answer) in enumerate(turns):
            yield Instruction(id=f"{given['source']}:{number}:{turn}", question=question, answer=answer, group=f"{given['source']} {number}", **given)


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.name.removesuffix(".gz").endswith(".json"):
        yield from enumerate(_parsed(text_of(path), str(path)), start=1)
        return
    for number, line in lines_of(path):
        if line.strip():
            yield number, _parsed(line, f"{path}, row {number}")


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{place}: {error}; expected JSON, one object a line or a list of them") from error


def _turns(row: Any, place: str) -> list[tuple[str, str]]:
    if isinstance(row, dict) and {"instruction", "output"} <= set(row):
        question = "\n\n".join(filter(None, (str(row["instruction"]).strip(), str(row.get("input") or "").strip())))
        return [(question, str(row["output"]).strip())]
    if isinstance(row, dict) and isinstance(row.get("conversations"), list):
        return _of_conversation(row["conversations"], place)
    found = sorted(row) if isinstance(row, dict) else type(row).__name__
    raise ValueError(f"{place}: found {found}, expected the fields instruction and output, or conversations")


def _of_conversation(turns: list[Any], place: str) -> list[tuple[str, str]]:
    said: list[str] = []
    pairs = []
    for number, turn in enumerate(turns):
        who, text = _said(turn, f"{place}, turn {number + 1}")
        if who in ANSWERS and said:
            pairs.append(("\n\n".join(said), text))
        said.append(text)
    return pairs


def _said(turn: Any, place: str) -> tuple[str, str]:
    if not isinstance(turn, dict):
        raise ValueError(f"{place}: found {type(turn).__name__}, expected an object with from and value (or role and content)")
    who, text = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
    if who not in (*ASKS, *ANSWERS, "system") or not isinstance(text, str):
        raise ValueError(f"{place}: found {who!r} with {type(text).__name__}, expected one of {', '.join((*ASKS, *ANSWERS, 'system'))} with text")
    return who, text.strip()
