"""The demo's two long steps on its own data and settings: text encoding, and steps of stage 2, against padded batches of transformers.

Builds the demo's data (about half a minute; the first time the packages they come from are fetched).
"""

from __future__ import annotations

import tempfile
import types
from pathlib import Path

import numpy as np
import torch
import yaml
from measure import Ratio, alternated
from path_stage_2 import equal, largest_difference, packed, padded, step

from bridge.data.default import build_default
from bridge.data.module import CohortData
from bridge.language.llm import Lora, load_llm
from bridge.language.textbank import TextBank
from bridge.settings import config_file
from bridge.train.tune import Tune

TEXTS, STEPS, BAR = 96, 2, 1.5


def measure() -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:
        cohort = build_default(Path(folder), genes=200)
        return [text_encoding(cohort), stage_2(Path(folder) / "cohort.h5ad")]


def text_encoding(cohort) -> Ratio:
    """Texts of the demo as stage 1 takes them, in the order of the cohort."""
    settings = yaml.safe_load(Path(config_file("align.yaml")).read_text())["model"]["text"]
    texts = [text for pair in zip(cohort.text("anatomy"), cohort.text("clinical"), strict=True) for text in pair][:TEXTS]
    language = load_llm()
    bank = TextBank(language, settings["layers"], settings["pooling"], keep=False)
    kept: dict[str, np.ndarray] = {}

    def ours() -> None:
        kept["ours"] = bank.embed(texts, show_progress=False)

    def theirs() -> None:
        kept["theirs"] = np.concatenate([states(language, texts[start : start + 32], settings["layers"]) for start in range(0, len(texts), 32)])

    seconds = alternated(ours, theirs, rounds=1, warm=0)
    difference = float(np.abs(kept["ours"] - kept["theirs"]).max())
    assert difference < 1e-3, difference
    told = tuple(f"{len(texts) / each:.1f} texts/s" for each in seconds)
    return Ratio(
        "demo, text encoding", "transformers, padded, arrival order", seconds[1] / seconds[0], BAR, "texts/s", *told, f"vectors differ by {difference:.1e}"
    )


@torch.no_grad()
def states(language, texts: list[str], layers: list[int]) -> np.ndarray:
    """Mean states of the layers, by the whole model and all its hidden states."""
    tokens = language.tokenizer(texts, padding=True, padding_side="right", truncation=True, max_length=512, return_tensors="pt")
    hidden = language.model.model(**tokens, output_hidden_states=True, use_cache=False).hidden_states
    weight = tokens["attention_mask"].unsqueeze(-1).float()
    return torch.cat([(hidden[layer] * weight).sum(dim=1) / weight.sum(dim=1) for layer in layers], dim=1).numpy()


def stage_2(path: Path) -> Ratio:
    """Steps of the shipped configuration, on the questions that it asks."""
    settings = yaml.safe_load(Path(config_file("tune.yaml")).read_text())
    projectors = yaml.safe_load(Path(config_file("align.yaml")).read_text())["model"]["projectors"]
    data = CohortData(str(path), settings["data"]["batch_size"])
    module = Tune(data.cohort, factories(projectors), lora=Lora(**settings["model"]["lora"]), questions=settings["model"].get("questions", 1))
    module.trainer = types.SimpleNamespace(datamodule=data, current_epoch=0)
    rows = data.rows("train")
    size = settings["data"]["batch_size"]
    batches = [module.on_before_batch_transfer(data.batch(rows[start : start + size]), 0) for start in range(0, STEPS * size, size)]
    bridge = module.bridge.eval()

    def run(form) -> None:
        for batch in batches:
            step(bridge, form(bridge, batch.values, batch.opening, batch.turns))

    first = batches[0]
    given = (bridge, first.values, first.opening, first.turns)
    difference = largest_difference(bridge, lambda: packed(*given), lambda: padded(*given))
    ours, theirs = alternated(lambda: run(packed), lambda: run(padded), rounds=3, warm=0)
    told = (f"{ours / STEPS:.2f} s a step", f"{theirs / STEPS:.2f} s a step")
    return Ratio("demo, stage 2", "transformers, padded, full logits", theirs / ours, BAR, "seconds", *told, equal(difference))


def factories(projectors: dict) -> dict:
    """Projectors of a configuration as callables."""
    import importlib

    def make(spec):
        module, _, name = spec["class_path"].rpartition(".")
        return lambda dim, tokens, width: getattr(importlib.import_module(module), name)(dim, tokens, width, **spec["init_args"])

    return {modality: make(spec) for modality, spec in projectors.items()}
