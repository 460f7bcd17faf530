"""FSDP2 on the CPU: a sharded stage trains as a whole one, and its bundle is whole."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.tensor import DTensor

from bridge.bundle import load, save
from bridge.corpora.mixture import MixtureData
from bridge.language.llm import LLM, Lora, load_llm
from bridge.train.align import TextSide
from bridge.train.pretrain import Pretrain

ROOT = Path(__file__).resolve().parents[2]
ALONE = functools.partial(ModelParallelStrategy, data_parallel_size=1, tensor_parallel_size=1, save_distributed_checkpoint=False, process_group_backend="gloo")


@pytest.mark.parametrize("stage", ["align", "tune"])
def test_a_sharded_stage_learns_what_a_whole_one_learns(align, tune, data, fit, weights, stage):
    """All samples in one batch, so that their order makes no difference; sums are added up in another order."""
    learned = []
    for strategy in ("auto", ALONE()):
        batches = data(16)
        module = {"align": align, "tune": functools.partial(tune, modality_dropout=0.0)}[stage](batches.cohort)
        fit(module, batches, max_steps=3, strategy=strategy, limit_val_batches=0)
        if strategy != "auto":
            assert any(isinstance(parameter, DTensor) for parameter in module.parameters())
        module.whole()
        learned.append({name: value for name, value in weights(module).items() if module.get_parameter(name).requires_grad})
    whole, sharded = learned
    assert whole.keys() == sharded.keys()
    for name in whole:
        assert whole[name].shape == sharded[name].shape, name
        assert torch.allclose(whole[name], sharded[name], atol=2e-5), name


def test_frozen_bfloat16_and_trained_float32_weights_share_a_layer(tune, data, fit, tiny_llm, tmp_path):
    batches = data(8)
    module = tune(batches.cohort, llm=LLM(str(tiny_llm()), dtype="bfloat16"))
    _, losses = fit(module, batches, max_steps=2, strategy=ALONE())
    assert all(torch.isfinite(torch.tensor(losses)))
    again = load(save(module.whole(), tmp_path / "bundle"))
    assert again.finite_trained()


@pytest.mark.parametrize("full", [False, True])
def test_sharded_pretraining_learns_and_measures_what_a_whole_one_does(full, make_corpus, fit, weights, tiny_llm):
    learned, corpus = [], make_corpus({"biomedical": 20, "general": 10})
    for strategy in ("auto", ALONE()):
        torch.manual_seed(0)
        stage = Pretrain(llm=LLM(str(tiny_llm())), lora=None if full else Lora(r=4, alpha=8, dropout=0.0), full=full, learning_rate=1e-3)
        fit(stage, MixtureData(str(corpus), {"biomedical": 1.0, "general": 1.0}, row_tokens=32, batch_size=2, validation=0.2), max_steps=3, strategy=strategy)
        stage.whole()
        trained = {name: value for name, value in weights(stage).items() if stage.get_parameter(name).requires_grad}
        learned.append((stage.perplexity, trained))
    (whole, before), (sharded, after) = learned
    assert {when: pytest.approx(found, rel=1e-4) for when, found in whole.items()} == sharded
    assert whole["before"] != whole["after"]
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=2e-5) for name in before)


def test_full_weights_on_two_processes_are_written_as_one_llm(make_corpus, tiny_llm, tmp_path):
    """The shipped configuration of Me-LLaMA's own recipe, on two processes of a CPU."""
    fragment = yaml.safe_load((ROOT / "configs" / "strategy" / "fsdp2.yaml").read_text())
    fragment |= {"accelerator": "cpu", "devices": 2, "max_steps": 2, "enable_progress_bar": False, "accumulate_grad_batches": 1}
    fragment["strategy"]["init_args"]["data_parallel_size"] = 2
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(fragment))
    corpus, base = make_corpus({"biomedical": 20, "clinical": 8, "general": 10}), tiny_llm("llama-2", key_value_heads=4)
    command = [sys.executable, "-m", "bridge", "pretrain", "--config", "configs/pretrain_me-llama-13b.yaml", "--trainer", str(tmp_path / "two.yaml")]
    command += ["--data.corpus", str(corpus), "--data.row_tokens", "32", "--model.llm.path", str(base), "--out", str(tmp_path / "llm")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "BRIDGE_CACHE": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("wrote") == done.stdout.count("forgetting") == 1
    written, before = load_llm(tmp_path / "llm").model.state_dict(), load_llm(base).model.state_dict()
    assert written.keys() == before.keys()
    assert any(not torch.equal(written[name].float(), before[name].float()) for name in written)


def test_an_adapter_on_the_text_side_is_sharded_too(align, data, fit):
    batches = data(16)
    module = align(batches.cohort, text=TextSide(layers=(0, 2), lora=Lora(r=4, alpha=8, dropout=0.0)))
    _, losses = fit(module, batches, max_steps=2, strategy=ALONE())
    assert all(torch.isfinite(torch.tensor(losses)))


def test_a_stage_on_two_processes_writes_one_whole_bundle(tiny_llm, tiny_cohort_file, tmp_path):
    fragment = yaml.safe_load((ROOT / "configs" / "strategy" / "fsdp2.yaml").read_text())
    fragment |= {"accelerator": "cpu", "devices": 2, "max_steps": 1, "enable_progress_bar": False, "limit_val_batches": 0}
    fragment["strategy"]["init_args"]["data_parallel_size"] = 2
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(fragment))
    command = [sys.executable, "-m", "bridge", "tune", "--config", "configs/tune_me-llama-13b.yaml", "--trainer", str(tmp_path / "two.yaml")]
    command += ["--data.cohort", str(tiny_cohort_file), "--model.llm.path", str(tiny_llm("llama-2", key_value_heads=4)), "--out", str(tmp_path / "bundle")]
    command += ["--model.projectors", "{gene: {class_path: bridge.project.mlp.LinearProjector}, brain: {class_path: bridge.project.identity.IdentityValue}}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "BRIDGE_CACHE": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("wrote") == 1
    bridge = load(tmp_path / "bundle")
    assert any(parameter.abs().sum() > 0 for name, parameter in bridge.named_parameters() if "lora_B" in name)
    assert not list(tmp_path.glob("*.partial*"))
