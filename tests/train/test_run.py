"""The commands align and tune as a whole: bundle, record, log, checkpoint, and going on after a stop."""

import json
import os
import signal

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from bridge.bundle import load
from bridge.data.manifest import signed_file
from bridge.settings import quiet_libraries
from bridge.train.checkpoint import checkpoints, newest
from bridge.train.run import run_stage
from bridge.train.stage import Stage

PROJECTORS = {
    "gene": {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 16, "rank": 4, "dropout": 0.2}},
    "brain": {"class_path": "bridge.project.identity.IdentityValue", "init_args": {"extremes": 4}},
}
ALIGN = {"pairs": {"brain~anatomy": 1.0, "gene~brain": 0.5}, "text": {"layers": [0, 1]}, "dim": 16, "projectors": PROJECTORS}
TUNE = {"lora": {"r": 4, "alpha": 8, "dropout": 0.2}, "projectors": PROJECTORS}


@pytest.fixture
def stage(tiny_llm, tiny_cohort_file, tmp_path):
    """``stage(name, out, *more)``: run a stage for eight steps of four samples; four steps are an epoch."""

    def run(name, out, *more):
        quiet_libraries()
        config = {
            "data": {"cohort": str(tiny_cohort_file), "batch_size": 4},
            "model": {"llm": {"path": str(tiny_llm())}} | (ALIGN if name == "align" else TUNE),
            "trainer": {"accelerator": "cpu", "max_steps": 8, "enable_progress_bar": False, "log_every_n_steps": 1},
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        return run_stage(name, ["--config", str(path), "--out", str(tmp_path / out), *more])

    return run


@pytest.fixture
def stopped(stage, monkeypatch):
    """``stopped(name, out, step, *more)``: the same, interrupted as by Ctrl-C when that many steps are done."""

    def run(name, out, step, *more):
        def interrupt(self, batch, index):
            if self.global_step == step:
                raise KeyboardInterrupt
            start(self, batch, index)

        start = Stage.on_train_batch_start
        with monkeypatch.context() as patch:
            patch.setattr(Stage, "on_train_batch_start", interrupt)
            with pytest.raises(KeyboardInterrupt):
                stage(name, out, *more)

    return run


def trained(bundle):
    """Every trained weight of a bundle."""
    files = sorted(bundle.rglob("*.safetensors"))
    return {f"{path.relative_to(bundle)}/{name}": tensor for path in files for name, tensor in load_file(path).items()}


def test_a_stage_leaves_a_bundle_its_record_and_its_log_and_no_checkpoint(stage, capsys):
    bundle = stage("align", "aligned")
    run = bundle.with_name("aligned-align")
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "log"]
    assert "loss" in pd.read_csv(run / "log" / "metrics.csv")
    assert load(bundle).space is not None
    measured = json.loads((bundle / "metrics.json").read_text())["align"]
    assert {"loss", "validation/brain->anatomy/mrr"} <= set(measured)
    said = capsys.readouterr().out
    assert "projector gene: FactorisedMLP, 2 prefix tokens" in said
    assert "of them trained" in said


def test_the_record_of_a_run_is_a_config_that_gives_the_same_bundle(stage, tmp_path):
    first = stage("align", "first")
    quiet_libraries()
    again = run_stage("align", ["--config", str(tmp_path / "first-align" / "config.yaml"), "--out", str(tmp_path / "again")])
    one, other = trained(first), trained(again)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("name", "every", "step"), [("align", 3, 5), ("align", 4, 6), ("tune", 3, 5), ("tune", 4, 4)])
def test_a_run_that_was_stopped_ends_as_if_it_never_was(stage, stopped, tmp_path, name, every, step):
    """Within an epoch and at its end, with dropout: weights are equal to the bit."""
    whole = stage(name, "whole")
    stopped(name, "parts", step, "--checkpoint_every", str(every))
    assert newest(tmp_path / f"parts-{name}")
    assert not (tmp_path / "parts").exists()
    parts = stage(name, "parts", "--checkpoint_every", str(every))
    one, other = trained(whole), trained(parts)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    one, other = ((tmp_path / f"{place}-{name}" / "log" / "metrics.csv").read_text() for place in ("whole", "parts"))
    assert one == other
    assert set(pd.read_csv(tmp_path / f"parts-{name}" / "log" / "metrics.csv")["step"]) == set(range(8))
    assert not checkpoints(tmp_path / f"parts-{name}")


