"""Who else may answer: a model behind an OpenAI-compatible endpoint, or a file of recorded answers."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.progress import track

from bridge.instructions.item import Instruction
from bridge.language.prompts import WORDS_ALONE
from bridge.language.server import Server
from bridge.medical.files import field, rows_of

KEY = "BRIDGE_API_KEY"
TOP = 20  # most probable tokens that the API lists


class EndpointAnswerer:
    """A model behind the chat completions API, asked greedily; the server puts its own chat template around a question.

    Args:
        url: Of the server, with or without ``/v1`` at its end; the API key, where it wants one, is in ``$BRIDGE_API_KEY``.
        model: As the server calls it.
        at_once: Questions under way together.
        server: Instead of one made from the address.
    """

    def __init__(self, url: str, model: str, *, at_once: int = 8, server: Server | None = None):
        self.name, self.at_once = model, at_once
        self.server = server or Server(url.rstrip("/").removesuffix("/v1"), key=os.environ.get(KEY, ""), remedy="see that it runs, and at this address")

    @property
    def identity(self) -> str:
        """Tells it from other models and servers."""
        return f"{self.server.url} {self.name}"

    def generate(self, questions: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """See :class:`bridge.medical.answer.Answerer`."""
        return [_text(reply, self.server.url) for reply in self._replies(questions, max_tokens=max_new_tokens)]

    def log_likelihoods(self, questions: Sequence[str], choices: Sequence[Sequence[str]]) -> list[list[float]]:
        """Log-probability of each choice that is one token, a letter, as the first token of the answer.

        The API lists the twenty most probable tokens; a letter that is not among them gets the probability of the last of these.

        Raises:
            ValueError: the server gives no log-probabilities, or lists none of the choices.
        """
        replies = self._replies(questions, max_tokens=1, logprobs=True, top_logprobs=TOP)
        return [_letters(reply, each, self.server.url) for reply, each in zip(replies, choices, strict=True)]

    def _replies(self, questions: Sequence[str], **settings: Any) -> list[dict[str, Any]]:
        def ask(question: str) -> dict[str, Any]:
            messages = [{"role": "system", "content": WORDS_ALONE}, {"role": "user", "content": question}]
            return self.server.send("/v1/chat/completions", {"model": self.name, "messages": messages, "temperature": 0, **settings})

        with ThreadPoolExecutor(self.at_once) as pool:
            return list(track(pool.map(ask, questions), "Asking", total=len(questions), transient=True))


class RecordedAnswers:
    """Answers from a file of JSON lines, each with ``id`` and ``text``.

    Args:
        path: The file.
        items: What will be asked.

    Raises:
        ValueError: a line has no id or text, an id comes twice, or the items' are missing.
    """

    def __init__(self, path: str | Path, items: Sequence[Instruction]):
        self.name, found = Path(path).stem, _recorded(Path(path))
        missing = [item.id for item in items if item.id not in found]
        if missing:
            raise ValueError(
                f"{path}: no answer to {len(missing)} of {len(items)} items: {', '.join(missing[:5])}{' ...' * (len(missing) > 5)}; add their lines"
            )
        self._texts: dict[str, list[str]] = {}  # two items may ask the same: their answers come in the items' order
        for item in items:
            self._texts.setdefault(item.question, []).append(found[item.id])

    def generate(self, questions: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """See :class:`bridge.medical.answer.Answerer`; nothing is cut.

        Raises:
            ValueError: a question that was not among the items.
        """
        unknown = [question for question in questions if question not in self._texts]
        if unknown:
            raise ValueError(f"recorded answers: none to {unknown[0][:60]!r}, expected questions of the items they were read for")
        waiting = {question: itertools.cycle(self._texts[question]) for question in questions}
        return [next(waiting[question]) for question in questions]

    def log_likelihoods(self, questions: Sequence[str], choices: Sequence[Sequence[str]]) -> list[list[float]]:
        """A file of answers has none.

        Raises:
            ValueError: always.
        """
        raise ValueError("recorded answers: they have no likelihoods; take --mode generate")


def _recorded(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, row in rows_of(path):
        name, text = field(row, place, "id"), row.get("text")
        if not isinstance(text, str) or name in found:
            raise ValueError(
                f"{place}, field text: found {'an id that was there before' if name in found else type(text).__name__}, expected one text for each id"
            )
        found[name] = text
    return found


def _first(reply: dict[str, Any], url: str) -> dict[str, Any]:
    try:
        return reply["choices"][0]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"server {url}: found an answer without choices, expected the chat completions API: {json.dumps(reply)[:120]}") from error


def _text(reply: dict[str, Any], url: str) -> str:
    return str((_first(reply, url).get("message") or {}).get("content") or "")


def _letters(reply: dict[str, Any], choices: Sequence[str], url: str) -> list[float]:
    content = (_first(reply, url).get("logprobs") or {}).get("content") or []
    listed = content[0].get("top_logprobs", ()) if content else ()
    if not listed:
        raise ValueError(f"server {url}: gives no log-probabilities, so that likelihoods cannot be compared; take --mode generate")
    # 'B', ' B' and '(B' begin the same answer, so their probabilities add up.
    found = [[each["logprob"] for each in listed if each["token"].strip(" ()") == choice.strip(" ()")] for choice in choices]
    letters = all(len(choice.strip(" ()")) == 1 for choice in choices)
    if not (all(found) or (letters and any(found))):
        missing = next(choice for choice, each in zip(choices, found, strict=True) if not each)
        raise ValueError(f"server {url}: {missing!r} is not among its {len(listed)} most probable tokens, expected each choice there; take --mode generate")
    least = min(each["logprob"] for each in listed)
    return [math.log(sum(map(math.exp, each))) if each else float(least) for each in found]
