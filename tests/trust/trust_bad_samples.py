"""Bad samples in the training split: their steps change nothing, they are counted by id, and weights stay finite."""

from __future__ import annotations

import functools
from pathlib import Path

import lightning
import numpy as np
import torch
from figure import Figure
from tiny_checkpoints import save_checkpoint
from tiny_run import TRAIN, tiny_cohort

from bridge.data.module import CohortData
from bridge.language.llm import LLM, Lora
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.settings import quiet_libraries
from bridge.train.align import Align
from bridge.train.text_side import TextSide
from bridge.train.tune import Tune

SEED = 17
BAD = (np.inf, -np.inf, 3e38, -1e30, 1e9)  # infinite, overflowing once squared, and of an absurd size
COUNTS = (1, 5, 50)  # of bad samples that are met
WAYS = (("align", 1), ("align", 4), ("tune", 1), ("tune", 4))


def figures(fast: bool, folder: Path) -> list[Figure]:
    """1, 5 and 50 bad samples in both stages, accumulated and not."""
    quiet_libraries()
    torch.set_num_threads(1)
    tiny_cohort().write(folder / "cohort.h5ad")
    llm, random = save_checkpoint(folder / "llm"), np.random.default_rng(SEED)
    cases = [("align", 4, 1), ("align", 1, 50), ("tune", 4, 5)] if fast else [(*way, count) for way in WAYS for count in COUNTS]
    return [injected(*case, folder, llm, random) for case in cases]


def injected(stage: str, accumulate: int, count: int, folder: Path, llm: Path, random: np.random.Generator) -> Figure:
    """Train until so many bad samples were met, each a step, and compare what is known of them with what was put in."""
    data = CohortData(str(folder / "cohort.h5ad"), batch_size=2)
    bad = sorted(random.choice(TRAIN, min(count, 5), replace=False).tolist())  # fifty are five, ten times over
    for row in bad:
        modality = str(random.choice(["gene", "brain"]))
        data.values[modality][row] = float(random.choice(BAD))
    module, watch = _stage(stage, data, llm), Unchanged()
    settings = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False, "limit_val_batches": 0}
    trainer = lightning.Trainer(
        accelerator="cpu", callbacks=[watch], default_root_dir=folder, max_epochs=max(1, count // 5), accumulate_grad_batches=accumulate, **settings
    )
    trainer.fit(module, data)
    finite = all(bool(torch.isfinite(parameter).all()) for parameter in module.parameters())
    named = sorted(each for step in module.gate.bad for each in step.ids)
    expected = sorted([f"sample-{row:02d}" for row in bad] * max(1, count // 5))
    moved = watch.changed
    return Figure(
        f"{stage}, accumulation {accumulate}, {count} bad samples: weights finite, samples named, weights or moments or rates moved by a bad step",
        f"{finite}, {len(named) if named == expected else named}, {moved}",
        f"True, {len(expected)}, 0",
        SEED,
        f"{len(module.gate.bad)} steps skipped",
    )


class Unchanged(lightning.Callback):
    """Counts skipped steps that moved a weight, a moment or the learning rate."""

    def __init__(self):
        self.changed, self.skipped = 0, 0

    def on_train_start(self, trainer, module):
        self.before = _state(module, trainer)

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        now = _state(module, trainer)
        if len(module.gate.bad) > self.skipped:
            self.skipped = len(module.gate.bad)
            self.changed += any(not torch.equal(one, other) for one, other in zip(self.before, now, strict=True))
        self.before = now


def _state(module: lightning.LightningModule, trainer: lightning.Trainer) -> list[torch.Tensor]:
    optimiser = trainer.optimizers[0]
    moments = [value for state in optimiser.state.values() for value in state.values()]
    rates = [torch.tensor([group["lr"] for group in optimiser.param_groups])]
    return [each.detach().clone() for each in (*(parameter for parameter in module.parameters() if parameter.requires_grad), *moments, *rates)]


def _stage(stage: str, data: CohortData, llm: Path) -> Align | Tune:
    torch.manual_seed(SEED)
    projectors = {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4), "brain": functools.partial(IdentityValue, extremes=4)}
    if stage == "align":
        return Align(data.cohort, projectors, {"brain~anatomy": 1.0}, llm=LLM(str(llm)), text=TextSide(layers=(0, 1)), dim=16, bad_step_limit=100)
    return Tune(data.cohort, projectors, llm=LLM(str(llm)), lora=Lora(r=4, alpha=8), bad_step_limit=100)
