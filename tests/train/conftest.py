"""Both stages on the tiny LLM and the tiny cohort, and a trainer that keeps what each step gave."""

from __future__ import annotations

import functools
import os

import lightning
import pytest
import torch

from bridge.data.module import CohortData
from bridge.language.llm import LLM, Lora
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.settings import quiet_libraries
from bridge.train.align import Align, TextSide
from bridge.train.tune import Tune

PAIRS = {"brain~anatomy": 1.0, "gene~clinical": 1.0, "gene~brain": 0.5}


class Steps(lightning.Callback):
    """The loss of every step."""

    def __init__(self):
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        self.losses.append(float(outputs["loss"].detach()))


@pytest.fixture(autouse=True)
def no_process_group_stays():
    """Lightning leaves its process group and its variables behind; a process started afterwards would meet at a port in use."""
    _forget_the_group()
    yield
    _forget_the_group()


def _forget_the_group():
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE"):
        os.environ.pop(name, None)


@pytest.fixture
def projectors():
    return {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4, dropout=0.0), "brain": functools.partial(IdentityValue, extremes=4)}


@pytest.fixture
def data(tiny_cohort_file):
    """``data(batch_size)``: the tiny cohort, 16 samples for training and 8 for validation."""
    return functools.partial(CohortData, str(tiny_cohort_file))


@pytest.fixture
def align(tiny_llm, projectors):
    """``align(cohort, **settings)``: stage 1."""

    def make(cohort, pairs=None, text=None, **settings):
        llm, text = LLM(str(tiny_llm())), text or TextSide(layers=(0, 1))
        torch.manual_seed(0)
        return Align(cohort, projectors, pairs or PAIRS, llm=llm, text=text, dim=16, **({"dropout": 0.0} | settings))

    return make


@pytest.fixture
def tune(tiny_llm, projectors):
    """``tune(cohort, **settings)``: stage 2 without a stage 1."""

    def make(cohort, llm=None, lora=None, **settings):
        llm, chosen = llm or LLM(str(tiny_llm())), settings if settings.get("start") else settings | {"projectors": projectors}
        torch.manual_seed(0)
        return Tune(cohort, llm=llm, lora=lora or Lora(r=4, alpha=8, dropout=0.0), **chosen)

    return make


@pytest.fixture
def fit(tmp_path):
    """``fit(module, data, **trainer)``: train, and give the trainer and the loss of every step."""

    def run(module, data, **settings):
        quiet_libraries()
        steps = Steps()
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
        callbacks = [steps, *settings.pop("callbacks", [])]
        trainer = lightning.Trainer(accelerator="cpu", callbacks=callbacks, default_root_dir=tmp_path, **(quiet | settings))
        trainer.fit(module, data)
        return trainer, steps.losses

    return run


@pytest.fixture
def weights():
    """``weights(module)``: a copy of every weight by name."""
    return lambda module: {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
