"""Peak coordinates of published studies to one value per region: the density of a study's peaks, averaged over an atlas."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter
from torch import Tensor

from encoders.atlas import TOLERANCE, Regions, averages, described, read_atlas, read_labels, regions_on
from encoders.base import Encoder, Raw, Tokens, cut_tokens
from encoders.files import decoding, existing

GRID_MM = 4
AXES = ("x", "y", "z")
MISSING = ("", "na", "n/a", "nan")

#: MNI (ICBM-152, all packages pooled) to Talairach, mm. Source: Lancaster et al. 2007, doi:10.1002/hbm.20345, table 5; inverted here.
ICBM_TO_TALAIRACH = np.array(
    [
        [0.9357, 0.0029, -0.0072, -1.0423],
        [-0.0065, 0.9396, -0.0726, -1.3940],
        [0.0103, 0.0752, 0.8967, 3.6475],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


class Peaks(Encoder):
    """Tokens ``[batch, regions, 1]``: per region the mean density of a study's peaks.

    Each peak is one voxel of a 4 mm MNI grid, smoothed with a Gaussian; the density of a study sums to one inside the
    brain (nilearn's MNI152 mask), and a region is the mean of its voxels there. A region without one is absent.
    Source: Dockes et al. 2020, doi:10.7554/eLife.53385 (the map of an article, FWHM 9 mm).

    Args:
        atlas: Label image in MNI space. Needed to read, not to build the encoder again: names and labels are kept.
        labels: Table of the regions, see :func:`encoders.atlas.read_labels`.
        names: Region names, where there is no table.
        indices: Label of each name; default: the table's, or the labels of the atlas in rising order.
        fwhm_mm: Width of the Gaussian at half its height.
        square_root: Give the square root of the density, whose values spread more evenly.
        id_column: Column of the study ids; default: the first.
        modality: Name of the modality.
        provenance: Further card fields; ``encoder``, ``atlas``, ``space``, ``pooling`` and ``units`` are filled in when not given.
    """

    def __init__(
        self,
        atlas: str = "",
        labels: str = "",
        names: Iterable[str] = (),
        indices: Iterable[int] = (),
        fwhm_mm: float | int = 9.0,
        square_root: bool = True,
        id_column: str = "",
        modality: str = "brain",
        provenance: dict[str, str] | None = None,
    ):
        names, indices = _regions(str(atlas), str(labels), tuple(names), tuple(indices))
        if not 0 < fwhm_mm < 100:
            raise ValueError(f"Peaks, fwhm_mm: found {fwhm_mm}, expected a width in mm above 0 and below 100")
        known = {
            "encoder": f"Gaussian density of peak coordinates, FWHM {fwhm_mm:g} mm",
            "pooling": f"mean over region on a {GRID_MM} mm grid",
            "units": "square root of density" if square_root else "density",
        } | (provenance or {})
        super().__init__(modality, dim=1, names=names, provenance=known if not atlas or "space" in known else described(atlas) | known)
        self.atlas, self.labels, self.indices, self.id_column = str(atlas), str(labels), indices, id_column
        self.fwhm_mm, self.square_root = fwhm_mm, square_root

    def read(self, source: Path) -> Raw:
        """One row per study, in the order in which they are first named.

        Args:
            source: ``.csv`` or ``.tsv``, one peak a row: the study's id, ``x``, ``y``, ``z`` (mm) and, where there are,
                ``space`` (MNI, or TAL which is converted; MNI without the column) and ``weight`` (1 without the column).

        Raises:
            ValueError: a column is missing, a cell is no number, a space is unknown, or a study has no peak in the image.
        """
        peaks = read_peaks(source, self.id_column)
        brain, affine = _brain()
        voxels, inside = _voxels(peaks[list(AXES)].to_numpy(), brain.shape, affine)
        _tell_outside(peaks, inside, source)
        maps = [self._values(voxels[rows], peaks["weight"].to_numpy()[rows], study, source) for study, rows in _studies(peaks, inside)]
        return Raw(list(dict.fromkeys(peaks["study"])), np.stack(maps))

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Values to one token per region."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        regions = {"atlas": self.atlas, "labels": self.labels, "names": list(self.names), "indices": list(self.indices)}
        own = {"fwhm_mm": self.fwhm_mm, "square_root": self.square_root, "id_column": self.id_column}
        return regions | own | {"modality": self.modality, "provenance": self.provenance}

    @classmethod
    def example(cls) -> Peaks:
        """Three regions."""
        return cls(names=("left cuneus", "right cuneus", "brainstem"), indices=(1, 2, 3))

    def _values(self, voxels: np.ndarray, weights: np.ndarray, study: str, source: str | Path) -> Float[np.ndarray, " regions"]:
        """Regional values of one study."""
        brain, _ = _brain()
        found = density(voxels, weights, brain, self.fwhm_mm / GRID_MM)
        if found is None:
            raise ValueError(f"{source}, study {study!r}: none of its {len(voxels)} peaks is near the brain; are x, y, z in mm, and is space right?")
        means = averages(found, self._on_grid(), self.tokens)
        return np.sqrt(means) if self.square_root else means

    def _on_grid(self) -> Regions:
        """The regions inside the brain, each voxel of the grid with the label nearest to it."""
        if not self.atlas or not Path(self.atlas).is_file():
            raise ValueError(f"Peaks, atlas: found no file {self.atlas!r}, expected the label image of {self.provenance.get('atlas', 'the atlas')}")
        return _gridded(self.atlas, self.names, self.indices)


def density(voxels: np.ndarray, weights: Float[np.ndarray, " peaks"], brain: Bool[np.ndarray, "x y z"], fwhm: float | int) -> Float[np.ndarray, "x y z"] | None:
    """Gaussian density of peaks that sums to one inside the brain, 0 outside; None where nothing reaches the brain.

    Args:
        voxels: Whole numbers ``[peaks, 3]``; two peaks of one voxel count twice.
        weights: Weight of each peak.
        brain: Where the density is kept.
        fwhm: In voxels.
    """
    grid = np.zeros(brain.shape)
    np.add.at(grid, tuple(voxels.T), weights)
    smooth = gaussian_filter(grid, fwhm / np.sqrt(8 * np.log(2)), mode="constant") * brain
    return smooth / smooth.sum() if smooth.sum() > 0 else None


def talairach_to_mni(coordinates: Float[np.ndarray, "peaks 3"]) -> Float[np.ndarray, "peaks 3"]:
    """Coordinates in mm by the affine of Lancaster et al. 2007."""
    return (np.c_[coordinates, np.ones(len(coordinates))] @ np.linalg.inv(ICBM_TO_TALAIRACH).T)[:, :3]


def read_peaks(source: str | Path, id_column: str = "") -> pd.DataFrame:
    """Peaks in MNI space: columns ``study``, ``x``, ``y``, ``z`` (mm) and ``weight``. A row without coordinates only names its study.

    Raises:
        ValueError: see :meth:`Peaks.read`.
    """
    source = existing(source)
    with decoding(source, "a table of peaks"):
        separator = "," if ".csv" in source.suffixes[-2:] else "\t"
        table = pd.read_csv(source, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    table.columns = [name.strip().lower() for name in table.columns]
    study = id_column.lower() or next(iter(table.columns), "")
    missing = [name for name in (study, *AXES) if name not in table]
    if missing or not len(table):
        found = f"no column {missing[0]!r}, found {list(table.columns[:8])}" if missing else "no row"
        raise ValueError(f"{source}: {found}; expected a study id, x, y, z in mm and perhaps space and weight, one peak a row")
    peaks = pd.DataFrame({"study": table[study].str.strip()} | {axis: _numbers(table, axis, source) for axis in AXES})
    peaks["weight"] = _numbers(table, "weight", source) if "weight" in table else 1.0
    _require_whole(peaks, source)
    talairach = _talairach(table, source)
    peaks.loc[talairach, list(AXES)] = talairach_to_mni(peaks.loc[talairach, list(AXES)].to_numpy())
    return peaks


def _numbers(table: pd.DataFrame, column: str, source: Path) -> pd.Series:
    """A column as numbers, NaN where empty."""
    cells = table[column].str.strip()
    values = pd.to_numeric(cells, errors="coerce").astype(float)
    wrong = np.flatnonzero(~np.isfinite(values) & ~cells.str.lower().isin(MISSING))
    if len(wrong):
        raise ValueError(f"{source}, column {column!r}, row {wrong[0] + 1}: found {cells.iloc[wrong[0]]!r}, expected a number")
    return values


def _require_whole(peaks: pd.DataFrame, source: Path) -> None:
    """Refuse rows with some of three coordinates, weights that weigh nothing, and ids that name nothing."""
    given = peaks[list(AXES)].notna().sum(axis=1)
    checks = {
        "a study id": peaks["study"] == "",
        "x, y and z, or none of them": given.isin((1, 2)),
        "a weight above 0": ~(peaks["weight"] > 0) & (given > 0),
    }
    for expected, wrong in checks.items():
        if wrong.any():
            raise ValueError(f"{source}, row {int(np.flatnonzero(wrong)[0]) + 1}: expected {expected}; mend or remove the row")


def _talairach(table: pd.DataFrame, source: Path) -> Bool[np.ndarray, " peaks"]:
    """Which rows are in Talairach space."""
    if "space" not in table:
        return np.zeros(len(table), dtype=bool)
    spaces = table["space"].str.strip().str.upper()
    unknown = np.flatnonzero(~spaces.str.startswith(("MNI", "TAL")))
    if len(unknown):
        raise ValueError(f"{source}, column 'space', row {unknown[0] + 1}: found {table['space'].iloc[unknown[0]]!r}, expected MNI or TAL")
    return spaces.str.startswith("TAL").to_numpy()


def _voxels(coordinates: Float[np.ndarray, "peaks 3"], shape: tuple[int, ...], affine: Float[np.ndarray, "4 4"]) -> tuple[np.ndarray, np.ndarray]:
    """Nearest voxel of each peak, and which peaks have one."""
    position = (np.c_[coordinates, np.ones(len(coordinates))] @ np.linalg.inv(affine).T)[:, :3]
    nearest = np.floor(np.nan_to_num(position, nan=-9.0) + 0.5 + TOLERANCE).astype(np.int64)  # ties go one way, whatever the rounding
    return nearest, ((nearest >= 0) & (nearest < shape)).all(axis=1)


def _tell_outside(peaks: pd.DataFrame, inside: np.ndarray, source: str | Path) -> None:
    """Name the studies that lose peaks; refuse those that have none left."""
    given = peaks["x"].notna().to_numpy()
    empty = [str(study) for study, rows in peaks.groupby("study", sort=False).indices.items() if not inside[rows].any()]
    if empty:
        raise ValueError(f"{source}: {len(empty)} studies have no coordinates inside the image: {_listed(empty)}; remove them, or check that x, y, z are mm")
    lost = peaks["study"][given & ~inside]
    if len(lost):
        studies = list(dict.fromkeys(lost))
        warnings.warn(f"{source}: {len(lost)} of {given.sum()} peaks are outside the image and left out, of the studies {_listed(studies)}", stacklevel=3)


def _studies(peaks: pd.DataFrame, inside: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    """Each study with the rows of its peaks, in order of appearance."""
    rows = peaks.groupby("study", sort=False).indices
    return ((study, rows[study][inside[rows[study]]]) for study in dict.fromkeys(peaks["study"]))


def _listed(studies: list[str], limit: int = 10) -> str:
    return ", ".join(studies[:limit]) + (f" and {len(studies) - limit} more" if len(studies) > limit else "")


@functools.cache
def _brain() -> tuple[Bool[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]]:
    """The brain on the grid, and the affine of the grid."""
    from nilearn.datasets import load_mni152_brain_mask  # takes a second to import, which nothing else here needs

    mask = nib.as_closest_canonical(load_mni152_brain_mask(resolution=GRID_MM))
    return np.asarray(mask.dataobj) > 0, np.asarray(mask.affine, dtype=np.float64)


@functools.lru_cache(maxsize=4)
def _gridded(atlas: str, names: tuple[str, ...], indices: tuple[int, ...]) -> Regions:
    brain, affine = _brain()
    read = read_atlas(atlas, names=names, indices=indices)
    regions = regions_on(np.where(brain, read.on_grid(brain.shape, affine), 0), read.indices)
    empty = [names[number] for number in np.flatnonzero(np.bincount(regions.region, minlength=len(names)) == 0)]
    if len(empty) == len(names):
        raise ValueError(f"{atlas}: none of its {len(names)} regions is on the {GRID_MM} mm MNI grid; register the atlas to MNI space first")
    if empty:
        warnings.warn(
            f"{atlas}: {len(empty)} of {len(names)} regions have no voxel on the {GRID_MM} mm grid and are missing: {_listed(empty, 5)}", stacklevel=4
        )
    return regions


def _regions(atlas: str, labels: str, names: tuple[str, ...], indices: tuple[int, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and labels from what was given."""
    if labels and not indices:
        listed, indices = read_labels(labels)
        names = names or listed
    if atlas and not names and not indices:
        found = read_atlas(atlas)
        names, indices = found.names, found.indices
    if not names or (indices and len(names) != len(indices)):
        raise ValueError(f"Peaks, names: found {len(names)} names and {len(indices)} labels for atlas {atlas!r}, expected labels (a table), names or an atlas")
    return names, indices
