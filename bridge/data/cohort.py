"""A cohort: one .h5ad that holds every modality of every sample, its split, its groups and its cards."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem
from scipy import sparse

from bridge.data.manifest import require_unchanged, signed_file
from encoders.base import Card, Encoder, build, record, unseen
from encoders.blocks import StoredMatrix
from encoders.hdf5 import require_plain

SPLITS = ("train", "validation", "test")

#: What uns["bridge"] holds, and of which kind.
ABOUT = {"cards": dict, "encoders": dict, "texts": list, "facts": dict, "notes": dict}

#: Rows; normalisation computes in double precision, which for all rows at once would take several times the values' memory.
NORMALISED_AT_ONCE = 1024


class Cohort:
    """Samples with aligned modalities.

    ``obs``: index = sample id; ``split`` (train, validation, test); ``group`` (samples of one group stay in
    one split); text columns; fact columns. ``obsm[modality]``: what the modality's encoder takes, one row per
    sample, a missing sample is a row of NaN. ``uns["bridge"]``: JSON text with cards, encoder records, text and fact columns.

    Args:
        table: The AnnData table in the form above.
        source: What errors call it, for example its file.
        stored: Modalities whose values stay on disk; they are then not in the table.

    Raises:
        ValueError: a required column is missing, an id is found twice, a split has another name, or a group is found in two splits.
    """

    def __init__(self, table: anndata.AnnData, source: str = "cohort", stored: dict[str, StoredMatrix] | None = None):
        self.table, self.source, self.stored = table, source, stored or {}
        if "bridge" not in table.uns:
            raise ValueError(f"{source}: uns['bridge'] is missing; make a cohort of this file with: bridge data build --table {source}")
        self.about = _about(str(table.uns["bridge"]), source)
        self._require_columns(("split", "group", *self.texts, *self.facts))
        self._require_one_row_per_id()
        self._require_known_splits()
        self._require_values()
        self.require_no_leak()

    @classmethod
    def assemble(
        cls,
        obs: pd.DataFrame,
        modalities: dict[str, tuple[Encoder, np.ndarray]],
        *,
        texts: Sequence[str] = (),
        facts: dict[str, str] | None = None,
        normalise: dict[str, str] | None = None,
        notes: dict | None = None,
        source: str = "cohort",
    ) -> Cohort:
        """A cohort from aligned arrays; normalisation is fitted on the training split here, and only here.

        Args:
            obs: One row per sample with ``split`` and ``group``.
            modalities: Modality to (encoder, values ``[samples, features]``); a missing sample is a row of NaN.
            texts: Text columns of ``obs`` ('' where a sample has none).
            facts: Column of ``obs`` with known facts (items separated by '; ') to the modality that can tell them.
            normalise: Modality to ``zscore`` (per feature, the default), ``global`` (one mean and scale, keeps the order of the regions),
                ``unit`` (each sample to length 1, then per feature: for embeddings whose length says how much was known) or ``none``.
            notes: Whatever else a reader must know: source, release, licence.
            source: What errors call this cohort, for example the file it is made from.
        """
        table = anndata.AnnData(obs=obs.copy())
        about = {"cards": {}, "encoders": {}, "texts": list(texts), "facts": dict(facts or {}), "notes": notes or {}}
        train = (obs["split"] == "train").to_numpy()
        for modality, (encoder, values) in modalities.items():
            method = (normalise or {}).get(modality, "zscore")
            statistics = fit_normalisation(values[train], method, modality)
            about["cards"][modality] = encoder.card().to_dict() | {"normalisation": statistics}
            about["encoders"][modality] = record(encoder)
            table.obsm[modality] = np.asarray(values, dtype=np.float32)
        table.uns["bridge"] = json.dumps(about)
        return cls(table, source)

    @classmethod
    def read(cls, path: str | Path, stream: bool = False) -> Cohort:
        """Read a cohort file.

        Args:
            path: The ``.h5ad`` file.
            stream: Leave the values of the modalities on disk; :meth:`raw` and :meth:`values` read the rows they are asked for. The file is
                then not compared with its digest, which would read all of it: ``sha256sum --check`` does.

        Raises:
            ValueError: no cohort, or not the file whose digest stands beside it (``cohort.h5ad.sha256``, where there is one).
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"{path}: no such file; make one with: bridge data default --out {path.parent} (or bridge data build)")
        if not stream:
            require_unchanged(path)
        require_plain(path)
        parts = _opened(path)  # what is wrong with a matrix is said by name, before anndata reads it
        return cls(*parts) if stream else cls(_whole(path), str(path))

    def write(self, path: str | Path) -> None:
        """Write a cohort file, whole or not at all, and its digest beside it."""
        if self.stored:
            raise ValueError(f"{self.source}: its values are on disk, so it cannot be written; read it without stream")
        with signed_file(path) as partial:
            self.table.write_h5ad(partial)  # compressed, floats take 7 % less room and rows 27 times as long to read

    @property
    def ids(self) -> list[str]:
        """Sample ids in order."""
        return [str(name) for name in self.table.obs_names]

    @property
    def modalities(self) -> list[str]:
        """Modalities in order."""
        return list(self.about["cards"])

    @property
    def texts(self) -> list[str]:
        """Names of the text columns."""
        return self.about["texts"]

    @property
    def facts(self) -> dict[str, str]:
        """Fact column to the modality that can tell it."""
        return self.about["facts"]

    def card(self, modality: str) -> Card:
        """The card of a modality, normalisation included."""
        if modality not in self.about["cards"]:
            raise ValueError(f"{self.source}: no modality {modality!r}; expected one of {self.modalities}")
        return Card.from_dict(self.about["cards"][modality])

    def encoder(self, modality: str, trust: Iterable[str] = ()) -> Encoder:
        """The encoder that reads this modality."""
        return build(self.about["encoders"][modality], trust)

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split, or of all samples for ``all``."""
        if split == "all":
            return np.arange(self.table.n_obs)
        if split not in SPLITS:
            raise ValueError(f"split {split!r}: expected one of {(*SPLITS, 'all')}")
        return np.flatnonzero((self.table.obs["split"] == split).to_numpy())

    def text(self, column: str) -> list[str]:
        """One text per sample, '' where there is none."""
        return ["" if pd.isna(value) else str(value) for value in self.table.obs[column]]

    def fact(self, column: str) -> list[tuple[str, ...]]:
        """Known facts per sample."""
        return [tuple(item for item in value.split("; ") if item) for value in self.text(column)]

    @property
    def groups(self) -> np.ndarray:
        """Group number of each sample."""
        return pd.factorize(self.table.obs["group"].astype(str))[0]

    def raw(self, modality: str, rows: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Values as measured ``[samples, features]``, of these rows or of all; NaN where missing."""
        wanted = np.arange(self.table.n_obs) if rows is None else np.asarray(rows, dtype=np.int64)
        if modality not in self.stored:
            values = np.asarray(self.table.obsm[modality], dtype=np.float32)
            return values if rows is None else values[wanted]
        rising, back = np.unique(wanted, return_inverse=True)
        values = self.stored[modality].read(rising)
        dense = np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float32)
        return dense if (back[1:] > back[:-1]).all() else dense[back]

    def values(self, modality: str, rows: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Normalised values ``[samples, features]``, of these rows or of all; NaN where missing."""
        raw, statistics = self.raw(modality, rows), self.card(modality).normalisation
        values = np.empty_like(raw)
        for start in range(0, len(raw), NORMALISED_AT_ONCE):
            part = slice(start, start + NORMALISED_AT_ONCE)
            values[part] = apply_normalisation(raw[part], statistics)
        return values

    def require_no_leak(self) -> None:
        """Refuse a cohort in which a group is found in two splits."""
        splits = self.table.obs.groupby(self.table.obs["group"].astype(str), observed=True)["split"].nunique()
        shared = splits[splits > 1]
        if len(shared):
            raise ValueError(f"{self.source}, field obs['split']: group {shared.index[0]!r} is in {int(shared.iloc[0])} splits, expected 1; split by group")

    def _require_columns(self, columns: Iterable[str]) -> None:
        for column in columns:
            if column not in self.table.obs:
                raise ValueError(
                    f"{self.source}: obs column {column!r} is missing; found {list(self.table.obs.columns)}; make the cohort with: bridge data build"
                )

    def _require_one_row_per_id(self) -> None:
        repeated = self.table.obs_names[self.table.obs_names.duplicated()]
        if len(repeated):
            raise ValueError(f"{self.source}: sample {str(repeated[0])!r} is in more than one row; expected every id once")

        hidden = next((str(name) for name in self.table.obs_names if unseen(str(name))), None)
        if hidden is not None:
            raise ValueError(f"{self.source}: sample {hidden!a} has signs that nobody sees in its id; expected ids as they are read, make the cohort again")

    def _require_values(self) -> None:
        """Every modality has its values, numbers that are finite or NaN; values that stay on disk are not all looked at."""
        for modality in self.modalities:
            if modality not in self.stored and modality not in self.table.obsm:
                raise ValueError(f"{self.source}: obsm[{modality!r}] is missing, though uns['bridge'] has its card; make the cohort with: bridge data build")
            values = None if modality in self.stored else np.asarray(self.table.obsm[modality])
            if values is not None and (values.ndim != 2 or values.dtype.kind not in "biuf" or np.isinf(values).any()):
                found = f"{values.dtype} values of shape {values.shape}, or infinite ones"
                raise ValueError(f"{self.source}, obsm[{modality!r}]: found {found}, expected finite numbers [samples, features], NaN where missing")
            self._require_width(modality, self.stored[modality].shape if values is None else values.shape)

    def _require_width(self, modality: str, shape: tuple[int, ...]) -> None:
        statistics = self.card(modality).normalisation or {}
        width = len(statistics["mean"]) if isinstance(statistics.get("mean"), list) else shape[-1]
        if shape[1:] != (width,):
            raise ValueError(f"{self.source}, obsm[{modality!r}]: found shape {shape}, expected {width} features as its card says; make the cohort again")

    def _require_known_splits(self) -> None:
        unknown = [value for value in self.table.obs["split"].unique() if value not in SPLITS]
        if unknown:
            raise ValueError(f"{self.source}, field obs['split']: found {unknown[0]!r}, expected one of {', '.join(SPLITS)}")


def _about(text: str, source: str) -> dict:
    """What a cohort says of itself; every modality has a card and an encoder."""
    again = "make the cohort with: bridge data build"
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source}, field uns['bridge']: found no JSON ({error}), expected what a cohort says of itself; {again}") from error
    lacking = [name for name, kind in ABOUT.items() if not isinstance(about, dict) or not isinstance(about.get(name), kind)]
    if lacking or about["cards"].keys() != about["encoders"].keys():
        wrong = f"no {lacking[0]!r}" if lacking else f"cards of {list(about['cards'])} and encoders of {list(about['encoders'])}"
        raise ValueError(f"{source}, field uns['bridge']: found {wrong}, expected {', '.join(ABOUT)}, a card and an encoder for each modality; {again}")
    untold = [column for column, modality in about["facts"].items() if not isinstance(modality, str) or modality not in about["cards"]]
    if untold:
        raise ValueError(f"{source}, field uns['bridge'], facts: found {about['facts'][untold[0]]!r} for {untold[0]!r}, expected a modality; {again}")
    for modality, fields in about["cards"].items():
        try:
            require_statistics(Card.from_dict(fields).normalisation)
        except ValueError as error:
            raise ValueError(f"{source}, field uns['bridge'], card of {modality!r}: {error}; {again}") from error
    return about


def require_statistics(statistics: object) -> None:
    """Refuse a normalisation that would turn values into nothing or into infinity."""
    if statistics is None or (isinstance(statistics, dict) and statistics.get("method") == "none"):
        return
    statistics = statistics if isinstance(statistics, dict) else {"method": statistics}
    method = statistics.get("method")
    numbers = [np.asarray(statistics.get(name), dtype=object) for name in ("mean", "scale")]
    plain = all(isinstance(each, int | float) and not isinstance(each, bool) for array in numbers for each in array.ravel())
    fits = numbers[0].shape == numbers[1].shape and numbers[0].ndim <= 1
    if method not in ("zscore", "global", "unit") or not plain or not fits or not all(0 < each < np.inf for each in numbers[1].ravel()):
        found = f"found method {method!r} with means {numbers[0].shape} and scales {numbers[1].shape}"
        raise ValueError(f"normalisation: {found}, expected zscore, global, unit or none, and a mean and a scale above 0 for each feature")


def _opened(path: Path) -> tuple[anndata.AnnData, str, dict[str, StoredMatrix]]:
    try:
        return _without_values(path)
    except UnicodeDecodeError as error:
        raise _not_a_cohort(path, error) from error
    except ValueError:
        raise
    except Exception as error:  # a damaged file reaches any error of the libraries
        raise _not_a_cohort(path, error) from error


def _whole(path: Path) -> anndata.AnnData:
    try:
        return anndata.read_h5ad(path)
    except Exception as error:
        raise _not_a_cohort(path, error) from error


def _not_a_cohort(path: Path, error: Exception) -> ValueError:
    why = next(iter(str(error).splitlines()), type(error).__name__)
    return ValueError(f"{path}: not a cohort ({why}); expected an .h5ad file made with: bridge data build")


def _without_values(path: Path) -> tuple[anndata.AnnData, str, dict[str, StoredMatrix]]:
    """What :class:`Cohort` is made of, with the modalities left on disk."""
    with h5py.File(path, "r") as file:
        about = {name: read_elem(file[f"uns/{name}"]) for name in ("bridge",) if name in file.get("uns", ())}
        table, modalities = anndata.AnnData(obs=read_elem(file["obs"]), uns=about), list(file.get("obsm", ()))
    return table, str(path), {modality: StoredMatrix(path, f"obsm:{modality}") for modality in modalities}


def fit_normalisation(values: np.ndarray, method: str = "zscore", modality: str = "values") -> dict:
    """Mean and scale of the training rows, NaN left out; a constant feature has scale 1.

    A feature that no training row has gets the mean NaN, so that it counts as missing wherever it is found later.
    """
    if method not in ("zscore", "global", "unit", "none"):
        raise ValueError(f"normalisation of {modality}: found {method!r}, expected zscore, global, unit or none")
    if method == "none":
        return {"method": "none"}
    present = values[np.isfinite(values).any(axis=1)]
    if not len(present):
        raise ValueError(f"normalisation of {modality}: no training sample has this modality; expected at least one")
    present = _unit(present) if method == "unit" else present
    axis = None if method == "global" else 0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice|Degrees of freedom", RuntimeWarning)
        mean, scale = np.nanmean(present, axis=axis), np.nanstd(present, axis=axis)
    scale = np.where(scale > 1e-8, scale, 1.0)
    return {"method": method, "mean": np.asarray(mean).tolist(), "scale": scale.tolist(), "fitted_on": "train", "samples": len(present)}


def apply_normalisation(values: np.ndarray, statistics: dict | None) -> np.ndarray:
    """(values - mean) / scale with statistics from :func:`fit_normalisation`; ``unit`` scales each sample to length 1 first."""
    if not statistics or statistics["method"] == "none":
        return values
    values = _unit(values) if statistics["method"] == "unit" else values
    with np.errstate(over="ignore"):  # infinite then, which every reader of values looks for
        return ((values - np.asarray(statistics["mean"])) / np.asarray(statistics["scale"])).astype(np.float32)


def _unit(values: np.ndarray) -> np.ndarray:
    """Samples ``[..., features]`` at length 1, missing values left out; a sample of zeros stays zero."""
    length = np.sqrt(np.nansum(np.square(values), axis=-1, keepdims=True))
    return values / np.where(length > 0, length, 1.0)


def split_by_group(groups: Sequence[str], *, validation: float = 0.1, test: float = 0.2, seed: int = 0) -> list[str]:
    """A split in which every group is whole; sizes are met as nearly as whole groups allow.

    Groups are drawn in random order; one that no longer fits into test or validation goes to train. From three
    groups on, a split that is asked for has room for at least the smallest group.
    """
    if min(validation, test) < 0 or validation + test >= 1:
        raise ValueError(f"split: found validation={validation}, test={test}; expected fractions that leave a part for train")
    codes, names = pd.factorize(pd.Series(groups, dtype=str))
    sizes = np.bincount(codes, minlength=len(names))
    least = sizes.min() if len(names) >= 3 else 0
    room = {name: max(least, round(part * len(codes), 6)) for name, part in (("test", test), ("validation", validation)) if part > 0}
    of_group = np.full(len(names), "train", dtype=object)
    for group in np.random.default_rng(seed).permutation(len(names)):
        of_group[group] = next((name for name, free in room.items() if sizes[group] <= free), "train")
        if of_group[group] in room:
            room[of_group[group]] -= sizes[group]
    return list(of_group[codes])
