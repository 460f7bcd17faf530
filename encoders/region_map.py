"""Region values back to a brain image, through the label image of an atlas; and the atlas itself back to files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float

from encoders.atlas import Atlas, read_atlas
from encoders.nifti import write_image


def write_map(
    values: Mapping[str, float] | Sequence[float] | Float[np.ndarray, " regions"],
    atlas: Atlas | str | Path,
    path: str | Path,
    labels: str | Path = "",
) -> None:
    """Render region values through the label image of an atlas into a NIfTI map in RAS+ order, 0 outside the regions.

    int16 with a slope; float64 where a value is missing (NaN) or int16 would lose more than 1e-4 of the range.

    Args:
        values: Region name to value (a region left out is NaN), or one value per region in the order of the atlas.
        atlas: The atlas, or its label image.
        path: File to write, ``.nii`` or ``.nii.gz``.
        labels: Table of the regions when ``atlas`` is an image.
    """
    atlas = atlas if isinstance(atlas, Atlas) else read_atlas(atlas, labels)
    stored, slope = _quantised(_in_order(values, atlas))
    voxels = np.zeros(atlas.labels.size, dtype=stored.dtype)
    voxels[atlas.regions.voxels] = stored[atlas.regions.region]
    image = nib.Nifti1Image(voxels.reshape(atlas.labels.shape, order="F"), atlas.affine)
    image.set_sform(atlas.affine, atlas.form)
    image.set_qform(atlas.affine, atlas.form)
    image.header.set_slope_inter(slope, 0)
    write_image(image, path)


def write_atlas(atlas: Atlas, image: str | Path, table: str | Path) -> None:
    """Write the label image of an atlas in RAS+ order and the table of its regions (BIDS ``dseg.tsv``); labels of no region are left out."""
    labels = np.where(np.isin(atlas.labels, atlas.indices), atlas.labels, 0).astype(np.int32)
    stored = nib.Nifti1Image(labels, atlas.affine, dtype=np.int16 if labels.max() < 2**15 else np.int32)
    stored.set_sform(atlas.affine, atlas.form)
    stored.set_qform(atlas.affine, atlas.form)
    write_image(stored, image)
    with Path(table).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([("index", "name"), *zip(atlas.indices, atlas.names, strict=True)])


def _in_order(values: Mapping[str, float] | Sequence[float] | np.ndarray, atlas: Atlas) -> Float[np.ndarray, " regions"]:
    if isinstance(values, Mapping):
        unknown = [name for name in values if name not in atlas.names]
        if unknown:
            raise ValueError(f"{atlas.source}: no region {unknown[0]!r}; expected some of {list(atlas.names[:3])} ...")
        values = [values.get(name, np.nan) for name in atlas.names]
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(atlas.names),) or not np.isfinite(values).any() or np.isinf(values).any():
        raise ValueError(f"{atlas.source}: found values {values.shape}, expected {len(atlas.names)} finite values, one per region")
    return values


def _quantised(values: Float[np.ndarray, " regions"]) -> tuple[np.ndarray, float]:
    """Stored numbers and their slope; 0 stays 0, the background of the map."""
    highest = np.nanmax(np.abs(values))
    slope = np.float32(highest / 32767) or np.float32(1)
    if np.isnan(values).any() or slope / 2 > 1e-4 * (np.ptp(values) or highest):
        return values, 1.0
    return np.rint(values / slope).clip(-32767, 32767).astype(np.int16), float(slope)
