"""What each command does; arguments become the command line, docstrings its help."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from jsonargparse import auto_cli
from jsonargparse.typing import Path_fr

from bridge.arguments import options, short, tidy
from bridge.benchmark.run import benchmarks, is_benchmark, run_benchmark
from bridge.bundle import load
from bridge.corpora.build import build_corpus, read_config
from bridge.data.build import VECTORS, build_cohort
from bridge.data.cohort import SPLITS, Cohort, whole_file
from bridge.data.default import build_default
from bridge.demo import run_demo
from bridge.evaluate.page import evaluate_bundle
from bridge.evaluate.reader import reading_language
from bridge.instructions.build import build_instructions
from bridge.instructions.item import FAMILIES, read_instructions
from bridge.language.llm import LLM
from bridge.language.note_files import FOLDER_COLUMN, read_notes, require_form, write_embeddings
from bridge.language.notes import note_bank
from bridge.language.server import Server
from bridge.language.subject import subjects
from bridge.plan.run import run_plan
from bridge.report.companion import read_companion
from bridge.report.render import to_json, to_markdown
from bridge.report.write import read_input, subject_of, write_report
from bridge.serve.client import Client
from bridge.serve.export import read_export, write_export
from bridge.serve.reports import served_reports, write_reports
from bridge.train.run import run_stage
from encoders.contract import report as contract_report


def data(arguments: Sequence[str]) -> None:
    """``bridge data default``, ``build``, ``corpus`` and ``instructions``."""
    made = {"default": data_default, "build": data_build, "corpus": data_corpus, "instructions": data_instructions}
    _command(made, "data", arguments, "Build a cohort, a corpus to pretrain on, or an instruction set.")


def data_default(out: str, full: bool = False, genes: int = 1000, seed: int = 0) -> None:
    """Build the default data: gene name vectors, expression maps of the human brain, and texts from HPO.

    Args:
        out: Folder to write.
        full: All genes (about 3,300) instead of a seeded subset.
        genes: Size of the subset.
        seed: Of the subset and the split.
    """
    cohort = build_default(Path(out), full=full, genes=genes, seed=seed)
    print(_counts(cohort, Path(out) / "cohort.h5ad"))


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
        gene: Gene vectors (.h5ad, .parquet, .npz, .csv); ``FILE.h5ad#obsm:KEY`` names the slot.
        brain: Region table, FreeSurfer output, or a folder of NIfTI images (then with ``atlas``).
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
        id_rule: Rules under which two spellings are one id: nfkc, strip, casefold, sub-prefix, zero-pad; or exact.
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
    print(_counts(cohort, Path(out)))


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


def embed(arguments: Sequence[str]) -> None:
    """``bridge embed``."""
    _command(embed_modality, "embed", arguments)


def embed_modality(
    modality: str,
    out: str,
    table: str | None = None,
    column: list[str] | None = None,
    id_column: str | None = None,
    group: str | None = None,
    split: str | None = None,
    llm: LLM | None = None,
    bundle: str | None = None,
    layers: list[int] | None = None,
    pooling: Literal["mean", "last"] = "mean",
    chunk_tokens: int = 512,
    overlap: int = 64,
    source: str | None = None,
    class_path: str | None = None,
    init_args: dict[str, Any] | None = None,
    trust: list[str] | None = None,
    seed: int = 0,
) -> None:
    """Run an encoder over raw inputs, or the LLM over notes (``--modality text``), and write the embeddings.

    Args:
        modality: ``text`` for notes, read by the LLM; any other name for what an encoder class reads.
        out: File to write: a cohort (.h5ad), or of one text column its vectors (.parquet); notes get a card beside it (.card.json).
        table: Notes: csv, tsv, parquet, .h5ad or .jsonl, the ids in the first column; or a folder of .txt files.
        column: Text columns of the table; ``text`` by default.
        id_column: Column of the table with the sample ids; the first by default.
        group: Column of the table whose values stay whole in one split.
        split: Column of the table with train, validation or test; by default the split is drawn.
        llm: The LLM that reads notes.
        bundle: A bundle whose tuned LLM reads them; ``llm`` then says where its base is.
        layers: Layers whose states are concatenated; by default the one at two fifths of the depth.
        pooling: Mean over tokens, or the last token.
        chunk_tokens: A longer note is read in chunks of so many tokens.
        overlap: Tokens of a note that a chunk shares with the one before.
        source: File or folder the encoder reads.
        class_path: Encoder class.
        init_args: Arguments of the encoder that the file does not tell.
        trust: Modules outside the packages whose classes may load.
        seed: Of the split.
    """
    of_notes = {"table": table, "column": column, "id_column": id_column, "group": group, "split": split, "llm": llm, "bundle": bundle, "layers": layers}
    if modality != "text":
        _require_given(modality, {"source": source, "class_path": class_path}, of_notes)
        spec = {"source": source, "class_path": class_path, "init_args": init_args or {}}
        print(_counts(build_cohort(Path(out), {modality: spec}, group="id", seed=seed, trust=trust or ()), Path(out)))
        return
    _require_given(modality, {"table": table}, {"source": source, "class_path": class_path, "init_args": init_args})
    columns = column or [FOLDER_COLUMN]
    require_form(Path(out), columns, {"group": group, "split": split})
    samples = read_notes(Path(table), columns, id_column)
    bank = note_bank(reading_language(llm, bundle, trust or ()), layers or (), pooling, chunk_tokens)
    print(write_embeddings(Path(out), samples, columns, bank, overlap, group=group, split=split, seed=seed))


def align(arguments: Sequence[str]) -> None:
    """Stage 1."""
    run_stage("align", arguments)


def tune(arguments: Sequence[str]) -> None:
    """Stage 2."""
    run_stage("tune", arguments)


def pretrain(arguments: Sequence[str]) -> None:
    """Continual pretraining."""
    run_stage("pretrain", arguments)


def instruct(arguments: Sequence[str]) -> None:
    """Instruction tuning."""
    run_stage("instruct", arguments)


def plan(arguments: Sequence[str]) -> None:
    """``bridge plan align`` and ``bridge plan tune``."""
    stage = next(iter(arguments), "")
    if stage in ("-h", "--help", ""):
        print("usage: bridge plan align|tune --config CONFIG ...\n\nMemory and time of a stage, and a rehearsal of it; see bridge plan tune --help.")
        return
    run_plan(stage, arguments[1:])


def report(arguments: Sequence[str]) -> None:
    """``bridge report``."""
    _command(report_sample, "report", arguments)


def report_sample(
    bundle: str,
    cohort: str | None = None,
    sample: str | None = None,
    gene: str | None = None,
    brain: str | None = None,
    inputs: dict[str, str] | None = None,
    note: str | None = None,
    out: str | None = None,
    format: Literal["markdown", "json"] = "markdown",
    use: list[str] | None = None,
    llm: str | None = None,
    trust: list[str] | None = None,
    max_new_tokens: int = 160,
    constrain: bool = False,
    facts: str | None = None,
) -> None:
    """Write the report of one sample: from a cohort by its id, or from files of any subset of modalities.

    Args:
        bundle: Bundle folder.
        cohort: Cohort that holds the sample.
        sample: Sample id, in the cohort or in a file that holds several.
        gene: File for the modality ``gene``, in a form its encoder reads.
        brain: File for the modality ``brain``.
        inputs: Modality to file, for any other modality.
        note: File with a clinical note; it is quoted to the model as data.
        out: File to write; by default the report is printed.
        format: Markdown for people, JSON for programs.
        use: Modalities of the sample to hand to the model; all by default.
        llm: Where the base LLM is, when it is not where the bundle says.
        trust: Modules outside the packages whose classes may load.
        max_new_tokens: Longest report in tokens.
        constrain: Write only names of regions and genes that the bundle, or the facts, have.
        facts: Table of raw facts to check the report against, for whoever has embeddings alone: the sample id first, then a column per region or gene.
            The model is not given them.
    """
    bridge = load(bundle, llm=llm, trust=tuple(trust or ()))
    files = (inputs or {}) | ({"gene": gene} if gene else {}) | ({"brain": brain} if brain else {})
    if bool(cohort) == bool(files):
        raise ValueError("report: found both a cohort and files, or neither; expected --cohort C --sample ID, or files such as --gene FILE --brain FILE")
    training: list[str] = []
    if cohort:
        whole = Cohort.read(cohort)
        subject, values = _from_cohort(whole, sample, bridge.cards, use)
        training = [whole.ids[row] for row in whole.rows("train")]
    else:
        read = {modality: read_input(bridge, modality, Path(path), sample) for modality, path in files.items()}
        subject = subject_of(bridge, sample or Path(next(iter(files.values()))).name.partition(".")[0], read)
        values = {modality: normalised for modality, (_, normalised) in read.items()}
    text = Path(note).read_text(encoding="utf-8") if note else ""
    companion = read_companion(Path(facts), subject.id, training=training) if facts else None
    settings = {"note": text, "max_new_tokens": max_new_tokens, "constrain": constrain, "companion": companion, "source": bundle}
    written = write_report(bridge, subject, values, **settings)
    _put(to_markdown(written) if format == "markdown" else to_json(written), out)


def export(arguments: Sequence[str]) -> None:
    """``bridge export``."""
    _command(export_bundle, "export", arguments)


def export_bundle(
    bundle: str,
    out: str = "runs/served",
    cohort: str | None = None,
    split: Literal["train", "validation", "test", "all"] = "test",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    llm: str | None = None,
    trust: list[str] | None = None,
) -> None:
    """Write a bundle for a vLLM server of your own: the LLM with the adapter merged, its template, a launch script, and the soft tokens of a cohort.

    Args:
        bundle: Bundle folder.
        out: Folder to write. It holds weights of the base LLM, whose licence may forbid passing them on.
        cohort: Cohort whose samples will be asked about.
        split: Which of its samples.
        dtype: Of the written weights; auto is bfloat16 where there is a GPU and float32 elsewhere.
        llm: Where the base LLM is, when it is not where the bundle says.
        trust: Modules outside the packages whose classes may load.
    """
    bridge = load(bundle, llm=llm, trust=tuple(trust or ()))
    counts = write_export(bridge, bundle, out, cohort=Cohort.read(cohort) if cohort else None, split=split, dtype=dtype)
    for sample, why in counts["refused"].items():
        print(f"refused {sample}: {why}")
    print(f"wrote {out}: soft tokens of {counts['written']} samples, {len(counts['refused'])} refused; serve it with {out}/launch.sh")


def reports(arguments: Sequence[str]) -> None:
    """``bridge reports``."""
    _command(report_samples, "reports", arguments)


def report_samples(
    export: str,
    cohort: str | None = None,
    out: str = "runs/reports",
    sample: str | None = None,
    note: str | None = None,
    server: str = "http://localhost:8000",
    in_flight: int = 32,
    timeout: int = 600,
    max_new_tokens: int = 160,
) -> None:
    """Write the reports of an export's samples through its vLLM server, many at a time; goes on where it was stopped.

    Args:
        export: Folder as written by ``bridge export --cohort``.
        cohort: Cohort that holds the samples' measurements; by default the one that was exported.
        out: Folder for a JSON and a Markdown file per sample.
        sample: One sample's id; by default all that were exported.
        note: File with a clinical note on that one sample; it is quoted to the model as data.
        server: Address of the server, as started with the export's launch.sh; its API key is read from VLLM_API_KEY.
        in_flight: Requests under way at once.
        timeout: Seconds for one answer.
        max_new_tokens: Longest report in tokens.
    """
    if note and not sample:
        raise ValueError("reports, field note: found a note without --sample, expected a note on one sample; a note is of one person")
    read = read_export(export)
    client = Client(Server(server, key=os.environ.get("VLLM_API_KEY", ""), timeout=timeout), read.model, in_flight)
    text = Path(note).read_text(encoding="utf-8") if note else ""
    samples = [sample] if sample else list(read.embeds.files)
    measured = Cohort.read(cohort or read.cohort)
    ask = functools.partial(served_reports, read, measured, client, note=text, max_new_tokens=max_new_tokens)
    written = write_reports(ask, samples, Path(out), read.provenance.bundle)
    print(f"wrote {written} reports to {out}; {len(samples) - written} were there already")


def evaluate(arguments: Sequence[str]) -> None:
    """``bridge evaluate``: a benchmark by its name, or the held-out figures of a bundle."""
    name = next(iter(arguments), "")
    if is_benchmark(name):
        run_benchmark(arguments)
    elif name and not name.startswith("-"):
        raise ValueError(f"evaluate {name!r}: no such benchmark; expected one of {', '.join(benchmarks())}, or --bundle B --cohort C --out O")
    else:
        _command(evaluate_bundle_command, "evaluate", arguments)


def evaluate_bundle_command(
    bundle: str,
    cohort: str,
    out: str,
    split: Literal["test", "validation"] = "test",
    limit: int = 64,
    seed: int = 0,
    llm: str | None = None,
    trust: list[str] | None = None,
) -> None:
    """Score a bundle on held-out samples: retrieval beside ridge and CCA, facts of reports beside shuffled and zeroed prefixes.

    Args:
        bundle: Bundle folder.
        cohort: Cohort it was trained on.
        out: Folder for metrics.json and figures.
        split: Which split is scored.
        limit: Samples whose reports are generated.
        seed: Of the sample of reports, the bootstrap and the permutations.
        llm: Where the base LLM is, when it is not where the bundle says.
        trust: Modules outside the packages whose classes may load.
    """
    bridge = load(bundle, llm=llm, trust=tuple(trust or ()))
    evaluate_bundle(bridge, Cohort.read(cohort), Path(out), split=split, limit=limit, seed=seed)


def check_encoder(arguments: Sequence[str]) -> None:
    """``bridge check-encoder``."""
    _command(check_encoder_class, "check-encoder", arguments)


def check_encoder_class(encoder: str, source: str | None = None, init_args: dict[str, Any] | None = None) -> None:
    """Run the encoder contract on a class, rule by rule.

    Args:
        encoder: ``module:Class``; the module is looked for in the current folder too.
        source: A file it reads, to check ``read`` as well.
        init_args: What the encoder needs to read it.
    """
    sys.path.insert(0, str(Path.cwd()))
    findings = contract_report(encoder, Path(source) if source else None, **(init_args or {}))
    for finding in findings:
        print(f"{'ok    ' if finding.ok else 'BROKEN'} {finding.rule}{'' if finding.ok else ': ' + finding.why}")
    broken = sum(not finding.ok for finding in findings)
    if broken:
        raise ValueError(f"{encoder}: {broken} of {len(findings)} rules broken, listed above; expected none")
    print(f"{encoder} keeps the contract ({len(findings)} rules)")


def demo(arguments: Sequence[str]) -> None:
    """``bridge demo``."""
    _command(run_demo, "demo", arguments)


def _command(functions: Callable | dict[str, Callable], name: str, arguments: Sequence[str], about: str = "") -> Any:
    """Arguments to a function's parameters; what is wrong with them is said in a line or two."""
    named = list(functions.values()) if isinstance(functions, dict) else [functions]
    tidied = tidy(arguments, options(named, "list["), options(named, "bool"))
    settings = {"prog": f"bridge {name}", "as_positional": name in ("report", "export", "reports", "check-encoder"), "exit_on_error": False}
    try:
        return auto_cli(functions, args=tidied, **settings, **({"description": about} if about else {}))
    except argparse.ArgumentError as error:
        raise ValueError(f"{short(error)}\nsee: bridge {name} --help") from error


