"""What FreeSurfer writes of a subject's regions: its stats files, and the tables that aparcstats2table and asegstats2table make of them.

Source: FreeSurfer 7.4, mris_anatomical_stats, mri_segstats, aparcstats2table and asegstats2table.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from encoders.files import decoding
from encoders.ids import require_ids
from encoders.tables import read_table, separator

#: Measure to its column in aparc.stats.
MEASURES = {
    "thickness": "ThickAvg",
    "area": "SurfArea",
    "volume": "GrayVol",
    "meancurv": "MeanCurv",
    "thicknessstd": "ThickStd",
    "gauscurv": "GausCurv",
    "foldind": "FoldInd",
    "curvind": "CurvInd",
}

#: Measures that cannot be below 0.
LENGTHS = ("thickness", "area", "volume", "thicknessstd")

#: Parcellation that is read of a subject with several.
USUAL = "aparc"
STATS = re.compile(r"(?P<hemi>[lr]h)\.(?P<parcellation>aparc(?:\.[\w.]+?)?)\.stats|aseg\.stats")

#: First cell of a table: hemisphere, parcellation and measure, or the measure of a segmentation.
HEADER = re.compile(r"(?P<hemi>[lr]h)\.(?P<parcellation>[\w.]+)\.(?P<measure>\w+)|Measure:(?P<volume>\w+)")
CORTEX = re.compile(rf"[lr]h_(?!Mean|WhiteSurf|Total).+_({'|'.join(MEASURES)})")
SUBCORTEX = re.compile(r"(Left|Right)-.+|(3rd|4th|5th)-Ventricle|Brain-Stem|CSF|CC_\w+|Optic-Chiasm|(WM|non-WM)-hypointensities|(wm|ctx)-[lr]h-.+")
TABLES = (".txt", ".tsv", ".csv", ".dat")

#: Subjects that FreeSurfer brings along.
TEMPLATES = re.compile(r"fsaverage\w*|[lr]h\.EC_average|cvs_avg35\w*|bert")


def regions_alone(table: pd.DataFrame) -> pd.DataFrame:
    """Of a table by FreeSurfer only the regions: head size, means and covariates beside them are left out. Any other table as it is."""
    names = [name for name in table.columns if _is_region(name)]
    if not (HEADER.fullmatch(str(table.index.name)) or any(CORTEX.fullmatch(name) for name in names)):
        return table
    ids = [str(name).rstrip("/") or str(name) for name in table.index]  # a shell's sub-*/ hands folders on with their slash
    return _marked(table[names].set_axis(pd.Index(ids, dtype=object, name=table.index.name)))


def upright(table: pd.DataFrame) -> pd.DataFrame:
    """Regions as columns, of a table that was written with ``--transpose`` too."""
    lying = HEADER.fullmatch(str(table.index.name)) and any(map(_is_region, table.index)) and not any(map(_is_region, table.columns))
    return table.T.rename_axis(table.index.name).set_axis(list(table.index), axis=1) if lying else table


def stats_files(folder: Path) -> list[Path]:
    """Cortical and segmentation stats of a subject, its stats folder or a folder of subjects; FreeSurfer's own subjects are left out."""
    found = sorted(path for path in folder.rglob("*.stats") if STATS.fullmatch(path.name))
    return [path for path in found if not any(TEMPLATES.fullmatch(part) for part in path.relative_to(folder).parts[:-1])]


def table_files(folder: Path) -> list[Path]:
    """Tables by FreeSurfer in a folder, known by their first cell."""
    files = sorted(path for path in folder.iterdir() if path.suffix in TABLES and path.is_file() and not path.name.startswith("."))
    return [path for path in files if HEADER.fullmatch(first_cell(path))]


def first_cell(file: Path) -> str:
    """First cell of a text table."""
    with decoding(file, "a text table"), file.open(encoding="utf-8-sig", errors="replace") as stream:
        return stream.readline(1 << 16).split(separator(file))[0].strip().strip('"')


def parcellation_of(files: Iterable[Path], asked: str, source: Path) -> str:
    """The parcellation to read of those that the files hold: what is asked for, the only one, or aparc.

    Raises:
        ValueError: it is not there, or there are several and aparc is not among them.
    """
    known = [STATS.fullmatch(file.name) or HEADER.fullmatch(first_cell(file)) for file in files]
    found = sorted({match["parcellation"] for match in known if match and match["parcellation"]})
    if asked and asked not in found and found:
        raise ValueError(f"{source}: found no parcellation {asked!r}; it has {', '.join(found)}")
    if asked or not found:
        return asked
    if len(found) > 1 and USUAL not in found:
        raise ValueError(f"{source}: found the parcellations {', '.join(found)}, expected one; choose with parcellation, or {source}#parcellation={found[0]}")
    return found[0] if len(found) == 1 else USUAL


def read_stats(files: Sequence[Path], measure: str, parcellation: str, source: Path | str) -> pd.DataFrame:
    """One row per subject from its stats files.

    Args:
        files: Stats files; of the cortical ones those of ``parcellation`` are read, or all where it is ''.
        measure: Which column of the cortical ones, see :data:`MEASURES`; a segmentation gives its volumes in mm^3.
        parcellation: ``aparc``, ``aparc.a2009s``, ``aparc.DKTatlas`` or another that the files are named by.
        source: What the files are from, for messages.

    Raises:
        ValueError: a file is damaged, or a subject is found twice.
    """
    rows: dict[str, dict[str, float]] = {}
    renamed: dict[str, str] = {}
    for file in files:
        match = STATS.fullmatch(file.name)
        if match and parcellation and match["parcellation"] not in (None, parcellation):
            continue
        written, values = _stats(file, measure)
        subject = file.parent.parent.name if file.parent.name == "stats" else written
        renamed |= {subject: written} if subject != written else {}
        row = rows.setdefault(subject, {})
        if set(values) & set(row):
            raise ValueError(f"{file}: subject {subject!r} was read before from another file; expected one folder per subject")
        row.update(values)
    _tell_renamed(renamed, source)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(f"Measure:{measure}")
    require_ids(list(table.index), source)
    return _marked(table)


