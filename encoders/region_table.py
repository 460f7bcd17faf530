"""One row per sample, one value per brain region: tables of atlas statistics, FreeSurfer's and BIDS derivatives' among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from encoders import bids, freesurfer
from encoders.base import Encoder, Raw, Source, Tokens, cut_tokens, located
from encoders.files import existing
from encoders.freesurfer import MEASURES
from encoders.nifti import SUFFIXES
from encoders.parcellated import read_parcellated
from encoders.sound import require_measured
from encoders.tables import numbers, renamed

#: What may stand after the ``#`` of a source beside a key.
OWN_CHOICES = ("id", "measure", "parcellation", "session", "sample")


class RegionTable(Encoder):
    """Tokens ``[batch, regions, 1]``; a region that a file lacks, or a cell that is empty, is absent.

    Reads wide tables (``.csv``, ``.tsv``, ``.parquet``, ``.npz``, ``.h5ad``, ``.h5mu``), tables by FreeSurfer's ``aparcstats2table`` and
    ``asegstats2table`` (both hemispheres as ``lh.txt,rh.txt``, or a folder of them), a subject's stats files, a folder of subjects with
    those, and BIDS derivatives with a table of region values per participant.

    Args:
        names: Regions in order; :meth:`for_source` takes them from the file.
        modality: Name of the modality.
        measure: Which measure of FreeSurfer's to read: thickness, area, volume, meancurv ...
        parcellation: Which of FreeSurfer's parcellations: ``aparc``, ``aparc.a2009s``, ``aparc.DKTatlas``; default: the only one, or aparc.
        session: Of a BIDS folder: the session's label, ``first`` or ``last``; needed where participants have several.
        entities: Of a BIDS folder: what the files must have, ``{"seg": "Schaefer400", "stat": "mean"}``.
        key: Matrix of an ``.h5ad``, ``.h5mu`` or ``.npz`` file, see :func:`encoders.tables.read_table`.
        id_column: Column of the sample ids; default: the first.
        provenance: Further card fields: atlas, units, licence.
    """

    def __init__(
        self,
        names: Iterable[str],
        modality: str = "brain",
        measure: str = "thickness",
        parcellation: str = "",
        session: str = "",
        entities: Mapping[str, str] | None = None,
        key: str = "",
        id_column: str = "",
        provenance: dict[str, str] | None = None,
    ):
        super().__init__(modality, dim=1, names=names, provenance=provenance)
        if not self.names or measure not in MEASURES:
            raise ValueError(f"RegionTable: found {len(self.names)} names and measure {measure!r}, expected a region or more and one of {list(MEASURES)}")
        self.settings = {"measure": measure, "parcellation": parcellation, "session": str(session), "key": key, "id_column": id_column}
        self.entities = {name: str(value) for name, value in (entities or {}).items()}
        bids.wanted(self.entities, self.settings["session"])

    @classmethod
    def for_source(cls, source: str | Path, **init_args) -> RegionTable:
        """Regions from the file: all columns, or those of a FreeSurfer table that are regions; what the source's name chooses is kept."""
        settings = {name: init_args.pop(name, "") for name in ("measure", "parcellation", "session", "key", "id_column", "entities")}
        table, settings = _regions(source, settings)
        if isinstance(table.columns, pd.RangeIndex) and not init_args.get("names"):
            raise ValueError(f"{source}: the values have no column names; name the {table.shape[1]} regions with names")
        settings["entities"] = {name: value for name, value in settings["entities"].items() if name not in ("sub", "subject")}
        return cls(**({"names": [str(name) for name in table.columns]} | settings | init_args))

    def read(self, source: str | Path) -> Raw:
        """Values of the regions in the order of ``names``, in the units of the file."""
        table, _ = _regions(source, self.settings | {"entities": self.entities})
        if isinstance(table.columns, pd.RangeIndex) and table.shape[1] == len(self.names):
            table.columns = list(self.names)
        present = [name for name in self.names if name in table]
        unknown = [] if table.attrs.get("freesurfer") else [name for name in table.columns if name not in self.names]
        if unknown or not present:
            wrong = f"column {unknown[0]!r} is not a region of the encoder" if unknown else f"none of the {len(self.names)} regions is a column"
            found = "" if unknown else f", found {[str(name) for name in table.columns[:3]]} ..."
            raise ValueError(f"{source}: {wrong}{found}; expected {list(self.names[:3])} ...; rename or remove the column")
        values = pd.DataFrame(numbers(table[present], source), index=table.index, columns=present)
        require_measured(list(table.index), values.to_numpy(), source)
        return Raw(list(table.index), values.reindex(columns=list(self.names)).to_numpy())

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Values to one token per region."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        own = self.settings | {"entities": self.entities}
        return {"names": list(self.names), "modality": self.modality, "provenance": self.provenance} | own

    @classmethod
    def example(cls) -> RegionTable:
        """Three regions."""
        return cls(names=("lh_cuneus_thickness", "rh_cuneus_thickness", "Left-Hippocampus"))


