"""NIfTI files read whole and checked, and written without a trace of where or when."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Real

from encoders.files import decoding, existing

try:
    from isal import igzip as inflate  # ISA-L: the same interface, checksum included, in less than half the time
except ImportError:  # no wheel for this processor
    import gzip as inflate

SUFFIXES = (".nii", ".nii.gz")


def read_image(path: str | Path) -> nib.Nifti1Image:
    """A NIfTI-1 or NIfTI-2 image whose orientation its header tells.

    The gzip stream is read to its end: only there stands the checksum. nibabel stops at the last voxel and
    takes flipped bits for data.

    Raises:
        ValueError: not NIfTI, damaged, voxels that are not real numbers, or no orientation in the header.
    """
    path = existing(path)
    if not path.name.lower().endswith(SUFFIXES) or not path.is_file():
        raise ValueError(f"{path}: not a NIfTI file; expected one of {', '.join(SUFFIXES)}")
    with decoding(path, "NIfTI"):
        with inflate.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            content = stream.read()
        second = 540 in (int.from_bytes(content[:4], "little"), int.from_bytes(content[:4], "big"))
        image = (nib.Nifti2Image if second else nib.Nifti1Image).from_bytes(content)
    _require_orientation(image, path)
    if image.get_data_dtype().kind not in "iuf":
        raise ValueError(f"{path}, field datatype: found {image.get_data_dtype()}, expected real numbers")
    return image


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


def _require_orientation(image: nib.Nifti1Image, path: Path) -> None:
    """Without a form code nibabel makes an affine up from the voxel size, and left may be right."""
    if not image.header["sform_code"] and not image.header["qform_code"]:
        raise ValueError(f"{path}, fields sform_code and qform_code: found 0 and 0, expected a code above 0 in one; set the affine, left and right are unknown")
    affine = image.affine[:3, :3]
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(affine)) < 1e-9:
        raise ValueError(f"{path}, field {'srow_x' if image.header['sform_code'] else 'quatern_b'}: found an affine without volume, expected voxels above 0 mm")
