"""A brain image (NIfTI) to one value per region of an atlas."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from encoders import bids
from encoders.atlas import Atlas, Regions, averages, described, labels_of, read_atlas, regions_on
from encoders.atlas_labels import differences, read_labels
from encoders.base import Encoder, Raw, Source, Tokens, cut_tokens, located
from encoders.files import existing
from encoders.nifti import SUFFIXES, read_image, read_shape, stored_volumes, volumes_shape
from encoders.space import require_covered, require_declared, require_seen

#: Surface and parcel files that end as images do: ``.dtseries.nii``, ``.pscalar.nii``.
CIFTI = re.compile(r".+\.[dp](tseries|scalar|label|conn)\.nii", re.IGNORECASE)
#: Images in other formats, whose samples would be missed in a folder.
OTHERS = (".img", ".img.gz", ".mgz", ".mgh", ".mnc", ".nrrd", ".nhdr", ".dcm", ".par")
#: What may stand after the ``#`` of a source beside BIDS entities.
OWN_CHOICES = ("atlas", "sample")
STATISTICS = {"mean": np.nanmean, "std": np.nanstd}


class BrainVolume(Encoder):
    """Tokens ``[batch, regions, 1]``: the mean over the voxels of each atlas region.

    A 4-D image gives the regional means of every volume, then their mean or standard deviation over time. Voxels that
    are NaN are left out; a region without a voxel is absent. Image and atlas must be in one space (registered):
    orientation, shape and voxel size may differ, they follow from the affines and never from a name. A name can
    only be refused: one that says ``space-`` must say the atlas' space.

    Args:
        atlas: Label image. Needed to read, not to build the encoder again: names and labels are kept.
        labels: Table of the regions, see :func:`encoders.atlas_labels.read_labels`.
        names: Region names, where there is no table.
        indices: Label of each name; default: the table's, or the labels of the atlas in rising order.
        statistic: Over the time of a 4-D image: ``mean`` or ``std``.
        session: Of a BIDS folder: the session's label, ``first`` or ``last``; needed where participants have several.
        entities: Of a BIDS folder: what the files must have, ``{"desc": "preproc", "suffix": "T1w"}``.
        dimensions: 3 or 4 where every image has as many; :meth:`for_source` takes it from the first image. 0 reads both.
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
        session: str = "",
        entities: Mapping[str, str] | None = None,
        dimensions: int = 0,
        modality: str = "brain",
        provenance: dict[str, str] | None = None,
    ):
        names, indices = _regions(atlas, labels, tuple(names), tuple(indices))
        known = {"pooling": f"mean over region, {statistic} over time"} | (provenance or {})
        super().__init__(modality, dim=1, names=names, provenance=known if not atlas or "space" in known else described(atlas) | known)
        if statistic not in STATISTICS:
            raise ValueError(f"BrainVolume, statistic: found {statistic!r}, expected one of {list(STATISTICS)}")
        self.atlas, self.labels, self.indices, self.statistic = str(atlas), str(labels), indices, statistic
        self.session, self.entities = str(session), {name: str(value) for name, value in (entities or {}).items()}
        self.dimensions = dimensions
        bids.wanted(self.entities, self.session)
        self._grids: dict[tuple, Regions] = {}
        self._loaded: Atlas | None = None

    @classmethod
    def for_source(cls, source: str | Path, **init_args) -> BrainVolume:
        """What the source's name chooses is kept; where image and table of the atlas differ, it is said once."""
        choices = located(source).choices
        own = {name: value for name, value in choices.items() if name == "atlas"}
        of_files = {name: value for name, value in choices.items() if name not in (*OWN_CHOICES, "sub", "subject")}
        entities = dict(init_args.pop("entities", None) or {}) | of_files
        encoder = cls(**(init_args | own | {"entities": entities}))
        if encoder.labels and encoder.atlas and Path(encoder.atlas).is_file():
            for line in differences(encoder.indices, labels_of(encoder.atlas)):
                warnings.warn(f"{encoder.labels} and {encoder.atlas}: {line}", stacklevel=2)
        encoder._take_dimensions(located(source))
        return encoder

    def read(self, source: str | Path) -> Raw:
        """One row per image; float64, in the units of the image. A participant of a BIDS folder without an image has a row of NaN.

        Args:
            source: A ``.nii`` or ``.nii.gz`` file, or a folder: a BIDS dataset or derivatives, or images of which each is a sample. The
                id is the BIDS entity ``sub-XX`` of the file name, otherwise the name without its ending. After ``#`` may stand
                ``atlas=FILE`` (the label image, where it is no longer where the encoder knew it), ``sample=ID`` (whose the one image
                is) and entities that choose the files.
        """
        asked = located(source)
        asked.require_choices((*OWN_CHOICES, *bids.CHOICES))
        if "atlas" in asked.choices:
            self._use_atlas(asked.choices["atlas"])
        files = self._files(asked)
        shown = track(files.values(), description=f"Reading {self.modality}", disable=len(files) <= 20, transient=True)
        rows = [np.full(self.tokens, np.nan) if file is None else self.values(file) for file in shown]
        return Raw(list(files), np.stack(rows))

    def values(self, path: Path) -> Float[np.ndarray, " regions"]:
        """Regional values of one image."""
        bids.require_space(path, self.provenance.get("space", ""))
        image = read_image(path)
        shape = volumes_shape(image.shape)
        if len(shape) not in (3, 4):
            raise ValueError(f"{path}, field dim: found shape {image.shape}, expected 3-D or 4-D (time last)")
        require_declared(image, self._atlas(), path)
        times = shape[3] if len(shape) == 4 else 1
        if self.dimensions and self.dimensions != (3 if times == 1 else 4):
            found = f"found {times} volume{'s' if times > 1 else ''}"
            raise ValueError(f"{path}, field dim: {found}, expected a {self.dimensions}-D image as the others of this modality; use that of the same kind")
        if self.statistic == "std" and times < 2:
            raise ValueError(f"{path}, field dim: found {times} volume, expected 2 or more for the standard deviation over time; use statistic mean")
        regions, volumes = self._on_grid(image, path), stored_volumes(image, path)
        require_covered(volumes[0], regions, image.affine, self._atlas(), path)
        if stored_infinite(volumes, regions):
            raise ValueError(f"{path}: found infinite voxels inside the atlas, expected numbers, NaN where nothing was measured; mend the image")
        stored = np.stack([averages(volume, regions, self.tokens) for volume in volumes])
        series = stored * image.dataobj.slope + image.dataobj.inter  # the mean of scaled values is the scaled mean
        if not np.nan_to_num(series).any():
            raise ValueError(f"{path}: all voxels inside the atlas are zero or NaN, expected measured values; check the file and its space")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a region that is NaN at all times stays NaN
            values = STATISTICS[self.statistic](series, axis=0)
        self._require_measured(values, stored[0], volumes[0], path)
        return values

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Values to one token per region."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        own = {"atlas": self.atlas, "labels": self.labels, "indices": list(self.indices), "statistic": self.statistic}
        own |= {"session": self.session, "entities": self.entities, "dimensions": self.dimensions}
        return {"names": list(self.names), "modality": self.modality, "provenance": self.provenance} | own

    @classmethod
    def example(cls) -> BrainVolume:
        """Three regions."""
        return cls(names=("left cuneus", "right cuneus", "brainstem"), indices=(1, 2, 3))

    def _files(self, asked: Source) -> dict[str, Path | None]:
        """The image of each sample, None for a participant without one."""
        source, entities = asked.only(), {name: value for name, value in asked.choices.items() if name not in OWN_CHOICES}
        files = image_files(source)
        if source.is_file():
            return {asked.choices.get("sample", bids.sample_id(source)): source}
        chosen = self.entities | entities
        session = "" if {"ses", "session"} & set(entities) else self.session
        return bids.chosen(source, files, bids.wanted(chosen, session), leave=bids.NOT_MEASURED, space=self.provenance.get("space", ""))

    def _take_dimensions(self, asked: Source) -> None:
        """A series where the others are single volumes, or the reverse, is a mistake of whoever collected the files."""
        first = next(filter(None, self._files(asked).values()), None)
        if self.dimensions or first is None:
            return
        shape = read_shape(first)
        self.dimensions = 4 if shape[3:] not in ((), (1,)) else 3
        if self.dimensions == 4:
            warnings.warn(f"{first}: holds {shape[3]} volumes, of which the {self.statistic} over time is taken", stacklevel=3)

    def _require_measured(self, values: Float[np.ndarray, " regions"], stored: Float[np.ndarray, " regions"], volume: np.ndarray, path: Path) -> None:
        """Refuse what has the form of an image and measures nothing: one number everywhere, a mask, what a slope made equal, the labels of the atlas."""
        present, before = values[np.isfinite(values)], stored[np.isfinite(stored)]
        lost = present[0] == 1 or (before != before[0]).any() or (volume == volume.flat[0]).all()
        if (present == present[0]).all() and lost:
            found = f"found the same number ({present[0]:.3g}) in every region"
            raise ValueError(f"{path}: {found}, expected measured values; is it a mask? Check how the image was written")
        if len(values) > 1 and np.array_equal(values, np.asarray(self.indices, dtype=np.float64)):
            raise ValueError(f"{path}: found the labels of the atlas for values, expected measured ones; it is a label image, give the image it belongs to")

    def _use_atlas(self, atlas: str) -> None:
        """Read with this label image from now on: the same atlas elsewhere, whose labels must be there."""
        if atlas != self.atlas:
            self.atlas, self._loaded, self._grids = atlas, None, {}

    def _on_grid(self, image: nib.Nifti1Image, path: Path) -> Regions:
        """Regions on the grid of an image, worked out once per grid."""
        shape = tuple(image.shape[:3])
        key = (shape, image.affine.round(6).tobytes())
        if key not in self._grids:
            atlas = self._atlas()
            regions = regions_on(atlas.on_grid(shape, image.affine), atlas.indices)
            self._tell_empty(regions, path)
            require_seen(regions, image.affine, atlas, path)
            self._grids[key] = regions
        return self._grids[key]

    def _atlas(self) -> Atlas:
        if self._loaded is None:
            if not self.atlas or not Path(self.atlas).is_file():
                need = f"expected the label image of {self.provenance.get('atlas', 'the atlas')}"
                raise ValueError(
                    f"BrainVolume, atlas: found no file {self.atlas!r}, {need}; say where it is after the image's name: IMAGE.nii.gz#atlas=LABELS.nii.gz"
                )
            self._loaded = read_atlas(self.atlas, names=self.names, indices=self.indices)
        return self._loaded

    def _tell_empty(self, regions: Regions, path: Path) -> None:
        empty = [self.names[number] for number in np.flatnonzero(np.bincount(regions.region, minlength=self.tokens) == 0)]
        if len(empty) == self.tokens:
            raise ValueError(f"{path}: image and atlas {self.atlas} do not overlap, found 0 voxels in {self.tokens} regions; register the image first")
        if empty:
            warnings.warn(f"{path}: {len(empty)} of {self.tokens} regions have no voxel on this grid and are missing: {', '.join(empty[:5])}", stacklevel=2)


