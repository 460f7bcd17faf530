"""Instruction tuning: words alone and samples in one row, exact resumption, and a start from any bundle."""

import pytest
import torch
import torch.nn.functional as F

from bridge.__main__ import main
from bridge.bundle import load, save
from bridge.data.cohort import Cohort
from bridge.instructions.item import Instruction, read_instructions, write_instructions
from bridge.instructions.module import InstructionData
from bridge.language.llm import LLM, Lora
from bridge.report.gate import training_reference
from bridge.report.generation.generate import generate
from bridge.train.instruct import Instruct

FAMILIES = ("question answering", "inference", "report")


@pytest.fixture
def folder(tiny_cohort_file, tmp_path):
    cohort = Cohort.read(tiny_cohort_file)
    samples = [cohort.ids[row] for row in cohort.rows("train")]
    items = []
    for number in range(18):
        family = FAMILIES[number % 3]
        fields = {"id": str(number), "family": family, "source": "made-up", "question": f"What is said of text {number}?", "answer": f"answer {number % 2}"}
        items.append(Instruction(**fields, sample=samples[number % len(samples)] if family == "report" else ""))
    write_instructions(items, tmp_path / "instructions" / "train.jsonl")
    return tmp_path / "instructions"


@pytest.fixture
def words(folder):
    """The same without those about samples."""
    items = [item for item in read_instructions(folder / "train.jsonl") if not item.sample]
    write_instructions(items, folder.parent / "words" / "train.jsonl")
    return folder.parent / "words"


def command(out, llm, *more):
    settings = ["--model.llm.path", str(llm), "--data.batch_size", "3", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    return ["instruct", "--config", "instruct.yaml", *settings, "--out", str(out), *more]


def test_it_learns_answers_in_words_alone(words, tiny_llm, fit):
    torch.manual_seed(0)
    stage = Instruct(llm=LLM(str(tiny_llm())), lora=Lora(r=8, alpha=16, dropout=0.0), learning_rate=1e-2)
    _, losses = fit(stage, InstructionData([str(words)], batch_size=6), max_steps=40)
    assert losses[-1] < 0.3 * losses[0]
    assert not stage.bridge.projectors
    assert generate(stage.bridge.eval(), {}, ["What is said of text 3?"], max_new_tokens=4)


def test_a_step_of_words_and_samples_is_that_of_each_alone(folder, tiny_cohort_file, tiny_llm, projectors):
    data = InstructionData([str(folder)], str(tiny_cohort_file))
    torch.manual_seed(0)
    stage = Instruct(data.cohort, projectors, llm=LLM(str(tiny_llm())), lora=Lora(r=4, alpha=8, dropout=0.0)).eval()
    stage.trainer = type("Trainer", (), {"datamodule": data})
    batch = stage.on_before_batch_transfer(data.batch([0, 1, 2, 5]), 0)
    logits, targets = stage.bridge(batch.values, batch.opening, batch.turns)
    together = F.cross_entropy(logits, targets, reduction="none")
    alone = []
    for row in (0, 1, 2, 5):
        one = stage.on_before_batch_transfer(data.batch([row]), 0)
        given = one.values if data.items[row].sample else {}
        alone.append(F.cross_entropy(*stage.bridge(given, one.opening, one.turns), reduction="none"))
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=0)


def test_a_stopped_run_goes_on_to_the_very_same_weights(words, tiny_llm, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    steps = ("--data.instructions", str(words), "--trainer.max_steps", "6", "--checkpoint_every", "2")
    assert main(command(whole, tiny_llm(), *steps)) == 0
    with monkeypatch.context() as patched:
        patched.setattr(
            Instruct, "on_train_batch_end", lambda self, outputs, batch, index: (_ for _ in ()).throw(KeyboardInterrupt) if self.global_step == 5 else None
        )
        assert main(command(stopped, tiny_llm(), *steps)) == 130
    assert main(command(stopped, tiny_llm(), *steps)) == 0
    file = "adapters/default/adapter_model.safetensors"
    assert (whole / file).read_bytes() == (stopped / file).read_bytes()


def test_a_bundle_with_modalities_goes_on_with_instructions_about_its_samples(folder, tiny_cohort_file, tiny_llm, tmp_path, projectors, tune, fit):
    cohort = Cohort.read(tiny_cohort_file)
    stage = tune(cohort)
    stage.bridge.reference = training_reference(stage.bridge, cohort)
    save(stage.bridge, tmp_path / "tuned")
    arguments = command(tmp_path / "out", tiny_llm(), "--data.instructions", str(folder), "--data.cohort", str(tiny_cohort_file))
    assert main([*arguments, "--model.start", str(tmp_path / "tuned"), "--trainer.max_steps", "2"]) == 0
    assert set(load(tmp_path / "out").projectors) == {"gene", "brain"}


def test_a_family_can_be_held_out_from_the_command_line(words, tiny_llm, tmp_path, capsys):
    arguments = command(tmp_path / "out", tiny_llm(), "--data.instructions", str(words), "--trainer.max_steps", "1")
    assert main([*arguments, "--data.hold_out.families", "[inference]"]) == 0
    assert "held out of training: 6 instructions" in capsys.readouterr().out
    assert main([*arguments, "--data.hold_out.families", "[poetry]"]) == 2
    assert "found 'poetry'" in capsys.readouterr().err
