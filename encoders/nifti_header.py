"""The header of a NIfTI file, checked field by field before any library believes it (NIfTI-1.1 and NIfTI-2 standards, nifti.nimh.nih.gov)."""

from __future__ import annotations

import math
from typing import NamedTuple

import nibabel as nib
import numpy as np

#: sizeof_hdr to the layout of the header.
LAYOUTS = {348: nib.nifti1.header_dtype, 540: nib.nifti2.header_dtype}
MAGIC = {348: b"n+1", 540: b"n+2"}

#: datatype of real numbers to bits.
BITS = {2: 8, 4: 16, 8: 32, 16: 32, 64: 64, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64}
OTHER_TYPES = {1: "bits", 32: "complex64", 128: "RGB", 1536: "float128", 1792: "complex128", 2048: "complex256", 2304: "RGBA"}

#: More voxels along one side than any scanner gives.
LONGEST = 100_000

#: Highest code of a space (template of another kind).
LAST_FORM = 5

#: xyzt_units: unknown and mm, and what else can be said.
IN_MM, UNITS = (0, 2), {1: "m", 3: "micron"}

#: What stands between header and voxels are extensions: words about the image.
LARGEST_OFFSET = 64 << 20


class Claim(NamedTuple):
    """What a header says of the data behind it."""

    shape: tuple[int, ...]
    bytes: int
    second: bool


def checked(start: bytes) -> tuple[Claim | None, str]:
    """What the first 540 bytes of a file claim, or the field that is wrong and why.

    Args:
        start: The beginning of the file, unpacked.
    """
    header, size = _header(start)
    if header is None:
        return None, _not_a_header(start)
    wrong = next(filter(None, (check(header, size) for check in CHECKS)), "")
    if wrong:
        return None, wrong
    shape = _dims(header)
    end = int(header["vox_offset"]) + math.prod(shape) * BITS[int(header["datatype"])] // 8
    return Claim(shape, end, size == 540), ""


def _header(start: bytes) -> tuple[np.void | None, int]:
    for order in "<>":
        size = int(np.frombuffer(start[:4].ljust(4, b"\0"), order + "i4")[0])
        if size in LAYOUTS and len(start) >= size:
            return np.frombuffer(start[:size], LAYOUTS[size].newbyteorder(order))[0], size
    return None, 0


def _not_a_header(start: bytes) -> str:
    known = {b"\x1f\x8b": "a gzip file; name it .nii.gz", b"PK": "a zip file", b"<": "a web page", b"\x89HDF": "an HDF5 file"}
    what = next((name for begins, name in known.items() if start.lstrip().startswith(begins)), f"{len(start)} bytes that begin with {start[:8]!r}")
    return f"field sizeof_hdr: found {what}, expected a header of 348 (NIfTI-1) or 540 bytes (NIfTI-2)"


def _magic(header: np.void, size: int) -> str:
    magic = bytes(header["magic"])[:3]
    if magic in (b"ni1", b"ni2"):
        return "field magic: found one half of a .hdr/.img pair, expected header and data in one file; save it as .nii.gz"
    return "" if magic == MAGIC[size] else f"field magic: found {magic!r}, expected {MAGIC[size]!r}; Analyze files have to be saved as .nii.gz"


def _dim(header: np.void, size: int) -> str:
    count = int(header["dim"][0])
    if not 3 <= count <= 7:
        return f"field dim[0]: found {count} dimensions, expected 3-D or 4-D (time last)"
    wrong = [(place, each) for place, each in enumerate(_dims(header), start=1) if not 1 <= each <= LONGEST]
    return f"field dim[{wrong[0][0]}]: found {wrong[0][1]}, expected 1 to {LONGEST} voxels" if wrong else ""


def _datatype(header: np.void, size: int) -> str:
    kind, bits = int(header["datatype"]), int(header["bitpix"])
    if kind not in BITS:
        return f"field datatype: found {OTHER_TYPES.get(kind, kind)}, expected real numbers"
    return "" if bits == BITS[kind] else f"field bitpix: found {bits}, expected {BITS[kind]} as datatype {kind} has"


def _vox_offset(header: np.void, size: int) -> str:
    offset, least = float(header["vox_offset"]), size + 4
    if math.isfinite(offset) and offset == int(offset) and least <= offset <= LARGEST_OFFSET:
        return ""
    return f"field vox_offset: found {offset:g}, expected a whole number of bytes from {least} to {LARGEST_OFFSET}"


def _scaling(header: np.void, size: int) -> str:
    """Slope 0 or NaN means that nothing is scaled."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if math.isinf(slope) or (slope not in (0.0,) and not math.isnan(slope) and not math.isfinite(intercept)):
        return f"fields scl_slope and scl_inter: found {slope:g} and {intercept:g}, expected finite numbers"
    return ""


def _space(header: np.void, size: int) -> str:
    unit = int(header["xyzt_units"]) & 7
    if unit not in IN_MM:
        return f"field xyzt_units: found {UNITS.get(unit, f'code {unit}')}, expected mm; save the image with its affine in mm"
    wrong = next((name for name in ("sform_code", "qform_code") if not 0 <= int(header[name]) <= LAST_FORM), "")
    if wrong:
        return f"field {wrong}: found {int(header[wrong])}, expected a code from 0 to {LAST_FORM}; save the image with its affine"
    voxel = header["pixdim"][1:4]
    if header["qform_code"] > 0 and not (voxel > 0).all():
        return f"field pixdim: found voxels of {voxel.tolist()}, expected mm above 0 beside a qform; save the image with its affine"
    rows = np.concatenate([header["srow_x"], header["srow_y"], header["srow_z"]]) if header["sform_code"] > 0 else header["pixdim"][:4]
    return "" if np.isfinite(rows.astype(np.float64)).all() else "field srow_x or pixdim: found values that are not finite, expected an affine in mm"


def _dims(header: np.void) -> tuple[int, ...]:
    return tuple(int(each) for each in header["dim"][1 : int(header["dim"][0]) + 1])


CHECKS = (_magic, _dim, _datatype, _vox_offset, _scaling, _space)
