"""What a radiologist's findings say of brain regions: smaller, larger, changed, or looked for and not found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from encoders.base import Encoder, Raw, Tokens, cut_tokens
from encoders.tables import read_table

#: A cell of the table to direction and finding; an empty cell is a region of which nothing is said.
STATES = {"lower": (-1.0, 1.0), "higher": (1.0, 1.0), "abnormal": (0.0, 1.0), "excluded": (0.0, 0.0)}
WIDTH = 2
UNITS = "HPO finding"


class ImagingFindings(Encoder):
    """Tokens ``[batch, regions, 2]``: direction (-1 lower, +1 higher, 0 neither or unknown) and finding (1 found, 0 looked for and not found).

    Two numbers, so that "abnormal, direction unknown" (0, 1) is not "examined and nothing found" (0, 0); a region of which
    nothing is said is absent. They are findings, not measurements: the card's units are ``HPO finding``, so that a model of
    thickness or expression refuses them, and the other way round.

    Args:
        names: Regions in order; :meth:`for_source` takes them from the file.
        modality: Name of the modality.
        id_column: Column of the sample ids; default: the first.
        provenance: Further card fields: atlas, source, version.
    """

    def __init__(self, names: Iterable[str], modality: str = "brain", id_column: str = "", provenance: dict[str, str] | None = None):
        super().__init__(modality, dim=WIDTH, names=names, provenance={"units": UNITS} | (provenance or {}))
        if not self.names:
            raise ValueError("ImagingFindings, names: found none, expected a region or more")
        self.id_column = id_column

    @classmethod
    def for_source(cls, source: Path, **init_args) -> ImagingFindings:
        """Regions from the columns of the file."""
        table = read_table(source, init_args.get("id_column", ""))
        return cls(**({"names": [str(name) for name in table.columns]} | init_args))

    def read(self, source: Path) -> Raw:
        """Values of a table (``.csv``, ``.tsv``, ``.parquet``) with a row per sample and a column per region.

        A cell is ``lower``, ``higher``, ``abnormal`` or ``excluded``, or empty.
        """
        table = read_table(source, self.id_column)
        unknown = [name for name in table.columns if name not in self.names]
        if unknown:
            raise ValueError(f"{source}: column {unknown[0]!r} is not a region of the encoder; expected {list(self.names[:3])} ...; rename or remove it")
        rows = []
        for sample, cells in zip(table.index, table.fillna("").astype(str).to_dict("records"), strict=True):
            wrong = next((name for name, cell in cells.items() if cell not in STATES and cell), None)
            if wrong:
                raise ValueError(f"{source}, column {wrong!r}, row {sample!r}: found {cells[wrong][:40]!r}, expected one of {', '.join(STATES)}, or nothing")
            rows.append(self.row(cells))
        return Raw(list(table.index), np.stack(rows) if rows else np.empty((0, self.tokens * self.dim)))

    def row(self, states: Mapping[str, str]) -> Float[np.ndarray, " features"]:
        """Values of one sample from region to state; a region that is left out or '' is missing.

        Raises:
            KeyError: a region or a state that the encoder does not have.
        """
        values = np.full((self.tokens, self.dim), np.nan)
        places = {name: number for number, name in enumerate(self.names)}
        for name, state in states.items():
            if state:
                values[places[name]] = STATES[state]
        return values.ravel()

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Values to one token per region."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        return {"names": list(self.names), "modality": self.modality, "id_column": self.id_column, "provenance": self.provenance}

    @classmethod
    def example(cls) -> ImagingFindings:
        """Three regions."""
        return cls(names=("left hippocampus", "right hippocampus", "corpus callosum"))
