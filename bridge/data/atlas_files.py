"""Atlases kept beside what was trained on their regions: ``atlas/<modality>.nii.gz`` and its table, so that brains can be drawn anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from encoders.base import Encoder
from encoders.region_map import Atlas, read_atlas, write_atlas

FOLDER = "atlas"


def atlases_of(encoders: Iterable[tuple[str, Encoder]]) -> dict[str, Atlas]:
    """The atlas of every modality whose encoder reads through a label image that is at hand.

    Args:
        encoders: Modality and encoder.
    """
    return {modality: _read(encoder) for modality, encoder in encoders if Path(getattr(encoder, "atlas", "") or ".").is_file()}


def write_atlases(atlases: Mapping[str, Atlas], folder: Path) -> None:
    """Write label images and their tables into ``folder/atlas``; no folder where there is no atlas."""
    for modality, atlas in atlases.items():
        write_atlas(atlas, *_files(folder, modality))


def read_atlases(folder: Path, encoders: Iterable[tuple[str, Encoder]]) -> dict[str, Atlas]:
    """The atlases beside a bundle's other files; of one that has none, those that its encoders name and that are at hand.

    An encoder whose own label image is not on this machine reads through the one that lies here.

    Raises:
        ValueError: an image or a table is damaged, or it has not the regions of its encoder.
    """
    encoders = dict(encoders)
    kept = {modality: _files(folder, modality) for modality in encoders if _files(folder, modality)[0].is_file()}
    known = {modality: _fitting(read_atlas(image, table), encoders[modality]) for modality, (image, table) in kept.items()}
    for modality, (image, _) in kept.items():
        if hasattr(encoders[modality], "atlas") and not Path(encoders[modality].atlas or ".").is_file():
            encoders[modality].atlas = str(image)
    return atlases_of(encoders.items()) | known


def _fitting(atlas: Atlas, encoder: Encoder) -> Atlas:
    if not set(atlas.names) & set(encoder.names):
        raise ValueError(f"{atlas.source}: found regions {list(atlas.names[:3])} ..., expected those of {encoder.modality}: {list(encoder.names[:3])} ...")
    return atlas


def _read(encoder: Encoder) -> Atlas:
    return read_atlas(encoder.atlas, names=encoder.names, indices=encoder.indices)


def _files(folder: Path, modality: str) -> tuple[Path, Path]:
    name = quote(modality, safe="")
    return tuple(folder / FOLDER / f"{name}{ending}" for ending in (".nii.gz", ".tsv"))
