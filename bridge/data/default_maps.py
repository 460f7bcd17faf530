"""Brain maps of the default data: values of the expression table rendered through the label image, and read back from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from bridge.data.anatomy import Regions
from bridge.data.cohort import Cohort
from encoders.base import Encoder, load_class
from encoders.region_map import write_map

#: Maps written to disk, of held-out genes first; :func:`render` writes any other when it is asked for.
RENDERED_MAPS = 24

#: int16 keeps a map of 0..1 to within 1.6e-5; what is read back from a file may differ by no more than this.
MAP_TOLERANCE = 1e-4

NAME = "atlas-DesikanKilliany_dseg"
READER = "encoders.brain_volume.BrainVolume"


def write_atlas(folder: Path, label_image: Path, regions: Regions, provenance: dict[str, str]) -> Encoder:
    """Copy the label image beside a table of its regions in BIDS form, and give the encoder that reads through them."""
    folder.mkdir(parents=True, exist_ok=True)
    image, table = (folder.resolve() / f"{NAME}{suffix}" for suffix in (".nii.gz", ".tsv"))
    rows = [f"{index}\t{name}" for index, name in zip(regions.indices, regions.names, strict=True)]
    table.write_text("\n".join(["index\tname", *rows, ""]), encoding="utf-8")
    shutil.copyfile(label_image, image)
    return load_class(READER)(atlas=str(image), labels=str(table), provenance=provenance)


def render(cohort: Cohort, symbol: str, path: Path) -> Path:
    """Write the brain map of one gene as NIfTI; the cohort holds the values, so any gene can be had when it is needed.

    Raises:
        ValueError: the cohort has no such gene.
    """
    if symbol not in cohort.ids:
        raise ValueError(f"{cohort.source}: no gene {symbol!r}; found {len(cohort.ids)} genes such as {cohort.ids[:3]}")
    encoder = cohort.encoder("brain")
    values = cohort.raw("brain")[cohort.ids.index(symbol)]
    write_map(dict(zip(encoder.names, values.tolist(), strict=True)), encoder.atlas, path, encoder.labels)
    return path


def write_maps(cohort: Cohort, folder: Path) -> None:
    """Render some maps and read them back the way a user's images are read.

    Raises:
        ValueError: a value read back differs from the cohort's.
    """
    rows = np.concatenate([cohort.rows(split) for split in ("test", "validation", "train")])[:RENDERED_MAPS]
    shutil.rmtree(folder, ignore_errors=True)
    for row in rows:
        render(cohort, cohort.ids[row], folder / f"{cohort.ids[row]}.nii.gz")
    ids, values = cohort.encoder("brain").read(folder)
    expected = cohort.raw("brain")[[cohort.ids.index(symbol) for symbol in ids]]
    difference = float(np.abs(values - expected).max())
    if not difference <= MAP_TOLERANCE:
        raise ValueError(f"{folder}: values read back differ from the table by {difference:.2g}, expected at most {MAP_TOLERANCE}; the label image is another")
