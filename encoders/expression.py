"""An expression matrix (AnnData) to tokens: one token per gene, its value the expression level."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse
from torch import Tensor

from encoders.base import Encoder, Raw, Tokens, cut_tokens
from encoders.gene_ids import namespace, require_no_dates
from encoders.tables import as_text, read_slot, require_ids

Matrix = np.ndarray | sparse.spmatrix | sparse.sparray

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
        if init_args.get("names"):
            return cls(**init_args)
        layer, log1p = init_args.get("layer", ""), init_args.get("log1p", False)
        _, genes, matrix = _levels(source, layer, log1p)
        chosen = np.sort(np.argsort(-_variance(matrix), kind="stable")[:top])
        return cls(**(init_args | {"names": [genes[place] for place in chosen]}))

    def read(self, source: Path) -> Raw:
        """Log1p levels of the genes; rows are samples, whatever the storage (dense, CSR, CSC)."""
        ids, genes, matrix = _levels(source, self.layer, self.log1p)
        places = self._places(genes, source)
        values = np.full((len(ids), len(self.names)), np.nan, dtype=matrix.dtype)
        present = places >= 0
        found = matrix[:, places[present]]
        values[:, present] = found.toarray() if sparse.issparse(found) else found
        return Raw(ids, values)

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


def _levels(source: Path, layer: str, log1p: bool) -> tuple[list[str], list[str], Matrix]:
    """Sample ids, genes, and the log1p matrix of a file."""
    rows, columns, matrix = read_slot(source, f"layers:{layer}" if layer else "X")
    ids, genes = as_text(rows.index), as_text(columns)
    require_ids(ids, source)
    require_no_dates(genes, source)
    matrix = matrix.tocsr() if sparse.issparse(matrix) else np.asarray(matrix)
    _require_levels(matrix, log1p, f"{source}, {layer or 'X'}")
    matrix = matrix if matrix.dtype in (np.float32, np.float64) else matrix.astype(np.float32)
    return ids, genes, _log1p_of_counts(matrix, ids, source) if log1p else matrix


def _require_levels(matrix: Matrix, log1p: bool, where: str) -> None:
    """Refuse counts where log1p values are expected, and the reverse: neither gives an error later, only wrong numbers."""
    cells = matrix.data if sparse.issparse(matrix) else matrix
    if cells.dtype.kind not in "biuf" or np.isinf(cells).any():
        raise ValueError(f"{where}: found {cells.dtype} or infinite values, expected finite numbers")
    cells = cells[np.isfinite(cells)]
    counts, highest = bool((cells == np.rint(cells)).all()), cells.max(initial=0)
    if log1p and (cells.min(initial=0) < 0 or (not counts and highest < np.log1p(COUNTS_PER_SAMPLE))):
        raise ValueError(
            f"{where}: found values from {cells.min():.3g} to {highest:.3g} with fractions, expected counts; set log1p to false, they are log1p already"
        )
    if counts and not log1p:
        raise ValueError(f"{where}: found raw counts (whole numbers up to {highest:.0f}), expected log1p values; set log1p to true")


def _log1p_of_counts(matrix: Matrix, ids: list[str], source: Path) -> Matrix:
    totals = np.asarray(matrix.sum(axis=1) if sparse.issparse(matrix) else np.nansum(matrix, axis=1), dtype=np.float64).ravel()
    if (totals <= 0).any():
        raise ValueError(f"{source}: sample {ids[int(np.argmax(totals <= 0))]!r} has no counts, expected at least one; remove it")
    scale = (COUNTS_PER_SAMPLE / totals).astype(matrix.dtype)
    if sparse.issparse(matrix):
        return (sparse.diags_array(scale).tocsr() @ matrix).log1p()
    return np.log1p(matrix * scale[:, None])


def _variance(matrix: Matrix) -> Float[np.ndarray, " genes"]:
    """Variance over samples, NaN left out."""
    if sparse.issparse(matrix):
        matrix = matrix.astype(np.float64)
        return np.asarray(matrix.multiply(matrix).mean(axis=0) - np.square(matrix.mean(axis=0))).ravel()
    count = np.maximum(np.isfinite(matrix).sum(axis=0), 1)
    mean = np.nansum(matrix, axis=0, dtype=np.float64) / count
    return np.nansum(np.square(matrix - mean), axis=0) / count
