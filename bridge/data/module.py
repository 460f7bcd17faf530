"""One data module for both stages: batches of a cohort's rows, in an order that is a pure function of seed and epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from bridge.data.batch import Batch
from bridge.data.cohort import Cohort


class CohortData(lightning.LightningDataModule):
    """Batches of a cohort.

    Args:
        cohort: Path of the cohort (.h5ad).
        batch_size: Samples per training step. Stage 1 wants at least 512: in-batch negatives are its supervision.
        seed: Order of the samples.
        workers: Worker processes; the values are in memory, so 0 is usually fastest.
    """

    def __init__(self, cohort: str, batch_size: int = 512, seed: int = 0, workers: int = 0):
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"data, field batch_size: found {batch_size}, expected at least 1")
        self.cohort = Cohort.read(cohort)
        self.batch_size, self.seed, self.workers = batch_size, seed, workers
        self.values = {modality: torch.from_numpy(self.cohort.values(modality)) for modality in self.cohort.modalities}
        self.ids, self.groups = self.cohort.ids, torch.from_numpy(self.cohort.groups)
        self.left_out: frozenset[int] = frozenset()

    def batch(self, rows: list[int]) -> Batch:
        """The batch of the given rows."""
        index = torch.tensor(rows)
        values = {modality: table[index] for modality, table in self.values.items()}
        return Batch([self.ids[row] for row in rows], index, self.groups[index], values)

    def leave_out(self, rows: Iterable[int]) -> None:
        """Samples that a stage cannot use."""
        self.left_out = frozenset(rows)

    def rows(self, split: str) -> list[int]:
        """The rows of a split that are used."""
        return [row for row in self.cohort.rows(split).tolist() if row not in self.left_out]

    def train_dataloader(self) -> DataLoader:
        rows = self.rows("train")
        if not rows:
            raise ValueError(f"{self.cohort.source}: no sample of the training split can be used, expected some; check the split and what each sample has")
        size = min(self.batch_size, len(rows))
        sampler = Shuffled(len(rows), self.seed)
        return Resumable(Rows(rows), size, sampler=sampler, drop_last=True, **self._how())

    def val_dataloader(self) -> DataLoader:
        rows = self.rows("validation")
        return DataLoader(Rows(rows), min(self.batch_size, max(1, len(rows))), **self._how())

    def _how(self) -> dict[str, Any]:
        # A loader draws a number at each epoch; from a generator of its own it leaves dropout's draws as they are.
        return {"collate_fn": self.batch, "num_workers": self.workers, "generator": torch.Generator().manual_seed(self.seed)}


class Rows(Dataset):
    """Row numbers; the values are looked up for the whole batch at once."""

    def __init__(self, rows: list[int]):
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> int:
        return self.rows[index]


class Shuffled(Sampler):
    """A new order each epoch, from (seed, epoch) alone; Lightning calls ``set_epoch``."""

    def __init__(self, length: int, seed: int):
        self.length, self.seed, self.epoch = length, seed, 0

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(torch.randperm(self.length, generator=generator).tolist())


class Resumable(DataLoader):
    """Goes on within an epoch: a checkpoint keeps how many of its batches were taken, and those are passed over."""

    taken, pending = 0, (-1, 0)

    def __iter__(self) -> Iterator:
        epoch, done = self.pending
        self.pending = (-1, 0)
        for number, batch in enumerate(super().__iter__(), start=1):
            self.taken = number
            if epoch != self.sampler.epoch or number > done:
                yield batch

    def state_dict(self) -> dict[str, int]:
        """Lightning stores it in a checkpoint."""
        return {"epoch": self.sampler.epoch, "taken": self.taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Inverse of :meth:`state_dict`."""
        self.pending = (state["epoch"], state["taken"])