def test_a_run_goes_on_from_the_step_of_its_checkpoint(stage, stopped, monkeypatch):
    stopped("tune", "parts", 5, "--checkpoint_every", "3")
    steps = []
    start = Stage.on_train_batch_start
    monkeypatch.setattr(Stage, "on_train_batch_start", lambda self, batch, index: (steps.append(self.global_step), start(self, batch, index))[1])
    stage("tune", "parts", "--checkpoint_every", "3")
    assert steps == [3, 4, 5, 6, 7]


def test_a_checkpoint_holds_what_is_trained_and_loads_without_running_code(stopped, tmp_path):
    stopped("tune", "parts", 3, "--checkpoint_every", "2")
    checkpoint = torch.load(newest(tmp_path / "parts-tune"), weights_only=True)
    names = checkpoint["state_dict"].keys()
    assert not [name for name in names if ".llm." in name and "lora_" not in name]
    assert {"bridge.projectors.gene.up.weight", "bridge.tags.brain"} <= names
    assert any("lora_A" in name for name in names)


def test_other_settings_than_those_of_the_stopped_run_are_refused(stage, stopped, tmp_path):
    stopped("tune", "parts", 3, "--checkpoint_every", "2")
    with pytest.raises(ValueError, match=r"parts-tune/config.yaml, field model.learning_rate: .*had 0.0005, this one has 0.1\n.*--resume false"):
        stage("tune", "parts", "--model.learning_rate", "0.1")
    stage("tune", "parts", "--trainer.max_steps", "4")  # where and how long is no such setting


def test_a_run_can_begin_again(stage, stopped, tmp_path, monkeypatch):
    stopped("tune", "parts", 3, "--checkpoint_every", "2")
    steps = []
    start = Stage.on_train_batch_start
    monkeypatch.setattr(Stage, "on_train_batch_start", lambda self, batch, index: (steps.append(self.global_step), start(self, batch, index))[1])
    stage("tune", "parts", "--resume", "false", "--model.learning_rate", "0.1", "--trainer.max_steps", "2")
    assert steps == [0, 1]
    assert pd.read_csv(tmp_path / "parts-tune" / "log" / "metrics.csv")["step"].max() == 1


def test_a_new_beginning_forgets_the_old_checkpoint(stopped, tmp_path):
    stopped("tune", "parts", 3, "--checkpoint_every", "2")
    stopped("tune", "parts", 1, "--checkpoint_every", "2", "--resume", "false")
    assert not checkpoints(tmp_path / "parts-tune")


def test_a_checkpoint_of_another_configuration_is_refused(stage, stopped, tmp_path):
    stopped("tune", "parts", 3, "--checkpoint_every", "2")
    path = newest(tmp_path / "parts-tune")
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint["state_dict"]["bridge.tags.brain"]
    with signed_file(path) as partial:
        torch.save(checkpoint, partial)
    with pytest.raises(ValueError, match=r"trained weight 'bridge.tags.brain' is missing \(1 in all\)"):
        stage("tune", "parts")


def test_a_run_that_stopped_itself_writes_no_bundle(stage, tmp_path, monkeypatch):
    monkeypatch.setattr("bridge.train.stage.finite_gradients", lambda module: False)
    with pytest.raises(ValueError, match="tune: 3 steps were skipped, expected at most 2"):
        stage("tune", "bad", "--model.bad_step_limit", "2")
    assert not (tmp_path / "bad").exists()