def stored_infinite(volumes: list[np.ndarray], regions: Regions) -> bool:
    """Whether a voxel inside the regions is infinite; a mean without it would hide what went wrong before."""
    return volumes[0].dtype.kind == "f" and any(np.isinf(volume.ravel(order="F").take(regions.voxels)).any() for volume in volumes)


def image_files(source: str | Path) -> list[Path]:
    """The NIfTI files of a source in order of their path; of a dataset those of its participants."""
    source = existing(source)
    if source.is_file() and not source.name.lower().endswith(SUFFIXES):
        raise ValueError(f"{source}: not an image; this modality is read from images, as means of an atlas' regions; expected one of {', '.join(SUFFIXES)}")
    files = [source] if source.is_file() else [path for path in bids.files_in(source, SUFFIXES) if not CIFTI.fullmatch(path.name)]
    if source.is_dir():
        _tell_others(source)
    if not files:
        raise ValueError(f"{source}: found no image, expected files that end in {' or '.join(SUFFIXES)}")
    return files


def _tell_others(folder: Path) -> None:
    others = bids.files_in(folder, OTHERS)
    if others:
        found = f"{len(others)} files of other formats are not read, the first is {others[0].name}"
        warnings.warn(f"{folder}: {found}; save them as .nii.gz if they are meant", stacklevel=5)


def _regions(atlas: str, labels: str, names: tuple[str, ...], indices: tuple[int, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and labels from what was given."""
    if labels and not indices:
        listed, indices = read_labels(labels, labels_of(atlas) if atlas and Path(atlas).is_file() else ())
        names = names or listed
    if not names or (indices and len(names) != len(indices)):
        raise ValueError(f"BrainVolume, names: found {len(names)} names and {len(indices)} labels for atlas {atlas!r}, expected labels (a table) or names")
    return names, indices
