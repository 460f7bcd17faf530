"""Batches of instructions of several families, in words alone or about samples of a cohort, in shares that are asked for."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from bridge.data.batch import Batch
from bridge.data.cohort import Cohort
from bridge.data.mixture import Draws, MixedItems
from bridge.data.module import Resumable
from bridge.instructions.hold_out import HoldOut, split_off
from bridge.instructions.item import Instruction, read_instructions

VALIDATED = 256  # instructions of the validation split that are scored


class InstructionData(lightning.LightningDataModule):
    """Batches of instructions; the order is a pure function of the seed and the number of the draw.

    Args:
        instructions: Folders as written by ``bridge data instructions``, or JSON-lines files.
        cohort: Cohort whose samples some instructions are about; without one these are left out.
        shares: Family to its share of the draws; by default each has that of its instructions.
        hold_out: What is kept out of training, to measure transfer to it.
        batch_size: Instructions of a step.
        seed: Of the order.
        workers: Worker processes.
    """

    def __init__(
        self,
        instructions: list[str],
        cohort: str | None = None,
        shares: dict[str, float] | None = None,
        hold_out: HoldOut | None = None,
        batch_size: int = 8,
        seed: int = 0,
        workers: int = 0,
    ):
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"data, field batch_size: found {batch_size}, expected at least 1")
        self.cohort = Cohort.read(cohort) if cohort else None
        self.batch_size, self.seed, self.workers = batch_size, seed, workers
        read = [item for path in instructions for item in _read(Path(path))]
        usable = self._usable([item for item in read if item.split != "test"])
        train, self.held_out = split_off([item for item in usable if item.split == "train"], hold_out or HoldOut(), self.cohort)
        self.items = train + [item for item in usable if item.split == "validation"][:VALIDATED]
        self.trained = len(train)
        self.families = {family: [row for row in range(len(train)) if train[row].family == family] for family in dict.fromkeys(item.family for item in train)}
        sizes = {family: len(rows) for family, rows in self.families.items()}
        self.mixed = MixedItems(sizes, shares or sizes, seed)
        self.rows = {sample: row for row, sample in enumerate(self.cohort.ids)} if self.cohort else {}
        self.values = {modality: torch.from_numpy(self.cohort.values(modality)) for modality in self.cohort.modalities} if self.cohort else {}

    def batch(self, rows: Sequence[int]) -> Batch:
        """The instructions of these numbers, with the measurements of those that are about a sample."""
        items = [self.items[row] for row in rows]
        numbers = torch.tensor(list(rows))
        return Batch([f"{item.source} {item.id}" for item in items], numbers, numbers, {modality: self._given(modality, items) for modality in self.values})

    def train_dataloader(self) -> DataLoader:
        share = {} if self.trainer is None else self.trainer.distributed_sampler_kwargs or {}
        sampler = Draws(self.trained, share.get("rank", 0), share.get("num_replicas", 1))
        return Resumable(_Drawn(self), min(self.batch_size, max(1, len(sampler))), sampler=sampler, drop_last=True, **self._how())

    def val_dataloader(self) -> DataLoader:
        rows = range(self.trained, len(self.items))
        return DataLoader(rows, min(self.batch_size, max(1, len(rows))), **self._how())

    def _how(self) -> dict:
        return {"collate_fn": self.batch, "num_workers": self.workers, "generator": torch.Generator().manual_seed(self.seed)}

    def _given(self, modality: str, items: Sequence[Instruction]) -> Float[Tensor, "items _"]:
        table = self.values[modality]
        return torch.stack([table[self.rows[item.sample]] if item.sample else torch.full_like(table[0], np.nan) for item in items])

    def _usable(self, items: list[Instruction]) -> list[Instruction]:
        """Without those about samples that no cohort has; a sample of another split than its instruction is refused."""
        if self.cohort is None:
            silent = sum(bool(item.sample) for item in items)
            if silent:
                warnings.warn(f"instruct: {silent} instructions about samples are left out; give their cohort with --data.cohort", stacklevel=3)
            return [item for item in items if not item.sample]
        splits = dict(zip(self.cohort.ids, self.cohort.table.obs["split"].astype(str), strict=True))
        wrong = next((item for item in items if item.sample and splits.get(item.sample) != item.split), None)
        if wrong:
            found = splits.get(wrong.sample, "no such sample")
            raise ValueError(
                f"instruction {wrong.id!r}, field sample: {wrong.sample!r} is of split {wrong.split!r}, in {self.cohort.source} it is {found!r}; build anew"
            )
        return items


class _Drawn:
    """Numbers of the drawn instructions, for a loader that asks for them one by one."""

    def __init__(self, data: InstructionData):
        self.data = data

    def __getitem__(self, number: int) -> int:
        drawn = self.data.mixed.mixture[number]
        return self.data.families[drawn.source][self.data.mixed.item(drawn)]


def _read(path: Path) -> list[Instruction]:
    """Training and validation instructions of a folder, or all of a file.

    Raises:
        ValueError: there is none.
    """
    files = [file for split in ("train", "validation") if (file := path / f"{split}.jsonl").is_file()] if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise ValueError(f"{path}: no train.jsonl there; expected a folder as written by bridge data instructions, or a .jsonl file")
    return list(itertools.chain.from_iterable(map(read_instructions, files)))
