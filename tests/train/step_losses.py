"""A callback that any process of a run can be given on the command line: what it asked, and the loss of each of its batches."""

from __future__ import annotations

import json
from pathlib import Path

import lightning


class StepLosses(lightning.Callback):
    """One line per batch: optimiser step, process, samples, summed loss and answer tokens.

    Args:
        folder: Where each process writes a file of its own.
    """

    def __init__(self, folder: str):
        self.folder = Path(folder)

    def on_train_batch_start(self, trainer, module, batch, index):
        self.step = trainer.global_step

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        tokens = float(trainer.callback_metrics["answer_tokens"])
        line = {"step": self.step, "rank": trainer.global_rank, "ids": batch.ids, "loss": float(outputs["loss"]), "tokens": tokens}
        with (self.folder / f"{trainer.global_rank}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
