"""Every file from outside is decoded here, in a child process with limits; what comes back are plain numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bridge.data.limited import Limits, limited
from encoders.base import Encoder, Raw, build, load_class, record

#: The classes whose files are read in a child. A class that the user trusts by name reads in this process: it may hold
#: a model on a card, and its code runs here anyhow.
OWN = "encoders."

#: What a stranger uploads: an image of a head or a table of some thousand samples, not a study.
UPLOAD = Limits(memory_bytes=2 << 30, cpu_s=60, wall_s=90)

#: The inputs of one report, named on the user's own command line.
REPORT = Limits(memory_bytes=8 << 30, cpu_s=900, wall_s=1800)

#: The files of a cohort: generous, since a folder of ten thousand images takes hours; the memory is the machine's.
BUILD = Limits(memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), cpu_s=7 * 86400, wall_s=7 * 86400)


def decoded(encoder: Encoder, source: str | Path, limits: Limits = REPORT, heed: Callable[[], object] = lambda: None) -> Raw:
    """What an encoder reads from a file or folder, in a child process with limits.

    Args:
        encoder: Made by :func:`encoders.base.build` or loaded with a bundle; its weights are not needed to read.
        source: File or folder; its name decides the format, so an upload is stored under the suffix it came with.
        limits: :data:`UPLOAD` for a stranger's file, :data:`REPORT` for one's own, :data:`BUILD` for those of a cohort.
        heed: Called while the child works; an error of it ends the child.

    Returns:
        Ids and values ``[samples, features]``: finite within float32, NaN where missing.

    Raises:
        ValueError: one or two lines that name the file, what was found, what was expected and what to do; also where the
            child crashed, ran out of memory or took too long.
    """
    _, raw = _decoded(record(encoder), Path(source), limits, given=encoder, heed=heed)
    return raw


def decoded_by(class_path: str, init_args: dict, source: str | Path, limits: Limits = BUILD, trust: Sequence[str] = ()) -> tuple[Encoder, Raw]:
    """An encoder that fits the file (``for_source``), and what it reads, both worked out in the child.

    Args:
        class_path: ``package.module.Class``.
        init_args: What is not to be taken from the file.
        source: File or folder.
        limits: Of the child.
        trust: Modules outside the ``encoders`` package whose classes may be loaded.

    Raises:
        ValueError: as :func:`decoded`, or the class takes no such argument.
    """
    spec, source = {"class_path": class_path, "init_args": init_args}, Path(source)
    kind = load_class(class_path, trust)
    if not _own(class_path):
        encoder = _fitted(kind, source, init_args)
        return encoder, sound(encoder.read(source), source)
    return _decoded(spec, source, limits)


def decoded_frame(call: str, arguments: dict, source: str | Path, limits: Limits = BUILD) -> pd.DataFrame:
    """A data frame that a function of this package reads in a child; columns of numbers stay numbers, all others become text.

    Args:
        call: ``module:function``; it returns what :func:`packed` makes of its frame.
        arguments: Its arguments, in JSON types.
        source: The file, for the errors.
        limits: Of the child.
    """
    done = limited(call, arguments, limits, str(source))
    columns = [done.arrays[str(place)] if cells is None else pd.Series(cells, dtype=object) for place, cells in enumerate(done.told["cells"])]
    frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(done.told["rows"]))
    return frame.set_axis(pd.Index(done.told["names"], dtype=object), axis=1)


def packed(frame: pd.DataFrame) -> tuple[dict, dict[str, np.ndarray]]:
    """A frame as JSON values and arrays: cells as text, None where missing, but for columns of numbers."""
    cells, arrays = [], {}
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype)
        cells.append(None if numeric else [None if _missing(cell) else cell.decode() if isinstance(cell, bytes) else str(cell) for cell in column])
        if numeric:
            arrays[str(place)] = column.to_numpy(np.float64, na_value=np.nan) if column.hasnans else column.to_numpy(_plain(column.dtype))
    return {"names": [str(name) for name in frame.columns], "rows": len(frame), "cells": cells}, arrays


def sound(raw: Raw, source: str | Path) -> Raw:
    """Refuse rows without ids of their own, and numbers that the model's float32 cannot hold."""
    ids, values = list(raw.ids), np.asarray(raw.values)
    if values.ndim != 2 or len(ids) != len(values) or not values.size or values.dtype.kind not in "biuf":
        raise ValueError(f"{source}: found {len(ids)} ids and values {values.shape} {values.dtype}, expected numbers [samples, features] with a row per id")
    values = values if values.dtype.kind == "f" else values.astype(np.float64)
    with np.errstate(invalid="ignore"):
        outside = np.argwhere(np.abs(values) > np.finfo(np.float32).max)
    if len(outside):
        row, feature = outside[0]
        found = f"found an infinite value ({values[row, feature]:.3g}, in single precision)"
        raise ValueError(f"{source}: sample {ids[row]!r}, feature {feature + 1}: {found}, expected a number below 3.4e38 or NaN where missing; mend the cell")
    return Raw(ids, values)


def holed(encoder: Encoder, values: np.ndarray) -> np.ndarray:
    """Rows in which a token has some of its numbers and lacks others: such a token counts as absent as a whole."""
    if values.shape[1] != encoder.tokens * encoder.dim or encoder.dim == 1:
        return np.zeros(len(values), dtype=bool)
    missing = np.isnan(values.reshape(len(values), encoder.tokens, encoder.dim))
    return (missing.any(axis=2) & ~missing.all(axis=2)).any(axis=1)


def read_in_child(spec: dict, source: str, fit: bool) -> tuple[dict, dict[str, np.ndarray]]:
    """The work of the child: the encoder as it is or fitted to the file, and its reading."""
    kind = load_class(spec["class_path"])
    encoder = _fitted(kind, Path(source), spec["init_args"]) if fit else build(spec)
    ids, values = encoder.read(Path(source))
    return {"ids": list(ids), "encoder": record(encoder)}, {"values": np.asarray(values)}


def _decoded(spec: dict, source: Path, limits: Limits, given: Encoder | None = None, heed: Callable[[], object] = lambda: None) -> tuple[Encoder, Raw]:
    if given is not None and not _own(spec["class_path"]):
        return given, sound(given.read(source), source)
    arguments = {"spec": spec, "source": str(source), "fit": given is None}
    done = limited("bridge.data.decode:read_in_child", arguments, limits, str(source), heed)
    raw = sound(Raw([str(each) for each in done.told["ids"]], done.arrays["values"]), source)
    return given or build(done.told["encoder"]), raw


def _fitted(kind: type[Encoder], source: Path, init_args: dict) -> Encoder:
    try:
        return kind.for_source(source, **init_args)
    except TypeError as error:
        raise ValueError(f"init_args of {kind.__module__}.{kind.__qualname__}: {error}; found {sorted(init_args)}") from error


def _missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and cell != cell)


def _plain(dtype: object) -> np.dtype:
    """NumPy's dtype for a column of numbers without gaps."""
    return dtype if isinstance(dtype, np.dtype) else np.dtype(dtype.numpy_dtype)


def _own(class_path: str) -> bool:
    return class_path.startswith(OWN)
