"""One step of stage 1, forward and backward: text vectors from the bank, against encoding the batch's texts in the step.

The peer is our own step with our own packed rows, cut at the layer that is needed and without gradient: only the cache is missing.
Sizes are those of the shipped configuration: 64 samples with a vector of 384, 83 regions and two texts.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import torch
from made_up_texts import made_up_texts
from measure import Ratio, alternated

from bridge.data.batch import Batch
from bridge.data.cohort import Cohort
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.train.align import Align
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

BATCH, DIM, REGIONS = 64, 384, 83
MEDIAN_WORDS = {"anatomy": 18, "clinical": 40}  # about 50 and 100 tokens of the default LLM
PAIRS = {"brain~anatomy": 1.0, "gene~clinical": 1.0, "brain~clinical": 0.1, "gene~brain": 0.1}


def measure() -> list[Ratio]:
    module, batch = made_up_stage()
    stored = encoded(module)
    module.bridge.space.fit_text(torch.cat(list(stored.values())))
    cached, encoding = functools.partial(step, module, batch, stored), functools.partial(step, module, batch)
    difference = largest_difference(cached(), encoding())
    ours, theirs = alternated(cached, encoding, rounds=3, warm=0)
    equal = f"loss and gradients, largest difference {difference:.0e} of the largest value"
    return [Ratio("cached stage-1 step", "the same step encoding its texts", theirs / ours, 100.0, "seconds", f"{ours:.4f} s", f"{theirs:.2f} s", equal)]


def step(module: Align, batch: Batch, stored: dict[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
    """Loss and gradients of one step; without stored vectors its texts are encoded first."""
    module.texts = stored or encoded(module)
    module.zero_grad()
    torch.manual_seed(0)  # of the dropout
    loss = module.training_step(batch, 0)
    loss.backward()
    return {"loss": loss.detach()} | {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}


def encoded(module: Align) -> dict[str, torch.Tensor]:
    """Vectors of all texts as the LLM gives them now."""
    return {column: torch.from_numpy(module.bank.embed(module.cohort.text(column), show_progress=False)) for column in MEDIAN_WORDS}


def largest_difference(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    """Of the loss and of every gradient, in units of the largest value.

    Raises:
        AssertionError: more than 1e-4, or gradients of other weights.
    """
    assert ours.keys() == theirs.keys()
    largest = max(float(each.abs().max()) for each in theirs.values())
    difference = max(float((ours[name] - each).abs().max()) for name, each in theirs.items()) / largest
    assert difference <= 1e-4, f"steps differ by {difference:.1e} of the largest value"
    return difference


def made_up_stage() -> tuple[Align, Batch]:
    """Stage 1 on the default LLM with the shipped projectors, and a batch of random samples."""
    random = np.random.default_rng(0)
    names = tuple(f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "insula", "pallidum", "caudate", "amygdala"))
    regions = tuple(f"{names[number % 10]} {number // 10}" for number in range(REGIONS))
    texts = {column: made_up_texts(BATCH, words, seed) for seed, (column, words) in enumerate(MEDIAN_WORDS.items())}
    obs = pd.DataFrame({"group": [str(row) for row in range(BATCH)], "split": "train"} | texts, index=[f"sample-{row}" for row in range(BATCH)])
    modalities = {"gene": (GeneTable(dim=DIM), random.normal(size=(BATCH, DIM))), "brain": (RegionTable(regions), random.normal(size=(BATCH, REGIONS)))}
    cohort = Cohort.assemble(obs, modalities, texts=list(texts))
    projectors = {
        "gene": functools.partial(FactorisedMLP, k=4, hidden=512, rank=64, dropout=0.5),
        "brain": functools.partial(IdentityValue, extremes=8, name_tokens=6),
    }
    torch.manual_seed(0)
    module = Align(cohort, projectors, PAIRS, dropout=0.3)
    module.bank.keep = False
    module.log = module.log_dict = lambda *_, **__: None  # no trainer stands around the step
    values = {modality: torch.from_numpy(cohort.values(modality)) for modality in cohort.modalities}
    return module, Batch(list(cohort.ids), torch.arange(BATCH), torch.arange(BATCH), values)