def read_tables(files: Sequence[Path], measure: str, parcellation: str) -> list[pd.DataFrame]:
    """Those tables of a folder that hold the measure of the parcellation, and those of segmentations."""
    heads = {file: HEADER.fullmatch(first_cell(file)) for file in files}
    wanted = [
        file for file, head in heads.items() if head["volume"] or (head["measure"], head["parcellation"]) == (measure, parcellation or head["parcellation"])
    ]
    return [read_region_table(file) for file in wanted]


def read_region_table(source: Path | str, id_column: str = "", key: str = "") -> pd.DataFrame:
    """A table of regions, by FreeSurfer or not, with regions as columns."""
    return regions_alone(upright(read_table(source, id_column, key)))


def joined(tables: Sequence[pd.DataFrame], names: Sequence[str], source: str) -> pd.DataFrame:
    """Columns of several tables side by side, joined by subject; a subject that one of them lacks has missing values there.

    Raises:
        ValueError: a region is in two of them, they are of different parcellations, or they share no subject.
    """
    heads = [HEADER.fullmatch(str(table.index.name)) for table in tables]
    kinds = {head["parcellation"]: name for head, name in zip(heads, names, strict=True) if head and head["parcellation"]}
    if len(kinds) > 1:
        found = " and ".join(f"{parcellation} in {name}" for parcellation, name in kinds.items())
        raise ValueError(f"{source}: found {found}, expected one parcellation in both hemispheres")
    whole = tables[0]
    for table, name in zip(tables[1:], names[1:], strict=True):
        twice = [column for column in table.columns if column in set(whole.columns)]
        if twice:
            raise ValueError(f"{name}: region {twice[0]!r} was read before from another file, expected each region in one; is it the same hemisphere?")
        if not set(table.index) & set(whole.index):
            raise ValueError(f"{name}: has subjects like {table.index[0]!r}, {names[0]} like {whole.index[0]!r}; expected the same subjects in both")
        lacking = set(table.index) ^ set(whole.index)
        if lacking:
            warnings.warn(f"{source}: {len(lacking)} subjects are not in every file and lack its regions, for example {min(lacking)!r}", stacklevel=4)
        attrs, index_name = whole.attrs | table.attrs, whole.index.name
        whole = whole.join(table, how="outer").rename_axis(index_name)
        whole.attrs = attrs
    return whole


def _is_region(name: object) -> bool:
    return bool(CORTEX.fullmatch(str(name)) or SUBCORTEX.fullmatch(str(name)))


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    table.attrs["freesurfer"] = True
    return table


def _stats(file: Path, measure: str) -> tuple[str, dict[str, float]]:
    """Subject and values of one stats file (mris_anatomical_stats and mri_segstats)."""
    with decoding(file, "FreeSurfer stats"):
        lines = file.read_text(encoding="utf-8").splitlines()
        head = dict(line[2:].split(maxsplit=1) for line in lines if re.match(r"# (subjectname|hemi|ColHeaders)\s+\S", line))
        cells = pd.DataFrame([line.split() for line in lines if line and not line.startswith("#")], columns=head["ColHeaders"].split())
        surface = "hemi" in head and "ThickAvg" in cells
        values = cells[MEASURES[measure] if surface else "Volume_mm3"].astype(np.float64)
        wrong = _wrong(cells, values, measure if surface else "volume") or _elsewhere(file, lines, head)
        if wrong:
            raise ValueError(wrong)
        names = f"{head['hemi'].strip()}_" + cells["StructName"] + f"_{measure}" if surface else cells["StructName"]
        return head["subjectname"].strip(), dict(zip(names, values, strict=True))


def _wrong(cells: pd.DataFrame, values: pd.Series, measure: str) -> str:
    """What is wrong with the rows of a stats file, '' where nothing is."""
    if not len(cells) or cells.isna().any(axis=None):
        return "found a row cut short or none at all, expected a number in every column"
    twice = cells["StructName"][cells["StructName"].duplicated()]
    if len(twice):
        return f"found the region {twice.iloc[0]!r} twice, expected each once"
    outside = ~np.isfinite(values) | ((values < 0) & (measure in LENGTHS))
    return f"found {values[outside].iloc[0]} for {cells['StructName'][outside].iloc[0]!r}, expected a {measure} of 0 or more" if outside.any() else ""


def _elsewhere(file: Path, lines: Sequence[str], head: dict[str, str]) -> str:
    """What a stats file says of itself otherwise than its name does."""
    name = STATS.fullmatch(file.name)
    annotation = next((Path(line.split()[-1]).name for line in lines if line.startswith("# AnnotationFile ") and len(line.split()) > 2), "")
    said = re.fullmatch(r"([lr]h)\.(aparc.*)\.annot", annotation)
    if name and name["hemi"] and head.get("hemi", name["hemi"]).strip() != name["hemi"]:
        return f"found hemisphere {head['hemi'].strip()}, expected {name['hemi']} as its name says"
    if name and said and said[2] != name["parcellation"]:
        return f"found the parcellation {said[2]}, expected {name['parcellation']} as its name says"
    return ""


def _tell_renamed(renamed: dict[str, str], source: Path | str) -> None:
    if renamed:
        folder, written = next(iter(renamed.items()))
        found = f"{len(renamed)} subjects have another name in their files than their folder, for example {written!r} in {folder!r}"
        warnings.warn(f"{source}: {found}; the folder's name is taken", stacklevel=4)
