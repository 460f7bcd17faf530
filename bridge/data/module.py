"""One data module for both stages: batches of a cohort's rows, in an order that is a pure function of seed and epoch."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from rich.console import Console
from torch.utils.data import DataLoader, DistributedSampler

from bridge.data.batch import Batch
from bridge.data.blocks import Blocks, buffer_rows
from bridge.data.cohort import Cohort
from bridge.data.unfit import LOOKED_AT, typical_sizes, unfit


class CohortData(lightning.LightningDataModule):
    """Batches of a cohort.

    Args:
        cohort: Path of the cohort (.h5ad).
        batch_size: Samples per training step. Stage 1 wants at least 512: in-batch negatives are its supervision.
        seed: Order of the samples.
        workers: Worker processes; the values are in memory, or come by the buffer, so 0 is usually fastest.
        stream: Leave the values on disk and mix them a buffer at a time, for a cohort larger than memory. How good the shuffle then is
            is printed.
    """

    def __init__(self, cohort: str, batch_size: int = 512, seed: int = 0, workers: int = 0, stream: bool = False):
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"data, field batch_size: found {batch_size}, expected at least 1")
        self.cohort = Cohort.read(cohort, stream)
        self.batch_size, self.seed, self.workers, self.stream = batch_size, seed, workers, stream
        self.values = {} if stream else {modality: torch.from_numpy(self.cohort.values(modality)) for modality in self.cohort.modalities}
        self.ids, self.groups = self.cohort.ids, torch.from_numpy(self.cohort.groups)
        self.left_out: frozenset[int] = frozenset()

    def batch(self, rows: list[int], read: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None) -> Batch:
        """The batch of the given rows.

        Args:
            rows: Rows of the cohort.
            read: Gives their values where they do not come straight from the cohort.
        """
        index = torch.tensor(rows)
        found = {modality: torch.from_numpy(table) for modality, table in (read or self._read)(index.numpy()).items()}
        return Batch([self.ids[row] for row in rows], index, self.groups[index], found)

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
        share = {} if self.trainer is None else self.trainer.distributed_sampler_kwargs or {}
        rank, world = share.get("rank", 0), share.get("num_replicas", 1)
        buffer = self._buffer() * world if self.stream else len(rows)  # of which each process holds its share
        blocks = Blocks(self._read, np.array(rows), buffer=buffer, seed=self.seed, rank=rank, world=world)
        sampler = Shuffled(blocks)
        size = min(self.batch_size, max(1, len(sampler)))
        if self.stream:
            _tell(blocks, size * world)
        read = blocks.values if self.stream else self._read
        return Resumable(range(len(self.ids)), size, sampler=sampler, drop_last=True, **self._how(read))

    def val_dataloader(self) -> DataLoader:
        rows = self._fit(self.rows("validation"))
        return DataLoader(rows, min(self.batch_size, max(1, len(rows))), **self._how(self._read))

    def _fit(self, rows: list[int]) -> list[int]:
        """Rows without those of unfit samples, which no score can be made of."""
        typical, bad = typical_sizes(self.cohort), {}
        for start in range(0, len(rows), LOOKED_AT):
            part = rows[start : start + LOOKED_AT]
            found = unfit(self.batch(part).values, typical)
            bad |= {part[place]: reason for place, reason in found.items()}
        for row, reason in bad.items():
            warnings.warn(f"validation: sample {self.ids[row]!r} is left out: {reason}", stacklevel=2)
        return [row for row in rows if row not in bad]

    def _read(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Normalised values of every modality."""
        if self.stream:
            return {modality: self.cohort.values(modality, rows) for modality in self.cohort.modalities}
        return {modality: table.numpy()[rows] for modality, table in self.values.items()}

    def _buffer(self) -> int:
        """Rows of a buffer."""
        return buffer_rows(sum(self.cohort.stored[modality].row_bytes for modality in self.cohort.modalities))

    def _how(self, read: Callable[[np.ndarray], dict[str, np.ndarray]]) -> dict[str, Any]:
        # A loader draws a number at each epoch; from a generator of its own it leaves dropout's draws as they are.
        collate = functools.partial(self.batch, read=read)
        return {"collate_fn": collate, "num_workers": self.workers, "generator": torch.Generator().manual_seed(self.seed)}


class Shuffled(DistributedSampler):
    """A new order each epoch, from (seed, epoch) alone; Lightning calls ``set_epoch``.

    It divides the order over the processes itself, a step of all of them being the step of one with the batch of all:
    any other sampler Lightning would shuffle once more.
    """

    def __init__(self, blocks: Blocks):
        super().__init__(range(len(blocks.rows)), blocks.world, blocks.rank, drop_last=True)
        self.blocks = blocks

    def __len__(self) -> int:
        return len(self.blocks.rows) // self.blocks.world

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        self.blocks.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self.blocks.order()[: len(self)].tolist())


@rank_zero_only
def _tell(blocks: Blocks, batch_size: int) -> None:
    buffer = min(blocks.buffer, len(blocks.rows))
    told = f"{len(blocks.rows):,} samples from disk, {buffer:,} mixed at a time: shuffle quality {blocks.quality(batch_size):.2f} (1 is a full shuffle)"
    Console(stderr=True).print(told, markup=False, highlight=False, soft_wrap=True)


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
