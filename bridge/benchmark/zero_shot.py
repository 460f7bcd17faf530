"""Labels by stage 1 alone: features are aligned with a sentence about each sample, and read back by comparing with sentences."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy.special import softmax

from bridge.benchmark.predictors import Label
from bridge.data.cohort import Cohort
from bridge.data.module import CohortData
from bridge.language.llm import LLM
from bridge.project.mlp import FactorisedMLP
from bridge.retrieve.embed import shared_embeddings
from bridge.settings import quiet_libraries
from bridge.train.align import Align, TextSide
from encoders.base import load_class

MODALITY, TEXT = "brain", "sentence"


@dataclasses.dataclass
class Alignment:
    """Stage 1 of a table of features; its settings were chosen by folds of sites inside one training set of the benchmark ``subjects``.

    Args:
        llm: Whose states the sentences are.
        layers: Layers of the LLM.
        dim: Width of the shared space.
        dropout: On features and sentences.
        batch_size: Samples per step.
        epochs: Passes over the training samples.
        learning_rate: Peak.
        weight_decay: Of AdamW.
    """

    llm: LLM | None = None
    layers: Sequence[int] = (0, 12)
    dim: int = 64
    dropout: float = 0.3
    batch_size: int = 256
    epochs: int = 30
    learning_rate: float = 1e-3
    weight_decay: float = 0.1


def sentences(labels: Sequence[Label], template: str) -> list[str]:
    """One sentence per sample.

    Args:
        labels: What is said.
        template: With ``{name}`` of each label, such as ``A {sex} of {age:.0f} years.``; without it each label in turn.

    Raises:
        ValueError: the template names no label, or another one.
    """
    template = template or " ".join(f"{label.name}: {{{label.name}{'' if label.classes else ':.0f'}}}." for label in labels)
    said = {label.name: label.said for label in labels}
    try:
        return [template.format(**dict(zip(said, row, strict=True))) for row in zip(*said.values(), strict=True)]
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"template {template!r}: {error}; expected the names of labels in braces, some of {list(said)}") from error


def zero_shot(
    values: Float[np.ndarray, "samples features"],
    labels: Sequence[Label],
    texts: Sequence[str],
    train: np.ndarray,
    test: np.ndarray,
    *,
    alignment: Alignment,
    seed: int = 0,
) -> dict[str, Float[np.ndarray, " test"]]:
    """Name of a label to its score for the test rows.

    Candidates are the sentences of the training samples, as often as they occur: that is the prior. Each weighs as much
    as the softmax of its scaled cosine with a test sample gives, as in the loss, and a label is the weighted mean of
    what the candidates say of it.

    Args:
        values: Features, NaN where missing (then the training mean).
        labels: Of all samples.
        texts: Sentence of each sample.
        train: Rows to align.
        test: Rows to score.
        alignment: Stage 1.
        seed: Of weights, dropout and order.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cohort.h5ad"
        _cohort(values, texts, train, test).write(path)
        data = CohortData(str(path), batch_size=alignment.batch_size, seed=seed)
    module = _aligned(data, alignment, seed)
    rows = len(train) + np.arange(len(test))
    sentence = shared_embeddings(module.bridge, data.cohort, np.arange(len(train)), [TEXT])[TEXT]
    brain = shared_embeddings(module.bridge, data.cohort, rows, [])[MODALITY]
    scale = float(module.temperatures[f"{MODALITY}~{TEXT}"].scale.detach())
    weights = softmax(scale * brain @ sentence.T, axis=1)
    return {label.name: weights @ label.values[train] for label in labels}


def _cohort(values: np.ndarray, texts: Sequence[str], train: np.ndarray, test: np.ndarray) -> Cohort:
    """Training rows, then test rows. Samples of one sentence are one group: they are not each other's negatives."""
    rows = np.concatenate([train, test])
    split = ["train"] * len(train) + ["test"] * len(test)
    said = [texts[row] for row in rows]
    group = [f"{part}: {text}" for part, text in zip(split, said, strict=True)]
    obs = pd.DataFrame({"split": split, "group": group, TEXT: said}, index=[str(row) for row in rows])
    mean = np.nan_to_num(np.nanmean(values[train], axis=0))
    encoder = load_class("encoders.gene_table.GeneTable")(dim=values.shape[1], modality=MODALITY)
    return Cohort.assemble(obs, {MODALITY: (encoder, np.where(np.isfinite(values), values, mean)[rows])}, texts=(TEXT,), source="labels")


def _aligned(data: CohortData, alignment: Alignment, seed: int) -> Align:
    """Stage 1 trained; its random draws leave the caller's as they were."""
    quiet_libraries()
    projector = functools.partial(FactorisedMLP, k=1, hidden=32, rank=8, dropout=alignment.dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = Align(
            data.cohort,
            {MODALITY: projector},
            {f"{MODALITY}~{TEXT}": 1.0},
            llm=alignment.llm,
            text=TextSide(layers=tuple(alignment.layers)),
            dim=alignment.dim,
            dropout=alignment.dropout,
            learning_rate=alignment.learning_rate,
            weight_decay=alignment.weight_decay,
        )
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
        trainer = lightning.Trainer(accelerator="cpu", max_epochs=alignment.epochs, limit_val_batches=0, gradient_clip_val=1.0, **quiet)
        trainer.fit(module, data)
    module.bridge.eval()
    return module
