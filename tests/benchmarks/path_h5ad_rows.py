"""Random mini-batches of an AnnData file on disk: our block reader, rows of a backed AnnData, and scDataset; and the memory ours needs for 4 GB."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from measure import Ratio, alternated
from scipy import sparse

from bridge.data.blocks import Blocks

CELLS, GENES, DENSITY = 40_000, 2_000, 0.1
BATCH, BLOCK, BUFFER = 64, 128, 1024  # scDataset: block_size 128, fetch_factor 16
TURN = 32  # batches of a timed run
LARGE_ROWS, LIMIT_MB = 537_000, 300

#: What the child process does: a whole epoch of the large file. VmHWM is the peak of this process alone.
CHILD = """
import sys
from pathlib import Path
from bridge.data.blocks import Blocks
def megabytes(field):
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field)).split()[1]) / 1024
start = megabytes("VmRSS")
seen = sum(len(rows) for rows, values in Blocks.of_file(sys.argv[1]).batches(64))
print(megabytes("VmHWM") - start, seen)
"""


def measure() -> list[Ratio]:
    """Rows of a backed AnnData, scDataset where it is installed, and memory."""
    with tempfile.TemporaryDirectory() as folder:
        path, cells = _file(Path(folder))
        ours = _endless(Blocks.of_file(str(path), block=BLOCK, buffer=BUFFER))
        lines = [_backed(path, cells, ours), _scdataset(path, cells, ours), _memory(Path(folder))]
    return [line for line in lines if line]


def _backed(path: Path, cells: sparse.csr_matrix, ours: Iterator) -> Ratio:
    table, random = anndata.read_h5ad(path, backed="r"), np.random.default_rng(0)

    def theirs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            rows = random.choice(CELLS, BATCH, replace=False)
            yield rows, table[rows].to_memory().X.toarray()

    return _line("anndata, rows of a backed file", 6.0, cells, ours, theirs())


def _scdataset(path: Path, cells: sparse.csr_matrix, ours: Iterator) -> Ratio | None:
    try:
        from scdataset import BlockShuffling, scDataset
        from scdataset.transforms import adata_to_mindex
    except ImportError:
        print("h5ad random mini-batches, scDataset: not measured, scDataset is not installed (extra 'bench')", file=sys.stderr)
        return None
    table = anndata.read_h5ad(path, backed="r")
    strategy = BlockShuffling(block_size=BLOCK)
    loader = scDataset(table, strategy, BATCH, BUFFER // BATCH, fetch_transform=lambda part: adata_to_mindex(part, columns=["row"]), seed=0)
    theirs = ((np.asarray(batch["row"]), batch["X"]) for _ in itertools.count() for batch in loader)
    return _line(f"scDataset, the same blocks of {BLOCK} and buffer of {BUFFER}", 1.5, cells, ours, theirs)


def _line(peer: str, bar: float, cells: sparse.csr_matrix, ours: Iterator, theirs: Iterator) -> Ratio:
    """Both give the cells of the file, and then take turns of as many batches."""
    for rows, values in itertools.chain(itertools.islice(ours, TURN), itertools.islice(theirs, TURN)):
        np.testing.assert_array_equal(values, cells[rows].toarray())
    seconds = alternated(lambda: _take(ours), lambda: _take(theirs), rounds=7)
    rates = [f"{TURN * BATCH / each:,.0f} cells/s" for each in seconds]
    quality = Blocks(lambda rows: {}, np.arange(CELLS), block=BLOCK, buffer=BUFFER).quality(BATCH)
    told = {"ours": f"{rates[0]}, shuffle quality {quality:.2f}", "theirs": rates[1], "equal": f"values of {2 * TURN} batches bit-equal to the file's"}
    return Ratio(f"h5ad random mini-batches, CSR {CELLS:,} x {GENES:,}, batch {BATCH}", peer, seconds[1] / seconds[0], bar, "cells/s", **told)


def _memory(folder: Path) -> Ratio:
    """Peak of the resident memory above the start over an epoch of a dense file of 4 GB, in a process of its own."""
    path = folder / "large.h5ad"
    _large(path)
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    megabytes, seen = map(float, done.stdout.split())
    if seen != LARGE_ROWS:
        raise AssertionError(f"{path.name}: {seen:.0f} rows in an epoch, expected {LARGE_ROWS}")
    size = f"{path.stat().st_size / 1e9:.1f} GB"
    quality = Blocks.of_file(str(path)).quality(BATCH)
    told = {"ours": f"{megabytes:.0f} MB, shuffle quality {quality:.2f}", "theirs": f"{LIMIT_MB} MB", "equal": "every row once"}
    return Ratio(f"h5ad random mini-batches, dense file of {size}", "limit", LIMIT_MB / megabytes, 1.0, "resident MB above start", **told)


def _endless(blocks: Blocks) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return ((rows, values["X"]) for epoch in itertools.count() for rows, values in blocks.batches(BATCH, epoch))


def _take(batches: Iterator) -> None:
    for _ in itertools.islice(batches, TURN):
        pass


def _file(folder: Path) -> tuple[Path, sparse.csr_matrix]:
    """Cells in CSR, and the same in memory."""
    random = np.random.default_rng(0)
    counts = random.poisson(GENES * DENSITY, CELLS).clip(1, GENES)
    columns = np.concatenate([np.sort(random.choice(GENES, count, replace=False, shuffle=False)) for count in counts]).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(counts)])
    cells = sparse.csr_matrix((random.gamma(1.0, 1.0, len(columns)).astype(np.float32), columns, starts), shape=(CELLS, GENES))
    obs = pd.DataFrame({"row": np.arange(CELLS)}, index=[f"cell {row}" for row in range(CELLS)])
    anndata.AnnData(cells, obs=obs).write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad", cells


def _large(path: Path) -> None:
    """Space is set aside in the file, so that every read goes through the disk, and not filled."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((LARGE_ROWS, GENES)), settings)
