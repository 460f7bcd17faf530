"""Keys and values of the reports that are being written, a slot each: one that has ended makes room at once for the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class SlotLayer(CacheLayerMixin):
    """Keys and values of one layer, ``[slots, heads, columns, dim]``; those of a slot stand from its first column on, whatever its neighbours hold.

    Args:
        slots: Reports that are written side by side.
    """

    def __init__(self, slots: int):
        super().__init__()
        self.slots = slots
        self.places: Int[Tensor, " live"] = torch.empty(0, dtype=torch.long)
        self.seen = 0

    def lazy_initialization(self, key_states: Float[Tensor, "heads tokens dim"], value_states: Float[Tensor, "heads tokens dim"]) -> None:
        """No columns yet; on the device of what will be put in."""
        self.keys, self.values = (states.new_zeros(self.slots, len(states), 0, states.shape[-1]) for states in (key_states, value_states))
        self.is_initialized = True

    def put(self, slot: int, keys: Float[Tensor, "heads tokens dim"], values: Float[Tensor, "heads tokens dim"], columns: int) -> None:
        """A prompt into a slot, and at least so many columns for all that will follow it."""
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
        # Of zeros, since what is masked is still multiplied: by 0, which leaves NaN what it was.
        more = (0, 0, 0, max(0, columns - self.keys.shape[2]))
        self.keys, self.values = (torch.nn.functional.pad(states, more) if more[-1] else states for states in (self.keys, self.values))
        self.keys[slot, :, : keys.shape[1]], self.values[slot, :, : values.shape[1]] = keys, values

    def move(self, source: int, target: int, length: int) -> None:
        """What one slot holds into another."""
        for states in (self.keys, self.values):
            states[target, :, :length] = states[source, :, :length]

    def at(self, places: Int[Tensor, " live"], seen: int) -> None:
        """Where each slot's next token stands, and how many columns are seen."""
        self.places, self.seen = places.to(self.keys.device), seen

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write the next token of every slot, and give all that is seen."""
        live = torch.arange(len(self.places), device=self.places.device)
        self.keys[live, :, self.places], self.values[live, :, self.places] = key_states[:, :, 0], value_states[:, :, 0]
        return self.keys[: len(live), :, : self.seen], self.values[: len(live), :, : self.seen]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Columns that are seen, from the first on."""
        return self.seen, 0

    def get_seq_length(self) -> int:
        """Columns that are seen."""
        return self.seen

    def get_max_length(self) -> int:
        """Columns there are."""
        return self.keys.shape[2] if self.is_initialized else 0


class Slots(Cache):
    """A cache whose rows begin and end one by one. Live slots stand together: the last one takes the place of one that has ended.

    Keys are cached with their position in them, and a slot's columns are its positions, so nothing is ever shifted.

    Args:
        layers: Of the LLM.
        slots: Reports that are written side by side.
    """

    def __init__(self, layers: int, slots: int):
        super().__init__(layers=[SlotLayer(slots) for _ in range(layers)])
        self.slots = slots
        self.lengths: list[int] = []

    def admit(self, cached: Cache, places: Sequence[int], following: int) -> None:
        """Put a prompt into the next slot.

        Args:
            cached: Of a row in which the prompt was read.
            places: Where its tokens stand in that row.
            following: Tokens that may follow it.
        """
        chosen = torch.tensor(places)
        for mine, row in zip(self.layers, cached.layers, strict=True):
            index = chosen.to(row.keys.device)
            mine.put(len(self.lengths), row.keys[0].index_select(1, index), row.values[0].index_select(1, index), len(places) + following)
        self.lengths.append(len(places))

    def release(self, slot: int) -> None:
        """End a slot; the last one moves to its place."""
        length = self.lengths.pop()
        if slot == len(self.lengths):
            return
        for layer in self.layers:
            layer.move(len(self.lengths), slot, length)
        self.lengths[slot] = length

    def step(self, device: torch.device) -> dict[str, Any]:
        """Keyword arguments of the LLM for one token more in every live slot."""
        places = torch.tensor(self.lengths, device=device)
        self.lengths = [length + 1 for length in self.lengths]
        for layer in self.layers:
            layer.at(places, max(self.lengths))
        return {"attention_mask": _seen(places, max(self.lengths)), "position_ids": places[:, None], "past_key_values": self}


def _seen(places: Int[Tensor, " live"], columns: int) -> Bool[Tensor, "live 1 1 columns"]:
    """Each slot's own columns, up to the token that is written now."""
    return (torch.arange(columns, device=places.device) <= places[:, None])[:, None, None]
