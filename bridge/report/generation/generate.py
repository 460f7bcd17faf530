"""Greedy answers from a prefix and a question, with the model's own probability of every token."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from bridge.data.batch import Turn
from bridge.language.attention import ALONE
from bridge.language.merged import merged
from bridge.language.packing import Row, embedded
from bridge.language.prompts import Prompt
from bridge.model import SemanticBridge
from bridge.project.prefix import zeroed as zeroed_prefix
from bridge.report.generation.confidence import Generation, pieces
from bridge.report.generation.constrain import KnownNames
from bridge.report.generation.decode import Answer, Prompts, decode, greedy, watched
from bridge.report.reference import Reference


def generate(bridge: SemanticBridge, values: dict[str, Tensor], questions: Sequence[str], **settings: Any) -> list[str]:
    """The texts alone of :func:`generated`."""
    return [generation.text for generation in generated(bridge, values, questions, **settings)]


def generated(
    bridge: SemanticBridge,
    values: dict[str, Tensor],
    questions: Sequence[str],
    *,
    note: str = "",
    max_new_tokens: int | Sequence[int] = 160,
    batch_size: int = 32,
    zeroed: bool = False,
    constrain: bool = False,
    known: Reference | None = None,
    show_progress: bool = False,
    ended: Callable[[], object] = lambda: None,
    each_token: Callable[[], object] = lambda: None,
) -> list[Generation]:
    """Greedy answers with the model's probability of every token, one per sample.

    Args:
        bridge: A loaded bundle.
        values: Modality to normalised values ``[samples, features]``; none to ask in words alone.
        questions: One per sample.
        note: Clinical note, given to the LLM as quoted data.
        max_new_tokens: Longest answer, of all samples or of each.
        batch_size: Answers written side by side; where one has ended the next begins.
        zeroed: Let a prefix of zeros through, for the audit only.
        constrain: Write only names of regions and genes that are known.
        known: Holds the names that are known; the bundle's own training reference by default.
        show_progress: Show a bar of the answers that have ended.
        ended: Called whenever one has ended.
        each_token: Called before each token; an error of it ends the writing.

    Raises:
        ValueError: a longest answer has no token, or there is not one for each sample.
    """
    prompt = bridge.prompt
    names = _known_names(prompt, known or Reference.from_dict(bridge.reference["training"])) if constrain else None
    asked = [prompt.question(question, note) for question in questions]
    answers = [Answer(number, limit) for number, limit in enumerate(_limits(max_new_tokens, len(asked)))]
    with merged(bridge.llm), torch.inference_mode():
        rows = prompts(bridge, values, asked, answers, size=batch_size, zeroed=zeroed)
        ending = decode(bridge.llm, rows, slots=batch_size, end=prompt.tokenizer.eos_token_id, choose=watched(names or greedy, each_token))
        for _ in track(ending, "Writing", total=len(asked), disable=not show_progress):  # each writes to its own answer
            ended()
    return [generation(prompt, answer, names) for answer in answers]


def prompts(
    bridge: SemanticBridge, values: dict[str, Tensor], asked: Sequence[Sequence[int]], answers: Sequence[Answer], *, size: int, zeroed: bool = False
) -> Iterator[Prompts]:
    """Rows of so many prompts, behind an opening that stands in each row once.

    Args:
        bridge: Makes the soft tokens.
        values: Modality to normalised values ``[samples, features]``.
        asked: Token ids of each sample's question.
        answers: Where the answers will be written.
        size: Prompts in a row.
        zeroed: Soft tokens of zeros.
    """
    opening = bridge.prompt.opening
    for start in range(0, len(asked), size):
        part = slice(start, start + size)
        prefix = bridge.soft_tokens({modality: table[part].to(bridge.llm.device) for modality, table in values.items()}, len(asked[part]))
        prefix = zeroed_prefix(prefix) if zeroed else prefix
        row = _behind(opening, prefix.mask.sum(dim=1).tolist(), asked[part])
        yield Prompts(row.segments, embedded(row, bridge.llm.get_input_embeddings(), prefix.values[prefix.mask]), list(answers[part]))


def _behind(opening: Sequence[int], soft: Sequence[int], asked: Sequence[Sequence[int]]) -> Row:
    """Soft tokens and question of each sample, all behind one opening; alone where nothing opens a prompt."""
    row = Row(ids=[*opening], lengths=[len(opening)] if opening else [])
    for count, question in zip(soft, asked, strict=True):
        row.put([], count, [Turn([*question], [])])
    row.after = [ALONE, *[0] * len(asked)] if opening else [ALONE] * len(asked)
    return row


def _known_names(prompt: Prompt, known: Reference) -> KnownNames:
    return KnownNames(prompt.tokenizer, known.regions, known.facts, known.aliases)


def _limits(max_new_tokens: int | Sequence[int], count: int) -> list[int]:
    limits = [max_new_tokens] * count if isinstance(max_new_tokens, int) else list(max_new_tokens)
    if len(limits) != count or min(limits, default=1) < 1:
        raise ValueError(f"max_new_tokens: found {max_new_tokens}, expected a number above 0, or one for each of {count} samples")
    return limits


def generation(prompt: Prompt, answer: Answer, names: KnownNames | None) -> Generation:
    """An answer without its end token."""
    end = prompt.tokenizer.eos_token_id
    ids = answer.ids[:-1] if answer.ids[-1] == end else answer.ids
    ids = ids if names is None else names.finished(ids)
    text, decoded = prompt.decode(ids), functools.partial(prompt.tokenizer.decode, skip_special_tokens=True)
    return Generation(text, pieces(decoded, ids, text), tuple(answer.probabilities[: len(ids)]))
