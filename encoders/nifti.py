"""NIfTI files read whole and checked, and written without a trace of where or when."""

from __future__ import annotations

import gzip
import io
import math
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Real

from encoders.files import decoding, existing
from encoders.hdf5 import MOST_INFLATION
from encoders.nifti_header import checked

try:
    from isal import igzip as inflate  # ISA-L: the same interface, checksum included, in less than half the time
except ImportError:  # no wheel for this processor
    import gzip as inflate

SUFFIXES = (".nii", ".nii.gz")

#: Bytes that hold either header.
FIRST = 540

#: Zeros behind the last voxel that some writers leave.
PADDING = 4096

#: Voxels of a brain image: from microscopy to the coarsest map.
SMALLEST_MM, LARGEST_MM = 0.01, 50.0

#: How far the two affines of a header may part at a corner; a quaternion rounds by less than a thousandth of that.
APART_MM = 1.0


def read_image(path: str | Path) -> nib.Nifti1Image:
    """A NIfTI-1 or NIfTI-2 image whose header was checked, whose bytes are all there, and whose orientation is told.

    The gzip stream is read to its end: only there stands the checksum. nibabel stops at the last voxel and
    takes flipped bits for data. Nothing is unpacked beyond what the header says.

    Raises:
        ValueError: not NIfTI, damaged, too short or too long, voxels that are not real numbers, or no orientation in the header.
    """
    path = existing(path)
    if not path.name.lower().endswith(SUFFIXES) or not path.is_file():
        raise ValueError(f"{path}: not a NIfTI file; expected one of {', '.join(SUFFIXES)}")
    content, second = _content(path)
    with decoding(path, "NIfTI"):
        image = (nib.Nifti2Image if second else nib.Nifti1Image).from_bytes(content)
    _require_orientation(image, path)
    return image


def read_shape(path: str | Path) -> tuple[int, ...]:
    """Shape of an image from its header alone, see :func:`volumes_shape`; its data are not read.

    Raises:
        ValueError: no NIfTI header, or a wrong one.
    """
    with decoding(existing(path), "NIfTI"), _stream(Path(path)) as stream:
        claim, wrong = checked(stream.read(FIRST))
    if claim is None:
        raise ValueError(f"{path}: cannot be read as NIfTI: {wrong}")
    return volumes_shape(claim.shape)


def volumes_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the sides of one voxel behind the third, which some writers fill up to seven dimensions."""
    last = max((place for place, side in enumerate(shape, start=1) if side != 1 or place <= 3), default=0)
    return shape[:last]


def stored_volumes(image: nib.Nifti1Image, path: str | Path) -> list[Real[np.ndarray, "x y z"]]:
    """Volumes of a 3-D or 4-D image of :func:`read_image` as they are stored: views of its bytes, not yet scaled by slope and intercept."""
    proxy = image.dataobj
    with decoding(Path(path), "NIfTI"):
        content = image.file_map["image"].fileobj.getvalue()  # the bytes themselves; nibabel's proxy would copy them
        values = np.frombuffer(content, proxy.dtype, math.prod(image.shape), proxy.offset)
    return list(np.moveaxis(values.reshape((*image.shape[:3], -1), order="F"), -1, 0))


def write_image(image: nib.Nifti1Image, path: str | Path) -> None:
    """Write to a temporary file in the same folder, then rename; the gzip header holds no name and no time."""
    path = Path(path)
    if not path.name.endswith(SUFFIXES):
        raise ValueError(f"{path}: expected a name that ends in one of {', '.join(SUFFIXES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    content = image.to_bytes()
    try:
        partial.write_bytes(gzip.compress(content, compresslevel=6, mtime=0) if path.suffix == ".gz" else content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _content(path: Path) -> tuple[bytes, bool]:
    """The file unpacked, no further than its header says, and whether it is NIfTI-2."""
    with decoding(path, "NIfTI"), _stream(path) as stream:
        start = stream.read(FIRST)
        claim, wrong = checked(start)
        most = path.stat().st_size * (MOST_INFLATION if _packed(path) else 1)
        if claim is not None and claim.bytes <= most + FIRST:
            # One byte more than may be there brings the reader to the end of the stream, where the checksum stands.
            content = start + stream.read(claim.bytes + PADDING + 1 - len(start))
    if claim is None:
        raise ValueError(f"{path}: cannot be read as NIfTI: {wrong}")
    if claim.bytes > most + FIRST:
        found = f"{claim.bytes:,} bytes in a file of {path.stat().st_size:,}"
        raise ValueError(f"{path}: cannot be read as NIfTI: field dim: found a claim of {found}, expected no more than it can hold; the file is damaged")
    if len(content) < claim.bytes or len(content) > claim.bytes + PADDING or content[claim.bytes :].strip(b"\0"):
        found = f"more than {claim.bytes:,}" if len(content) > claim.bytes else f"{len(content):,}"
        expected = f"expected {claim.bytes:,} as field dim says; the file is damaged, copy or save it again"
        raise ValueError(f"{path}: cannot be read as NIfTI: found {found} bytes, {expected}")
    return content, claim.second


def _packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _stream(path: Path) -> io.BufferedIOBase:
    return inflate.open(path) if _packed(path) else path.open("rb")


def _require_orientation(image: nib.Nifti1Image, path: Path) -> None:
    """Without a form code nibabel makes an affine up from the voxel size, and left may be right."""
    codes = {name: int(image.header[name]) for name in ("sform_code", "qform_code")}
    if not any(codes.values()):
        raise ValueError(f"{path}, fields sform_code and qform_code: found 0 and 0, expected a code above 0 in one; set the affine, left and right are unknown")
    field = "srow_x" if codes["sform_code"] else "quatern_b"
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
        raise ValueError(f"{path}, field {field}: found an affine without volume, expected voxels above 0 mm; save the image with its affine")
    voxel_mm = np.linalg.norm(image.affine[:3, :3], axis=0)
    if voxel_mm.min() < SMALLEST_MM or voxel_mm.max() > LARGEST_MM:
        raise ValueError(f"{path}, field {field}: found voxels of {voxel_mm.round(4).tolist()} mm, expected {SMALLEST_MM} to {LARGEST_MM} mm; check its units")
    if all(codes.values()):
        _require_one_affine(image, path)


def _require_one_affine(image: nib.Nifti1Image, path: Path) -> None:
    """Two affines that put the voxels in different places: which of them is meant, nothing says."""
    with decoding(path, "NIfTI"):
        forms = image.header.get_qform(), image.header.get_sform()
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * np.array([*image.shape[:3], 1])
    apart = np.linalg.norm((corners @ forms[0].T - corners @ forms[1].T)[:, :3], axis=1).max()
    if not apart <= APART_MM:
        found = f"they put a corner of the image {apart:.1f} mm apart"
        raise ValueError(f"{path}, fields qform and sform: found two affines: {found}, expected one; set the code of the wrong one to 0")