def _regions(source: Path | str, settings: dict) -> tuple[pd.DataFrame, dict]:
    """The table of a source, and the settings with what the source's name chose."""
    asked = located(source)
    asked.require_choices((*OWN_CHOICES, *bids.CHOICES))
    settings = _with_choices(settings, asked)
    for file in asked.files:
        existing(file)
    whole = _folder if asked.files[0].is_dir() and len(asked.files) == 1 else _files
    table, settings = whole(asked, settings)
    return renamed(table, asked), settings


def _with_choices(settings: dict, asked: Source) -> dict:
    """What the source's name says stands above the settings."""
    own = {"id_column" if name == "id" else name: value for name, value in asked.choices.items() if name in OWN_CHOICES and name != "sample"}
    if own.get("measure", "thickness") not in MEASURES:  # not a measure of FreeSurfer's, so the entity of BIDS
        own.pop("measure")
    entities = {name: value for name, value in asked.choices.items() if name not in OWN_CHOICES or (name == "measure" and name not in own)}
    settings = settings | own | ({"key": asked.key} if asked.key else {})
    if "session" in own or "ses" in entities:
        settings["entities"] = {name: value for name, value in (settings["entities"] or {}).items() if name not in ("ses", "session")}
        settings["session"] = own.get("session", "")
    return settings | {"measure": settings["measure"] or "thickness", "entities": (settings["entities"] or {}) | entities}


def _files(asked: Source, settings: dict) -> tuple[pd.DataFrame, dict]:
    """Tables or stats files, joined where there are several."""
    stats = [file for file in asked.files if file.suffix == ".stats"]
    if stats:
        if len(stats) < len(asked.files):
            raise ValueError(f"{asked.name}: found stats files beside tables, expected one kind; make a table of all with aparcstats2table")
        return freesurfer.read_stats(stats, settings["measure"], "", asked.name), settings
    tables = [freesurfer.read_region_table(file, settings["id_column"], settings["key"]) for file in asked.files]
    return freesurfer.joined(tables, [file.name for file in asked.files], asked.name), settings


def _folder(asked: Source, settings: dict) -> tuple[pd.DataFrame, dict]:
    """Stats files of subjects, tables by FreeSurfer, or a table per participant of BIDS derivatives."""
    folder = asked.only()
    stats = freesurfer.stats_files(folder)
    tables = [] if stats else freesurfer.table_files(folder)
    settings = settings | {"parcellation": freesurfer.parcellation_of(stats or tables, settings["parcellation"], folder)}
    if (stats or tables) and "measure" in settings["entities"]:
        raise ValueError(f"{asked.name}#measure={settings['entities']['measure']}: found no such measure, expected one of {', '.join(MEASURES)}")
    if stats:
        return freesurfer.read_stats(stats, settings["measure"], settings["parcellation"], folder), settings
    if tables:
        wanted = freesurfer.read_tables(tables, settings["measure"], settings["parcellation"])
        if not wanted:
            raise ValueError(f"{folder}: no table of {settings['measure']}; found {[freesurfer.first_cell(file) for file in tables]}; choose another measure")
        return freesurfer.joined(wanted, [str(table.index.name) for table in wanted], folder.name), settings
    files = bids.files_in(folder, (".tsv", ".csv"))
    if not bids.is_dataset(folder) or not files:
        images = len(bids.files_in(folder, SUFFIXES))
        found = f"found {images} images and no table; images need an atlas to become regions" if images else "found no table of regions"
        forms = "expected a FreeSurfer subject or a folder of subjects, tables by aparcstats2table, or BIDS derivatives with region tables"
        raise ValueError(f"{folder}: {found}; pass --atlas LABELS.nii.gz --labels TABLE.tsv" if images else f"{folder}: {found}, {forms}")
    asked_for = bids.wanted(settings["entities"], settings["session"])
    return read_parcellated(bids.chosen(folder, files, asked_for, leave=bids.NOT_REGIONS), settings["measure"]), settings
