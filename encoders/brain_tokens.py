"""Token grids already computed by any brain model: tokens of regions, windows or patches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from encoders.base import Encoder, Raw, Tokens, cut_tokens, located
from encoders.files import decoding, existing
from encoders.ids import as_text, require_ids
from encoders.sound import require_measured
from encoders.tables import naming, numbers, read_arrays, read_table


class BrainTokens(Encoder):
    """Tokens ``[batch, tokens, dim]`` as computed; a token with a NaN is absent.

    Reads ``.npz`` (arrays ``ids`` and ``values [samples, tokens, dim]``, others after the name: ``FILE.npz#VALUES,id=IDS``),
    ``.npy`` (values, with the ids one a line in
    ``NAME.ids.txt`` beside it), a two-dimensional obsm of an ``.h5ad``, and a folder with one ``.npy`` or ``.npz`` (array
    ``values [tokens, dim]``) per sample, whose name is the id. In :class:`~encoders.base.Raw` the tokens stand one after another.

    Args:
        tokens: Tokens per sample; :meth:`for_source` takes it from the file, except from an ``.h5ad``.
        dim: Width of a token.
        modality: Name of the modality.
        names: Names of the tokens where they have a fixed meaning.
        key: ``obsm:NAME`` of an ``.h5ad`` with more than one obsm.
        provenance: Further card fields: model, layer, pooling, atlas, licence.
    """

    def __init__(
        self,
        tokens: int,
        dim: int,
        modality: str = "brain",
        names: Iterable[str] = (),
        key: str = "",
        provenance: dict[str, str] | None = None,
    ):
        super().__init__(modality, dim, names, provenance)
        if self.names and len(self.names) != tokens:
            raise ValueError(f"BrainTokens, names: found {len(self.names)}, expected one for each of {tokens} tokens or none")
        self._tokens, self.key = tokens, key

    @property
    def tokens(self) -> int:
        """Tokens per sample."""
        return self._tokens

    @classmethod
    def for_source(cls, source: Path, **init_args) -> BrainTokens:
        """Tokens and width from the file."""
        _, values = _grid(source, init_args.get("key", ""))
        if values.ndim == 2:
            tokens = init_args.get("tokens")
            if not tokens or values.shape[1] % tokens:
                raise ValueError(f"{source}: found {values.shape[1]} values per sample, expected tokens that divide them; give tokens")
            values = values.reshape(len(values), tokens, -1)
        return cls(**({"tokens": values.shape[1], "dim": values.shape[2]} | init_args))

    def read(self, source: Path) -> Raw:
        """Token grids, flattened to ``[samples, tokens * dim]``."""
        ids, values = _grid(source, self.key)
        width = self.tokens * self.dim
        if values.shape[1:] not in ((self.tokens, self.dim), (width,)):
            raise ValueError(f"{source}: found {values.shape[1:]} per sample, expected tokens x dim = {(self.tokens, self.dim)}; use the model's own output")
        if values.dtype.kind != "f" or np.isinf(values).any():
            raise ValueError(f"{source}: found {values.dtype} or infinite values, expected finite numbers with a fraction (NaN where missing)")
        require_ids(ids, source)
        require_measured(ids, values.reshape(len(ids), width), source)
        return Raw(ids, values.reshape(len(ids), width))

    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Flattened grids to tokens."""
        return cut_tokens(values, self.tokens, self.dim)

    def init_args(self) -> dict:
        """Arguments that build this encoder again."""
        return super().init_args() | {"tokens": self.tokens, "key": self.key}

    @classmethod
    def example(cls) -> BrainTokens:
        """Three tokens of width 4."""
        return cls(tokens=3, dim=4)


def _grid(source: Path, key: str) -> tuple[list[str], np.ndarray]:
    """Ids and values ``[samples, tokens, dim]``, or ``[samples, features]`` from an AnnData file."""
    asked = located(source)
    file, suffix = existing(asked.only()), asked.only().suffix.lower()
    if suffix in (".h5ad", ".h5mu"):
        table = read_table(source, key=key)
        return list(table.index), numbers(table, file)
    asked.require_choices(("id",) if suffix == ".npz" else ())
    if asked.key and suffix != ".npz":
        raise ValueError(f"{file}#{asked.key}: found a key, but such a source is one grid; leave it out")
    if file.is_dir():
        return _folder(file)
    if suffix not in (".npz", ".npy"):
        raise ValueError(f"{file}: not a token grid; expected .npz, .npy, .h5ad or a folder of .npy or .npz files")
    ids, values = read_arrays(file, (asked.choices.get("id", "ids"), asked.key or "values")) if suffix == ".npz" else _array_and_ids(file)
    if values.ndim != 3 or ids.shape != values.shape[:1]:
        raise ValueError(f"{file}: found ids {ids.shape} and values {values.shape}, expected [samples] and [samples, tokens, dim]")
    with naming(file):
        return as_text(ids), values


def _array_and_ids(source: Path) -> tuple[np.ndarray, np.ndarray]:
    beside = existing(source.with_suffix(".ids.txt"))
    with decoding(beside, "ids, one a line in UTF-8"):
        return np.array(beside.read_text(encoding="utf-8-sig").splitlines()), _array(source)


def _folder(source: Path) -> tuple[list[str], np.ndarray]:
    files = sorted(path for path in source.iterdir() if path.suffix in (".npy", ".npz") and not path.name.startswith("."))
    grids = [_array(file) if file.suffix == ".npy" else read_arrays(file, ("values",))[0] for file in files]
    if not grids or grids[0].ndim != 2:
        raise ValueError(f"{source}: found {len(files)} .npy or .npz files, expected one or more, each [tokens, dim]")
    for file, grid in zip(files, grids, strict=True):
        if grid.shape != grids[0].shape:
            raise ValueError(f"{file}: found tokens x dim = {grid.shape}, expected {grids[0].shape} as in {files[0].name}")
    return [file.stem for file in files], np.stack(grids)


def _array(source: Path) -> np.ndarray:
    with decoding(source, ".npy"):
        return np.load(source, allow_pickle=False)
