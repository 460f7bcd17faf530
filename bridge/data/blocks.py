"""Shuffled mini-batches of tables larger than memory: blocks of neighbouring rows in random order, many of them mixed at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from scipy import sparse

from bridge.data.transpose import in_row_order
from encoders.blocks import StoredMatrix

Table = np.ndarray | sparse.csr_matrix
Read = Callable[[np.ndarray], dict[str, Table]]

#: Rows of a block.
BLOCK = 128

#: Values that are mixed at a time; a wide table has at least eight blocks of them.
BUFFER_BYTES, LEAST_BLOCKS = 64 << 20, 8


class Blocks:
    """Rows in an order that is a pure function of (seed, epoch), and their values by way of a buffer.

    Blocks of neighbouring rows are drawn at random, a buffer of them is read at once, and its rows are mixed. Where the
    buffer holds every row this is a full shuffle, and the rows are read once and kept.

    Args:
        read: The values of rows, which it is given in rising order; name to a dense or CSR table.
        rows: The rows that are drawn, in rising order.
        buffer: Rows that are mixed at a time.
        block: Neighbouring rows that are read together.
        seed: Of the order.
        rank: Which process this is, of
        world: So many that share the order between them: each takes every so-manieth row of it, and reads no other.
    """

    epoch = 0

    def __init__(self, read: Read, rows: Int[np.ndarray, " rows"], *, buffer: int, block: int = BLOCK, seed: int = 0, rank: int = 0, world: int = 1):
        if min(buffer, block) < 1:
            raise ValueError(f"blocks: found buffer {buffer} and block {block}, expected at least 1 row each")
        self.read, self.rows, self.buffer, self.block, self.seed = read, rows, buffer, block, seed
        self.rank, self.world = rank, world
        self._entered, self._buffers, self._number = -1, [], np.zeros(len(rows), dtype=np.int64)
        self._held: dict[int, dict[str, Table]] = {}

    @classmethod
    def of_file(cls, path: str | Path, key: str = "X", *, buffer: int = 0, block: int = BLOCK, seed: int = 0) -> Blocks:
        """Rows of one matrix of an AnnData file, dense or sparse; one that is stored by columns is written in row order first.

        Args:
            path: The ``.h5ad`` file.
            key: ``X``, ``layers:NAME`` or ``obsm:NAME``; the name of the values too.
            buffer: Rows that are mixed at a time; 0 for what :func:`buffer_rows` gives.
            block: Neighbouring rows that are read together.
            seed: Of the order.
        """
        matrix = in_row_order(StoredMatrix(path, key))
        return cls(lambda rows: {key: matrix.read(rows)}, np.arange(len(matrix)), buffer=buffer or buffer_rows(matrix.row_bytes), block=block, seed=seed)

    def order(self) -> Int[np.ndarray, " rows"]:
        """The rows in the order of the epoch, those of this process."""
        return self.rows[np.concatenate(self._drawn())]

    def batches(self, batch_size: int, epoch: int = 0) -> Iterator[tuple[Int[np.ndarray, " batch"], dict[str, np.ndarray]]]:
        """Rows and their values, batch after batch; the last one may be smaller."""
        self.epoch = epoch
        order = self.order()
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield rows, self.values(rows)

    def values(self, rows: Int[np.ndarray, " batch"]) -> dict[str, np.ndarray]:
        """Dense values of rows in the order given; quick for rows that follow one another in the order of the epoch."""
        self._enter()
        places = np.searchsorted(self.rows, rows)
        numbers = self._number[places]
        needed = np.unique(numbers)
        self._held = {number: held for number, held in self._held.items() if number in needed}
        parts = [self._taken(int(number), places[numbers == number]) for number in needed]
        back = np.argsort(np.argsort(numbers, kind="stable"))
        return {name: np.concatenate([part[name] for part in parts])[back] if len(parts) > 1 else parts[0][name] for name in parts[0]}

    def quality(self, batch_size: int) -> float:
        """How good the shuffle is for batches of this size: 1 is a full shuffle, near 0 are batches of neighbours.

        The variance over batches of the mean place of a batch's rows in the table, of a full shuffle divided by that of this order, in
        expectation: the sampling variance of two-stage cluster sampling (Cochran 1977, Sampling Techniques, chapter 10).
        It is the share of a batch that counts where rows of one block are alike, as in files sorted by donor or cell type.
        """
        length, batch = len(self.rows), min(batch_size, len(self.rows))
        if self.buffer >= length or batch == length:
            return 1.0
        blocks, drawn, mixed = length / self.block, self.buffer / self.block, self.buffer
        spread = (length**2 - 1) / 12
        of_blocks = spread - (self.block**2 - 1) / 12
        between = of_blocks / drawn * (blocks - drawn) / (blocks - 1)
        within = (spread - between) * mixed / (mixed - 1) * (1 - batch / mixed) / batch if mixed > batch else 0.0
        full = spread * length / (length - 1) * (1 - batch / length) / batch
        return float(min(1.0, full / (between + within)))

    def _drawn(self) -> list[Int[np.ndarray, " part"]]:
        """Places in ``rows`` of each buffer in turn, those of this process."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        places = torch.arange(len(self.rows))
        if self.buffer < len(self.rows):
            blocks = places.split(self.block)
            places = torch.cat([blocks[number] for number in torch.randperm(len(blocks), generator=generator)])
        mixed = [part[torch.randperm(len(part), generator=generator)].numpy() for part in places.split(self.buffer)]
        return [part[(self.rank - number * self.buffer) % self.world :: self.world] for number, part in enumerate(mixed)]

    def _enter(self) -> None:
        """Find out which rows share a buffer; a buffer of all rows serves every epoch."""
        if self.epoch == self._entered or (len(self._buffers) == 1 and self.world == 1):
            return
        self._entered, self._held, self._buffers = self.epoch, {}, [np.sort(part) for part in self._drawn()]
        for number, part in enumerate(self._buffers):
            self._number[part] = number

    def _taken(self, number: int, places: Int[np.ndarray, " part"]) -> dict[str, np.ndarray]:
        part = self._buffers[number]
        if number not in self._held:
            self._held[number] = self.read(self.rows[part])
        at = np.searchsorted(part, places)
        return {name: table[at].toarray() if sparse.issparse(table) else table[at] for name, table in self._held[number].items()}


def buffer_rows(row_bytes: int, block: int = BLOCK) -> int:
    """Rows of a buffer of 64 MiB, in whole blocks and at least eight of them."""
    return block * max(LEAST_BLOCKS, BUFFER_BYTES // (row_bytes * block))
