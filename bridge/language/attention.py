"""Attention of packed sequences: many texts stand in one row, none sees another, and nothing is padding.

Registered with transformers as the attention of every LLM that :func:`bridge.language.llm.load_llm` loads. Without ``segments``
(decoding from a cache) it is the library's own scaled dot product attention.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "segments"
ALONE = -1  # of a segment that follows no other


@dataclasses.dataclass(frozen=True)
class Segments:
    """Which tokens of a row belong together.

    A segment sees itself up to each token, and before that the whole of the segment it follows: several questions can
    so stand behind one prefix, each as if it were the only one.

    Args:
        lengths: Tokens of each segment, in the order of the row.
        after: Number of the segment that each one follows, ``ALONE`` for none; one that is followed follows none itself.
    """

    lengths: tuple[int, ...]
    after: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.lengths) != len(self.after) or any(self.after[root] != ALONE for root in self.after if root != ALONE):
            raise ValueError(f"segments: found lengths {self.lengths} and after {self.after}, expected one each, and roots that follow nothing")

    @functools.cached_property
    def starts(self) -> tuple[int, ...]:
        """Place of each segment's first token, and the length of the row."""
        return tuple(itertools.accumulate(self.lengths, initial=0))

    def before(self, number: int) -> int:
        """Tokens that a segment follows."""
        return 0 if self.after[number] == ALONE else self.lengths[self.after[number]]

    def inputs(self, device: torch.device | None = None) -> dict[str, Any]:
        """Keyword arguments of the LLM beside the row itself: positions, counted on from the segment that each follows, and the segments."""
        counted = [torch.arange(length) + self.before(number) for number, length in enumerate(self.lengths)]
        # Of a mask with four dimensions transformers makes nothing further, and segments need none.
        none = torch.empty(1, 1, 0, 0, device=device)
        return {"position_ids": torch.cat(counted).unsqueeze(0).to(device), "attention_mask": none, "segments": self}

    @functools.cached_property
    def masks(self) -> dict[tuple[int, int], Bool[Tensor, "own seen"]]:
        """What a segment of some length sees when it follows some number of tokens; made once for all layers."""
        shapes = {(length, self.before(number)) for number, length in enumerate(self.lengths) if self.before(number)}
        return {(own, before): torch.ones(own, before + own, dtype=torch.bool).tril(before) for own, before in shapes}

    @functools.cached_property
    def ragged(self) -> Ragged:
        """The same for a kernel of variable lengths."""
        seen = [self.before(number) + length for number, length in enumerate(self.lengths)]
        ends = (list(itertools.accumulate(lengths, initial=0)) for lengths in (self.lengths, seen))
        queries, keys = (torch.tensor(each, dtype=torch.int32) for each in ends)
        places = [place for number in range(len(self.lengths)) for place in self._seen(number)]
        return Ragged(queries, keys, torch.tensor(places) if any(root != ALONE for root in self.after) else None, max(self.lengths), max(seen))

    def _seen(self, number: int) -> list[int]:
        """Places of all that the last token of a segment sees."""
        whole = [each for each in (self.after[number], number) if each != ALONE]
        return [place for each in whole for place in range(self.starts[each], self.starts[each + 1])]


@dataclasses.dataclass
class Ragged:
    """Where queries and keys of each segment end, the places of the keys (None where these are the row itself), and the longest of each."""

    queries: Int[Tensor, " ends"]
    keys: Int[Tensor, " ends"]
    places: Int[Tensor, " seen"] | None
    longest_query: int
    longest_key: int

    def to(self, device: torch.device) -> Ragged:
        """The same on another device; kept there, since every layer asks."""
        if self.queries.device != device:
            self.queries, self.keys = self.queries.to(device), self.keys.to(device)
            self.places = None if self.places is None else self.places.to(device)
        return self


def segment_attention(
    module: nn.Module,
    query: Float[Tensor, "batch heads tokens dim"],
    key: Float[Tensor, "batch keyheads _ dim"],
    value: Float[Tensor, "batch keyheads _ dim"],
    attention_mask: Tensor | None,
    *,
    segments: Segments | None = None,
    scaling: float | None = None,
    dropout: float | int = 0.0,
    **settings: Any,
) -> tuple[Float[Tensor, "batch tokens heads dim"], None]:
    """Attention function for transformers (``AttentionInterface``).

    Args:
        module: The layer that asks.
        query: Queries of one row of segments; without segments, of a batch.
        key: Keys.
        value: Values.
        attention_mask: For a batch alone; segments need none.
        segments: What belongs together.
        scaling: Of the scores.
        dropout: Of the weights.
        settings: Whatever else transformers gives.

    Raises:
        ValueError: the segments are not those of this row.
    """
    if segments is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **settings)
    if query.shape[0] != 1 or not query.shape[2] == key.shape[2] == segments.starts[-1]:
        raise ValueError(f"segments: found {query.shape[0]} rows of {query.shape[2]} tokens, expected one row of {segments.starts[-1]}")
    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16) and not dropout:
        return _ragged_attention(query[0], key[0], value[0], segments.ragged.to(query.device), scaling), None
    return torch.cat(_one_by_one(query, key, value, segments, scaling, dropout), dim=2).transpose(1, 2), None


def _one_by_one(query: Tensor, key: Tensor, value: Tensor, segments: Segments, scaling: float | None, dropout: float | int) -> list[Tensor]:
    """Each segment against itself, and against what it follows."""
    groups, settings = query.shape[1] // key.shape[1], {"scale": scaling, "dropout_p": dropout}
    # Split, not sliced: the gradient of every slice would be as long as the row.
    queries, keys, values = (each.split(segments.lengths, dim=2) for each in (query, repeat_kv(key, groups), repeat_kv(value, groups)))
    found = []
    for number, (length, root) in enumerate(zip(segments.lengths, segments.after, strict=True)):
        if root == ALONE:
            found.append(F.scaled_dot_product_attention(queries[number], keys[number], values[number], is_causal=True, **settings))
        else:
            seen = (torch.cat([each[root], each[number]], dim=2) for each in (keys, values))
            mask = segments.masks[length, segments.lengths[root]].to(query.device)
            found.append(F.scaled_dot_product_attention(queries[number], *seen, attn_mask=mask, **settings))
    return found


def _ragged_attention(query: Tensor, key: Tensor, value: Tensor, ragged: Ragged, scaling: float | None) -> Tensor:
    """All segments in one kernel (FlashAttention; a query's last token is level with its last key)."""
    query, key, value = (each.transpose(0, 1) for each in (query, key, value))
    if ragged.places is not None:
        key, value = key[ragged.places], value[ragged.places]
    settings = {"scale": scaling, "window_size": (-1, 0), "enable_gqa": query.shape[1] != key.shape[1]}
    return varlen_attn(query, key, value, ragged.queries, ragged.keys, ragged.longest_query, ragged.longest_key, **settings).unsqueeze(0)


AttentionInterface.register(NAME, segment_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
