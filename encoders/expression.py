"""An expression matrix (AnnData) to tokens: one token per gene, its value the expression level."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse
from torch import Tensor

from encoders.base import Encoder, Raw, Tokens, cut_tokens, located
from encoders.blocks import Matrix, Slab, StoredMatrix, axis_names
from encoders.gene_ids import namespace, require_no_dates
from encoders.ids import require_ids, unseen

#: Counts of a sample are scaled to this sum before log1p (Scanpy's tutorials; Luecken and Theis 2019, doi:10.15252/msb.20188746).
COUNTS_PER_SAMPLE = 10_000


class Expression(Encoder):
    """Tokens ``[batch, genes, 1]``: the log1p expression of fixed genes; a gene the file lacks is absent.

    Args:
        names: The genes, as in ``var_names`` of the files that will be read.
        modality: Name of the modality.
        layer: Layer of the ``.h5ad``; ``X`` when empty.
        log1p: The file holds counts: scale each sample to 10,000 and take log1p here. Otherwise the file must hold log1p values.
        provenance: Further card fields; ``gene_ids`` is recognised from the genes.
    """

    def __init__(
        self,
        names: Iterable[str],
        modality: str = "gene",
        layer: str = "",
        log1p: bool = False,
        provenance: dict[str, str] | None = None,
    ):
        names = tuple(names)
        if not names:
            raise ValueError("Expression, names: found no gene, expected at least one; name them, or let a file choose with for_source")
        told = {"units": "log1p of counts per 10,000" if log1p else "log1p expression"} | ({"gene_ids": namespace(names)} if namespace(names) else {})
        super().__init__(modality, dim=1, names=names, provenance=told | (provenance or {}))
        self.layer, self.log1p = layer, log1p

    @classmethod
    def for_source(cls, source: Path, top: int = 64, **init_args) -> Expression:
        """The ``top`` genes of highest variance in the file, in its order, unless ``names`` are given.

        Choosing on a file that holds the test samples lets their variance (not their labels or texts) into the
        choice. To keep even that out, choose on a file of training samples, or give ``names``.
        """
        key = located(source).key
        init_args |= {"layer": key.removeprefix("layers:").removeprefix("X")} if key else {}
        if init_args.get("names"):
            return cls(**init_args)
        log1p = init_args.get("log1p", False)
        ids, genes, matrix = _opened(source, init_args.get("layer", ""))
        survey = _Survey(matrix)
        for slab in matrix.slabs():
            survey.add(slab)
        survey.require(log1p)
        chosen = np.sort(np.argsort(-_variance(matrix, survey.scale(ids) if log1p else None), kind="stable")[:top])
        return cls(**(init_args | {"names": [genes[place] for place in chosen]}))

    def read(self, source: Path) -> Raw:
        """Log1p levels of the genes; rows are samples, whatever the storage (dense, CSR, CSC). The file may be larger than memory.

        Args:
            source: An ``.h5ad`` file; ``FILE#layers:NAME`` names the matrix, ``FILE#id=COLUMN`` the column of ``obs`` with the ids.
        """
        ids, genes, matrix = _opened(source, self.layer)
        places, survey = self._places(genes, source), _Survey(matrix)
        values = np.full((len(ids), len(self.names)), np.nan, dtype=survey.dtype)
        for slab in matrix.slabs():
            survey.add(slab)
            here = np.flatnonzero((places >= slab.columns.start) & (places < slab.columns.stop))
            values[slab.rows, here] = _cells(slab.values[:, places[here] - slab.columns.start])
        survey.require(self.log1p)
        return Raw(ids, np.log1p(values * survey.scale(ids)[:, None]) if self.log1p else values)

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Levels to one token per gene."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        return {"names": list(self.names), "modality": self.modality, "layer": self.layer, "log1p": self.log1p, "provenance": self.provenance}

    @classmethod
    def example(cls) -> Expression:
        """Three genes."""
        return cls(names=("SNAP25", "GFAP", "MBP"))

    def _places(self, genes: list[str], source: Path) -> np.ndarray:
        wanted = [gene for gene in genes if gene in set(self.names)]
        if not wanted:
            raise ValueError(
                f"{source}, var_names: found none of the {len(self.names)} genes; the file has {namespace(genes) or 'ids'} like {genes[:3]}, "
                f"the encoder {namespace(self.names) or 'ids'} like {list(self.names[:3])}; map the ids first"
            )
        twice = pd.Index(wanted)[pd.Index(wanted).duplicated()]
        if len(twice):
            raise ValueError(f"{source}, var_names: gene {twice[0]!r} occurs twice, expected once; merge its columns")
        place = {gene: number for number, gene in enumerate(genes)}
        return np.array([place.get(gene, -1) for gene in self.names])


class _Survey:
    """What is known of a matrix when every slab of it was seen: its range, whether it holds counts, and the sum of every sample."""

    def __init__(self, matrix: StoredMatrix):
        self.matrix, self.where = matrix, f"{matrix.source}, {matrix.place.removeprefix('layers/')}"
        self.dtype = matrix.dtype if matrix.dtype in (np.float32, np.float64) else np.dtype(np.float32)
        self.lowest, self.highest, self.counts, self.infinite = math.inf, -math.inf, True, False
        self.totals = np.zeros(len(matrix))

    def add(self, slab: Slab) -> None:
        """Take another slab into account."""
        cells = slab.values.data if sparse.issparse(slab.values) else slab.values
        self.infinite |= bool(np.isinf(cells).any())
        cells = cells[np.isfinite(cells)]
        self.counts &= bool((cells == np.rint(cells)).all())
        self.lowest, self.highest = min(self.lowest, cells.min(initial=0)), max(self.highest, cells.max(initial=0))
        sums = slab.values.sum(axis=1) if sparse.issparse(slab.values) else np.nansum(slab.values, axis=1)
        self.totals[slab.rows] += np.asarray(sums, dtype=np.float64).ravel()

    def require(self, log1p: bool) -> None:
        """Refuse counts where log1p values are expected, and the reverse: neither gives an error later, only wrong numbers."""
        if self.infinite:
            raise ValueError(f"{self.where}: found infinite values, expected finite numbers")
        if log1p and (self.lowest < 0 or (not self.counts and self.highest < np.log1p(COUNTS_PER_SAMPLE))):
            found = f"found values from {self.lowest:.3g} to {self.highest:.3g} with fractions"
            raise ValueError(f"{self.where}: {found}, expected counts; set log1p to false, they are log1p already")
        if self.counts and not log1p:
            raise ValueError(f"{self.where}: found raw counts (whole numbers up to {self.highest:.0f}), expected log1p values; set log1p to true")

    def scale(self, ids: list[str]) -> Float[np.ndarray, " samples"]:
        """What brings every sample to 10,000 counts."""
        if (self.totals <= 0).any():
            raise ValueError(f"{self.matrix.source}: sample {ids[int(np.argmax(self.totals <= 0))]!r} has no counts, expected at least one; remove it")
        return (COUNTS_PER_SAMPLE / self.totals).astype(self.dtype)


def _opened(source: Path, layer: str) -> tuple[list[str], list[str], StoredMatrix]:
    """Sample ids, genes, and the matrix of a file, which stays on disk; ``FILE#layers:NAME`` names the matrix, ``FILE#id=COLUMN`` the ids."""
    asked = located(source)
    asked.require_choices(("id",))
    file, layer = asked.only(), asked.key.removeprefix("layers:") if asked.key else layer
    if layer.startswith(("obsm:", "varm:")):
        raise ValueError(f"{asked.name}#{asked.key}: found a matrix without a column for each gene, expected X or layers:NAME")
    matrix = StoredMatrix(file, f"layers:{layer}" if layer not in ("", "X") else "X")
    ids, genes = axis_names(file, "obs", asked.choices.get("id", "")), axis_names(file, "var")
    require_ids(ids, file)
    hidden = next((gene for gene in genes if not gene.strip() or unseen(gene)), None)
    if hidden is not None:
        raise ValueError(f"{file}, var_names: found {hidden!a}, a name that is empty or has signs that nobody sees, expected gene ids as text")
    require_no_dates(genes, file)
    return ids, genes, matrix


