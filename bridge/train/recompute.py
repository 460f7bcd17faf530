"""Whether a stage keeps its activations or makes them again: decided before it starts, by the estimate that ``bridge plan`` prints."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int

from bridge.language.llm import Lora, base_model, recompute_activations
from bridge.language.prompts import Prompt
from bridge.language.quantise import is_quantised
from bridge.language.questions import Question, sample_questions
from bridge.language.subject import Subject
from bridge.train.memory import BYTES, Row, Shape, fits, step_bytes
from bridge.train.stage import Stage
from bridge.train.tune import Tune

LOOKED_AT = 64  # samples whose questions are counted


def card_memory(device: torch.device) -> int | None:
    """Bytes of a card; None on a CPU."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def recompute_where_needed(stage: Stage, lora: Lora, batch_size: int, memory: int | None, cards: int = 1) -> bool:
    """Recompute activations where a step would not fit otherwise.

    A CPU keeps them: its memory is seldom the limit. Stage 1 keeps them too, since its LLM is frozen, but for an adapter on the text
    side, whose batch is large.

    Args:
        stage: The stage.
        lora: Adapter of stage 2.
        batch_size: Samples that a card takes at once.
        memory: Bytes of the card, None on a CPU.
        cards: Cards over which the LLM is divided.

    Returns:
        Whether they are recomputed.
    """
    needed = memory is not None and (_too_small(stage, lora, batch_size, memory, cards) if isinstance(stage, Tune) else _adapts(stage))
    if needed:
        recompute_activations(stage.bridge.llm)
    return needed


def turn_tokens(prompt: Prompt, subjects: Sequence[Subject], questions: Sequence[Question], at_once: int = 1) -> Int[np.ndarray, "samples 2"]:
    """Tokens of questions and answers of a sample in one step, and how many of them are the answers'; of the first samples that have some."""
    asked = (sample_questions(subject, questions, subject.present, [0, row], count=at_once) for row, subject in enumerate(subjects))
    some = itertools.islice(filter(None, asked), LOOKED_AT)
    told = [[(len(prompt.question(each.question)), len(prompt.answer(each.answer))) for each in every] for every in some]
    return np.array([(sum(map(sum, turns)), sum(answer for _, answer in turns)) for turns in told], dtype=np.int64).reshape(-1, 2)


def _too_small(stage: Tune, lora: Lora, batch_size: int, memory: int, cards: int) -> bool:
    model, trained = base_model(stage.bridge.llm), sum(parameter.numel() for parameter in stage.parameters() if parameter.requires_grad)
    longest = turn_tokens(stage.prompt, stage.subjects, stage.questions, stage.asked_at_once).max(axis=0, initial=1)
    before = len(stage.prompt.opening) + sum(1 + projector.k for projector in stage.bridge.projectors.values())
    row = Row(batch_size * (before + int(longest[0])), batch_size * int(longest[1]), BYTES[model.get_input_embeddings().weight.dtype])
    parts = step_bytes(Shape.of(model.config.to_dict()), lora, row, trained, recomputed=False, cards=cards, nf4=is_quantised(model))
    return not fits(parts, memory)


def _adapts(stage: Stage) -> bool:
    return any(parameter.requires_grad for parameter in stage.bridge.llm.parameters())
