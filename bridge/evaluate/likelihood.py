"""How likely an answer is under given inputs: the loss of each of its tokens, read off in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from bridge.data.batch import IGNORE, Turn
from bridge.data.cohort import Cohort
from bridge.language.llm import base_model
from bridge.language.packing import Row, rows_of
from bridge.language.questions import REPORT_ASK, questions_for, subjects
from bridge.model import SemanticBridge


def true_reports(cohort: Cohort, rows: Iterable[int | np.integer]) -> list[str]:
    """The report that the measurements of each sample ask for."""
    report = next(question for question in questions_for(cohort) if question.name == "report")
    return [report.put(subject, np.random.default_rng(0)).answer for subject in subjects(cohort, rows)]


def report_examples(bridge: SemanticBridge, texts: Sequence[str]) -> list[Turn]:
    """Each text as the answer to the question for a report."""
    prompt = bridge.prompt
    return [prompt.example(REPORT_ASK[0], text) for text in texts]


def answer_nll(
    bridge: SemanticBridge, values: dict[str, Float[Tensor, "samples _"]], examples: Sequence[Turn], *, batch_size: int = 16
) -> Float[np.ndarray, " samples"]:
    """Mean negative log-likelihood per answer token of each sample's example, nats; the end token counts."""
    return np.array([nll.mean() for nll in token_nll(bridge, values, examples, batch_size=batch_size, show_progress=True)])


@torch.inference_mode()
def token_nll(
    bridge: SemanticBridge, values: dict[str, Float[Tensor, "samples _"]], examples: Sequence[Turn], *, batch_size: int = 16, show_progress: bool = False
) -> list[Float[np.ndarray, " tokens"]]:
    """Negative log-likelihood of every token of each answer given the ones before it, nats; the end token comes last.

    Args:
        bridge: The model.
        values: Modality to normalised values, one row per example, NaN where missing.
        examples: See :func:`report_examples`.
        batch_size: Examples in one pass.
        show_progress: Draw a bar.
    """
    losses, opening = [], bridge.prompt.opening
    for start in track(range(0, len(examples), batch_size), "Likelihood", transient=True, disable=not show_progress):
        part = examples[start : start + batch_size]
        chosen = {modality: column[start : start + batch_size].to(bridge.llm.device) for modality, column in values.items()}
        logits, targets = bridge(chosen, opening, [[example] for example in part])
        counts = [sum(label != IGNORE for label in example.labels[1:]) for example in part]
        found = F.cross_entropy(logits.float(), targets, reduction="none").double().cpu()
        losses += [each.numpy() for each in found.split(counts)]
    return losses


@torch.inference_mode()
def choice_log_likelihoods(
    bridge: SemanticBridge,
    questions: Sequence[str],
    choices: Sequence[Sequence[str]],
    values: dict[str, Float[Tensor, "samples _"]] | None = None,
    *,
    row_tokens: int = 1024,
    show_progress: bool = False,
) -> list[list[float]]:
    """Log-probability of each choice as the answer to its question, summed over its tokens and the end token, nats.

    All choices of a question stand behind one copy of it.

    Args:
        bridge: The model.
        questions: One per sample.
        choices: Answers to compare, any number for each question.
        values: Modality to normalised values, one row per question, NaN where missing; none for words alone.
        row_tokens: Tokens of a row of packed questions.
        show_progress: Draw a bar.

    Raises:
        ValueError: a question without choices.
    """
    empty = [question for question, each in zip(questions, choices, strict=True) if not each]
    if empty:
        raise ValueError(f"likelihood of choices: question {empty[0][:60]!r} has none, expected at least one answer to compare")
    prompt, found = bridge.prompt, []
    asked = [prompt.question(question) for question in questions]
    answers = [[prompt.answer(choice) for choice in each] for each in choices]
    sizes = [len(question) + sum(map(len, each)) for question, each in zip(asked, answers, strict=True)]
    for part in track(rows_of(sizes, row_tokens), "Likelihood", transient=True, disable=not show_progress):
        given = {modality: column[part].to(bridge.llm.device) for modality, column in (values or {}).items()}
        prefix, row = bridge.soft_tokens(given, len(part)), Row()
        for soft, number in zip(prefix.mask.sum(dim=1).tolist(), part, strict=True):
            *shared, last = asked[number]  # the last token of the question predicts the first of each answer
            turns = [Turn([last, *answer], [IGNORE, *answer]) for answer in answers[number]]
            row.put(prompt.opening, soft, turns, shared)
        states, targets = bridge.read(row, prefix)
        each = F.cross_entropy(base_model(bridge.llm).lm_head(states).float(), targets, reduction="none").double().cpu()
        losses = each.split([len(answer) for number in part for answer in answers[number]])
        totals = iter(-float(loss.sum()) for loss in losses)
        found += [[next(totals) for _ in answers[number]] for number in part]
    return found
