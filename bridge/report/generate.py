"""Greedy answers from a prefix and a question, with the model's own probability of every token."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from rich.progress import track
from torch import Tensor
from transformers import LogitsProcessorList

from bridge.data.batch import pad
from bridge.language.prompts import Prompt
from bridge.model import SemanticBridge
from bridge.project.prefix import zeroed as zeroed_prefix
from bridge.report.confidence import Generation, TokenProbabilities, pieces
from bridge.report.constrain import KnownNames
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
    max_new_tokens: int = 160,
    batch_size: int = 32,
    zeroed: bool = False,
    constrain: bool = False,
    known: Reference | None = None,
    show_progress: bool = False,
) -> list[Generation]:
    """Greedy answers with the model's probability of every token, one per sample.

    Args:
        bridge: A loaded bundle.
        values: Modality to normalised values ``[samples, features]``.
        questions: One per sample.
        note: Clinical note, given to the LLM as quoted data.
        max_new_tokens: Longest answer.
        batch_size: Answers written side by side.
        zeroed: Let a prefix of zeros through, for the audit only.
        constrain: Write only names of regions and genes that are known.
        known: Holds the names that are known; the bundle's own training reference by default.
        show_progress: Show a bar.
    """
    prompt = Prompt(bridge.language.tokenizer, bridge.template)
    known = known or Reference.from_dict(bridge.reference["training"])
    names = KnownNames(prompt.tokenizer, known.regions, known.facts) if constrain else None
    starts = range(0, len(questions), batch_size)
    answers: list[Generation] = []
    for start in track(starts, "Writing", disable=not show_progress):
        part = slice(start, start + batch_size)
        rows = {modality: table[part].to(bridge.llm.device) for modality, table in values.items()}
        answers += _answer(bridge, prompt, rows, [prompt.question(question, note) for question in questions[part]], max_new_tokens, zeroed, names)
    return answers


@torch.inference_mode()
def _answer(
    bridge: SemanticBridge,
    prompt: Prompt,
    values: dict[str, Tensor],
    asked: list[list[int]],
    max_new_tokens: int,
    zeroed: bool,
    names: KnownNames | None,
) -> list[Generation]:
    ids, mask = pad(asked, prompt.tokenizer.pad_token_id, side="left")
    prefix = bridge.prefix(values)
    prefix = zeroed_prefix(prefix) if zeroed else prefix
    inputs = bridge.inputs(prefix, ids.to(bridge.llm.device), mask.to(bridge.llm.device))
    inputs.pop("position_ids")  # generate counts them from the mask, in the same way
    stop = {"eos_token_id": prompt.tokenizer.eos_token_id, "pad_token_id": prompt.tokenizer.pad_token_id}
    noted = TokenProbabilities()
    greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "logits_processor": LogitsProcessorList(filter(None, [noted, names]))}
    written = bridge.llm.generate(**inputs, max_new_tokens=max_new_tokens, **greedy, **stop)
    return [_generation(prompt, *row, names) for row in zip(written.tolist(), noted.of(written).tolist(), strict=True)]


def _generation(prompt: Prompt, ids: list[int], probabilities: list[float], names: KnownNames | None) -> Generation:
    """One row of a batch without the end token and what pads the row after it."""
    end = prompt.tokenizer.eos_token_id
    ids = ids[: ids.index(end)] if end in ids else ids
    ids = ids if names is None else names.finished(ids)
    text, decode = prompt.decode(ids), functools.partial(prompt.tokenizer.decode, skip_special_tokens=True)
    return Generation(text, pieces(decode, ids, text), tuple(probabilities[: len(ids)]))
