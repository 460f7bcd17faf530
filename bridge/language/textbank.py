"""Text embeddings of the frozen LLM, computed once and kept on disk."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from rich.progress import track
from torch import Tensor, nn

from bridge.data.sources import default_cache
from bridge.language.attention import ALONE, Segments
from bridge.language.latent import LatentText
from bridge.language.llm import LanguageModel, base_model, fingerprint, tokenizer_digest, wearing
from bridge.language.packing import rows_of
from bridge.language.vectors import NAME, Vectors

TEMPLATE = "{text}"
#: Tokens of a row of packed texts. The activations of longer rows leave a CPU's cache; a GPU needs many to be busy.
ROW_CPU, ROW_GPU = 1024, 16384
TOKENISED_AT_ONCE = 4096


class TextBank:
    """Pooled hidden states of texts.

    A text's key is a hash of the weights, the tokenizer, the template, the layers, the pooling and the text, so a change of any of
    them never finds an old vector. A second run encodes nothing, and one that was stopped goes on where it stopped.

    Args:
        language: The frozen LLM.
        layers: Layers whose states are concatenated; 0 is the token embedding. Only layers up to the highest are run.
        pooling: ``mean`` over the text's tokens, or ``last`` token.
        folder: Where vectors are kept; the cache folder by default.
        latent: Word-count vectors that stand after the LLM's states; with them there may be no layers.
        max_tokens: Longer texts are cut, and a warning says how many.
        keep: Keep vectors on disk and take them from there; not while an adapter learns, whose vectors nobody will ask for again.
        adapter: Adapter that the LLM wears to read texts; one that it has not got leaves it bare.
    """

    def __init__(
        self,
        language: LanguageModel,
        layers: Sequence[int] = (0, 12),
        pooling: str = "mean",
        *,
        latent: LatentText | None = None,
        folder: Path | None = None,
        max_tokens: int = 512,
        keep: bool = True,
        adapter: str = "text",
    ):
        if pooling not in ("mean", "last"):
            raise ValueError(f"text bank, field pooling: found {pooling!r}, expected 'mean' or 'last'")
        depth = language.model.config.num_hidden_layers
        if not (layers or latent) or not all(0 <= layer <= depth for layer in layers):
            raise ValueError(f"text bank, field layers: found {list(layers)}, expected numbers from 0 to {depth}")
        self.language, self.layers, self.pooling, self.latent, self.max_tokens = language, tuple(layers), pooling, latent, max_tokens
        self.adapter, self.weights = adapter, fingerprint(language, adapter)
        recipe = {
            "weights": self.weights,
            "tokenizer": tokenizer_digest(language.tokenizer),
            "template": TEMPLATE,
            "layers": self.layers,
            "pooling": pooling,
            "max_tokens": max_tokens,
        }
        self.key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        self.folder = (folder or default_cache() / "texts") / self.key[:16]
        self.keep, self.encoded = keep, 0

    @property
    def width(self) -> int:
        """Width of one vector."""
        return self._states_width + (self.latent.components if self.latent else 0)

    @property
    def _states_width(self) -> int:
        return self.language.width * len(self.layers)

    def embed(self, texts: Sequence[str], *, batch_tokens: int | None = None, show_progress: bool = True) -> Float[np.ndarray, "texts width"]:
        """One vector per text, a row of NaN for an empty text.

        Args:
            texts: The texts; one that stands there twice is encoded once.
            batch_tokens: Tokens of a row of packed texts; by default as many as suit the processor.
            show_progress: Draw a bar of the rows.
        """
        names = [self._name(TEMPLATE.format(text=text).encode()) if text else None for text in texts]

        def tokens(rows: Sequence[int]) -> list[Int[np.ndarray, " _"]]:
            return self._tokens([texts[row] for row in rows], tell_cut=True)

        parts = [self._states(names, tokens, batch_tokens, show_progress)] if self.layers else []
        parts += [self.latent(texts).cpu().numpy()] if self.latent and len(texts) else []
        if not len(texts):
            return np.empty((0, self.width), np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def embed_tokens(
        self, ids: Sequence[Int[np.ndarray, " _"]], *, batch_tokens: int | None = None, show_progress: bool = True
    ) -> Float[np.ndarray, "sequences width"]:
        """One vector of the LLM's states per sequence of token ids, read as it stands: for whoever divides texts, see ``notes``.

        Args:
            ids: Token ids with the special tokens that the tokenizer puts around a text; none empty.
            batch_tokens: As for :meth:`embed`.
            show_progress: Draw a bar of the rows.
        """
        names = [self._name(b"\0tokens\0" + each.astype("<i4").tobytes()) for each in ids]
        return self._states(names, lambda rows: [ids[row] for row in rows], batch_tokens, show_progress)

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        """Vectors of texts, none empty, with gradient where the LLM has the adapter of the bank."""
        # One row however long: cards that share an LLM must all run it equally often.
        parts = [self._read(self._tokens(texts))] if self.layers else []
        parts += [self.latent(texts).to(self.language.model.device)] if self.latent else []
        return torch.cat(parts, dim=1)

    def _states(
        self, names: Sequence[bytes | None], tokens: Callable[[Sequence[int]], list[np.ndarray]], batch_tokens: int | None, show_progress: bool
    ) -> Float[np.ndarray, "texts width"]:
        """The LLM's states of each name, from the disk where it has them; ``tokens`` is asked for the rows that are missing."""
        first: dict[bytes, int] = {}
        for row, name in enumerate(names):
            if name is not None:
                first.setdefault(name, row)
        store, vectors = Vectors(self.folder, self._states_width), np.full((len(names), self._states_width), np.nan, np.float32)
        found = store.read(first, vectors) if self.keep else set()
        missing = [row for name, row in first.items() if name not in found]
        ids = tokens(missing) if missing else []
        with store.writer() if self.keep and missing else contextlib.nullcontext() as append:
            for numbers, made in self._encode(ids, batch_tokens, show_progress):
                rows = [missing[number] for number in numbers]
                vectors[rows] = made
                if append:
                    append([names[row] for row in rows], made)
        again = [row for row, name in enumerate(names) if first.get(name, row) != row]
        vectors[again] = vectors[[first[names[row]] for row in again]]
        return vectors

    def _name(self, content: bytes) -> bytes:
        return hashlib.sha256(self.key.encode() + content).digest()[:NAME]

    def _encode(self, ids: Sequence[np.ndarray], batch_tokens: int | None, show_progress: bool) -> Iterator[tuple[list[int], Float[np.ndarray, "_ width"]]]:
        """Row by row the numbers of its texts, and their vectors."""
        rows = rows_of([len(each) for each in ids], batch_tokens or (ROW_GPU if self.language.model.device.type == "cuda" else ROW_CPU))
        for row in track(rows, "Encoding texts", disable=not (show_progress and rows)):
            with torch.no_grad():  # inference mode would spoil weights that are divided over cards for training
                vectors = self._read([ids[number] for number in row]).cpu().numpy()
            self.encoded += len(row)
            yield row, vectors

    def _tokens(self, texts: Sequence[str], *, tell_cut: bool = False) -> list[Int[np.ndarray, " _"]]:
        """Token ids of each text, cut as the tokenizer cuts, which keeps its special tokens."""
        framed = [TEMPLATE.format(text=text) for text in texts]
        parts = (framed[start : start + TOKENISED_AT_ONCE] for start in range(0, len(framed), TOKENISED_AT_ONCE))
        ids = [np.array(each, np.int32) for part in parts for each in self.language.tokenizer(part)["input_ids"]]
        long = [number for number, each in enumerate(ids) if len(each) > self.max_tokens]
        for number in long:
            ids[number] = np.array(self.language.tokenizer(framed[number], truncation=True, max_length=self.max_tokens)["input_ids"], np.int32)
        if long and tell_cut:
            message = f"text bank: {len(long)} of {len(texts)} texts are longer than {self.max_tokens} tokens and were cut; raise max_tokens"
            warnings.warn(message, stacklevel=5)
        return ids

    def _read(self, ids: Sequence[Int[np.ndarray, " _"]]) -> Float[Tensor, "texts width"]:
        """Pooled states of the LLM for texts that stand in one row."""
        model, segments = self.language.model, Segments(tuple(map(len, ids)), (ALONE,) * len(ids))
        row = torch.from_numpy(np.concatenate(ids)).to(model.device, torch.long).unsqueeze(0)
        with wearing(model, self.adapter):
            states = hidden_states(model, row, segments, self.layers)
        return torch.cat([self._pool(state[0].float(), segments) for state in states], dim=1)

    def _pool(self, states: Float[Tensor, "tokens width"], segments: Segments) -> Float[Tensor, "texts width"]:
        if self.pooling == "last":
            return states[torch.tensor(segments.starts[1:], device=states.device) - 1]
        return torch.segment_reduce(states, "mean", lengths=torch.tensor(segments.lengths, device=states.device))


def hidden_states(model: nn.Module, row: Int[Tensor, "1 tokens"], segments: Segments, layers: Sequence[int]) -> list[Float[Tensor, "1 tokens width"]]:
    """States of a row of packed texts after the given layers; layers above the highest are not run."""
    base = base_model(model)
    trunk = copy.copy(base.model)
    trunk._modules = dict(base.model._modules)
    trunk.layers, trunk.norm = base.model.layers[: max(layers)], nn.Identity()
    trunk.config = copy.copy(base.model.config)
    trunk.config.num_hidden_layers = max(layers)
    kept: dict[int, Tensor] = {0: base.model.embed_tokens(row)}
    hooks = [trunk.layers[layer - 1].register_forward_hook(_keep(kept, layer)) for layer in layers if layer > 0]
    try:
        if max(layers) > 0:
            trunk(inputs_embeds=kept[0], use_cache=False, **segments.inputs(row.device))
    finally:
        for hook in hooks:
            hook.remove()
    return [kept[layer] for layer in layers]


def _keep(kept: dict[int, Tensor], layer: int):
    def hook(module, inputs, output):
        kept[layer] = output[0] if isinstance(output, tuple) else output

    return hook
