"""Text embeddings of the frozen LLM, computed once and kept on disk."""

from __future__ import annotations

import copy
import hashlib
import json
import uuid
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from rich.progress import track
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from bridge.data.sources import default_cache
from bridge.language.latent import LatentText
from bridge.language.llm import LanguageModel, base_model, fingerprint, wearing

TEMPLATE = "{text}"


class TextBank:
    """Pooled hidden states of texts.

    A text's key is a hash of the weights, the tokenizer, the template, the layers, the pooling and the text, so a change of any of
    them never finds an old vector. A second run encodes nothing.

    Args:
        language: The frozen LLM.
        layers: Layers whose states are concatenated; 0 is the token embedding. Only layers up to the highest are run.
        pooling: ``mean`` over the text's tokens, or ``last`` token.
        folder: Where vectors are kept; the cache folder by default.
        latent: Word-count vectors that stand after the LLM's states; with them there may be no layers.
        max_tokens: Longer texts are cut, and a warning says how many.
        keep: Keep vectors on disk and take them from there; not while an adapter learns, whose vectors nobody will ask for again.
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
    ):
        if pooling not in ("mean", "last"):
            raise ValueError(f"text bank, field pooling: found {pooling!r}, expected 'mean' or 'last'")
        depth = language.model.config.num_hidden_layers
        if not (layers or latent) or not all(0 <= layer <= depth for layer in layers):
            raise ValueError(f"text bank, field layers: found {list(layers)}, expected numbers from 0 to {depth}")
        self.language, self.layers, self.pooling, self.latent, self.max_tokens = language, tuple(layers), pooling, latent, max_tokens
        recipe = {
            "weights": fingerprint(language, "text"),
            "tokenizer": _tokenizer_digest(language.tokenizer),
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
        return self.language.width * len(self.layers) + (self.latent.components if self.latent else 0)

    def embed(self, texts: Sequence[str], *, batch_tokens: int = 4096, show_progress: bool = True) -> Float[np.ndarray, "texts width"]:
        """One vector per text, a row of NaN for an empty text."""
        parts = [self._states(texts, batch_tokens, show_progress)] if self.layers else []
        parts += [self.latent(texts).cpu().numpy()] if self.latent and len(texts) else []
        return np.concatenate(parts, axis=1) if len(texts) else np.empty((0, self.width), np.float32)

    def _states(self, texts: Sequence[str], batch_tokens: int, show_progress: bool) -> Float[np.ndarray, "texts width"]:
        """The LLM's states of each text, from the cache where it has them."""
        known = self._load() if self.keep else {}
        wanted = {self._hash(text): text for text in texts if text}
        missing = [(name, text) for name, text in wanted.items() if name not in known]
        self._tell_cut([text for _, text in missing])
        batches = self._batches(missing, batch_tokens)
        for batch in track(batches, "Encoding texts", disable=not (show_progress and batches)):
            vectors = self._encode([text for _, text in batch])
            fresh = dict(zip((name for name, _ in batch), vectors, strict=True))
            if self.keep:
                self._save(fresh)
            known |= fresh
        empty = np.full(self.language.width * len(self.layers), np.nan, dtype=np.float32)
        return np.stack([known[self._hash(text)] if text else empty for text in texts]) if len(texts) else np.empty((0, len(empty)), np.float32)

    def _tell_cut(self, texts: list[str]) -> None:
        lengths = [len(ids) for ids in self.language.tokenizer([TEMPLATE.format(text=text) for text in texts])["input_ids"]] if texts else []
        cut = sum(length > self.max_tokens for length in lengths)
        if cut:
            warnings.warn(f"text bank: {cut} of {len(texts)} texts are longer than {self.max_tokens} tokens and were cut; raise max_tokens", stacklevel=3)

    def _hash(self, text: str) -> str:
        return hashlib.sha256((self.key + TEMPLATE.format(text=text)).encode()).hexdigest()

    def _batches(self, named: list[tuple[str, str]], batch_tokens: int) -> list[list[tuple[str, str]]]:
        """Texts of like length together, so that little is spent on padding."""
        batches: list[list[tuple[str, str]]] = []
        size = 0
        for name, text in sorted(named, key=lambda item: len(item[1])):
            length = 1 + len(text) // 3
            if not batches or (size + 1) * length > batch_tokens:
                batches.append([])
                size = 0
            batches[-1].append((name, text))
            size += 1
        return batches

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        """Vectors of texts, none empty, with gradient where the LLM has an adapter named ``text``."""
        parts = [self._read(texts)] if self.layers else []
        parts += [self.latent(texts).to(self.language.model.device)] if self.latent else []
        return torch.cat(parts, dim=1)

    def _read(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        """Pooled states of the LLM."""
        model, tokenizer = self.language.model, self.language.tokenizer
        framed = [TEMPLATE.format(text=text) for text in texts]
        tokens = tokenizer(framed, padding=True, truncation=True, max_length=self.max_tokens, padding_side="right", return_tensors="pt").to(model.device)
        with wearing(model, "text"):
            states = hidden_states(model, tokens["input_ids"], tokens["attention_mask"], self.layers)
        return torch.cat([self._pool(state.float(), tokens["attention_mask"]) for state in states], dim=1)

    def _encode(self, texts: list[str]) -> Float[np.ndarray, "texts width"]:
        self.encoded += len(texts)
        with torch.no_grad():  # inference mode would spoil weights that are divided over cards for training
            return self._read(texts).cpu().numpy()

    def _pool(self, states: Tensor, mask: Tensor) -> Tensor:
        if self.pooling == "last":
            return states[torch.arange(len(states)), mask.sum(dim=1) - 1]
        weight = mask.unsqueeze(-1).to(states.dtype)
        return (states * weight).sum(dim=1) / weight.sum(dim=1)

    def _load(self) -> dict[str, np.ndarray]:
        known: dict[str, np.ndarray] = {}
        for shard in sorted(self.folder.glob("*.npz")):
            known |= _read_shard(shard)
        return known

    def _save(self, fresh: dict[str, np.ndarray]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{uuid.uuid4().hex}.partial"
        try:
            with partial.open("wb") as file:
                np.savez(file, names=np.array(list(fresh)), values=np.stack(list(fresh.values())))
            partial.replace(partial.with_suffix(".npz"))
        finally:
            partial.unlink(missing_ok=True)


def _tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """A hash of everything that decides how a text is cut into tokens; padding and truncation are set anew with each call."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    rules = json.loads(fast.to_str()) if fast is not None else tokenizer.get_vocab()
    decisive = {name: value for name, value in rules.items() if name not in ("padding", "truncation")}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _read_shard(shard: Path) -> dict[str, np.ndarray]:
    """Name to vector; a damaged file is removed, its texts are encoded again."""
    try:
        with shard.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return dict(zip(stored["names"].tolist(), stored["values"], strict=True))
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError) as error:
        print(f"text bank: {shard} is damaged ({error}) and is removed; its texts are encoded again", flush=True)
        shard.unlink()
        return {}


def hidden_states(model: nn.Module, input_ids: Tensor, mask: Tensor, layers: Sequence[int]) -> list[Tensor]:
    """States after the given layers ``[batch, tokens, width]``; layers above the highest are not run."""
    base = base_model(model)
    trunk = copy.copy(base.model)
    trunk._modules = dict(base.model._modules)
    trunk.layers, trunk.norm = base.model.layers[: max(layers)], nn.Identity()
    trunk.config = copy.copy(base.model.config)
    trunk.config.num_hidden_layers = max(layers)
    kept: dict[int, Tensor] = {0: base.model.embed_tokens(input_ids)}
    hooks = [trunk.layers[layer - 1].register_forward_hook(_keep(kept, layer)) for layer in layers if layer > 0]
    try:
        if max(layers) > 0:
            trunk(inputs_embeds=kept[0], attention_mask=mask, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return [kept[layer] for layer in layers]


def _keep(kept: dict[int, Tensor], layer: int):
    def hook(module, inputs, output):
        kept[layer] = output[0] if isinstance(output, tuple) else output

    return hook
