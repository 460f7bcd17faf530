"""Who answers a benchmark's questions: a bundle here, a model behind an endpoint, or a file of recorded answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from bridge.evaluate.likelihood import choice_log_likelihoods
from bridge.language.llm import fingerprint, tokenizer_digest
from bridge.model import SemanticBridge
from bridge.report.generation.generate import generate


@runtime_checkable  # annotations are checked in tests
class Answerer(Protocol):
    """Answers questions in words, and where it can says how likely given answers are."""

    name: str

    def generate(self, questions: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """One greedy answer per question."""
        ...

    def log_likelihoods(self, questions: Sequence[str], choices: Sequence[Sequence[str]]) -> list[list[float]]:
        """Log-probability of each choice of each question, summed over its tokens, nats.

        Raises:
            ValueError: it cannot tell.
        """
        ...


class BundleAnswerer:
    """The LLM of a bundle, asked in words alone.

    Args:
        bridge: A loaded bundle, or a bridge without modalities around a bare LLM (``SemanticBridge.text_only``).
        name: How results call it.
    """

    def __init__(self, bridge: SemanticBridge, name: str = "bridge"):
        self.bridge, self.name, self.show_progress = bridge, name, True

    @property
    def identity(self) -> str:
        """Tells its weights, its adapter and its prompt form from all others."""
        prompt = self.bridge.prompt
        return f"{fingerprint(self.bridge.language, 'default')} {prompt.frame} {tokenizer_digest(prompt.tokenizer)}"

    def generate(self, questions: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """See :class:`Answerer`."""
        return generate(self.bridge, {}, questions, max_new_tokens=max_new_tokens, show_progress=self.show_progress)

    def log_likelihoods(self, questions: Sequence[str], choices: Sequence[Sequence[str]]) -> list[list[float]]:
        """See :class:`Answerer`."""
        return choice_log_likelihoods(self.bridge, questions, choices, show_progress=self.show_progress)
