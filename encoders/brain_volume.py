"""A brain image (NIfTI) to one value per region of an atlas."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from encoders.atlas import Atlas, Regions, averages, described, read_atlas, read_labels, regions_on
from encoders.base import Encoder, Raw, Tokens, cut_tokens
from encoders.files import existing
from encoders.nifti import SUFFIXES, read_image, stored_volumes
from encoders.tables import require_ids

STATISTICS = {"mean": np.nanmean, "std": np.nanstd}


class BrainVolume(Encoder):
    """Tokens ``[batch, regions, 1]``: the mean over the voxels of each atlas region.

    A 4-D image gives the regional means of every volume, then their mean or standard deviation over time. Voxels that
    are NaN are left out; a region without a voxel is absent. Image and atlas must be in one space (registered):
    orientation, shape and voxel size may differ, they follow from the affines and never from a name.

    Args:
        atlas: Label image. Needed to read, not to build the encoder again: names and labels are kept.
        labels: Table of the regions, see :func:`encoders.atlas.read_labels`.
        names: Region names, where there is no table.
        indices: Label of each name; default: the table's, or the labels of the atlas in rising order.
        statistic: Over the time of a 4-D image: ``mean`` or ``std``.
        modality: Name of the modality.
        provenance: Further card fields; ``atlas``, ``space`` and ``pooling`` are filled in when not given.
    """

    def __init__(
        self,
        atlas: str = "",
        labels: str = "",
        names: Iterable[str] = (),
        indices: Iterable[int] = (),
        statistic: str = "mean",
        modality: str = "brain",
        provenance: dict[str, str] | None = None,
    ):
        names, indices = _regions(atlas, labels, tuple(names), tuple(indices))
        known = {"pooling": f"mean over region, {statistic} over time"} | (provenance or {})
        super().__init__(modality, dim=1, names=names, provenance=known if not atlas or "space" in known else described(atlas) | known)
        if statistic not in STATISTICS:
            raise ValueError(f"BrainVolume, statistic: found {statistic!r}, expected one of {list(STATISTICS)}")
        self.atlas, self.labels, self.indices, self.statistic = str(atlas), str(labels), indices, statistic
        self._grids: dict[tuple, Regions] = {}
        self._loaded: Atlas | None = None

    def read(self, source: Path) -> Raw:
        """One row per image; float64, in the units of the image.

        Args:
            source: A ``.nii`` or ``.nii.gz`` file, or a folder in which every such file is a sample. The id is the
                BIDS entity ``sub-XX`` of the file name, otherwise the name without its ending.
        """
        files = image_files(source)
        ids = [sample_id(file) for file in files]
        require_ids(ids, f"{source} (ids are from file names, one image per sample)")
        shown = track(files, description=f"Reading {self.modality}", disable=len(files) <= 20, transient=True)
        return Raw(ids, np.stack([self.values(file) for file in shown]))

    def values(self, path: Path) -> Float[np.ndarray, " regions"]:
        """Regional values of one image."""
        image = read_image(path)
        if len(image.shape) not in (3, 4) or 0 in image.shape:
            raise ValueError(f"{path}, field dim: found shape {image.shape}, expected 3-D or 4-D (time last)")
        times = image.shape[3] if len(image.shape) == 4 else 1
        if self.statistic == "std" and times < 2:
            raise ValueError(f"{path}, field dim: found {times} volume, expected 2 or more for the standard deviation over time; use statistic mean")
        regions = self._on_grid(image, path)
        stored = np.stack([averages(volume, regions, self.tokens) for volume in stored_volumes(image, path)])
        series = stored * image.dataobj.slope + image.dataobj.inter  # the mean of scaled values is the scaled mean
        if not np.nan_to_num(series).any():
            raise ValueError(f"{path}: all voxels inside the atlas are zero or NaN, expected measured values; check the file and its space")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a region that is NaN at all times stays NaN
            return STATISTICS[self.statistic](series, axis=0)

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Values to one token per region."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        own = {"atlas": self.atlas, "labels": self.labels, "indices": list(self.indices), "statistic": self.statistic}
        return {"names": list(self.names), "modality": self.modality, "provenance": self.provenance} | own

    @classmethod
    def example(cls) -> BrainVolume:
        """Three regions."""
        return cls(names=("left cuneus", "right cuneus", "brainstem"), indices=(1, 2, 3))

    def _on_grid(self, image: nib.Nifti1Image, path: Path) -> Regions:
        """Regions on the grid of an image, worked out once per grid."""
        shape = tuple(image.shape[:3])
        key = (shape, image.affine.round(6).tobytes())
        if key not in self._grids:
            atlas = self._atlas()
            self._grids[key] = regions_on(atlas.on_grid(shape, image.affine), atlas.indices)
            self._tell_empty(self._grids[key], path)
        return self._grids[key]

    def _atlas(self) -> Atlas:
        if self._loaded is None:
            if not self.atlas or not Path(self.atlas).is_file():
                raise ValueError(f"BrainVolume, atlas: found no file {self.atlas!r}, expected the label image of {self.provenance.get('atlas', 'the atlas')}")
            self._loaded = read_atlas(self.atlas, names=self.names, indices=self.indices)
        return self._loaded

    def _tell_empty(self, regions: Regions, path: Path) -> None:
        empty = [self.names[number] for number in np.flatnonzero(np.bincount(regions.region, minlength=self.tokens) == 0)]
        if len(empty) == self.tokens:
            raise ValueError(f"{path}: image and atlas {self.atlas} do not overlap, found 0 voxels in {self.tokens} regions; register the image first")
        if empty:
            warnings.warn(f"{path}: {len(empty)} of {self.tokens} regions have no voxel on this grid and are missing: {', '.join(empty[:5])}", stacklevel=2)


def image_files(source: str | Path) -> list[Path]:
    """The NIfTI files of a source in order of their path; hidden files are left out."""
    source = existing(source)
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.name.endswith(SUFFIXES) and not path.name.startswith("."))
    if not files:
        raise ValueError(f"{source}: found no image, expected files that end in {' or '.join(SUFFIXES)}")
    return files


def sample_id(file: Path) -> str:
    """``sub-XX`` of a BIDS file name, otherwise the name without its ending."""
    name = file.name.removesuffix(".gz").removesuffix(".nii")
    entity = re.match(r"sub-[A-Za-z0-9]+(?=_|$)", name)
    return entity[0] if entity else name


def _regions(atlas: str, labels: str, names: tuple[str, ...], indices: tuple[int, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and labels from what was given."""
    if labels and not indices:
        listed, indices = read_labels(labels)
        names = names or listed
    if not names or (indices and len(names) != len(indices)):
        raise ValueError(f"BrainVolume, names: found {len(names)} names and {len(indices)} labels for atlas {atlas!r}, expected labels (a table) or names")
    return names, indices
