"""How sure the model was of what it wrote: its own probability of every token, and from these the confidence of a claim."""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

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


def token_probabilities(scores: Float[Tensor, "answers vocabulary"], chosen: Sequence[int]) -> list[float]:
    """The model's own probability of each chosen token, from scores that nothing has constrained."""
    index = torch.tensor(chosen, device=scores.device)[:, None]
    return scores.float().log_softmax(dim=-1).gather(1, index)[:, 0].exp().tolist()


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
