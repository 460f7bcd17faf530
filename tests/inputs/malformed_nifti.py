"""Images that must not become measurements."""

from __future__ import annotations

import gzip
import shutil

import nibabel as nib
import numpy as np
from input_world import AFFINE, Case, World, save

HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20


def raw(change):
    """A case that changes the bytes of the good image as it lies on disk."""

    def try_it(world: World):
        path = world.new() / "sub-01.nii.gz"
        path.write_bytes(change(world.image.read_bytes()))
        return world.report("brain", path)

    return try_it


def unpacked(change, name="sub-01.nii.gz"):
    """A case that changes the bytes before they are packed."""

    def try_it(world: World):
        content = change(gzip.decompress(world.image.read_bytes()))
        path = world.new() / name
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return world.report("brain", path)

    return try_it


def header(**fields):
    """A case with other values in the header."""
    return lambda world: world.report("brain", world.patched(**fields))


def voxels(change, **options):
    """A case with other voxels."""
    return lambda world: world.report("brain", world.nifti(change(world.volume), **options))


def placed(change):
    """A case with another affine, told by the header of a sound file."""
    return lambda world: world.report("brain", world.nifti(affine=change(AFFINE.copy())))


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 0x10
    return bytes(changed)


def forms(sform, qform):
    """A case with these pairs of affine and code."""

    def try_it(world: World):
        image = nib.Nifti1Image(world.volume, AFFINE)
        image.set_sform(*sform)
        image.set_qform(*qform)
        path = world.new() / "sub-01.nii.gz"
        nib.save(image, path)
        return world.report("brain", path)

    return try_it


def moved(**mm):
    affine = AFFINE.copy()
    for axis, shift in mm.items():
        affine["xyz".index(axis), 3] += shift
    return affine


def pair(world: World):
    nib.save(nib.Nifti1Pair(world.volume, AFFINE), world.new() / "sub-01.img")
    shutil.copy(world.folder / "sub-01.hdr", world.folder / "sub-01.nii")
    return world.report("brain", world.folder / "sub-01.nii")


def half_pair(world: World):
    nib.save(nib.Nifti1Pair(world.volume, AFFINE), world.new() / "sub-01.img")
    return world.report("brain", world.folder / "sub-01.hdr")


def folder_by_name(world: World):
    (world.new() / "sub-01.nii.gz").mkdir()
    return world.report("brain", world.folder / "sub-01.nii.gz")


def atlas_without_labels(world: World):
    """The label image is of another atlas than its table."""
    save((world.labels > 0).astype(np.int16) * 900, world.new() / "tpl-MNI152NLin6Asym_dseg.nii.gz")
    return world.build("--gene", world.genes, "--brain", world.image, "--atlas", world.folder / "tpl-MNI152NLin6Asym_dseg.nii.gz", "--labels", world.table)


def series_among_volumes(world: World):
    folder = world.new() / "scans"
    folder.mkdir()
    for number in (1, 2, 3):
        shutil.copy(world.image, folder / f"sub-0{number}.nii.gz")
    save(np.stack([world.volume] * 3, axis=3), folder / "sub-04.nii.gz")
    return world.build("--gene", world.genes, "--brain", folder, "--atlas", world.atlas, "--labels", world.table)


def no_atlas(world: World):
    world.new()
    return world.build("--gene", world.genes, "--brain", world.image)


def wrong_name(world: World):
    path = world.new() / "sub-01_space-MNI152NLin2009cAsym_T1w.nii.gz"
    shutil.copy(world.image, path)
    return world.report("brain", path)


def fractions(world: World):
    save(world.labels + 0.5, world.new() / "tpl-MNI152NLin6Asym_dseg.nii.gz")
    return world.build("--gene", world.genes, "--brain", world.image, "--atlas", world.folder / "tpl-MNI152NLin6Asym_dseg.nii.gz", "--labels", world.table)


