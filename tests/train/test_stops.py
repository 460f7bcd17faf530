"""A run that is asked to end (SIGTERM, SIGHUP) saves at the end of its step; runs counted in epochs go on within one."""

import os
import signal

import pytest

from bridge.train.checkpoint import CheckpointFile, Saves, checkpoints, newest
from bridge.train.log import StepLog, tabulate
from bridge.train.stage import Stage


@pytest.fixture
def train(align, data, fit, tmp_path, monkeypatch):
    """``train(stop, **trainer)``: stage 1, with a signal in the batch of that number."""

    def run(stop=None, every=1000, asked=signal.SIGTERM, **settings):
        def start(self, batch, index):
            begin(self, batch, index)
            if self.trainer.fit_loop.epoch_loop.total_batch_idx + 1 == stop:
                os.kill(os.getpid(), asked)

        begin = Stage.on_train_batch_start
        log = StepLog(tmp_path / "run" / "log")
        batches = data(4)
        with monkeypatch.context() as patch:
            patch.setattr(Stage, "on_train_batch_start", start)
            more = {"callbacks": [Saves(tmp_path / "run", every, log)], "enable_checkpointing": True, "logger": [log]}
            return fit(align(batches.cohort), batches, plugins=[CheckpointFile(tmp_path / "run")], log_every_n_steps=1, **(more | settings))

    return run


@pytest.mark.parametrize(("stop", "accumulate", "step"), [(2, 1, 2), (2, 3, 1), (4, 1, 4)])
def test_a_run_that_is_asked_to_end_saves_at_the_end_of_its_step(train, tmp_path, capsys, stop, accumulate, step):
    with pytest.raises(SystemExit):  # Lightning's answer to an interruption
        train(stop, max_epochs=3, accumulate_grad_batches=accumulate)
    assert newest(tmp_path / "run").name == f"step-{step:08d}.ckpt"
    assert f"align: asked to end (SIGTERM), saved step {step} in {tmp_path / 'run'}" in capsys.readouterr().err


@pytest.fixture
def hangup():
    """``hangup(handler)``: what SIGHUP does until the test is over; the tests themselves may run under nohup."""
    before = signal.getsignal(signal.SIGHUP)
    yield lambda handler: signal.signal(signal.SIGHUP, handler)
    signal.signal(signal.SIGHUP, before)


def test_a_run_whose_terminal_is_closed_saves_at_the_end_of_its_step(train, tmp_path, capsys, hangup):
    hangup(signal.SIG_DFL)
    with pytest.raises(SystemExit) as ended:
        train(2, asked=signal.SIGHUP, max_epochs=3)
    assert ended.value.__context__.args == (signal.SIGHUP,)
    assert newest(tmp_path / "run").name == "step-00000002.ckpt"
    assert f"align: asked to end (SIGHUP), saved step 2 in {tmp_path / 'run'}" in capsys.readouterr().err


def test_a_run_that_shall_outlive_its_terminal_does(train, tmp_path, hangup):
    hangup(signal.SIG_IGN)  # as nohup does
    train(2, asked=signal.SIGHUP, max_steps=6)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert not checkpoints(tmp_path / "run")


def test_a_run_that_is_asked_to_end_in_its_last_step_ends(train, tmp_path):
    train(6, max_steps=6)
    assert not checkpoints(tmp_path / "run")


def test_two_checkpoints_are_kept(train, tmp_path):
    train(every=1, max_steps=6)
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["step-00000005.ckpt", "step-00000004.ckpt"]


def test_the_log_of_a_run_is_a_table_in_which_a_line_stands_once(train, tmp_path):
    train(every=1, max_steps=6)
    tabulate(tmp_path / "run" / "log")
    lines = (tmp_path / "run" / "log" / "metrics.csv").read_text().splitlines()
    assert len(lines) == 1 + 6 + 1  # head, steps, and one validation
    assert not (tmp_path / "run" / "log" / "skipped.csv").exists()


def test_a_checkpoint_every_zero_steps_is_refused(tmp_path):
    with pytest.raises(ValueError, match="checkpoint_every: found 0, expected at least 1"):
        Saves(tmp_path, 0, StepLog(tmp_path))
