"""Regional means of a brain image through an atlas: ours and nilearn's masker, each from the file to the numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from measure import Ratio, alternated
from nilearn.maskers import NiftiLabelsMasker
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from encoders.brain_volume import BrainVolume

REGIONS = 100
TOLERANCE = 1e-9

#: Name to (grid, voxel in mm, volumes, bar); the grids are those of the MNI152 template at 1 mm and 3 mm.
IMAGES = {"3-D": ((182, 218, 182), 1.0, 1, 5.0), "4-D": ((61, 73, 61), 3.0, 100, 2.5)}


def measure() -> list[Ratio]:
    """3-D and 4-D, int16 with a slope, compressed."""
    with tempfile.TemporaryDirectory() as folder:
        return [_line(kind, Path(folder)) for kind in IMAGES]


def _line(kind: str, folder: Path) -> Ratio:
    """One image both ways; both have seen the atlas before the clock runs."""
    _, voxel_mm, volumes, bar = IMAGES[kind]
    image, atlas = _files(kind, folder)
    encoder = BrainVolume(atlas=str(atlas), names=[f"region {number}" for number in range(1, REGIONS + 1)])
    masker = NiftiLabelsMasker(str(atlas), background_label=0, standardize=None, resampling_target=None).fit()
    difference = float(np.abs(np.atleast_2d(masker.transform(str(image))).mean(axis=0) - encoder.values(image)).max())
    if difference > TOLERANCE:
        raise AssertionError(f"{kind}: the means differ by {difference:.2g}, expected at most {TOLERANCE}")
    ours, theirs = alternated(lambda: encoder.values(image), lambda: masker.transform(str(image)))
    size = f"{kind} .nii.gz, {volumes} x {voxel_mm:g} mm, {REGIONS} regions"
    told = {"ours": f"{ours:.3f} s", "theirs": f"{theirs:.3f} s", "equal": f"all means, largest difference {difference:.1g}"}
    return Ratio(f"atlas means, {size}", "nilearn NiftiLabelsMasker", theirs / ours, bar, "seconds", **told)


def _files(kind: str, folder: Path) -> tuple[Path, Path]:
    """An image and an atlas on its grid."""
    shape, voxel_mm, volumes, _ = IMAGES[kind]
    random, affine = np.random.default_rng(0), np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = -90, -126, -72
    brain = _brain(shape)
    smooth = gaussian_filter(random.normal(size=shape), 4)
    smooth = 1000 + 150 * smooth / smooth.std()
    voxels = np.stack([np.where(brain, smooth + random.normal(0, 30, shape), 0).astype(np.int16) for _ in range(volumes)], axis=-1)
    _save(voxels[..., 0] if volumes == 1 else voxels, affine, folder / f"{kind}.nii.gz", slope=0.01)
    _save(_labels(brain, random), affine, folder / f"{kind}_atlas.nii.gz")
    return folder / f"{kind}.nii.gz", folder / f"{kind}_atlas.nii.gz"


def _brain(shape: tuple[int, int, int]) -> np.ndarray:
    """An ellipsoid that fills about a third of the grid, as a brain does."""
    axes = np.meshgrid(*[np.linspace(-1, 1, length) for length in shape], indexing="ij")
    return sum((axis / radius) ** 2 for axis, radius in zip(axes, (0.8, 0.9, 0.85), strict=True)) < 1


def _labels(brain: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Every voxel of the brain belongs to the nearest of as many points as there are regions."""
    voxels = np.argwhere(brain)
    centres = voxels[random.choice(len(voxels), REGIONS, replace=False)]
    labels = np.zeros(brain.shape, dtype=np.int16)
    labels[brain] = cKDTree(centres).query(voxels)[1] + 1
    return labels


def _save(voxels: np.ndarray, affine: np.ndarray, path: Path, slope: float = 1.0) -> None:
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, 4)
    image.header.set_slope_inter(slope, 0)
    nib.save(image, path)
