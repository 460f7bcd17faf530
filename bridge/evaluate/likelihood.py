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
from bridge.language.prompts import Prompt
from bridge.language.questions import REPORT_ASK, questions_for, subjects
from bridge.model import SemanticBridge


def true_reports(cohort: Cohort, rows: Iterable[int | np.integer]) -> list[str]:
    """The report that the measurements of each sample ask for."""
    report = next(question for question in questions_for(cohort) if question.name == "report")
    return [report.put(subject, np.random.default_rng(0)).answer for subject in subjects(cohort, rows)]


def report_examples(bridge: SemanticBridge, texts: Sequence[str]) -> list[Turn]:
    """Each text as the answer to the question for a report."""
    prompt = Prompt(bridge.language.tokenizer, bridge.template)
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
    losses, opening = [], Prompt(bridge.language.tokenizer, bridge.template).opening
    for start in track(range(0, len(examples), batch_size), "Likelihood", transient=True, disable=not show_progress):
        part = examples[start : start + batch_size]
        chosen = {modality: column[start : start + batch_size].to(bridge.llm.device) for modality, column in values.items()}
        logits, targets = bridge(chosen, opening, [[example] for example in part])
        counts = [sum(label != IGNORE for label in example.labels[1:]) for example in part]
        found = F.cross_entropy(logits.float(), targets, reduction="none").double().cpu()
        losses += [each.numpy() for each in found.split(counts)]
    return losses
