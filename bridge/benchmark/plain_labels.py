"""Labels by the LLM as it comes: a sample's most unusual features as text in the prompt, and how likely each answer then is. Nothing is trained."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from rich.progress import track
from scipy.special import softmax

from bridge.benchmark.predictors import Label
from bridge.data.batch import IGNORE, pad
from bridge.language.llm import LanguageModel
from bridge.language.prompts import Prompt

#: Features written out, the farthest from the training mean first; all of them would not fit into the time.
WRITTEN = 20
#: Numbers that are put to the LLM as answers: quantiles of the training label, each as common as the others.
ANSWERS = 9

_SIDES = {"lh": "left", "rh": "right"}


@dataclasses.dataclass(frozen=True, eq=False)
class PlainText:
    """Asks an LLM for labels.

    Args:
        language: The LLM.
        values: Features of all samples, NaN where missing.
        names: Of the features.
        labels: What is asked for.
        template: Prompt form, see :class:`bridge.language.prompts.Prompt`.
    """

    language: LanguageModel
    values: Float[np.ndarray, "samples features"]
    names: Sequence[str]
    labels: Sequence[Label]
    template: str = "auto"

    def __call__(self, train: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
        """Name of a label to its score for the test rows: the mean of the answers, each as heavy as it is likely.

        The training rows give the mean and spread of each feature, and the numbers that are answers.
        """
        prompt = Prompt(self.language.tokenizer, self.template)
        texts = written(self.values, self.names, train, test)
        found: dict[str, list[float]] = {label.name: [] for label in self.labels}
        for text in track(texts, "Plain text", transient=True):
            for label in self.labels:
                answers = answers_of(label, train)
                likelihoods = answer_likelihoods(self.language, prompt, f"{text}\n{asked(label)}", list(answers))
                found[label.name].append(float(softmax(likelihoods) @ list(answers.values())))
        return {name: np.array(scores) for name, scores in found.items()}


def written(values: Float[np.ndarray, "samples features"], names: Sequence[str], train: np.ndarray, test: np.ndarray) -> list[str]:
    """The features of each test sample that lie farthest from the training mean, in standard deviations."""
    mean, spread = np.nan_to_num(np.nanmean(values[train], axis=0)), np.nanstd(values[train], axis=0)
    z = (values[test] - mean) / np.where(spread > 0, spread, np.nan)
    order = np.argsort(-np.nan_to_num(np.abs(z)), axis=1, kind="stable")[:, :WRITTEN]
    spoken = [_spoken(name) for name in names]
    listed = [", ".join(f"{spoken[place]} {row[place]:+.1f}" for place in places if np.isfinite(row[place])) for row, places in zip(z, order, strict=True)]
    return [f"Measurements of one person, in standard deviations from the average: {each}." for each in listed]


def asked(label: Label) -> str:
    """The question for a label."""
    return f"What is the {label.name}?" + (f" Answer {label.classes[0]} or {label.classes[1]}." if label.classes else " Answer with a number.")


def answers_of(label: Label, train: np.ndarray) -> dict[str, float]:
    """Answers that are weighed, and the value of each: both classes, or numbers that the training rows spread over, to two digits."""
    if label.classes:
        return {name: float(value) for value, name in enumerate(label.classes)}
    numbers = np.quantile(label.values[train], (np.arange(ANSWERS) + 0.5) / ANSWERS)
    return {f"{float(f'{number:.1e}'):g}": float(f"{number:.1e}") for number in numbers}


@torch.inference_mode()
def answer_likelihoods(language: LanguageModel, prompt: Prompt, question: str, answers: Sequence[str]) -> Float[np.ndarray, " answers"]:
    """Log-likelihood of each answer as a whole, its end token included, in nats; the question is read once."""
    turns = [prompt.example(question, answer) for answer in answers]
    said = [[token for token, label in zip(turn.ids, turn.labels, strict=True) if label != IGNORE] for turn in turns]
    model, read = language.model, [*prompt.opening, *turns[0].ids[: -len(said[0])]]
    first = model(input_ids=torch.tensor([read], device=model.device), use_cache=True, logits_to_keep=1)
    first.past_key_values.batch_repeat_interleave(len(answers))
    ids, mask = (part.to(model.device) for part in pad(said, prompt.tokenizer.pad_token_id))
    seen = torch.cat([torch.ones(len(answers), len(read), dtype=torch.bool, device=model.device), mask], dim=1)
    rest = model(input_ids=ids, attention_mask=seen.long(), past_key_values=first.past_key_values).logits
    logits = torch.cat([first.logits.expand(len(answers), -1, -1), rest[:, :-1]], dim=1)
    chosen = logits.float().log_softmax(dim=-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return (chosen * mask).sum(dim=1).double().cpu().numpy()


def _spoken(name: str) -> str:
    """The name of a feature in words: ``lh_G_cuneus_thickness`` is ``left G cuneus thickness``."""
    return " ".join(_SIDES.get(word, word) for word in re.split(r"[_\s]+", name.replace("Left-", "left ").replace("Right-", "right ")))
