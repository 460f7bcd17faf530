"""Readers of the benchmark data: articles with brain maps, and genes with texts, as cohorts on their published splits."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from bridge.data.cohort import Cohort
from encoders.base import Encoder, load_class

SPLITS = {"train": "train", "val": "validation", "devtest": "test"}

#: Column of the gene table to the words that stand before its items.
GENE_PARTS = {"bp": "Biological process", "mf": "Molecular function", "cc": "Cellular component", "hpo": "Clinical features"}

GENE_SIDES = {
    "literature": ("gene2pubmed_lsa256", {"encoder": "LSA-256 of the articles linked to a gene (gene2pubmed)", "source": "NCBI gene2pubmed"}),
    "expression": (
        "ahba182",
        {"encoder": "regional expression in 99 + 83 regions", "source": "Allen Human Brain Atlas", "licence": "Allen Institute terms, non-commercial"},
    ),
}

MAP_CARD = {
    "encoder": "Gaussian density of peak coordinates, FWHM 9 mm",
    "pooling": "mean over region on a 4 mm grid",
    "atlas": "Schaefer 400, Harvard-Oxford subcortical 15, AAL cerebellum 26",
    "space": "MNI152, mm, RAS+",
    "units": "square root of density",
}

TERMS = {
    "article_brain_map": {"source": "NeuroQuery data", "licence": "BSD-3-Clause"},
    "title_brain_map": {"source": "Neurosynth v7", "licence": "ODbL"},
    "gene_text": {
        "source": "Allen Human Brain Atlas; Gene Ontology; HPO; NCBI",
        "licence": "Allen Institute terms (non-commercial); Artistic-2.0; HPO terms of use",
    },
}

Read = TypeVar("Read")


def article_map(folder: Path) -> Cohort:
    """Articles: ``brain``, the density of their peaks in 441 regions, and the text ``article`` (title, then terms by weight).

    Args:
        folder: ``article_brain_map``.

    Raises:
        ValueError: a file or field is missing, or two files are not about the same articles.
    """
    obs = _table(folder / "articles.csv.gz", ("id", "split", "title", "text"))
    obs["article"] = obs["text"]
    return _map_cohort(folder, obs[["split", "article", "title"]].assign(split=_split(obs, folder / "articles.csv.gz")), "zscore", TERMS["article_brain_map"])


def title_map(folder: Path) -> Cohort:
    """Other articles, of which the title alone is known: a transfer test, so all rows are in the split ``test``.

    Its values are not normalised: apply the statistics of the cohort that was trained on.

    Args:
        folder: ``title_brain_map``.

    Raises:
        ValueError: as for :func:`article_map`.
    """
    obs = _table(folder / "articles.csv.gz", ("id", "title", "year", "journal", "space"))
    return _map_cohort(folder, obs[["title", "year", "journal", "space"]].assign(split="test", article=obs["title"]), "none", TERMS["title_brain_map"])


def gene_text(folder: Path) -> Cohort:
    """Genes: ``literature`` and ``expression`` vectors, and the text ``description`` (name, Gene Ontology, HPO) without the symbol.

    Args:
        folder: ``gene_text``.

    Raises:
        ValueError: as for :func:`article_map`, or the split divides a symbol root.
    """
    table_file, vectors_file = folder / "gene_text.csv.gz", folder / "gene_embeddings.npz"
    table = _table(table_file, ("symbol", "name", "type", "n_pubmed", "split", *GENE_PARTS))
    arrays = _arrays(vectors_file, ("symbol", *(name for name, _ in GENE_SIDES.values())))
    _require_same(table.index, arrays["symbol"], vectors_file, "symbol")
    obs = pd.DataFrame({"symbol": table.index, "type": table["type"], "n_pubmed": table["n_pubmed"].astype(int)}, index=table.index)
    obs["split"], obs["group"] = _split(table, table_file), [symbol_root(symbol) for symbol in table.index]
    obs["description"] = [describe(symbol, row) for symbol, row in zip(table.index, table.to_dict("records"), strict=True)]
    sides = {modality: (_vectors(modality, arrays[name], card), _values(arrays[name])) for modality, (name, card) in GENE_SIDES.items()}
    return Cohort.assemble(obs.rename_axis("id"), sides, texts=("description",), normalise={"literature": "unit"}, notes=TERMS["gene_text"], source=str(folder))


def symbol_root(symbol: str) -> str:
    """The symbol without its last number and the letters after it: genes of one root are paralogs, and were kept in one split."""
    return re.sub(r"\d+[A-Z]*\d*$", "", symbol)


def describe(symbol: str, row: dict[str, str]) -> str:
    """Name and terms of a gene as sentences; its own symbol is taken out, in any case from the name, which often begins with it."""
    name = _without(symbol, row["name"], re.IGNORECASE) or "a gene without another name"
    parts = [(words, _without(symbol, row[column])) for column, words in GENE_PARTS.items() if row[column]]
    return " ".join([f"{name[:1].upper()}{name[1:]}."] + [f"{words}: {items}." for words, items in parts if items])


def _without(symbol: str, text: str, flags: int = 0) -> str:
    """A text without a symbol that stands as a word of its own."""
    if symbol.lower() not in text.lower():  # nearly always: a pattern for each gene would take most of the reading
        return text
    kept = re.sub(rf"(?<![\w-]){re.escape(symbol)}(?![\w-])", " ", text, flags=flags)
    return re.sub(r"\s+(?=[,;.])", "", re.sub(r"\s+", " ", kept)).strip(" ,;-")


def _map_cohort(folder: Path, obs: pd.DataFrame, normalise: str, terms: dict[str, str]) -> Cohort:
    """Rows of articles beside the density of their peaks."""
    file = folder / "brain_regions.npz"
    arrays = _arrays(file, ("pmid", "density_x1e4", "n_peaks"))
    _require_same(obs.index, arrays["pmid"], file, "pmid")
    names = _region_names(folder)
    if arrays["density_x1e4"].shape[1] != len(names):
        raise ValueError(f"{file}, field density_x1e4: found {arrays['density_x1e4'].shape[1]} regions, expected {len(names)} as in regions.csv")
    values = np.sqrt(_values(arrays["density_x1e4"]) / 1e4)
    encoder = load_class("encoders.region_table.RegionTable")(names=names, provenance=MAP_CARD | terms)
    obs = obs.assign(group=obs.index, n_peaks=arrays["n_peaks"])
    return Cohort.assemble(obs, {"brain": (encoder, values)}, texts=("article",), normalise={"brain": normalise}, notes=terms, source=str(folder))


def _region_names(folder: Path) -> list[str]:
    """The 441 regions; they are listed once, beside the articles with abstracts."""
    own = folder / "regions.csv"
    return list(_table(own if own.is_file() else folder.parent / "article_brain_map" / "regions.csv", ("name",)).index)


def _vectors(modality: str, values: np.ndarray, card: dict[str, str]) -> Encoder:
    return load_class("encoders.gene_table.GeneTable")(dim=values.shape[1], modality=modality, provenance={"gene_ids": "HGNC symbol"} | card)


def _values(stored: np.ndarray) -> np.ndarray:
    return stored.astype(np.float64)  # stored in half precision


def _split(table: pd.DataFrame, file: Path) -> list[str]:
    unknown = sorted(set(table["split"]) - set(SPLITS))
    if unknown:
        raise ValueError(f"{file}, field split: found {unknown[0]!r}, expected one of {', '.join(SPLITS)}")
    return [SPLITS[split] for split in table["split"]]


def _table(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table of text cells, '' where empty; the first column is the index."""
    table = _opened(file, lambda path: pd.read_csv(path, dtype=str, keep_default_na=False))
    _require_fields(file, columns, table.columns)
    repeated = table[columns[0]].duplicated()
    if repeated.any():
        raise ValueError(f"{file}, field {columns[0]}: {table[columns[0]][repeated].iloc[0]!r} is found twice, expected each once")
    return table.set_index(columns[0])


def _arrays(file: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    def read(path: Path) -> dict[str, np.ndarray]:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    arrays = _opened(file, read)
    _require_fields(file, names, arrays)
    return {name: arrays[name] for name in names}


def _opened(file: Path, read: Callable[[Path], Read]) -> Read:
    if not file.is_file():
        raise ValueError(f"{file}: no such file; the folder of the benchmark data is not whole")
    try:
        return read(file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file}: cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__}); fetch it again") from error


def _require_fields(file: Path, wanted: Iterable[str], found: Iterable[str]) -> None:
    found = list(found)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(f"{file}, field {missing[0]}: is missing, found {found[:10]}")


def _require_same(ids: Iterable[str], other: np.ndarray, file: Path, field: str) -> None:
    expected, found = [str(name) for name in ids], [str(name) for name in other]
    if expected != found:
        row = next((row for row, (one, two) in enumerate(zip(expected, found, strict=False)) if one != two), min(len(expected), len(found)))
        raise ValueError(f"{file}, field {field}: {len(found)} rows, expected the {len(expected)} of the table; they differ from row {row + 1}")
