"""Checkpoints that can be gone on from after any kind of end: whole, signed, the last two of a run, and looked at before they are loaded."""

from __future__ import annotations

import contextlib
import pickle
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import Tensor

from bridge.data.manifest import digest_file, require_unchanged, signed_file
from bridge.train.log import StepLog

SETTINGS = "bridge_settings"  # where a checkpoint keeps the digest of its run's settings
#: What asks a process to end: a batch system or the user, and a terminal that was closed (not under nohup).
ENDS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
KEPT = 2  # the newest, and the one before in case the newest is damaged
SPARE_BYTES = 1 << 20  # of a checkpoint beside its tensors: their names, the log and file system blocks


class CheckpointFile(CheckpointIO):
    """Where Lightning's checkpoints are written and read.

    A checkpoint is written beside its final name, brought to disk, renamed, and only then signed: one without its digest was never
    finished. It is read from this machine's own run alone, and never as code.

    Args:
        run: Folder of the run.
        settings: Digest of its settings, which a checkpoint must share; '' where nothing is known of them.
    """

    def __init__(self, run: Path, settings: str = ""):
        self.run, self.settings = run, settings

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint, whole or not at all.

        Raises:
            ValueError: a weight or a state of the optimiser is not finite, or there is no room.
        """
        path = Path(path)
        require_finite(checkpoint, path, "the checkpoint was not written")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _require_room(checkpoint, path.parent)
            with signed_file(path) as partial:
                torch.save(checkpoint | {SETTINGS: self.settings}, partial)
        except (OSError, RuntimeError) as error:  # torch has an error of its own for a disk that is full
            raise ValueError(f"{path}: the checkpoint cannot be written ({_first_line(error)}); {_what_is_left(self.run)}") from error

    def load_checkpoint(self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None) -> dict[str, Any]:
        """The content of a checkpoint, on the CPU.

        Raises:
            ValueError: it is not of this run, or not as it was written.
        """
        path = Path(path)
        if path.absolute().parent != self.run.absolute():
            raise ValueError(f"{path}: found a checkpoint outside the run's folder, expected one in {self.run}")
        require_whole(path)
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path}: not a checkpoint ({_first_line(error)}); begin again with --resume false") from error
        if not isinstance(found, dict) or (self.settings and found.get(SETTINGS) != self.settings):
            raise ValueError(f"{path}: found a checkpoint of other settings than those of this run; take it away, or begin again with --resume false")
        require_finite(found, path, "begin again with --resume false")
        return found

    def remove_checkpoint(self, path: str | Path) -> None:
        """Take a checkpoint away; without its digest it is none from the first moment on."""
        path = Path(path)
        digest_file(path).unlink(missing_ok=True)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


class Saves(Checkpoint):
    """Saves every so many steps, and when the process is asked to end (:data:`ENDS`): then at the end of the step that it is in.

    Args:
        run: Folder of the run.
        every: Steps from one checkpoint to the next.
        log: The run's log; it goes on where it stood at the checkpoint.

    Raises:
        ValueError: ``every`` is below 1.
    """

    def __init__(self, run: Path, every: int, log: StepLog):
        if every < 1:
            raise ValueError(f"checkpoint_every: found {every}, expected at least 1")
        self.run, self.every, self.lines = run, every, log  # Lightning gives a callback a `log` of its own
        self.step, self.logged = 0, 0
        self.asked: signal.Signals | None = None

    def state_dict(self) -> dict[str, int]:
        """Lightning stores it in a checkpoint."""
        return {"logged": self.lines.written()}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Inverse of :meth:`state_dict`."""
        self.logged = state["logged"]

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.step = trainer.global_step
        self.lines.cut(self.logged)
        _on_end(self._end)  # instead of Lightning's, which ends within a step

    def on_train_batch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule, outputs: Any, batch: Any, index: int) -> None:
        if trainer.global_step != self.step and not _validates_now(trainer):  # a step may have several batches
            self._end_of_step(trainer, module)

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """A step that is validated ends here: Lightning would leave the validation out when it goes on from before."""
        if trainer.global_step != self.step and not trainer.sanity_checking:
            self._end_of_step(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        _on_end(_interrupt)

    def _end_of_step(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.step = trainer.global_step
        if _was_the_last(trainer):  # what follows the last step would be left out by a run that goes on from behind it
            return
        ends = trainer.strategy.reduce_boolean_decision(self.asked is not None, all=False)
        if ends or self.step % self.every == 0:
            self._save(trainer)
        if ends:
            stage = type(module).__name__.lower()
            asked = self.asked or signal.SIGTERM  # another process of the run may have been asked
            with contextlib.suppress(OSError):  # the terminal may be closed
                rank_zero_only(print)(f"{stage}: asked to end ({asked.name}), saved step {self.step} in {self.run}", file=sys.stderr, flush=True)
            raise KeyboardInterrupt(asked)

    def _end(self, number: int, frame: object) -> None:
        self.asked = signal.Signals(number)

    def _save(self, trainer: lightning.Trainer) -> None:
        if not trainer.validating:  # Lightning logs a step after this hook; a checkpoint stands behind its step's line
            trainer._logger_connector.update_train_step_metrics()
        path = self.run / f"step-{self.step:08d}.ckpt"
        trainer.save_checkpoint(path, weights_only=False)  # optimiser and place in the data too
        if trainer.is_global_zero:
            _require_ours(path, trainer.strategy)
            for path in checkpoints(self.run)[KEPT:]:
                trainer.strategy.checkpoint_io.remove_checkpoint(path)


@contextlib.contextmanager
def interrupted_by_end() -> Iterator[None]:
    """While nothing is to be saved a signal of :data:`ENDS` does what Ctrl-C does, and says which it was."""
    before = {each: signal.getsignal(each) for each in ENDS}
    _on_end(_interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            _handle(each, handler)


def checkpoints(run: Path) -> list[Path]:
    """All checkpoints of a run, the newest first, whole or not."""
    return sorted(run.glob("step-*.ckpt"), reverse=True)


def newest(run: Path) -> Path | None:
    """The newest checkpoint of a run that is whole; None where there was never one.

    Raises:
        ValueError: there are some, and all are damaged.
    """
    damaged = []
    for path in checkpoints(run):
        try:
            require_whole(path)
        except ValueError as error:
            damaged.append(str(error))
            continue
        if damaged:
            rank_zero_only(print)(f"{damaged[0]}; going on from the one before, {path.name}", file=sys.stderr, flush=True)
        return path
    if any(digest_file(path).is_file() for path in checkpoints(run)):
        raise ValueError(f"{damaged[0]}, and there is no whole one before it\nbegin again with --resume false")
    return None


def require_whole(path: Path) -> None:
    """Refuse a checkpoint that was never finished, or is not as it was written.

    Raises:
        ValueError: names it.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected a checkpoint; begin again with --resume false")
    if not digest_file(path).is_file():
        raise ValueError(f"{path}: the checkpoint was never finished (no {digest_file(path).name})")
    try:
        require_unchanged(path)
    except ValueError as error:
        raise ValueError(f"{path}: the checkpoint is damaged (its SHA-256 is not the one in {digest_file(path).name})") from error


def require_finite(checkpoint: dict[str, Any], path: Path, then: str) -> None:
    """Refuse weights, or states of the optimiser, that are not finite: they are neither written nor gone on from.

    Raises:
        ValueError: names the first one.
    """
    learned = {name: checkpoint[name] for name in ("state_dict", "optimizer_states") if name in checkpoint}
    wrong = next((name for name, tensor in _tensors(learned) if tensor.is_floating_point() and not torch.isfinite(tensor).all()), None)
    if wrong:
        raise ValueError(f"{path}: {wrong} is NaN or infinite, expected finite values; {then}")


def _tensors(content: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor with its place."""
    if isinstance(content, Tensor):
        yield name, content
    elif isinstance(content, dict | list | tuple):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from _tensors(value, f"{name}[{key!r}]" if name else str(key))


def _require_ours(path: Path, strategy: object) -> None:
    if not digest_file(path).is_file():
        raise ValueError(
            f"trainer, field strategy: {type(strategy).__name__} writes checkpoints of its own form, expected one that can be verified; "
            "set save_distributed_checkpoint: false, or take a strategy of configs/strategy"
        )


def _was_the_last(trainer: lightning.Trainer) -> bool:
    """Whether no step follows."""
    return trainer.fit_loop.done or (trainer.is_last_batch and trainer.current_epoch + 1 == trainer.max_epochs)


def _validates_now(trainer: lightning.Trainer) -> bool:
    """Whether a validation follows this batch."""
    return trainer.fit_loop.epoch_loop._should_check_val_fx(trainer.fit_loop._data_fetcher)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number))


def _on_end(handler: Any) -> None:
    for each in ENDS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as nohup leaves SIGHUP
            _handle(each, handler)


def _handle(number: signal.Signals, handler: Any) -> None:
    if threading.current_thread() is threading.main_thread():  # only there may a handler be set
        signal.signal(number, handler)


def _require_room(checkpoint: dict[str, Any], folder: Path) -> None:
    needed = SPARE_BYTES + sum(tensor.numel() * tensor.element_size() for _, tensor in _tensors(checkpoint))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{needed / 1e6:,.0f} MB needed, {free / 1e6:,.0f} MB free on this disk")


def _what_is_left(run: Path) -> str:
    """What to do when a checkpoint cannot be written."""
    whole = [path for path in checkpoints(run) if digest_file(path).is_file()]
    place = f"{whole[0].name} before it is whole: " if whole else ""
    return f"{place}make room or let the folder be written to, and run the same command again to go on"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
