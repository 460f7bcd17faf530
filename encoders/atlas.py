"""An atlas: a label image, the names of its regions, and its labels on any other grid."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from jaxtyping import Float, Int, Real

from encoders.atlas_labels import read_labels
from encoders.nifti import read_image, volumes_shape

#: NIfTI-1 standard, xform codes.
FORMS = {1: "scanner", 2: "aligned", 3: "Talairach", 4: "MNI152"}

#: Two grids are one when their affines differ by less (mm); the same is the tilt that decides ties (voxels).
TOLERANCE = 1e-3

LARGEST_LABEL = np.iinfo(np.int32).max


class Regions(NamedTuple):
    """Where the regions lie on one grid: places of voxels in storage order (Fortran), sorted by the region number beside each."""

    voxels: Int[np.ndarray, " inside"]
    region: Int[np.ndarray, " inside"]


@dataclasses.dataclass(frozen=True)
class Atlas:
    """Regions of a label image in RAS+ order.

    Args:
        labels: Label of each voxel, 0 outside.
        affine: Voxel to mm.
        form: NIfTI code of the space.
        names: Name of each region.
        indices: Label of each region.
        source: File the labels come from.
    """

    labels: Int[np.ndarray, "x y z"]
    affine: Float[np.ndarray, "4 4"]
    form: int
    names: tuple[str, ...]
    indices: tuple[int, ...]
    source: str

    @functools.cached_property
    def regions(self) -> Regions:
        """Where the regions lie on the atlas' own grid."""
        return regions_on(self.labels, self.indices)

    def on_grid(self, shape: tuple[int, int, int], affine: Float[np.ndarray, "4 4"]) -> Int[np.ndarray, "x y z"]:
        """Labels on another grid: each of its voxels takes the label of the nearest atlas voxel, 0 outside the atlas.

        Follows the affines alone, so a flipped or rotated storage order gives the same regions.
        """
        if shape == self.labels.shape and np.allclose(affine, self.affine, atol=TOLERANCE):
            return self.labels
        to_atlas = np.linalg.inv(self.affine) @ affine
        rows, columns = np.meshgrid(np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
        slab = np.stack([np.zeros_like(rows), rows, columns, np.ones_like(rows)])
        # Slab by slab: the coordinates of a whole 1 mm grid would take 170 MB.
        return np.stack([self._nearest(np.tensordot(to_atlas[:3], slab + np.array([x, 0, 0, 0])[:, None, None], axes=1)) for x in range(shape[0])])

    def _nearest(self, position: Float[np.ndarray, "3 y z"]) -> Int[np.ndarray, "y z"]:
        # A point half-way between two voxels always goes to the same one, whatever the rounding of the affine.
        nearest = np.floor(position + 0.5 + TOLERANCE).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < np.array(self.labels.shape)[:, None, None])).all(axis=0)
        return np.where(inside, self.labels[tuple(np.where(inside, nearest, 0))], 0)


def regions_on(labels: Int[np.ndarray, "x y z"], indices: Sequence[int]) -> Regions:
    """Where the labels ``indices`` lie; other labels belong to no region."""
    order = np.argsort(indices)
    rising = np.asarray(indices)[order]
    flat = labels.ravel(order="F")
    place = np.searchsorted(rising, flat).clip(max=len(rising) - 1)
    voxels = np.flatnonzero(rising[place] == flat)
    region = order[place[voxels]]
    sort = np.argsort(region, kind="stable")  # once per grid, so that every volume is a gather and one sum per stretch
    return Regions(voxels[sort], region[sort])


def averages(volume: Real[np.ndarray, "x y z"], regions: Regions, count: int) -> Float[np.ndarray, " regions"]:
    """Mean of the finite voxels of each region, float64; NaN for a region without one."""
    values = volume.ravel(order="F").take(regions.voxels).astype(np.float64)
    starts = np.searchsorted(regions.region, np.arange(count + 1))
    present = np.flatnonzero(np.diff(starts))
    with np.errstate(invalid="ignore", over="ignore"):
        sums, voxels = np.add.reduceat(values, starts[present]), np.diff(starts)[present]
    if not np.isfinite(sums).all():  # only then is it worth looking at every voxel
        finite = np.isfinite(values)
        sums, voxels = (np.add.reduceat(each, starts[present]) for each in (np.where(finite, values, 0.0), finite.astype(np.float64)))
    means = np.full(count, np.nan)
    means[present] = np.divide(sums, voxels, out=np.full(len(present), np.nan), where=voxels > 0)
    return means


def read_atlas(image: str | Path, labels: str | Path = "", names: Sequence[str] = (), indices: Sequence[int] = ()) -> Atlas:
    """An atlas from its files.

    Args:
        image: Label image, three-dimensional, whole numbers.
        labels: Table of the regions, see :func:`read_labels`.
        names: Region names; with neither ``labels`` nor ``indices`` they go to the labels of the image in rising order.
        indices: Label of each name.
    """
    rounded, affine, form = _read_whole(image)
    found = _present(rounded)
    if not len(indices):
        listed, indices = read_labels(labels, found) if labels else ((), found)
        names = names or listed or [f"region {label}" for label in found]
    if len(names) != len(indices):
        raise ValueError(f"{image}: found {len(names)} names for {len(indices)} labels, expected one each; give a table of labels")
    if not set(indices) & set(found):
        raise ValueError(f"{image}: found none of the labels {list(indices[:5])} ..., expected labels like {list(found[:5])}; use the table of this atlas")
    return Atlas(rounded, affine, form, tuple(names), tuple(indices), str(image))


def _read_whole(image: str | Path) -> tuple[Int[np.ndarray, "x y z"], Float[np.ndarray, "4 4"], int]:
    """Labels in RAS+ order, their affine, and the code of the space."""
    stored = read_image(image)
    form = int(stored.header["sform_code"] or stored.header["qform_code"])
    stored = nib.as_closest_canonical(stored)  # which forgets the form; one order decides ties alike for all storage orders
    values = np.asanyarray(stored.dataobj)  # as stored: single precision would merge labels beyond 16,777,216, as atlases of mice have them
    values = np.nan_to_num(values) if values.dtype.kind == "f" else values
    whole, largest = np.rint(values), float(np.abs(values).max(initial=0))
    if volumes_shape(values.shape) != values.shape[:3] or largest > LARGEST_LABEL or np.abs(values - whole).max(initial=0) > TOLERANCE:
        found = f"found shape {stored.shape} and values up to {largest:.3g}"
        raise ValueError(f"{image}: {found}, expected a 3-D label image of whole numbers up to {LARGEST_LABEL:,}")
    return whole.reshape(values.shape[:3]).astype(np.int32), stored.affine, form


def _present(labels: Int[np.ndarray, "x y z"]) -> tuple[int, ...]:
    return tuple(int(label) for label in np.unique(labels) if label > 0)


def labels_of(image: str | Path) -> tuple[int, ...]:
    """Labels above 0 of a label image."""
    return _present(_read_whole(image)[0])


def described(image: str | Path) -> dict[str, str]:
    """Card fields of an atlas: its name, and its space where its name (BIDS) or its header tells."""
    path = Path(image)
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    entity = re.search(r"(?:space|tpl)-([A-Za-z0-9]+)", name)
    if not entity and not path.exists():
        return {"atlas": name}
    header = read_image(path).header if not entity else {}
    space = entity[1] if entity else FORMS.get(int(header["sform_code"] or header["qform_code"]), "unknown")
    return {"atlas": name, "space": f"{space}, mm, RAS+"}
