"""Stage 2 on two processes by DDP, through the command itself: the same samples, losses and weights as one process with the double batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from bridge.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
PROJECTORS = {
    "gene": {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 16, "rank": 4, "dropout": 0.0}},
    "brain": {"class_path": "bridge.project.identity.IdentityValue", "init_args": {"extremes": 4}},
}
STEPS = 6  # four are an epoch of the tiny cohort
WAYS = {
    "one process": ({}, 4),
    "half the batch, accumulated": ({"accumulate_grad_batches": 2}, 2),
    "two processes": ({"devices": 2}, 2),
}


@pytest.fixture(scope="module")
def run(tiny_llm, tiny_cohort_file, tmp_path_factory):
    """``run(way)``: the lines that its processes wrote, step by step, and the bundle; each way is run once."""
    done = {}

    def once(way):
        if way not in done:
            folder = tmp_path_factory.mktemp("way")
            _tune(folder, tiny_llm(), tiny_cohort_file, *WAYS[way])
            lines = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
            done[way] = (pd.DataFrame(lines).groupby("step"), _weights(folder / "bundle"))
        return done[way]

    return once


@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_every_step_sees_the_same_samples(run, way):
    whole, parts = run("one process")[0], run(way)[0]
    assert [sorted(ids) for ids in parts["ids"].sum()] == [sorted(ids) for ids in whole["ids"].sum()]
    assert len(whole) == len(parts) == STEPS


@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_the_loss_of_every_step_is_the_same(run, way):
    whole, parts = run("one process")[0], run(way)[0]
    assert (parts["tokens"].min() < parts["tokens"].max()).all(), "answers of equal length cannot tell a mean of means from a mean over tokens"
    losses = [torch.tensor((steps["loss"].sum() / steps["tokens"].sum()).to_numpy()) for steps in (whole, parts)]
    assert torch.allclose(*losses, atol=1e-5)


@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_the_trained_weights_are_the_same(run, way):
    whole, parts = run("one process")[1], run(way)[1]
    assert whole.keys() == parts.keys()
    assert any("lora_B" in name and weight.abs().max() > 1e-4 for name, weight in whole.items()), "nothing was learned"
    for name in whole:
        assert torch.allclose(whole[name], parts[name], atol=1e-5), name


def _tune(folder, llm, cohort, settings, batch_size):
    """``bridge tune`` as a user calls it, on as many processes as the settings say."""
    fragment = yaml.safe_load((ROOT / "configs" / "strategy" / "ddp.yaml").read_text()) if "devices" in settings else {}
    callback = {"class_path": "step_losses.StepLosses", "init_args": {"folder": str(folder)}}
    more = {"max_steps": STEPS, "enable_progress_bar": False, "limit_val_batches": 0, "log_every_n_steps": 1, "callbacks": [callback]}
    config = {
        "data": {"cohort": str(cohort), "batch_size": batch_size},
        "model": {"llm": {"path": str(llm)}, "lora": {"r": 4, "alpha": 8, "dropout": 0.0}, "projectors": PROJECTORS, "modality_dropout": 0.3},
        "trainer": fragment | {"accelerator": "cpu"} | more | settings,
    }
    (folder / "tune.yaml").write_text(yaml.safe_dump(config))
    arguments = ["tune", "--config", str(folder / "tune.yaml"), "--out", str(folder / "bundle")]
    if "devices" not in settings:
        assert main(arguments) == 0
        return
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}", "BRIDGE_CACHE": str(folder)}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"} | paths
    done = subprocess.run([sys.executable, "-m", "bridge", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def _weights(bundle):
    """Every trained weight of a bundle."""
    return {f"{path.relative_to(bundle)}/{name}": weight for path in sorted(bundle.rglob("*.safetensors")) for name, weight in load_file(path).items()}
