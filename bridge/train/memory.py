"""How much memory a step takes, counted from the shape of the LLM: what ``bridge plan`` prints, and what decides whether activations are recomputed."""

from __future__ import annotations

import dataclasses

import torch

from bridge.language.llm import Lora

NF4 = 0.5 + 0.127 / 8  # bytes a weight with double quantisation (arXiv:2305.14314, section 3)
USABLE = 0.9  # share of a card's memory; the rest is left to the CUDA context, the allocator's gaps and a kernel's workspace
BYTES = {torch.float32: 4, torch.bfloat16: 2, torch.float16: 2}
#: Linear maps by what they read.
READS = {"q_proj": "state", "k_proj": "state", "v_proj": "state", "o_proj": "attention", "gate_proj": "middle", "up_proj": "middle", "down_proj": "gated"}
FIELDS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


@dataclasses.dataclass(frozen=True)
class Shape:
    """Shape of a LLaMA.

    Args:
        width: Of a token's state.
        inner: Of the gated part of a layer.
        layers: Decoder layers.
        heads: Query heads.
        shared: Key-value heads; as many as query heads, or fewer.
        vocabulary: Rows of the embedding table.
        tied: Whether the language head is the embedding table.
    """

    width: int
    inner: int
    layers: int
    heads: int
    shared: int
    vocabulary: int
    tied: bool = False

    @classmethod
    def of(cls, fields: dict, name: str = "LLM") -> Shape:
        """From the fields of a config.json.

        Raises:
            ValueError: names the missing field.
        """
        missing = [field for field in FIELDS if field not in fields]
        if missing:
            raise ValueError(f"{name}, field shape.{missing[0]}: found none, expected a number; they stand in the config.json of the LLM")
        heads = fields["num_attention_heads"]
        shared, tied = fields.get("num_key_value_heads") or heads, bool(fields.get("tie_word_embeddings"))
        return cls(*(fields[field] for field in FIELDS[:4]), shared, fields["vocab_size"], tied)

    @property
    def keys(self) -> int:
        """Width of all keys of a token."""
        return self.width // self.heads * self.shared

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """Input and output width of the linear maps of a layer."""
        attention = {
            "q_proj": (self.width, self.width),
            "k_proj": (self.width, self.keys),
            "v_proj": (self.width, self.keys),
            "o_proj": (self.width, self.width),
        }
        return attention | {"gate_proj": (self.width, self.inner), "up_proj": (self.width, self.inner), "down_proj": (self.inner, self.width)}

    @property
    def layer(self) -> int:
        """Weights of the linear maps of one layer."""
        return sum(before * after for before, after in self.linear.values())

    @property
    def outside(self) -> int:
        """Weights outside these maps: embeddings, head and norms."""
        return self.vocabulary * self.width * (1 if self.tied else 2) + (2 * self.layers + 1) * self.width

    @property
    def weights(self) -> int:
        """All weights."""
        return self.layers * self.layer + self.outside

    def adapter(self, lora: Lora) -> int:
        """Weights of a low-rank adapter: rank x (input + output width) for every adapted map."""
        return self.layers * sum(lora.r * sum(self.linear[target]) for target in lora.targets)


@dataclasses.dataclass(frozen=True)
class Row:
    """What one packed row of a step holds.

    Args:
        tokens: All its tokens.
        answers: Those of them that are learned.
        size: Bytes of a number in the LLM's own dtype: 2 for bfloat16, 4 for float32.
    """

    tokens: int
    answers: int
    size: int = 2


def weight_bytes(shape: Shape, size: int, *, nf4: bool = False) -> float | int:
    """Bytes of the frozen LLM; in NF4 the linear maps of the layers are in four bits, all else is not."""
    return shape.layers * shape.layer * (NF4 if nf4 else size) + shape.outside * size


def layer_bytes(shape: Shape, lora: Lora, size: int) -> float | int:
    """Bytes a token that the backward pass of one layer needs, whose own weights are frozen.

    Counted along the layer as transformers and PEFT run it. A product with a frozen weight keeps nothing of its input.
    Both norms keep their input in float32 (2 x 4 width). Attention keeps queries, keys, values and what it gives
    (size x (2 width + 2 keys)) and a float32 per head. The gated part keeps the gate, its activation and the
    other factor (3 x size x inner). An adapter keeps its input in float32: one copy for each where there is dropout (with
    a mask of one byte) or a cast from bfloat16, else one for all that read the same; and its r middle values.
    """
    kept = 8 * shape.width + size * (2 * shape.width + 2 * shape.keys) + 4 * shape.heads + 3 * size * shape.inner
    inputs = {target: shape.linear[target][0] for target in lora.targets}
    each, own = (5, inputs) if lora.dropout else (4, inputs if size < 4 else {READS[target]: width for target, width in inputs.items()})
    return kept + each * sum(own.values()) + 4 * lora.r * len(inputs)


def activation_bytes(shape: Shape, lora: Lora, row: Row, *, recomputed: bool) -> float | int:
    """Bytes of a row's activations at the end of the forward pass.

    Recomputed, each layer keeps its input (size x width a token), and one layer at a time is whole again.
    """
    whole = layer_bytes(shape, lora, row.size)
    a_token = shape.layers * row.size * shape.width + whole if recomputed else shape.layers * whole
    return row.tokens * (a_token + 4 * shape.width)  # and the last norm's input


def logit_bytes(shape: Shape, row: Row) -> float | int:
    """Bytes of logits at the answers: in the LLM's dtype and in float32, their log-softmax, and the gradients of the two first."""
    return row.answers * shape.vocabulary * (2 * row.size + 12)


def step_bytes(shape: Shape, lora: Lora, row: Row, trained: int, *, recomputed: bool, cards: int = 1, nf4: bool = False) -> dict[str, float | int]:
    """Bytes on one card by what takes them.

    Args:
        shape: Of the LLM.
        lora: Its adapter.
        row: What a card works on at once.
        trained: Trained weights, the adapter's among them.
        recomputed: Whether activations are recomputed.
        cards: Cards over which weights and all that is trained are divided (FSDP2); two layers at a time are then whole.
        nf4: Whether the LLM is in four bits.
    """
    frozen = weight_bytes(shape, row.size, nf4=nf4)
    gathered = 2 * shape.layer * row.size if cards > 1 else 0
    return {
        "LLM": frozen / cards + gathered,
        "trained": 4 * trained / cards,
        "gradients": 4 * trained / cards,
        "moments": 8 * trained / cards,
        "activations": activation_bytes(shape, lora, row, recomputed=recomputed),
        "logits": logit_bytes(shape, row),
    }


def fits(parts: dict[str, float | int], memory: float | int) -> bool:
    """Whether a step fits on a card of so many bytes."""
    return sum(parts.values()) <= USABLE * memory