def _require_given(modality: str, needed: dict[str, Any], foreign: dict[str, Any]) -> None:
    """Ask for what is missing, and refuse what would not be looked at."""
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise ValueError(f"embed, field {missing[0]}: found none, expected one for modality {modality!r}; see: bridge embed --help")
    ignored = [name for name, value in foreign.items() if value]
    if ignored:
        kind = "an encoder of another modality" if modality == "text" else "--modality text"
        raise ValueError(f"embed, field {ignored[0]}: modality {modality!r} does not use it, it is for {kind}; leave it out")


def _modality(given: Path_fr | dict[str, Any]) -> dict[str, Any]:
    """Source, encoder class and its arguments, from a file where one is named."""
    if isinstance(given, dict):
        return given
    read = yaml.safe_load(Path(given).read_text(encoding="utf-8"))
    if not isinstance(read, dict):
        raise ValueError(f"{given}: found {type(read).__name__}, expected source, class_path and init_args; see configs/encoders")
    open_fields = [name for name, text in read.get("init_args", {}).get("provenance", {}).items() if "<" in str(text)]
    if open_fields:
        warnings.warn(f"{given}: provenance still has <...> in {', '.join(open_fields)}; copy the file and fill it in, it is stored in the card", stacklevel=2)
    return read


def _gene(source: str) -> dict:
    path, _, key = source.partition("#")
    return {"source": path, "class_path": VECTORS, "init_args": {"key": key} if key else {}}


