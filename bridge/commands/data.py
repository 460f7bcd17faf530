"""Cohorts, corpora and instruction sets."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jsonargparse.typing import Path_fr

from bridge.cases.imaging_coverage import in_words
from bridge.cases.patients import build_patients
from bridge.commands.line import contents, run_function
from bridge.corpora.build import build_corpus, read_config
from bridge.data.build import VECTORS, build_cohort
from bridge.data.cohort import SPLITS
from bridge.data.default import build_default
from bridge.data.hpo import read_ontology
from bridge.data.releases import source_files
from bridge.instructions.build import build_instructions
from bridge.instructions.item import FAMILIES, read_instructions
from bridge.settings import read_yaml
from encoders.base import located


def data(arguments: Sequence[str]) -> None:
    """``bridge data default``, ``build``, ``corpus``, ``instructions`` and ``patients``."""
    made = {"default": data_default, "build": data_build, "corpus": data_corpus, "instructions": data_instructions, "patients": data_patients}
    run_function(made, "data", arguments, "Build a cohort, a corpus to pretrain on, or an instruction set.")


def data_default(out: str, full: bool = False, genes: int = 1000, seed: int = 0) -> None:
    """Build the default data: gene name vectors, expression maps of the human brain, and texts from HPO.

    Args:
        out: Folder to write.
        full: All genes (about 3,300) instead of a seeded subset.
        genes: Size of the subset.
        seed: Of the subset and the split.
    """
    cohort = build_default(Path(out), full=full, genes=genes, seed=seed)
    print(contents(cohort, Path(out) / "cohort.h5ad"))


def data_build(
    out: str,
    gene: str | None = None,
    brain: str | None = None,
    modalities: dict[str, Path_fr | dict[str, Any]] | None = None,
    table: str | None = None,
    texts: list[str] | None = None,
    facts: dict[str, str] | None = None,
    group: str | None = None,
    split: str | None = None,
    id_column: str | None = None,
    atlas: str | None = None,
    labels: str | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    normalise: dict[str, Literal["zscore", "global", "unit", "none"]] | None = None,
    join: Literal["outer", "inner"] = "outer",
    id_rule: list[str] | None = None,
    trust: list[str] | None = None,
) -> None:
    """Make a cohort of your own files: joined by id, split by group, every sample that could not be joined listed.

    Args:
        out: Cohort to write (.h5ad).
        gene: Gene vectors (.h5ad, .h5mu, .parquet, .npz, .csv); ``FILE.h5ad#obsm:KEY`` names the slot, ``FILE#id=COLUMN`` the ids.
        brain: Region table, FreeSurfer output (``lh.txt,rh.txt`` joins two), or a BIDS folder or one of NIfTI images (then with ``atlas``);
            ``FOLDER#ses=01,desc=preproc`` names the files.
        modalities: Any modality by encoder class: name to source, class_path and init_args, or to a file with these
            (see configs/encoders); ``--gene`` and ``--brain`` then only say where the values are.
        table: Notes, reports, groups, covariates: csv, tsv, parquet, or an .h5ad whose obs is taken.
        texts: Text columns of the table.
        facts: Columns of known facts (items separated by '; ') to the modality that can tell them.
        group: Column whose values stay whole in one split; ``id`` makes every sample its own group.
        split: Column with train, validation or test; by default the split is drawn.
        id_column: Column of the table with the sample ids; the first by default.
        atlas: Label image for NIfTI input.
        labels: Label table of the atlas (BIDS dseg.tsv: index, name).
        validation: Part of the samples for validation.
        test: Part of the samples for test.
        seed: Of the drawn split.
        normalise: Modality to normalisation, fitted on the training split.
        join: ``outer`` keeps a sample with any modality, ``inner`` one with all of them.
        id_rule: Rules under which two spellings are one id: nfkc, strip, casefold, sub-prefix, zero-pad, ensembl-version; or exact.
        trust: Modules outside the packages whose encoder classes may load.
    """
    chosen = {name: _modality(given) for name, given in (modalities or {}).items()}
    if gene:
        chosen["gene"] = chosen["gene"] | {"source": gene} if "gene" in chosen else _gene(gene)
    if brain:
        chosen["brain"] = chosen["brain"] | {"source": brain} if "brain" in chosen else _brain(brain, atlas, labels)
    settings = {"texts": texts or (), "facts": facts, "group": group, "split": split, "id_column": id_column, "validation": validation, "test": test}
    settings |= {"seed": seed, "normalise": normalise, "join": join, "id_rule": tuple(id_rule or ()), "trust": trust or ()}
    cohort = build_cohort(Path(out), chosen, table=Path(table) if table else None, **settings)
    print(contents(cohort, Path(out)))


def data_corpus(out: str, sources: str = "corpus/small.yaml", benchmarks: list[str] | None = None) -> None:
    """Make a corpus to pretrain on: documents of each domain, without near copies, test items of benchmarks or identifiers of people.

    Args:
        out: Folder to write.
        sources: Domain to its sources, as a file; see configs/corpus.
        benchmarks: Files whose test items must not be in the corpus.
    """
    card = build_corpus(read_config(sources), out, benchmarks=benchmarks or ())
    for domain, counted in card["domains"].items():
        kept = sum(source["kept"] for source in counted["sources"])
        print(f"{domain}: {kept:,} of {sum(source['read'] for source in counted['sources']):,} documents kept")
    print(f"wrote {out}; what was left out, and why, stands in {out}/card.json")


def data_instructions(
    out: str,
    cohort: str | None = None,
    families: list[str] | None = None,
    shares: dict[str, float] | None = None,
    limit_per_family: int = 2000,
    cases: str | None = None,
    clinvar: str | None = None,
    mts_dialog: str | None = None,
    question_entailment: str | None = None,
    longest: int | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
) -> None:
    """Make an instruction set of real data: the Human Phenotype Ontology, and a cohort's own measurements, cases and public sets where given.

    Genes, disorders and wordings of the test part are in no other part.

    Args:
        out: Folder to write.
        cohort: Cohort whose measurements are asked about; its split is kept.
        families: Task families; all by default.
        shares: Family to its part of ``limit_per_family``.
        limit_per_family: Most instructions of a family to train on.
        cases: Published patients as phenopackets (folder, JSON or JSON lines).
        clinvar: ``variant_summary.txt`` of ClinVar.
        mts_dialog: Folder of MTS-Dialog.
        question_entailment: Folder of MEDIQA-RQE.
        longest: Most words of question and answer together.
        validation: Part of the disorders for validation.
        test: Part of the disorders for test.
        seed: Of the split and every draw.
    """
    given = {"cohort": cohort, "cases": cases, "clinvar_file": clinvar, "mts_dialog": mts_dialog, "question_entailment": question_entailment}
    given |= {"shares": shares, "limit_per_family": limit_per_family, "longest": longest, "validation": validation, "test": test, "seed": seed}
    build_instructions(out, families=families or FAMILIES, **given)
    for split in SPLITS:
        counted = Counter(item.family for item in read_instructions(Path(out) / f"{split}.jsonl"))
        print(f"{split}: {counted.total():,} instructions ({', '.join(f'{family} {count:,}' for family, count in counted.items())})")
    print(f"wrote {out}")


def data_patients(
    out: str,
    cases: str,
    genes: str,
    brain: str | None = None,
    atlas: str | None = None,
    labels: str | None = None,
    trust: list[str] | None = None,
) -> None:
    """Make a cohort of patients from phenopackets: gene vector, imaging phenotypes as regions, other phenotypes as text, split by gene and publication.

    Args:
        out: Cohort to write (.h5ad); who was left out and why stands beside it in .patients.csv, the mapped findings in .findings.csv.
        cases: Phenopackets: a .json file, a folder of them, or .jsonl / .jsonl.gz lines.
        genes: Vectors by gene symbol: a cohort with the modality gene, or a file of vectors.
        brain: The patients' own images (folder of NIfTI, then with ``atlas``) or region table, by patient id, in place of the mapped findings.
        atlas: Label image for NIfTI input.
        labels: Label table of the atlas.
        trust: Modules outside the packages whose encoder classes may load.
    """
    ontology = read_ontology(source_files().ontology)
    own = _brain(brain, atlas, labels) if brain else None
    patients = build_patients(Path(out), cases, genes, ontology, brain=own, trust=trust or ())
    print(contents(patients.cohort, Path(out)))
    print(in_words(patients.covered))
    print(f"{patients.left_out} cases are not in it; every one with its reason: {Path(out).with_suffix('.patients.csv')}")


def _modality(given: Path_fr | dict[str, Any]) -> dict[str, Any]:
    """Source, encoder class and its arguments, from a file where one is named."""
    if isinstance(given, dict):
        return given
    read = read_yaml(Path(given))
    if not isinstance(read, dict):
        raise ValueError(f"{given}: found {type(read).__name__}, expected source, class_path and init_args; see configs/encoders")
    open_fields = [name for name, text in read.get("init_args", {}).get("provenance", {}).items() if "<" in str(text)]
    if open_fields:
        warnings.warn(f"{given}: provenance still has <...> in {', '.join(open_fields)}; copy the file and fill it in, it is stored in the card", stacklevel=2)
    return read


def _gene(source: str) -> dict:
    """Vectors; which of a file's they are is kept, so that a report looks at the same place."""
    asked = located(source)
    named = {"key": asked.key, "id_column": asked.choices.get("id", "")}
    return {"source": source, "class_path": VECTORS, "init_args": {name: value for name, value in named.items() if value}}


def _only_images(folder: Path) -> bool:
    """Whether a folder has images and no table of regions."""
    tables = (path for ending in (".stats", ".tsv") for path in folder.rglob(f"*{ending}") if path.name != "participants.tsv")
    return any(folder.rglob("*.nii*")) and next(tables, None) is None


def _brain(source: str, atlas: str | None, labels: str | None) -> dict:
    """Images go through an atlas; anything else is a table of regions."""
    path = located(source).files[0]
    image = path.name.endswith((".nii", ".nii.gz")) or (path.is_dir() and not atlas and _only_images(path))
    if image and not atlas:
        raise ValueError(f"{path}: images need an atlas to become regions; pass --atlas LABELS.nii.gz --labels TABLE.tsv")
    if image or (atlas and path.is_dir()):
        return {"source": source, "class_path": "encoders.brain_volume.BrainVolume", "init_args": {"atlas": atlas} | ({"labels": labels} if labels else {})}
    if atlas:
        warnings.warn(f"atlas: found {atlas}, but {path} is a table of regions, which needs none; it is not looked at", stacklevel=2)
    return {"source": source, "class_path": "encoders.region_table.RegionTable", "init_args": {}}
