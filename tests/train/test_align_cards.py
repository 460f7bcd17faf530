"""Stage 1 on two processes by DDP, through the command itself: the weights of one process with the double batch."""

import os
import subprocess
import sys
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file

from bridge.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
PROJECTORS = {
    "gene": {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 16, "rank": 4, "dropout": 0.0}},
    "brain": {"class_path": "bridge.project.identity.IdentityValue", "init_args": {"extremes": 4}},
}
PAIRS = {"brain~anatomy": 1.0, "gene~clinical": 1.0, "gene~brain": 0.5}  # one sample has no gene, another no clinical text


def test_two_processes_learn_what_one_does(tiny_llm, tiny_cohort_file, tmp_path):
    whole, parts = (_aligned(tmp_path / str(cards), tiny_llm(), tiny_cohort_file, cards) for cards in (1, 2))
    assert whole.keys() == parts.keys()
    assert any("heads" in name for name in whole)
    for name in whole:
        assert torch.allclose(whole[name], parts[name], atol=2e-5), name


def _aligned(folder, llm, cohort, cards):
    """Weights after four steps of eight samples, two of them an epoch."""
    fragment = yaml.safe_load((ROOT / "configs" / "strategy" / "ddp.yaml").read_text()) if cards > 1 else {}
    model = {"llm": {"path": str(llm)}, "projectors": PROJECTORS, "pairs": PAIRS, "text": {"layers": [0, 1]}, "dim": 16, "dropout": 0.0, "targets": "same_text"}
    config = {
        "data": {"cohort": str(cohort), "batch_size": 8 // cards},
        "model": model,
        "trainer": fragment | {"accelerator": "cpu", "devices": cards, "max_steps": 4, "enable_progress_bar": False, "limit_val_batches": 0},
    }
    folder.mkdir()
    (folder / "align.yaml").write_text(yaml.safe_dump(config))
    arguments = ["align", "--config", str(folder / "align.yaml"), "--out", str(folder / "bundle")]
    if cards == 1:
        assert main(arguments) == 0
        return _weights(folder / "bundle")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "BRIDGE_CACHE": str(folder), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-m", "bridge", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return _weights(folder / "bundle")


def _weights(bundle):
    """Every weight of a bundle."""
    return {f"{path.name}/{name}": weight for path in sorted(bundle.rglob("*.safetensors")) for name, weight in load_file(path).items()}
