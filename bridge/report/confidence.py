"""How sure the model was of what it wrote: its own probability of every token, and from these the confidence of a claim."""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessor

from bridge.report.schema import Claim


class Generation(NamedTuple):
    """A written text, token by token.

    Args:
        text: The text.
        tokens: What each token added to it: joined they are the text. A token that only begins a character adds ''.
        probabilities: The model's own probability of each of these tokens, before any constraint on decoding.
    """

    text: str
    tokens: tuple[str, ...]
    probabilities: tuple[float, ...]


class TokenProbabilities(LogitsProcessor):
    """Changes no score; keeps the probability of each token that was then written, not the scores of all that were not.

    It has to be the first processor: what it sees is the model's own distribution.
    """

    def __init__(self) -> None:
        self._last: Float[Tensor, "batch vocabulary"] | None = None
        self._kept: list[Float[Tensor, " batch"]] = []

    def __call__(self, input_ids: Int[Tensor, "batch written"], scores: Float[Tensor, "batch vocabulary"]) -> Float[Tensor, "batch vocabulary"]:
        """Note the scores of this step, and of the step before the probability of the token it wrote."""
        if self._last is not None:
            self._keep(input_ids[:, -1])
        self._last = scores.float().log_softmax(dim=-1)
        return scores

    def of(self, written: Int[Tensor, "batch written"]) -> Float[Tensor, "batch written"]:
        """Probabilities of the tokens that were written."""
        if len(self._kept) < written.shape[1]:
            self._keep(written[:, -1])
        return torch.stack(self._kept[: written.shape[1]], dim=1)

    def _keep(self, chosen: Int[Tensor, " batch"]) -> None:
        self._kept.append(self._last.gather(1, chosen[:, None])[:, 0].exp())


def pieces(decode: Callable[[Sequence[int]], str], ids: Sequence[int], text: str) -> tuple[str, ...]:
    """What each token adds to the text; joined, the pieces are the text. A character of several tokens belongs to the last of them.

    Tokens are decoded with all that stand before them: alone, some lose their space and bytes of a character are none.
    """
    so_far = (_shared(decode(ids[:count]).lstrip(), text) for count in range(1, len(ids)))
    ends = [0, *itertools.accumulate(so_far, max), len(text)] if ids else [0]
    return tuple(text[start:end] for start, end in itertools.pairwise(ends))


def claim_confidence(claim: Claim, generation: Generation) -> float | None:
    """Mean probability of the tokens that name the claim's entity, over all places where the text names it.

    None for free prose, which names nothing, and where the text does not hold the name.
    """
    words = (claim.mention or claim.entity).split()
    if not claim.entity or not words:
        return None
    name = re.compile(r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)", re.IGNORECASE)
    named = [found.span() for found in name.finditer(generation.text)]
    ends = itertools.accumulate(map(len, generation.tokens))
    inside = [
        probability
        for token, end, probability in zip(generation.tokens, ends, generation.probabilities, strict=True)
        if any(start < end and end - len(token) < stop for start, stop in named)
    ]
    return sum(inside) / len(inside) if inside else None


def _shared(one: str, other: str) -> int:
    """How many letters two texts have in common from their beginning."""
    return sum(1 for _ in itertools.takewhile(bool, map(operator.eq, one, other)))
