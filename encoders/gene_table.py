"""Gene embeddings already computed, one vector per sample: the output of any gene, DNA, protein or cell model."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from encoders.base import Encoder, Raw, Tokens, cut_tokens
from encoders.gene_ids import namespace, require_namespace, require_no_dates
from encoders.sound import require_measured
from encoders.tables import numbers, read_table


class GeneTable(Encoder):
    """One token per sample: its vector. A sample is a gene, a cell or a participant; a vector with a NaN is absent.

    Args:
        dim: Width of the vectors; :meth:`for_source` takes it from the file.
        modality: Name of the modality.
        key: Which matrix of the file: ``obsm:NAME``, ``varm:NAME`` (samples are the variables) or ``X`` of an ``.h5ad``
            (default: its only obsm), an array of an ``.npz`` (default: ``values``).
        id_column: Column or array of the ids; default: the first column, the array ``ids``, or the names of the ``.h5ad``.
        provenance: Further card fields: model, layer, pooling, licence; ``gene_ids`` is recognised from the file.
    """

    def __init__(
        self,
        dim: int,
        modality: str = "gene",
        key: str = "",
        id_column: str = "",
        provenance: dict[str, str] | None = None,
    ):
        super().__init__(modality, dim, provenance=provenance)
        self.key, self.id_column = key, id_column

    @classmethod
    def for_source(cls, source: Path, **init_args) -> GeneTable:
        """Width and gene-id namespace from the file."""
        table = read_table(source, init_args.get("id_column", ""), init_args.get("key", ""))
        found = namespace(list(table.index))
        provenance = ({"gene_ids": found} if found else {}) | (init_args.get("provenance") or {})
        return cls(**({"dim": table.shape[1]} | init_args | {"provenance": provenance}))

    def read(self, source: Path) -> Raw:
        """Vectors of a ``.csv``, ``.tsv``, ``.parquet``, ``.npz`` or ``.h5ad`` file, see :func:`encoders.tables.read_table`."""
        table = read_table(source, self.id_column, self.key)
        ids = list(table.index)
        if table.shape[1] != self.dim:
            raise ValueError(f"{source}: found vectors of width {table.shape[1]}, expected dim {self.dim}; use the file's own model or set dim")
        require_no_dates(ids, source)
        require_namespace(ids, self.provenance.get("gene_ids", ""), source)
        values = numbers(table, source)
        require_measured(ids, values, source)
        return Raw(ids, values)

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Vectors to one token each."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        return {"dim": self.dim, "modality": self.modality, "key": self.key, "id_column": self.id_column, "provenance": self.provenance}

    @classmethod
    def example(cls) -> GeneTable:
        """Vectors of width 4."""
        return cls(dim=4)
