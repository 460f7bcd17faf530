"""The text side of stage 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from bridge.data.cohort import Cohort
from bridge.language.latent import LatentText
from bridge.language.llm import Lora


@dataclasses.dataclass
class TextSide:
    """How texts become vectors, and what of the text side is trained.

    Args:
        layers: LLM layers whose states are concatenated; 0 is the token embedding. Empty with ``words``: no LLM is run.
        pooling: ``mean`` or ``last``.
        words: Components of word-count vectors that stand after the LLM's states; 0 for none.
        hidden: Hidden width of the trainable text head; 0 for a linear head.
        lora: Adapt the LLM itself on the text side; texts are then encoded at every step, not taken from the cache.
    """

    layers: Sequence[int] = (0, 12)
    pooling: str = "mean"
    words: int = 0
    hidden: int = 0
    lora: Lora | None = None

    def latent(self, cohort: Cohort, pairs: Iterable[tuple[str, str]]) -> LatentText | None:
        """Word-count vectors of the text columns that are compared, fitted on the training split; None where none are asked for."""
        columns = sorted({side for pair in pairs for side in pair if side in cohort.texts})
        if not (self.words and columns):
            return None
        return LatentText.fit([strings[row] for strings in map(cohort.text, columns) for row in cohort.rows("train")], self.words)
