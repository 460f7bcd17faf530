"""Runs of ``bridge align`` and ``bridge tune`` on a tiny LLaMA, each in a child of this process, which has the libraries loaded."""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import yaml
from tiny_checkpoints import save_checkpoint

from bridge.data.cohort import Cohort
from bridge.language.llm import load_llm
from bridge.model import SemanticBridge
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.report.gate import training_reference
from bridge.settings import quiet_libraries
from bridge.train.run import run_stage
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

REGIONS = tuple(f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "insula", "pallidum", "caudate"))
TRAIN, VALIDATION, BATCH, EPOCHS = 16, 4, 2, 3
BATCHES = TRAIN // BATCH  # of an epoch

PROJECTORS = {
    "gene": {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 16, "rank": 4, "dropout": 0.2}},
    "brain": {"class_path": "bridge.project.identity.IdentityValue", "init_args": {"extremes": 4}},
}
MODELS = {
    "align": {"pairs": {"brain~anatomy": 1.0, "gene~brain": 0.5}, "text": {"layers": [0, 1]}, "dim": 16, "dropout": 0.2, "projectors": PROJECTORS},
    "tune": {"lora": {"r": 4, "alpha": 8, "dropout": 0.2}, "projectors": PROJECTORS},
}


class Run(NamedTuple):
    """A command, and where what it does is noted.

    Args:
        stage: ``align`` or ``tune``.
        folder: Config, bundle, log and notes lie here.
        more: Further arguments of the command.
    """

    stage: str
    folder: Path
    more: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """Of the command, behind its verb."""
        return ["--config", str(self.folder / "config.yaml"), "--out", str(self.bundle), *self.more]

    @property
    def bundle(self) -> Path:
        """What it writes."""
        return self.folder / "bundle"

    @property
    def beside(self) -> Path:
        """Its log, and its checkpoints while it runs."""
        return self.folder / f"bundle-{self.stage}"

    @property
    def batches(self) -> list[dict]:
        """What was noted of every batch, as it was done last."""
        path = self.folder / "batches.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")] if path.is_file() else []
        return list({(line["epoch"], line["batch"]): line for line in lines}.values())


def new_run(folder: Path, stage: str, inputs: dict[str, str], *more: str, accumulate: int = 1, workers: int = 0, every: int = 2) -> Run:
    """A run that has not started.

    Args:
        folder: Of the run; it is made.
        stage: ``align`` or ``tune``.
        inputs: What :func:`make_inputs` gave.
        more: Further arguments.
        accumulate: Batches of a step.
        workers: Of the loader.
        every: Steps from one checkpoint to the next.
    """
    folder.mkdir(parents=True)
    watched = {"class_path": "watched.Watched", "init_args": {"path": str(folder / "batches.jsonl")}}
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "log_every_n_steps": 1, "num_sanity_val_steps": 0}
    config = {
        "data": {"cohort": inputs["cohort"], "batch_size": BATCH, "workers": workers},
        "model": {"llm": {"path": inputs["llm"]}} | MODELS[stage],
        "trainer": quiet | {"max_epochs": EPOCHS, "accumulate_grad_batches": accumulate, "callbacks": [watched]},
        "checkpoint_every": every,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return Run(stage, folder, more)


def start(run: Run, **environment: str) -> int:
    """Start a run in a child; gives its process id. What it says goes to ``said.txt``."""

    def work() -> None:
        os.environ.update(environment)
        quiet_libraries()
        run_stage(run.stage, run.arguments)

    return in_child(work, run.folder / "said.txt")


def in_child(work: Callable[[], object], said: Path) -> int:
    """Do some work in a child; its exit status is 0 where it ended well, 2 at an expected error, 1 at any other."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    with said.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os._exit(_status(work))


def wait(process: int) -> int:
    """Exit status of a child; below 0 the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def make_inputs(folder: Path) -> dict[str, str]:
    """Paths of a tiny LLM and a tiny cohort."""
    torch.set_num_threads(1)
    os.environ["BRIDGE_CACHE"] = str(folder / "cache")
    tiny_cohort().write(folder / "cohort.h5ad")
    return {"llm": str(save_checkpoint(folder / "llm")), "cohort": str(folder / "cohort.h5ad")}


def tiny_cohort(seed: int = 0) -> Cohort:
    """Samples with a gene, a brain and a sentence about the brain."""
    random = np.random.default_rng(seed)
    count = TRAIN + VALIDATION + 2
    brain = 0.5 + 0.1 * random.normal(size=(count, len(REGIONS)))
    order = [[REGIONS[number] for number in np.argsort(-row)] for row in brain]
    obs = pd.DataFrame({"group": [f"family-{row}" for row in range(count)]}, index=[f"sample-{row:02d}" for row in range(count)])
    obs["split"] = ["train"] * TRAIN + ["validation"] * VALIDATION + ["test"] * 2
    obs["anatomy"] = [f"Highest in the {row[0]} and {row[1]}, lowest in the {row[-1]}." for row in order]
    modalities = {
        "gene": (GeneTable(dim=12, provenance={"encoder": "made up"}), random.normal(size=(count, 12))),
        "brain": (RegionTable(REGIONS, provenance={"atlas": "eight regions", "units": "a.u."}), brain),
    }
    return Cohort.assemble(obs, modalities, texts=("anatomy",), normalise={"brain": "global"}, source="tiny")


def tiny_bridge(folder: Path) -> SemanticBridge:
    """An untrained bridge over the tiny cohort; its LLM is written below the folder."""
    torch.set_num_threads(1)
    cohort = tiny_cohort()
    projectors = {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4), "brain": functools.partial(IdentityValue, extremes=4)}
    bridge = SemanticBridge.compose(load_llm(save_checkpoint(folder / "llm")), cohort, projectors).eval()
    bridge.reference = training_reference(bridge, cohort)
    return bridge


def _status(work: Callable[[], object]) -> int:
    try:
        work()
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
