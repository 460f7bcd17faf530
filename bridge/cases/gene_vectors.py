"""Vectors of genes by symbol: from a file of vectors, or from a cohort with the modality gene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from jaxtyping import Float

from bridge.cases.facts import GENE
from bridge.data.build import VECTORS
from bridge.data.cohort import Cohort
from bridge.data.measure import measure
from encoders.base import Encoder


class GeneVectors(NamedTuple):
    """Vectors as measured, not normalised.

    Args:
        encoder: That made them.
        rows: Symbol to its row.
        values: One row each.
        aliases: Other symbols of a gene to the one in use, where the source knows them.
        file: Name of the source.
        notices: Terms and acknowledgements that travel with the vectors.
    """

    encoder: Encoder
    rows: Mapping[str, int]
    values: Float[np.ndarray, "genes features"]
    aliases: Mapping[str, str]
    file: str
    notices: tuple[str, ...] = ()

    def find(self, symbol: str) -> Float[np.ndarray, " features"] | None:
        """The vector of a gene, None where there is none."""
        row = self.rows.get(symbol, self.rows.get(self.aliases.get(symbol, "")))
        return None if row is None else self.values[row]


def read_gene_vectors(source: str | Path, trust: Sequence[str] = ()) -> GeneVectors:
    """Vectors of a file whose ids are gene symbols, or of a cohort's genes.

    Args:
        source: A cohort (.h5ad), or what the encoder of gene vectors reads; ``FILE.h5ad#obsm:KEY`` names the slot.
        trust: Modules outside the packages whose encoder classes may load.

    Raises:
        ValueError: the file is neither.
    """
    path, _, key = str(source).partition("#")
    if not key and _is_cohort(Path(path)):
        return vectors_of(Cohort.read(path), trust)
    spec = {"class_path": VECTORS, "source": path, "init_args": {"key": key} if key else {}}
    found = measure({GENE: spec}, trust)[GENE]
    return GeneVectors(found.encoder, {name: row for row, name in enumerate(found.ids)}, found.values, {}, found.file)


def vectors_of(cohort: Cohort, trust: Sequence[str] = ()) -> GeneVectors:
    """Vectors of a cohort's genes: of samples called by their symbol, or of patients by their gene.

    Raises:
        ValueError: the cohort has no modality gene.
    """
    notes = cohort.about["notes"]
    aliases, notices = notes.get("gene_aliases", {}), tuple(notes.get("acknowledgements", ()))
    cohort.card(GENE)
    return GeneVectors(cohort.encoder(GENE, trust), gene_rows(cohort), cohort.raw(GENE), aliases, Path(cohort.source).name, notices)


def gene_rows(cohort: Cohort) -> dict[str, int]:
    """Symbol to the first row that has its vector."""
    symbols = cohort.text(GENE) if GENE in cohort.table.obs else cohort.ids
    present = np.isfinite(cohort.raw(GENE)).any(axis=1)
    return {symbol: row for row, symbol in reversed(list(enumerate(symbols))) if symbol and present[row]}


def _is_cohort(path: Path) -> bool:
    if path.suffix != ".h5ad" or not path.is_file():
        return False
    try:
        with h5py.File(path, "r") as file:
            return "bridge" in file.get("uns", ())
    except OSError:  # what is wrong with it, its reader says
        return False
