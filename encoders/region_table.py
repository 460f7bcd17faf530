"""One row per sample, one value per brain region: tables of atlas statistics, FreeSurfer's among them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor

from encoders.base import Encoder, Raw, Tokens, cut_tokens
from encoders.files import decoding, existing
from encoders.tables import numbers, read_table, require_ids

#: Measure to its column in aparc.stats.
MEASURES = {"thickness": "ThickAvg", "area": "SurfArea", "volume": "GrayVol", "meancurv": "MeanCurv"}
STATS = ("lh.aparc.stats", "rh.aparc.stats", "aseg.stats")
FREESURFER_HEADER = re.compile(r"[lr]h\.[\w.]+\.\w+|Measure:\w+")
CORTEX = re.compile(r"[lr]h_(?!Mean|WhiteSurf|Total).+_(thickness|area|volume|meancurv|gauscurv|foldind|curvind|thicknessstd)")
SUBCORTEX = re.compile(r"(Left|Right)-.+|(3rd|4th|5th)-Ventricle|Brain-Stem|CSF|CC_\w+|Optic-Chiasm|(WM|non-WM)-hypointensities")


class RegionTable(Encoder):
    """Tokens ``[batch, regions, 1]``; a region that a file lacks, or a cell that is empty, is absent.

    Reads wide tables (``.csv``, ``.tsv``, ``.parquet``, ``.npz``, ``.h5ad``), tables by FreeSurfer's ``aparcstats2table`` and
    ``asegstats2table``, a subject's ``aparc.stats`` or ``aseg.stats``, and folders of subjects with those.

    Args:
        names: Regions in order; :meth:`for_source` takes them from the file.
        modality: Name of the modality.
        measure: Which measure of ``aparc.stats`` to read: thickness, area, volume or meancurv.
        key: Matrix of an ``.h5ad`` or ``.npz`` file, see :func:`encoders.tables.read_table`.
        id_column: Column of the sample ids; default: the first.
        provenance: Further card fields: atlas, units, licence.
    """

    def __init__(
        self,
        names: Iterable[str],
        modality: str = "brain",
        measure: str = "thickness",
        key: str = "",
        id_column: str = "",
        provenance: dict[str, str] | None = None,
    ):
        super().__init__(modality, dim=1, names=names, provenance=provenance)
        if not self.names or measure not in MEASURES:
            raise ValueError(f"RegionTable: found {len(self.names)} names and measure {measure!r}, expected a region or more and one of {list(MEASURES)}")
        self.measure, self.key, self.id_column = measure, key, id_column

    @classmethod
    def for_source(cls, source: Path, **init_args) -> RegionTable:
        """Regions from the file: all columns, or those of a FreeSurfer table that are regions."""
        asked = {name: init_args[name] for name in ("measure", "key", "id_column") if name in init_args}
        table = _regions(source, **asked)
        if isinstance(table.columns, pd.RangeIndex) and not init_args.get("names"):
            raise ValueError(f"{source}: the values have no column names; name the {table.shape[1]} regions with names")
        return cls(**({"names": [str(name) for name in table.columns]} | init_args))

    def read(self, source: Path) -> Raw:
        """Values of the regions in the order of ``names``, in the units of the file."""
        table = _regions(source, self.measure, self.key, self.id_column)
        if isinstance(table.columns, pd.RangeIndex) and table.shape[1] == len(self.names):
            table.columns = list(self.names)
        present = [name for name in self.names if name in table]
        unknown = [] if table.attrs.get("freesurfer") else [name for name in table.columns if name not in self.names]
        if unknown or not present:
            wrong = f"column {unknown[0]!r} is not a region of the encoder" if unknown else f"none of the {len(self.names)} regions is a column"
            raise ValueError(f"{source}: {wrong}; expected {list(self.names[:3])} ...; rename or remove the column")
        values = pd.DataFrame(numbers(table[present], source), index=table.index, columns=present)
        return Raw(list(table.index), values.reindex(columns=list(self.names)).to_numpy())

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Values to one token per region."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        own = {"measure": self.measure, "key": self.key, "id_column": self.id_column}
        return {"names": list(self.names), "modality": self.modality, "provenance": self.provenance} | own

    @classmethod
    def example(cls) -> RegionTable:
        """Three regions."""
        return cls(names=("lh_cuneus_thickness", "rh_cuneus_thickness", "Left-Hippocampus"))


def _regions(source: Path, measure: str = "thickness", key: str = "", id_column: str = "") -> pd.DataFrame:
    """The table of a source; of a FreeSurfer table only the regions: head size and covariates beside them are left out."""
    source = existing(source)
    subjects = source.is_dir() or source.suffix == ".stats"
    table = _subjects(source, measure) if subjects else read_table(source, id_column, key)
    names = [name for name in table.columns if CORTEX.fullmatch(str(name)) or SUBCORTEX.fullmatch(str(name))]
    if FREESURFER_HEADER.fullmatch(str(table.index.name)) or any(CORTEX.fullmatch(name) for name in names):
        table = table[names]
        table.attrs["freesurfer"] = True
    return table


def _subjects(source: Path, measure: str) -> pd.DataFrame:
    """One row per subject from stats files: the file given, or the standard three of each subject in a folder."""
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*.stats") if path.name in STATS)
    if not files:
        raise ValueError(f"{source}: found no {', '.join(STATS)}; expected a FreeSurfer subject, its stats folder or a folder of subjects")
    rows: dict[str, dict[str, float]] = {}
    for file in files:
        subject, values = _stats(file, measure)
        row = rows.setdefault(subject, {})
        if set(values) & set(row):
            raise ValueError(f"{file}: subject {subject!r} was read before from another file; expected one folder per subject")
        row.update(values)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(f"Measure:{measure}")
    require_ids(list(table.index), source)
    return table


def _stats(file: Path, measure: str) -> tuple[str, dict[str, float]]:
    """Subject and values of one stats file (FreeSurfer's mris_anatomical_stats and mri_segstats)."""
    with decoding(file, "FreeSurfer stats"):
        lines = file.read_text(encoding="utf-8").splitlines()
        head = dict(line[2:].split(maxsplit=1) for line in lines if re.match(r"# (subjectname|hemi|ColHeaders) +\S", line))
        cells = pd.DataFrame([line.split() for line in lines if line and not line.startswith("#")], columns=head["ColHeaders"].split())
        surface = "hemi" in head and "ThickAvg" in cells
        values = cells[MEASURES[measure] if surface else "Volume_mm3"].astype(np.float64)
        names = f"{head['hemi']}_" + cells["StructName"] + f"_{measure}" if surface else cells["StructName"]
        return head["subjectname"], dict(zip(names, values, strict=True))
