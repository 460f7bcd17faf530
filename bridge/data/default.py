"""The default data: genes with a vector of their name, a map of their expression in the brain, and two texts.

Built from files that Python packages ship, see ``sources.txt``; terms of use are in :mod:`bridge.data.attribution`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from bridge.data import anatomy, clinical, sentence_vectors
from bridge.data.attribution import MINILM, STAND_INS, acknowledgements, attribution_page, brain_provenance, gene_provenance
from bridge.data.cohort import Cohort, split_by_group
from bridge.data.default_maps import write_atlas, write_maps
from bridge.data.gene_names import family, molecular_name
from bridge.data.mention import GeneMention
from bridge.data.releases import Releases, SourceFiles, Usable, choose, read_releases, source_files, usable_genes
from bridge.data.sources import fetch, read_sources
from bridge.data.whole import whole_file
from encoders.base import load_class

Embedder = Callable[[list[str]], np.ndarray]

#: Counts up when the filter, the texts or the facts change, so that a cohort of older rules is built again.
RULES = 3

NERVOUS_SYSTEM = "nervous system"
VECTORS = "encoders.gene_table.GeneTable"


def build_default(
    out: Path,
    *,
    full: bool = False,
    genes: int = 1000,
    seed: int = 0,
    embedder: Embedder | None = None,
    provenance: dict[str, str] | None = None,
    files: SourceFiles | None = None,
) -> Cohort:
    """Build the default data in a folder: atlas/, maps/, genes.npz, ATTRIBUTION.md and cohort.h5ad; what was built alike is used again.

    Args:
        out: Folder to write.
        full: Take every usable gene, not a subset.
        genes: Size of the subset, in whole families.
        seed: Seed of the subset and of the split.
        embedder: Gene names to vectors ``[names, dim]``; MiniLM when not given.
        provenance: Card fields of the embedder; ``encoder`` is needed, ``layer`` and ``pooling`` are usual.
        files: Source files; downloaded when not given.

    Raises:
        ValueError: a source cannot be had or read, a map that is read back differs from the table, or an embedder has no card.
    """
    out = Path(out)
    provenance = _provenance(embedder, provenance)
    settings = _settings("all" if full else genes, seed, provenance)
    if built := _built_alike(out, settings):
        return built
    files = files or source_files()
    releases = read_releases(files)
    taken, counts = _taken(releases, None if full else genes, seed)
    samples = describe_genes(taken, releases)
    samples["split"] = split_by_group(samples["group"].tolist(), seed=seed)
    vectors = np.asarray((embedder or _minilm())(samples["molecular_name"].tolist()), dtype=np.float32)
    release = releases.ontology.release
    name_encoder = load_class(VECTORS)(dim=vectors.shape[1], provenance=gene_provenance(release) | provenance)
    map_encoder = write_atlas(out / "atlas", files.label_image, releases.regions, brain_provenance(release))
    cohort = Cohort.assemble(
        samples,
        {"gene": (name_encoder, vectors), "brain": (map_encoder, releases.expression[list(taken)].to_numpy().T)},
        texts=("anatomy", "clinical"),
        facts={"further_organ_systems": "gene", "inheritance": "gene"},
        normalise={"gene": "zscore", "brain": "global"},
        notes=_notes(settings, counts, release) | _alias_notes(taken, releases) | _candidate_notes(samples, releases),
    )
    write_maps(cohort, out / "maps")
    with whole_file(out / "genes.npz") as partial, partial.open("wb") as file:
        np.savez_compressed(file, ids=np.array(list(taken)), values=vectors)
    (out / "ATTRIBUTION.md").write_text(attribution_page(release, counts, read_sources()), encoding="utf-8")
    # The cohort comes last: where it is, everything else is whole.
    cohort.write(out / "cohort.h5ad")
    return cohort


def describe_genes(taken: dict[str, Usable], releases: Releases) -> pd.DataFrame:
    """One row per gene: names, family, facts and texts.

    ``disorders``, their ids, ``phenotypes`` and ``official_name`` are evidence for a reader and candidates of retrieval; they are in no prompt.
    """
    rows = [describe_gene(symbol, both, releases) for symbol, both in taken.items()]
    return pd.DataFrame(rows, index=pd.Index(list(taken), name="symbol", dtype=object))


def describe_gene(symbol: str, usable: Usable, releases: Releases) -> dict[str, str]:
    """The row of one gene."""
    gene, ontology = usable.gene, releases.ontology
    disorders = clinical.disorders(gene, releases.disorders)
    mention = GeneMention(symbol, usable.names)
    return {
        "official_name": usable.names.name,
        "molecular_name": molecular_name(usable.names),
        "group": family(symbol),
        "disorders": "; ".join(disorders),
        "disorder_ids": "; ".join(clinical.disorder_ids(gene, releases.disorders)),
        "phenotypes": "; ".join(clinical.nervous_system_features(gene, ontology)),
        # Every gene here has a phenotype of the nervous system, by the filter: naming it would say nothing.
        "further_organ_systems": "; ".join(system for system in clinical.organ_systems(gene, ontology) if system != NERVOUS_SYSTEM),
        "inheritance": "; ".join(clinical.inheritance(gene, ontology)),
        "anatomy": anatomy.describe(releases.expression[symbol].to_numpy(), releases.regions),
        "clinical": clinical.paragraph(gene, ontology, disorders, mention),
    }


def _provenance(embedder: Embedder | None, provenance: dict[str, str] | None) -> dict[str, str]:
    if embedder is None:
        return MINILM
    if not (provenance or {}).get("encoder"):
        raise ValueError("default data, provenance: found no 'encoder' for the embedder given, expected its name; a card must say what made the vectors")
    return provenance


def _settings(genes: int | str, seed: int, provenance: dict[str, str]) -> dict:
    """What decides the contents of the cohort."""
    pinned = {source.package: source.version for source in read_sources().values()}
    return {"genes": genes, "seed": seed, "rules": RULES, "gene_encoder": provenance["encoder"], "sources": pinned}


def _built_alike(out: Path, settings: dict) -> Cohort | None:
    path = out / "cohort.h5ad"
    if not path.is_file():
        return None
    cohort = Cohort.read(path)
    notes = cohort.about["notes"]
    if notes.get("settings") != settings or "candidates" not in notes or not Path(cohort.encoder("brain").atlas).is_file():
        return None
    print(f"default data: {path} was built before with the same settings and is used again", flush=True)
    return cohort


def _taken(releases: Releases, genes: int | None, seed: int) -> tuple[dict[str, Usable], dict[str, int]]:
    """The genes that go into the cohort, and how many each step of the filter left."""
    usable, counts = usable_genes(releases)
    symbols = list(usable) if genes is None else choose(list(usable), genes, seed)
    counts |= {"taken here": len(symbols)}
    print("default data: genes " + ", ".join(f"{step}: {count}" for step, count in counts.items()), flush=True)
    return {symbol: usable[symbol] for symbol in symbols}, counts


def _minilm() -> sentence_vectors.SentenceVectors:
    paths = fetch(sentence_vectors.PACKAGE, sentence_vectors.MEMBERS)
    return sentence_vectors.SentenceVectors(paths[sentence_vectors.MEMBERS[0]].parent)


def _notes(settings: dict, counts: dict[str, int], release: str) -> dict:
    """What a reader of the cohort, a model card or a report must know."""
    return {
        "settings": settings,
        "genes": counts,
        "hpo_release": release,
        "stand_ins": STAND_INS,
        "acknowledgements": acknowledgements(release),
        "side_margin": anatomy.SIDE_MARGIN,
        "tissue_margin": anatomy.TISSUE_MARGIN,
    }


def _candidate_notes(samples: pd.DataFrame, releases: Releases) -> dict:
    """What a sample is, and which columns list something that others may share; see :mod:`bridge.retrieve.lists`."""
    columns = {"phenotype": ("phenotypes", releases.ontology.names), "disorder": ("disorder_ids", releases.disorders)}
    source, candidates = f"Human Phenotype Ontology, release {releases.ontology.release}", {}
    for kind, (column, names) in columns.items():
        listed = sorted({item for items in samples[column] for item in items.split("; ") if item})
        candidates[kind] = {"column": column, "names": {item: names[item] for item in listed}, "source": source}
    listed = set(candidates["phenotype"]["names"])
    above = {term: sorted(releases.ontology.ancestors(term) & listed - {term}) for term in sorted(listed)}
    candidates["phenotype"]["above"] = {term: general for term, general in above.items() if general}
    return {"samples": {"kind": "gene", "label": "official_name"}, "candidates": candidates}


def _alias_notes(taken: dict[str, Usable], releases: Releases) -> dict:
    """Other names of the genes, for who checks a text against them; see :class:`bridge.report.reference.Reference`."""
    names, left_out = releases.official_names.aliases({symbol: usable.names for symbol, usable in taken.items()})
    print(f"default data: {len(names)} aliases of the genes; left out {', '.join(f'{reason}: {count}' for reason, count in left_out.items())}", flush=True)
    return {"gene_aliases": names, "gene_aliases_left_out": left_out}