CASES = (
    Case("gzip stream cut in half", raw(lambda content: content[: len(content) // 2])),
    Case("gzip stream without its last four bytes", raw(lambda content: content[:-4])),
    Case("gzip stream without checksum and length", raw(lambda content: content[:-8])),
    Case("one bit flipped near the start", raw(lambda content: flipped(content, 400))),
    Case("one bit flipped in the middle", raw(lambda content: flipped(content, len(content) // 2))),
    Case("one bit flipped near the end", raw(lambda content: flipped(content, len(content) - 40))),
    Case("wrong checksum", raw(lambda content: flipped(content, len(content) - 7))),
    Case("wrong length behind the checksum", raw(lambda content: flipped(content, len(content) - 2))),
    Case("rubbish behind the gzip stream", raw(lambda content: content + b"rubbish" * 9)),
    Case("empty file", raw(lambda content: b"")),
    Case("a web page", raw(lambda content: HTML)),
    Case("a web page, packed", raw(lambda content: gzip.compress(HTML))),
    Case("a zip archive", raw(lambda content: b"PK\x03\x04" + content[4:])),
    Case("an image that is not packed under .nii.gz", raw(gzip.decompress)),
    Case("header alone", unpacked(lambda content: content[:348])),
    Case("data end early", unpacked(lambda content: content[:-1000])),
    Case("data end early, not packed", unpacked(lambda content: content[:-1000], "sub-01.nii")),
    Case("data go on behind the last voxel", unpacked(lambda content: content + b"\x01" * 5000)),
    Case("a packed image under .nii", lambda world: world.report("brain", shutil.copy(world.image, world.new() / "sub-01.nii"))),
    Case("one half of a .hdr/.img pair under .nii", pair),
    Case("one half of a .hdr/.img pair", half_pair),
    Case("a folder by the name of an image", folder_by_name),
    Case("an ending that is none of NIfTI", lambda world: world.report("brain", shutil.copy(world.image, world.new() / "sub-01.mgz"))),
    Case("file that is not there", lambda world: world.report("brain", world.new() / "sub-77.nii.gz")),
    Case("dim[0] of 0", header(dim=[0, 44, 54, 46, 1, 1, 1, 1])),
    Case("dim[0] of 2", header(dim=[2, 44, 54, 46, 1, 1, 1, 1])),
    Case("dim[0] of 9", header(dim=[9, 44, 54, 46, 1, 1, 1, 1])),
    Case("a side of no voxels", header(dim=[3, 44, 0, 46, 1, 1, 1, 1])),
    Case("a side below zero", header(dim=[3, 44, -54, 46, 1, 1, 1, 1])),
    Case("sides of 32,767 voxels each", header(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1])),
    Case("one more slice than there are data", header(dim=[3, 44, 54, 47, 1, 1, 1, 1])),
    Case("fewer slices than there are data", header(dim=[3, 44, 54, 40, 1, 1, 1, 1])),
    Case("datatype RGB", header(datatype=128, bitpix=24)),
    Case("datatype complex", header(datatype=32, bitpix=64)),
    Case("datatype nobody knows", header(datatype=77)),
    Case("bitpix of another type than datatype", header(bitpix=64)),
    Case("vox_offset inside the header", header(vox_offset=100)),
    Case("vox_offset behind the file", header(vox_offset=5e8)),
    Case("vox_offset NaN", header(vox_offset=np.nan)),
    Case("magic of nothing", header(magic=b"abc")),
    Case("sizeof_hdr of nothing", header(sizeof_hdr=1234)),
    Case("slope infinite", header(scl_slope=np.inf)),
    Case("intercept NaN beside a slope", header(scl_slope=2.0, scl_inter=np.nan)),
    Case("slope that overflows", header(scl_slope=3e38)),
    Case("no orientation: both form codes 0", header(sform_code=0, qform_code=0)),
    Case("a form code nobody knows", header(sform_code=77)),
    Case("affine of zeros", header(srow_x=[0] * 4, srow_y=[0] * 4, srow_z=[0] * 4, qform_code=0)),
    Case("affine with NaN", header(srow_x=[np.nan] * 4, qform_code=0)),
    Case("affine in metres", header(xyzt_units=1)),
    Case("voxels of 4 metres", placed(lambda affine: affine * np.array([[1000], [1000], [1000], [1]]))),
    Case("identity affine", placed(lambda affine: np.eye(4))),
    Case("two affines that disagree by a flip", forms((AFFINE, 4), (AFFINE @ np.diag([-1, 1, 1, 1]), 4))),
    Case("two affines 20 mm apart", forms((AFFINE, 4), (moved(z=20), 1))),
    Case("Talairach space for an atlas in MNI space", forms((AFFINE, 3), (AFFINE, 3))),
    Case("a name that says another template", wrong_name),
    Case("origin at a corner: another space", placed(lambda affine: affine + np.array([[0, 0, 0, 300]] * 3 + [[0] * 4]))),
    Case("brain shifted by 40 mm", placed(lambda affine: affine + np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 40], [0] * 4]))),
    Case("axes exchanged under the old affine", voxels(lambda volume: np.ascontiguousarray(np.roll(volume, 15, axis=1)))),
    Case("all voxels zero", voxels(np.zeros_like)),
    Case("all voxels NaN", voxels(lambda volume: np.full_like(volume, np.nan))),
    Case("all voxels infinite", voxels(lambda volume: np.full_like(volume, np.inf))),
    Case("one voxel of 1e300 in double precision", voxels(lambda volume: np.where(volume == volume.max(), 1e300, volume.astype(np.float64)))),
    Case("the same number in every voxel", voxels(lambda volume: np.full_like(volume, 7))),
    Case("a series where a volume is expected", voxels(lambda volume: np.stack([volume] * 5, axis=3))),
    Case("a series among volumes in one folder", series_among_volumes),
    Case("five dimensions", voxels(lambda volume: np.stack([np.stack([volume] * 2, axis=3)] * 2, axis=4))),
    Case("an image without an atlas", no_atlas),
    Case("an atlas without the labels of its table", atlas_without_labels),
    Case("an atlas with fractions for labels", fractions),
)
