"""A whole LLM as a folder that every command takes for ``--model.llm.path``: what training full weights leaves."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import torch

from bridge.language.llm import LanguageModel, base_model, fingerprint

CARD = "card.json"


def save_llm(language: LanguageModel, path: Path, metrics: dict) -> None:
    """Write weights, configuration, tokenizer and a card; complete, or not at all.

    The weights are derived from those of the base LLM: its licence holds for them too.

    Raises:
        ValueError: a weight is not finite.
    """
    model = base_model(language.model)
    wrong = next((name for name, parameter in model.named_parameters() if not torch.isfinite(parameter).all()), None)
    if wrong:
        raise ValueError(f"{path}: weight {wrong!r} is NaN or infinite, expected finite weights; the LLM was not written")
    partial = path.with_name(f"{path.name}.partial.{os.getpid()}")
    try:
        model.save_pretrained(partial)
        language.tokenizer.save_pretrained(partial)
        card = {"base": language.name, "notice": language.notice, "fingerprint": fingerprint(language), "metrics": metrics}
        (partial / CARD).write_text(json.dumps(card, indent=1, allow_nan=False), encoding="utf-8")
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def require_new(path: Path) -> None:
    """Refuse to write an LLM over anything but an LLM that was written so.

    Raises:
        ValueError: names the folder.
    """
    if path.is_dir() and any(path.iterdir()) and not (path / CARD).is_file():
        raise ValueError(f"{path}: found a folder that is no LLM of an earlier run, expected a new or empty one; choose another --out")
