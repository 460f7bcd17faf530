"""States of 512 texts after layer 12 of the default LLM, mean over tokens: the text bank against padded batches of transformers.

The peers are what a user would write: batches of 32, ``output_hidden_states=True``, in the order of the texts or sorted by length. They
run all layers. A third line has no bar: it shows what is left against a peer that is also cut at the layer it needs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from made_up_texts import made_up_texts
from measure import Ratio, alternated
from torch import nn
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from bridge.language.llm import LanguageModel, default_llm, load_llm
from bridge.language.textbank import TextBank

TEXTS, LAYER, BATCH, MEDIAN_WORDS = 512, 12, 32, 12
CHECKED = 64


def measure() -> list[Ratio]:
    language = load_llm()
    model = AutoModel.from_pretrained(default_llm(), dtype=language.model.dtype).eval()
    texts = made_up_texts(TEXTS, MEDIAN_WORDS, seed=0)
    tokens = sum(map(len, language.tokenizer(texts)["input_ids"]))
    difference = largest_difference(packed(language, texts[:CHECKED]), padded(model, language.tokenizer, texts[:CHECKED]))
    found = []
    for peer, bar, arguments in (("padded in arrival order", 3.0, {}), ("length-sorted", 1.15, {"by_length": True})):
        found.append(compared(language, model, texts, f"transformers, {peer}, all layers", bar, tokens, difference, arguments))
    cut(model, LAYER)
    difference = largest_difference(packed(language, texts[:CHECKED]), padded(model, language.tokenizer, texts[:CHECKED]))
    peer = f"transformers, length-sorted, cut at layer {LAYER}"
    return [*found, compared(language, model, texts, peer, 0.0, tokens, difference, {"by_length": True})]


def compared(
    language: LanguageModel, model: PreTrainedModel, texts: list[str], peer: str, bar: float, tokens: int, difference: float, arguments: dict
) -> Ratio:
    """The text bank with an empty folder against one peer."""
    ours, theirs = alternated(lambda: packed(language, texts), lambda: padded(model, language.tokenizer, texts, **arguments), rounds=1, warm=0)
    unit = "real tokens/s" if bar else "real tokens/s, no bar"
    equal = f"vectors of {CHECKED} texts, largest difference {difference:.0e} of the largest value of its dimension"
    return Ratio("text embeddings", peer, theirs / ours, bar, unit, f"{tokens / ours:.0f} tokens/s", f"{tokens / theirs:.0f} tokens/s", equal)


def packed(language: LanguageModel, texts: list[str]) -> np.ndarray:
    """Ours, with what it costs to keep them."""
    with tempfile.TemporaryDirectory() as folder:
        return TextBank(language, (LAYER,), folder=Path(folder)).embed(texts, show_progress=False)


def padded(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str], by_length: bool = False) -> np.ndarray:
    """Theirs."""
    order = np.argsort([len(ids) for ids in tokenizer(texts)["input_ids"]], kind="stable") if by_length else np.arange(len(texts))
    vectors = np.empty((len(texts), model.config.hidden_size), np.float32)
    for start in range(0, len(texts), BATCH):
        rows = order[start : start + BATCH]
        tokens = tokenizer([texts[row] for row in rows], padding=True, padding_side="right", return_tensors="pt")
        with torch.inference_mode():
            states = model(**tokens, use_cache=False, output_hidden_states=True).hidden_states[LAYER]
        weight = tokens["attention_mask"].unsqueeze(-1)
        vectors[rows] = ((states * weight).sum(dim=1) / weight.sum(dim=1)).numpy()
    return vectors


def cut(model: PreTrainedModel, layer: int) -> None:
    """Leave out what stands above a layer; its state is then the last, which transformers would normalise."""
    model.layers, model.norm, model.config.num_hidden_layers = model.layers[:layer], nn.Identity(), layer


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of any number, in units of the largest value of its dimension: a few of an LLM's are a thousand times the others.

    Raises:
        AssertionError: more than 1e-4.
    """
    difference = float((np.abs(ours - theirs).max(axis=0) / np.abs(theirs).max(axis=0)).max())
    assert difference <= 1e-4, f"vectors differ by {difference:.1e} of the largest value of their dimension"
    return difference
