"""Atlases kept beside what was trained on their regions: ``atlas/<modality>.nii.gz`` and its table, so that brains can be drawn anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from encoders.base import Encoder, record
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
    """The atlases beside a bundle's other files; of a modality that has none there, the one that its encoder names, where it is at hand.

    An encoder reads through the one that lies here: a label image of another release may stand where the first one was.

    Raises:
        ValueError: an image or a table is damaged, or it has not the regions of its encoder.
    """
    encoders = dict(encoders)
    kept = {modality: _files(folder, modality) for modality in encoders if _files(folder, modality)[0].is_file()}
    known = {modality: _fitting(read_atlas(image, table), encoders[modality]) for modality, (image, table) in kept.items()}
    for modality, (image, _) in kept.items():
        if hasattr(encoders[modality], "atlas"):
            encoders[modality].atlas = str(image)
    return atlases_of((modality, encoder) for modality, encoder in encoders.items() if modality not in kept) | known


def record_beside(modality: str, encoder: Encoder) -> dict:
    """:func:`encoders.base.record` of an encoder whose atlas is kept: it names the files here, not those of the machine that wrote them."""
    spec, (image, table) = record(encoder), _files(Path(), modality)
    here = {"atlas": image.as_posix(), "labels": table.as_posix()}
    return spec | {"init_args": spec["init_args"] | {name: path for name, path in here.items() if spec["init_args"].get(name)}}


def _fitting(atlas: Atlas, encoder: Encoder) -> Atlas:
    if not set(atlas.names) & set(encoder.names):
        raise ValueError(f"{atlas.source}: found regions {list(atlas.names[:3])} ..., expected those of {encoder.modality}: {list(encoder.names[:3])} ...")
    return atlas


def _read(encoder: Encoder) -> Atlas:
    return read_atlas(encoder.atlas, names=encoder.names, indices=encoder.indices)


def _files(folder: Path, modality: str) -> tuple[Path, Path]:
    name = quote(modality, safe="")
    return tuple(folder / FOLDER / f"{name}{ending}" for ending in (".nii.gz", ".tsv"))
