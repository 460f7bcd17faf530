"""One bit of a file turned over, at random: refused, whatever file it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from figure import Figure
from tiny_run import tiny_bridge, tiny_cohort

from bridge.bundle import load, save
from bridge.data.cohort import Cohort
from bridge.data.manifest import digest_file
from bridge.train.checkpoint import CheckpointFile
from encoders.nifti import read_image, write_image

SEED = 13
#: Bytes of a gzip header that say when and where it was packed: no part of the data, and under no checksum (RFC 1952, 2.3).
NO_DATA = range(4, 10)
TEXT_HINT = (3, 1)  # nor is this bit of the flags, a hint that the content may be text


def figures(fast: bool, folder: Path) -> list[Figure]:
    """A quarter of the flips each over bundle, checkpoint, NIfTI and cohort."""
    random, count = np.random.default_rng(SEED), 25 if fast else 250
    bridge = tiny_bridge(folder)
    bundle = save(bridge, folder / "bundle")
    checkpoint, image, cohort = _checkpoint(folder / "run"), _image(folder / "image.nii.gz"), folder / "cohort.h5ad"
    tiny_cohort().write(cohort)
    file = CheckpointFile(checkpoint.parent)
    return [
        flipped("bundle", [path for path in bundle.rglob("*") if path.is_file()], lambda: load(bundle, language=bridge.language), count, random),
        flipped("checkpoint", [checkpoint, digest_file(checkpoint)], lambda: file.load_checkpoint(checkpoint), count, random),
        flipped("nii.gz", [image], lambda: read_image(image), count, random, "bytes 4 to 9 and the text hint of the gzip header are no data", _is_data),
        flipped("cohort (.h5ad and its digest)", [cohort, digest_file(cohort)], lambda: Cohort.read(cohort), count, random),
    ]


def flipped(
    kind: str,
    files: list[Path],
    read: Callable[[], object],
    count: int,
    random: np.random.Generator,
    note: str = "",
    counts: Callable[[int, int], bool] = lambda byte, bit: True,
) -> Figure:
    """Turn one bit over, read, and turn it back, again and again.

    Args:
        kind: What the files are together.
        files: Drawn by their size.
        read: Reads all of them.
        count: How often.
        random: Of the places.
        note: What is left out.
        counts: Whether a place (byte of its file, bit) is part of the data.
    """
    read()  # whole, it is read
    sizes = np.array([path.stat().st_size for path in files])
    found = tried = 0
    while tried < count:
        path = files[int(random.choice(len(files), p=sizes / sizes.sum()))]
        byte, bit = int(random.integers(path.stat().st_size)), int(random.integers(8))
        if not counts(byte, bit):
            continue
        tried += 1
        _flip(path, byte, bit)
        found += _refused(read)
        _flip(path, byte, bit)
    read()
    return Figure(f"{kind}: bits turned over that were noticed", f"{found} of {tried}", f"{count} of {count}", SEED, note)


def _refused(read: Callable[[], object]) -> bool:
    """Whether it is refused as users are told, and not by a traceback."""
    try:
        read()
    except ValueError:
        return True
    return False


def _flip(path: Path, byte: int, bit: int) -> None:
    with path.open("rb+") as file:
        file.seek(byte)
        value = file.read(1)[0]
        file.seek(byte)
        file.write(bytes([value ^ (1 << bit)]))


def _is_data(byte: int, bit: int) -> bool:
    return byte not in NO_DATA and (byte, 1 << bit) != TEXT_HINT


def _checkpoint(folder: Path) -> Path:
    path = folder / "step-00000001.ckpt"
    weights = torch.randn(4096, generator=torch.Generator().manual_seed(SEED))
    CheckpointFile(folder).save_checkpoint({"state_dict": {"weight": weights}}, path)
    return path


def _image(path: Path) -> Path:
    values = np.random.default_rng(SEED).normal(size=(12, 12, 12)).astype(np.float32)
    image = nib.Nifti1Image(values, np.diag([2.0, 2.0, 2.0, 1.0]))
    image.set_sform(image.affine, code="mni")
    write_image(image, path)
    return path