def _cells(values: Matrix) -> np.ndarray:
    return values.toarray() if sparse.issparse(values) else values


def _variance(matrix: StoredMatrix, scale: Float[np.ndarray, " samples"] | None) -> Float[np.ndarray, " genes"]:
    """Variance of the log1p levels over samples, NaN left out.

    Args:
        matrix: Levels, or counts.
        scale: What brings every sample of counts to the same sum; None where the matrix holds levels.
    """
    count, total, squares = (np.zeros(matrix.shape[1]) for _ in range(3))
    for rows, columns, values in matrix.slabs():
        levels = values.astype(np.float64) if scale is None else _log1p_of_counts(values, scale[rows])
        for whole, part in zip((count, total, squares), _moments(levels), strict=True):
            whole[columns] += part
    count = np.maximum(count, 1)
    return squares / count - np.square(total / count)


def _log1p_of_counts(counts: Matrix, scale: Float[np.ndarray, " samples"]) -> Matrix:
    factor = scale.astype(np.float64)[:, None]
    return counts.multiply(factor).tocsr().log1p() if sparse.issparse(counts) else np.log1p(counts * factor)


def _moments(levels: Matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number, sum and sum of squares of each column; what a sparse matrix does not store is 0, not missing."""
    if sparse.issparse(levels):
        return np.full(levels.shape[1], levels.shape[0]), levels.sum(axis=0).A1, levels.multiply(levels).sum(axis=0).A1
    return np.isfinite(levels).sum(axis=0), np.nansum(levels, axis=0), np.nansum(np.square(levels), axis=0)
