"""Whether an image lies where its atlas lies: what the headers declare, and what the voxels show.

A shift below 5 mm, a left-right flip with a matching affine, and Talairach against MNI space under one code cannot be
seen in an image; nothing here promises to.
"""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float, Real

from encoders.atlas import FORMS, Atlas, Regions

#: Templates with axes of their own; the codes of scanner and aligned space are written for any of them.
TEMPLATES = (3, 4)

#: Voxels with data that together are as large as a brain without its skull (mm3); a map of fewer is thresholded, one of
#: more has a head or a background, and where these lie says little.
BRAIN_MM3 = (0.8e6, 2.5e6)

#: Part of the atlas that the field of view has to hold, and that the data of a whole brain have to cover.
LEAST_SEEN, LEAST_COVERED = 0.25, 0.7


def require_declared(image: nib.Nifti1Image, atlas: Atlas, path: str | Path) -> None:
    """Refuse an image whose header names another template than the atlas' does, or says nothing.

    Raises:
        ValueError: names the file and the field.
    """
    form = int(image.header["sform_code"] or image.header["qform_code"])
    if form != atlas.form and form in TEMPLATES and atlas.form in TEMPLATES:
        raise ValueError(f"{path}, field sform_code: found {FORMS[form]} space, expected {FORMS[atlas.form]} as the atlas; bring the image into that space")
    if np.array_equal(image.affine, np.eye(4)) and not np.array_equal(atlas.affine, np.eye(4)):
        found = "found the identity, as software writes that has lost the place of the image"
        raise ValueError(f"{path}, field srow_x: {found}, expected its affine in the space of the atlas {atlas.source}; save the image with it")


def require_seen(regions: Regions, affine: Float[np.ndarray, "4 4"], atlas: Atlas, path: str | Path) -> None:
    """Refuse an image whose field of view holds less than a quarter of the atlas.

    Args:
        regions: The atlas on the grid of the image.
        affine: Of the image.
        atlas: As it is.
        path: The image, for the error.
    """
    sizes = np.abs([np.linalg.det(affine[:3, :3]), np.linalg.det(atlas.affine[:3, :3])])
    seen = len(regions.voxels) * sizes[0] / (len(atlas.regions.voxels) * sizes[1])
    if seen < LEAST_SEEN:
        found = f"its field of view holds {seen:.0%} of the atlas {atlas.source}"
        raise ValueError(f"{path}, field srow_x: {found}, expected most of it; the image is in another space, register it to that of the atlas")


def require_covered(volume: Real[np.ndarray, "x y z"], regions: Regions, affine: Float[np.ndarray, "4 4"], atlas: Atlas, path: str | Path) -> None:
    """Refuse the image of a whole brain that does not lie under the atlas.

    Args:
        volume: Voxels as stored; 0 and NaN are background.
        regions: The atlas on the grid of the image.
        affine: Of the image.
        atlas: As it is.
        path: The image, for the error.
    """
    voxel_mm3 = float(abs(np.linalg.det(affine[:3, :3])))
    if not BRAIN_MM3[0] <= np.count_nonzero(volume) * voxel_mm3 or not len(regions.voxels):
        return
    data = np.isfinite(volume) & (volume != 0)
    if not BRAIN_MM3[0] <= np.count_nonzero(data) * voxel_mm3 <= BRAIN_MM3[1]:
        return
    covered = data.ravel(order="F")[regions.voxels].mean()
    if covered < LEAST_COVERED:
        found = f"found data under {covered:.0%} of the atlas {atlas.source}, though it is the image of a whole brain"
        raise ValueError(f"{path}: {found}, expected most of it; register the image to the space of the atlas, and check its affine")