def test_a_bundle_of_stage_1_starts_stage_2(stage):
    aligned = stage("align", "aligned")
    bundle = stage("tune", "bundle", "--model.projectors", "null", "--model.start", str(aligned))
    assert load(bundle).text == load(aligned).text
    assert load(bundle).llm.active_adapter == "default"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.dimm", "3"], r"unrecognized arguments: --model.dimm 3\nsee: bridge align --help"),
        (["--model.dim", "wide"], r"model.dim: found wide, expected int"),
        (["--model.projectors.gene.init_args.hiden", "3"], r"model.projectors: Option 'hiden' is not accepted"),
        (["--trainer.accelerator", "gpu"], r"trainer: .*gpu"),
    ],
)
def test_a_wrong_argument_is_named_in_a_line_or_two(stage, arguments, message):
    with pytest.raises(ValueError, match=message) as refused:
        stage("align", "never", *arguments)
    assert len(str(refused.value).splitlines()) <= 2


def test_a_stage_that_is_asked_to_end_says_by_which_signal(stage, monkeypatch):
    begin = Stage.on_train_batch_start
    monkeypatch.setattr(Stage, "on_train_batch_start", lambda self, *about: (os.kill(os.getpid(), signal.SIGTERM), begin(self, *about))[1])
    with pytest.raises(KeyboardInterrupt) as end:
        stage("align", "ended")
    assert end.value.args == (signal.SIGTERM,)


@pytest.mark.parametrize("settings", ["[1]", "", "seed_everything: !!python/object/apply:os.mkdir [made]\n"], ids=["a list", "nothing", "an object"])
def test_settings_of_a_stopped_run_that_were_damaged_are_refused(settings, stage, stopped, tmp_path):
    stopped("align", "aligned", 2, "--checkpoint_every", "1")
    (tmp_path / "aligned-align" / "config.yaml").write_text(settings)
    with pytest.raises(ValueError, match=r"aligned-align/config.yaml: (found|cannot be read)"):
        stage("align", "aligned", "--checkpoint_every", "1")


def test_a_log_that_lost_lines_is_told_and_the_run_goes_on(stage, stopped, tmp_path, capsys):
    stopped("align", "aligned", 6, "--checkpoint_every", "5")
    (tmp_path / "aligned-align" / "log" / "metrics.jsonl").write_bytes(b"\xff{")
    assert stage("align", "aligned", "--checkpoint_every", "5").is_dir()
    assert "what is gone of the log stays away" in capsys.readouterr().err


@pytest.mark.parametrize(("part", "told"), [("loops", "found no 'loops'"), ("place", r"cannot be gone on from \(KeyError: 'place'\)")])
def test_a_checkpoint_that_lacks_a_part_is_refused_in_a_line(part, told, stage, stopped, tmp_path):
    stopped("align", "aligned", 2, "--checkpoint_every", "1")
    path = newest(tmp_path / "aligned-align")
    content = torch.load(path, weights_only=True)
    del content[part]
    with signed_file(path) as partial:
        torch.save(content, partial)
    with pytest.raises(ValueError, match=rf"{told}.*begin again with --resume false"):
        stage("align", "aligned", "--checkpoint_every", "1")


@pytest.mark.parametrize(("path", "arguments"), [("os.mkdir", {"path": "made"}), ("os.system", {"command": "exit 1"}), ("builtins.eval", {"source": "1"})])
def test_a_function_where_a_class_is_expected_is_not_called(path, arguments, stage):
    with pytest.raises(ValueError, match=rf"field model.projectors.gene.class_path: found '{path}', expected a class"):
        stage("align", "aligned", "--model.projectors.gene", json.dumps({"class_path": path, "init_args": arguments}))


def test_a_configuration_is_a_file_of_this_machine_and_names_no_other(stage, tmp_path):
    (tmp_path / "other.yaml").write_text("config: /etc/hostname\n")
    with pytest.raises(ValueError, match="field config: a configuration cannot name another"):
        run_stage("align", ["--config", str(tmp_path / "other.yaml"), "--out", str(tmp_path / "out")])
    os.mkfifo(tmp_path / "pipe.yaml")
    for place in ("http://127.0.0.1:9/align.yaml", str(tmp_path / "pipe.yaml"), "/dev/zero"):
        with pytest.raises(ValueError, match=r"configuration .*: no such file"):
            run_stage("align", ["--config", place, "--out", str(tmp_path / "out")])
