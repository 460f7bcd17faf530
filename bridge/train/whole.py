"""A whole LLM as a folder that every command takes for ``--model.llm.path``: what training full weights leaves."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from bridge.data.whole import whole_folder
from bridge.language.llm import LanguageModel, base_model, fingerprint

CARD = "card.json"


def save_llm(language: LanguageModel, path: Path, metrics: dict) -> None:
    """Write weights, configuration, tokenizer and a card; complete, or not at all.

    The weights are derived from those of the base LLM: its licence holds for them too.

    Raises:
        ValueError: a weight is not finite, or the folder holds something else than an LLM that was written so.
    """
    model = base_model(language.model)
    wrong = next((name for name, parameter in model.named_parameters() if not torch.isfinite(parameter).all()), None)
    if wrong:
        raise ValueError(f"{path}: weight {wrong!r} is NaN or infinite, expected finite weights; the LLM was not written")
    with whole_folder(path, "an LLM", CARD) as folder:
        model.save_pretrained(folder)
        language.tokenizer.save_pretrained(folder)
        card = {"base": language.name, "notice": language.notice, "fingerprint": fingerprint(language), "metrics": metrics}
        (folder / CARD).write_text(json.dumps(card, indent=1, allow_nan=False), encoding="utf-8")
