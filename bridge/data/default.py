"""The default data: genes with a vector of their name, a map of their expression in the brain, and two texts.

Built from files that Python packages ship, see ``sources.txt``; terms of use are in :mod:`bridge.data.attribution`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from bridge.data import anatomy, clinical, sentence_vectors
from bridge.data.attribution import STAND_INS, acknowledgements, attribution_page, brain_provenance, gene_provenance
from bridge.data.cohort import Cohort, split_by_group
from bridge.data.gene_names import family, molecular_name
from bridge.data.mention import GeneMention
from bridge.data.releases import Releases, SourceFiles, Usable, choose, read_releases, source_files, usable_genes
from bridge.data.sources import fetch, read_sources
from encoders.brain_volume import BrainVolume, write_map
from encoders.gene_table import GeneTable

Embedder = Callable[[list[str]], np.ndarray]

#: Counts up when the filter, the texts or the facts change, so that a cohort of older rules is built again.
RULES = 1

#: Maps written to disk, of held-out genes first; :func:`render` writes any other when it is asked for.
RENDERED_MAPS = 24

#: int16 keeps a map of 0..1 to within 1.6e-5; what is read back from a file may differ by no more than this.
MAP_TOLERANCE = 1e-4

ATLAS = "atlas-DesikanKilliany_dseg"


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
    """Build the default data in a folder: atlas/, maps/, ATTRIBUTION.md and cohort.h5ad; what was built alike is used again.

    Args:
        out: Folder to write.
        full: Take every usable gene, not a subset.
        genes: Size of the subset, in whole families.
        seed: Seed of the subset and of the split.
        embedder: Gene names to vectors ``[names, dim]``; MiniLM when not given.
        provenance: Card fields of the embedder (``encoder``, ``layer``, ``pooling``, ``licence`` ...).
        files: Source files; downloaded when not given.

    Raises:
        ValueError: a source cannot be had or read, or a map that is read back differs from the table.
    """
    out = Path(out)
    settings = {"genes": "all" if full else genes, "seed": seed, "rules": RULES, "gene_encoder": (provenance or {}).get("encoder", "")}
    if built := _built_alike(out, settings):
        return built
    files = files or source_files()
    releases = read_releases(files)
    usable, counts = usable_genes(releases)
    taken = usable if full else {symbol: usable[symbol] for symbol in choose(list(usable), genes, seed)}
    counts |= {"taken here": len(taken)}
    print("default data: genes " + ", ".join(f"{step}: {count}" for step, count in counts.items()), flush=True)
    samples = describe_genes(taken, releases)
    samples["split"] = split_by_group(samples["group"], seed=seed)
    cohort = Cohort.assemble(
        samples,
        {
            "gene": _gene_modality(samples, releases.ontology.release, embedder, provenance),
            "brain": _brain_modality(samples, releases, files, out),
        },
        texts=("anatomy", "clinical"),
        facts={"organ_systems": "gene", "inheritance": "gene"},
        normalise={"gene": "zscore", "brain": "global"},
        notes=_notes(settings, counts, releases.ontology.release),
    )
    _write_maps(cohort, out / "maps")
    _write_text(out / "ATTRIBUTION.md", attribution_page(releases.ontology.release, counts, read_sources()))
    cohort.write(out / "cohort.h5ad")
    return cohort


def describe_genes(taken: dict[str, Usable], releases: Releases) -> pd.DataFrame:
    """One row per gene: names, family, facts and texts.

    ``disorders`` and ``official_name`` are evidence for a reader; they name the gene and are in no prompt.
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
        "organ_systems": "; ".join(clinical.organ_systems(gene, ontology)),
        "inheritance": "; ".join(clinical.inheritance(gene, ontology)),
        "anatomy": anatomy.describe(releases.expression[symbol].to_numpy(), releases.regions),
        "clinical": clinical.paragraph(gene, ontology, disorders, mention),
    }


def render(cohort: Cohort, symbol: str, path: Path) -> Path:
    """Write the brain map of one gene as NIfTI; the cohort holds the values, so any gene can be had when it is needed.

    Raises:
        ValueError: the cohort has no such gene.
    """
    if symbol not in cohort.ids:
        raise ValueError(f"{cohort.source}: no gene {symbol!r}; found {len(cohort.ids)} genes such as {cohort.ids[:3]}")
    encoder = cohort.encoder("brain")
    values = cohort.raw("brain")[cohort.ids.index(symbol)]
    write_map(dict(zip(encoder.names, values.tolist(), strict=True)), encoder.atlas, path, encoder.labels)
    return path


def _built_alike(out: Path, settings: dict) -> Cohort | None:
    path = out / "cohort.h5ad"
    if not path.is_file():
        return None
    cohort = Cohort.read(path)
    if cohort.about["notes"].get("settings") != settings:
        return None
    print(f"default data: {path} was built before with the same settings and is used again", flush=True)
    return cohort


def _gene_modality(
    samples: pd.DataFrame, release: str, embedder: Embedder | None, provenance: dict[str, str] | None
) -> tuple[GeneTable, Float[np.ndarray, "genes dim"]]:
    vectors = np.asarray((embedder or _minilm())(samples["molecular_name"].tolist()), dtype=np.float32)
    return GeneTable(dim=vectors.shape[1], provenance=gene_provenance(release) | (provenance or {})), vectors


def _minilm() -> sentence_vectors.SentenceVectors:
    paths = fetch(sentence_vectors.PACKAGE, sentence_vectors.MEMBERS)
    return sentence_vectors.SentenceVectors(paths[sentence_vectors.MEMBERS[0]].parent)


def _brain_modality(samples: pd.DataFrame, releases: Releases, files: SourceFiles, out: Path) -> tuple[BrainVolume, Float[np.ndarray, "genes regions"]]:
    """The encoder of the atlas, which is copied beside the cohort, and the values of the expression table."""
    image, labels = (out.resolve() / "atlas" / f"{ATLAS}{suffix}" for suffix in (".nii.gz", ".tsv"))
    rows = [f"{index}\t{name}" for index, name in zip(releases.regions.indices, releases.regions.names, strict=True)]
    _write_text(labels, "\n".join(["index\tname", *rows, ""]))
    shutil.copyfile(files.label_image, image)
    encoder = BrainVolume(atlas=str(image), labels=str(labels), provenance=brain_provenance(releases.ontology.release))
    return encoder, releases.expression[samples.index.tolist()].to_numpy().T


def _write_maps(cohort: Cohort, folder: Path) -> None:
    """Render some maps and read them back the way a user's images are read.

    Raises:
        ValueError: a value read back differs from the table.
    """
    rows = np.concatenate([cohort.rows(split) for split in ("test", "validation", "train")])[:RENDERED_MAPS]
    shutil.rmtree(folder, ignore_errors=True)
    for row in rows:
        render(cohort, cohort.ids[row], folder / f"{cohort.ids[row]}.nii.gz")
    ids, values = cohort.encoder("brain").read(folder)
    expected = cohort.raw("brain")[[cohort.ids.index(symbol) for symbol in ids]]
    difference = float(np.abs(values - expected).max())
    if not difference <= MAP_TOLERANCE:
        raise ValueError(f"{folder}: values read back differ from the table by {difference:.2g}, expected at most {MAP_TOLERANCE}; the label image is another")


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


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
