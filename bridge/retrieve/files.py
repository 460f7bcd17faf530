"""A gallery as two files of a bundle: what is searched in JSON, the numbers in safetensors; read strictly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from pydantic import Field, ValidationError
from safetensors.torch import save_file

from bridge.data.json_file import read_json
from bridge.data.typed import Typed
from bridge.model import SemanticBridge
from bridge.retrieve.gallery import Candidates, Gallery, Pairs, Plane, View
from bridge.retrieve.schema import CandidateKind
from bridge.weights import read_weights

RECORD, VECTORS = "gallery.json", "gallery.safetensors"
FORMAT = 1

#: How far from 1 a vector's length, and above 1 a cosine, may lie: half precision.
TOLERANCE = 1e-2


class ListRecord(Typed):
    """A list without its vectors."""

    kind: CandidateKind
    ids: tuple[str, ...] = Field(min_length=1)
    labels: tuple[str, ...]
    source: str


class ViewRecord(Typed):
    """A view without its numbers."""

    side: str
    list: int = Field(ge=0)
    calibrated: bool


class PlaneRecord(Typed):
    """A plane without its axes."""

    side: str
    list: int = Field(ge=0)
    shown: float = Field(ge=0, le=1)


class GalleryRecord(Typed):
    """The JSON file."""

    format: int
    space: str
    columns: tuple[str, ...]
    lists: tuple[ListRecord, ...]
    views: tuple[ViewRecord, ...]
    pairs: tuple[tuple[str, str], ...]
    planes: tuple[PlaneRecord, ...]


def write_gallery(gallery: Gallery, folder: Path) -> None:
    """Both files."""
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in _numbers(gallery)}
    save_file(tensors, folder / VECTORS)
    (folder / RECORD).write_text(_record(gallery).model_dump_json(indent=1), encoding="utf-8")


def read_gallery(folder: Path, bridge: SemanticBridge) -> Gallery | None:
    """The gallery of a bundle; None where the bundle has none.

    Raises:
        ValueError: a file is missing, a field or number is not as expected, or the gallery is that of another bridge.
    """
    if not (folder / RECORD).exists() and not (folder / VECTORS).exists():
        return None
    record, tensors = _read_record(folder / RECORD), _Numbers(folder / VECTORS)
    _require_known_lists(folder / RECORD, record)
    dim = tensors.dim()
    lists = [_list(each, tensors, number, dim) for number, each in enumerate(record.lists)]
    views = [_view(each, tensors, number, len(lists[each.list].ids)) for number, each in enumerate(record.views)]
    pairs = [Pairs(each, *(tensors.rising(f"pairs.{number}.{name}") for name in ("true", "mismatched"))) for number, each in enumerate(record.pairs)]
    planes = [_plane(each, tensors, number, dim) for number, each in enumerate(record.planes)]
    tensors.require_all_read()
    gallery = Gallery(record.space, lists, views, pairs, planes, record.columns)
    if not gallery.fits(bridge):
        raise ValueError(f"{folder / RECORD}, field space: made in the shared space of another bundle; write this bundle again, or delete both gallery files")
    return gallery


def _record(gallery: Gallery) -> GalleryRecord:
    lists = tuple(ListRecord(kind=each.kind, ids=each.ids, labels=each.labels, source=each.source) for each in gallery.lists)
    views = tuple(ViewRecord(side=view.side, list=view.candidates, calibrated=view.prior is not None) for view in gallery.views)
    planes = tuple(PlaneRecord(side=plane.side, list=plane.candidates, shown=plane.shown) for plane in gallery.planes)
    pairs = tuple(each.between for each in gallery.pairs)
    return GalleryRecord(format=FORMAT, space=gallery.space, columns=gallery.columns, lists=lists, views=views, pairs=pairs, planes=planes)


def _numbers(gallery: Gallery) -> Iterator[tuple[str, np.ndarray]]:
    for number, each in enumerate(gallery.lists):
        yield f"lists.{number}.vectors", each.stored
    for number, view in enumerate(gallery.views):
        named = ("scale", view.scale), ("offset", view.offset), ("prior", view.prior)
        yield from ((f"views.{number}.{name}", values) for name, values in named if values is not None)
    for number, pairs in enumerate(gallery.pairs):
        yield from ((f"pairs.{number}.{name}", values) for name, values in (("true", pairs.true), ("mismatched", pairs.mismatched)))
    for number, plane in enumerate(gallery.planes):
        yield from ((f"planes.{number}.{name}", values) for name, values in (("mean", plane.mean), ("axes", plane.axes)))


def _read_record(path: Path) -> GalleryRecord:
    if not path.is_file():
        raise ValueError(f"{path}: no such file beside {VECTORS}; the bundle is damaged, write it again")
    try:
        record = GalleryRecord.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{path}, field {'.'.join(map(str, first['loc']))}: {first['msg']}; the bundle is damaged, write it again") from error
    if record.format != FORMAT:
        raise ValueError(f"{path}, field format: found {record.format}, expected {FORMAT}; make the bundle again with this version")
    return record


def _require_known_lists(path: Path, record: GalleryRecord) -> None:
    """Every list whole, each id once, and no view or plane of a list that is not there."""
    for number, each in enumerate(record.lists):
        if len(each.labels) != len(each.ids) or len(set(each.ids)) != len(each.ids):
            found = f"{len(each.ids)} ids, {len(set(each.ids))} different ones, and {len(each.labels)} labels"
            raise ValueError(f"{path}, field lists.{number}: found {found}, expected each id once with a label; the bundle is damaged, write it again")
    for name, number in (*(("views", view.list) for view in record.views), *(("planes", plane.list) for plane in record.planes)):
        if number >= len(record.lists):
            raise ValueError(f"{path}, field {name}: found list {number}, expected below {len(record.lists)}; the bundle is damaged, write it again")


class _Numbers:
    """Tensors of the file, each asked for once with the shape it must have."""

    def __init__(self, path: Path):
        self.path, self.tensors = path, read_weights(path)
        self.left = set(self.tensors)

    def dim(self) -> int:
        """Width of the vectors."""
        first = self.tensors.get("lists.0.vectors")
        return first.shape[1] if first is not None and first.ndim == 2 else 0

    def take(self, name: str, shape: tuple[int | None, ...], dtype: torch.dtype = torch.float32) -> np.ndarray:
        """One tensor; None in its shape is any length from one on."""
        if name not in self.tensors:
            raise ValueError(f"{self.path}: {name!r} is missing; the bundle is damaged, write it again")
        found = self.tensors[name]
        fits = len(found.shape) == len(shape) and all(
            size == wanted if wanted is not None else size > 0 for size, wanted in zip(found.shape, shape, strict=True)
        )
        if not fits or found.dtype != dtype:
            raise self.wrong(name, f"{found.dtype} of shape {tuple(found.shape)}", f"{dtype} of shape {shape}")
        if not torch.isfinite(found).all():
            raise self.wrong(name, "NaN or infinite values", "finite ones")
        self.left.discard(name)
        return found.numpy()

    def rising(self, name: str) -> np.ndarray:
        """Cosines in rising order."""
        values = self.take(name, (None,))
        if np.abs(values).max() > 1 + TOLERANCE or (np.diff(values) < 0).any():
            raise self.wrong(name, "values beyond 1, or falling", "cosines in rising order")
        return values

    def require_all_read(self) -> None:
        if self.left:
            raise ValueError(f"{self.path}: unknown tensors {sorted(self.left)[:3]}; the bundle is damaged, write it again")

    def wrong(self, name: str, found: str, expected: str) -> ValueError:
        return ValueError(f"{self.path}, {name!r}: found {found}, expected {expected}; the bundle is damaged, write it again")


def _list(record: ListRecord, tensors: _Numbers, number: int, dim: int) -> Candidates:
    name, many = f"lists.{number}.vectors", len(record.ids)
    vectors = tensors.take(name, (many, dim), torch.float16)
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    if np.abs(lengths - 1).max() > TOLERANCE:
        raise tensors.wrong(name, f"lengths from {lengths.min():.3g} to {lengths.max():.3g}", "unit vectors")
    return Candidates(record.kind, record.ids, record.labels, record.source, vectors)


def _view(record: ViewRecord, tensors: _Numbers, number: int, many: int) -> View:
    scale, offset = (tensors.take(f"views.{number}.{name}", (many,)) for name in ("scale", "offset"))
    prior = tensors.take(f"views.{number}.prior", (many,)) if record.calibrated else None
    if prior is not None and not ((prior >= 0) & (prior <= 1)).all():
        raise tensors.wrong(f"views.{number}.prior", f"values from {prior.min():.3g} to {prior.max():.3g}", "probabilities, 0 to 1")
    return View(record.side, record.list, scale, offset, prior)


def _plane(record: PlaneRecord, tensors: _Numbers, number: int, dim: int) -> Plane:
    mean, axes = tensors.take(f"planes.{number}.mean", (dim,)), tensors.take(f"planes.{number}.axes", (2, dim))
    return Plane(record.side, record.list, mean, axes, record.shown)