def _brain(source: str, atlas: str | None, labels: str | None) -> dict:
    """Images go through an atlas; anything else is a table of regions."""
    path, _, key = source.partition("#")
    if (Path(path).is_dir() and not list(Path(path).rglob("*.stats"))) or path.endswith((".nii", ".nii.gz")):
        if not atlas:
            raise ValueError(f"{path}: images need an atlas to become regions; pass --atlas LABELS.nii.gz --labels TABLE.tsv")
        return {"source": path, "class_path": "encoders.brain_volume.BrainVolume", "init_args": {"atlas": atlas} | ({"labels": labels} if labels else {})}
    return {"source": path, "class_path": "encoders.region_table.RegionTable", "init_args": {"key": key} if key else {}}


def _from_cohort(cohort: Cohort, sample: str | None, cards: dict, use: list[str] | None):
    """Subject and values of one sample, after comparing the cohort's cards with the bundle's."""
    if sample not in cohort.ids:
        raise ValueError(f"{cohort.source}: no sample {sample!r}; pass --sample with one of its {len(cohort.ids)} ids, for example {cohort.ids[0]!r}")
    for modality, card in cards.items():
        card.require_same(cohort.card(modality))
    row = cohort.ids.index(sample)
    subject = subjects(cohort, [row])[0]
    unknown = sorted(set(use or ()) - subject.present)
    if unknown:
        raise ValueError(f"report, field use: sample {sample!r} has no {unknown[0]!r}; it has {sorted(subject.present)}")
    subject = subject.given(use or subject.present)
    return subject, {modality: cohort.values(modality)[row] for modality in cards if modality in subject.present}


def _counts(cohort: Cohort, path: Path) -> str:
    splits = ", ".join(f"{split} {len(cohort.rows(split))}" for split in SPLITS)
    present = ", ".join(f"{modality} {int(np.isfinite(cohort.raw(modality)).any(axis=1).sum())}" for modality in cohort.modalities)
    return f"{path}: {len(cohort.ids)} samples ({splits}); with {present}; texts {cohort.texts or 'none'}"


def _put(text: str, out: str | None) -> None:
    if out is None:
        print(text)
        return
    with whole_file(Path(out)) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"wrote {out}")
