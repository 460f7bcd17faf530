"""Raw facts beside an embedding: a table of region or gene values per sample that a report is checked against.

The model never sees it. It serves who has embeddings of a brain or a cell, which name nothing, and the values they
were made from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from bridge.data.gene_aliases import clear_aliases
from bridge.data.table import NUMBER, read_matrix, read_table
from bridge.language.subject import RegionValues, Subject
from bridge.report.claims.anatomy import place_of, spoken_forms
from bridge.report.claims.symbols import is_symbol
from bridge.report.reference import Reference
from encoders.base import located

REGIONS, GENES = "companion regions", "companion genes"
#: Fewest other samples with a value that give a mean and a spread.
FEWEST = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Companion:
    """Values of one sample and of those it is placed among.

    Args:
        names: Regions or genes.
        values: Of the sample, NaN where missing.
        mean: Of the samples of reference; NaN where fewer than ten have a value.
        spread: Their standard deviation.
        aliases: Other names of its genes to their symbols.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, " features"]
    mean: Float[np.ndarray, " features"]
    spread: Float[np.ndarray, " features"]
    aliases: dict[str, str] = dataclasses.field(default_factory=dict)

    def beside(self, subject: Subject, reference: Reference) -> tuple[Subject, Reference]:
        """The subject and its reference with these facts as further maps, one of regions and one of genes; no name twice."""
        known = {name for names in reference.regions.values() for name in names}
        genes = np.array([is_symbol(name) and place_of(name).concept not in spoken_forms().values() for name in self.names], dtype=bool)
        new = np.array([name not in known for name in self.names], dtype=bool)
        for modality, chosen in ((REGIONS, new & ~genes), (GENES, new & genes)):
            if chosen.any():
                subject, reference = self._with(subject, reference, modality, np.flatnonzero(chosen))
        return subject, dataclasses.replace(reference, aliases=reference.aliases | self.aliases)

    def _with(self, subject: Subject, reference: Reference, modality: str, columns: np.ndarray) -> tuple[Subject, Reference]:
        names = tuple(self.names[column] for column in columns)
        regions = subject.regions | {modality: RegionValues(names, self.values[columns])}
        subject = dataclasses.replace(subject, regions=regions, present=subject.present | {modality})
        mean, spread = reference.mean | {modality: self.mean[columns]}, reference.spread | {modality: self.spread[columns]}
        return subject, dataclasses.replace(reference, regions=reference.regions | {modality: names}, mean=mean, spread=spread)


def read_companion(path: Path, sample: str, *, training: Collection[str] = ()) -> Companion:
    """Facts of one sample, placed among the training samples.

    Args:
        path: csv, tsv or parquet with the sample id first and a column per region or gene, or an .h5ad (its ``obs`` and its ``X``);
            the column ``aliases`` of its ``var`` holds other names of each gene, with ``;`` between them.
        sample: Its id.
        training: Ids of the training samples; where none of them is in the table, those with ``split`` train, and
            without such a column every other sample.

    Raises:
        ValueError: the sample is not in the table, or the table has no column of numbers.
    """
    table, split = _numbers(path)
    if sample not in table.index:
        raise ValueError(f"facts {path}: no sample {sample!r}; found {len(table)} samples, for example {table.index[0]!r}")
    others = _others(table, split, training).drop(index=sample, errors="ignore")
    count = others.notna().sum()
    mean, spread = (numbers.where(count >= FEWEST).to_numpy(dtype=np.float64) for numbers in (others.mean(), others.std(ddof=0)))
    return Companion(tuple(map(str, table.columns)), table.loc[sample].to_numpy(dtype=np.float64), mean, spread, _aliases(path))


def _numbers(path: Path) -> tuple[pd.DataFrame, pd.Series | None]:
    """Columns of numbers with the sample ids as index, and the split where the table tells it."""
    table = read_table(path)
    split = table.columns.get("split")
    columns = table.columns.drop(columns=["split"], errors="ignore")
    kept = [name for name in columns if _is_numeric(columns[name])]
    for name in columns:
        _require_one_kind(columns[name], path)
    frame = columns[kept].apply(pd.to_numeric).astype(np.float64).set_axis(table.ids)
    if _file(path).suffix == ".h5ad":
        frame = frame.join(_matrix(_file(path)))
    if not frame.shape[1] or np.isinf(frame.to_numpy()).any() or not frame.index.is_unique:
        raise ValueError(f"facts {path}: expected every id once, and beside the ids columns of finite numbers, one per region or gene")
    return frame, None if split is None else split.set_axis(table.ids)


def _file(path: Path) -> Path:
    """Without what is chosen of it."""
    return located(path).only()


def _require_one_kind(column: pd.Series, path: Path) -> None:
    """Refuse a column of numbers with a word among them: left out as a whole, it would check nothing."""
    present = column.dropna().astype(str)
    numeric = present.str.fullmatch(NUMBER).astype(bool)
    wrong = [*present[~numeric], *(cell for cell in present[numeric] if not np.isfinite(float(cell)))]
    if wrong and 2 * int(numeric.sum()) > len(present):
        raise ValueError(f"facts {path}, column {column.name!r}: found {wrong[0][:40]!r} among numbers, expected finite numbers; mend the cell")


def _is_numeric(column: pd.Series) -> bool:
    present = column.dropna()
    return len(present) > 0 and (pd.api.types.is_numeric_dtype(column) or bool(present.astype(str).str.fullmatch(NUMBER).all()))


def _matrix(path: Path) -> pd.DataFrame:
    """``X`` of an AnnData file; nothing where it has none."""
    found = read_matrix(path)
    frame = found[found.columns[1:]].set_axis(found.iloc[:, 0].astype(str))
    words = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    if words or not frame.columns.is_unique:
        wrong = f"found words for {words[0]!r} in X, expected numbers" if words else "found a name of var twice, expected each once"
        raise ValueError(f"facts {path}: {wrong}; write the file again")
    return frame.astype(np.float64)


def _others(table: pd.DataFrame, split: pd.Series | None, training: Collection[str]) -> pd.DataFrame:
    chosen: Sequence[str] = [name for name in table.index if name in set(training)]
    if not chosen and split is not None:
        chosen = [name for name in table.index if split[name] == "train"]
    return table.loc[chosen] if chosen else table


def _aliases(path: Path) -> dict[str, str]:
    """Clear aliases of the genes of an AnnData file, where it has some."""
    path = _file(path)
    if path.suffix != ".h5ad":
        return {}
    table = read_table(Path(f"{path}#var"))
    column = table.columns.get("aliases")
    if column is None:
        return {}
    column = column.set_axis(table.ids)
    others = {str(gene): [name.strip() for name in str(names).split(";") if name.strip()] for gene, names in column.dropna().items()}
    return clear_aliases(others, {str(gene): () for gene in column[column.isna()].index}).names
