"""Reports: of one sample, of one sample if its inputs were others, of a patient, of a whole cohort."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bridge.bundle import load, load_reader
from bridge.commands.line import run_function
from bridge.commands.sample import Sample, chosen_sample, known_cohort, require_file_name, require_room, require_tokens
from bridge.data.text_file import read_text
from bridge.data.whole import whole_file
from bridge.model import SemanticBridge
from bridge.report.cohort.cohort_index import index_page, row_of
from bridge.report.cohort.cohort_reports import CohortReports, Settings
from bridge.report.cohort.write_back import require_free_keys
from bridge.report.cohort.write_back import write_back as write_back_results
from bridge.report.companion import read_companion
from bridge.report.render import to_html, to_json, to_markdown
from bridge.report.schema import Report
from bridge.report.what_if import changed_inputs, what_if_report
from bridge.report.write import report_of_nothing, write_report


def report(arguments: Sequence[str]) -> None:
    """``bridge report``."""
    run_function(report_samples, "report", arguments)


def report_samples(
    bundle: str,
    cohort: str | None = None,
    sample: str | None = None,
    gene: str | None = None,
    brain: str | None = None,
    inputs: dict[str, str] | None = None,
    patient: str | None = None,
    withhold_gene: bool = False,
    note: str | None = None,
    out: str | None = None,
    format: Literal["auto", "markdown", "html", "json"] = "auto",
    use: list[str] | None = None,
    what_if: list[str] | None = None,
    without: list[str] | None = None,
    llm: str | None = None,
    trust: list[str] | None = None,
    max_new_tokens: int = 160,
    constrain: bool = False,
    facts: str | None = None,
    split: Literal["train", "validation", "test", "all"] = "all",
    limit: int | None = None,
    write_back: str = "auto",
    key_added: str = "bridge",
) -> None:
    """Write the report of one sample, from a cohort by its id or from files of any subset of modalities; or those of a cohort, with --cohort and --out alone.

    Args:
        bundle: Bundle folder.
        cohort: Cohort that holds the sample; by default the one that the bundle was trained on. Without a sample all its reports are written.
        sample: Sample id, in the cohort or in a file that holds several.
        gene: File for the modality ``gene``, in a form its encoder reads.
        brain: File for the modality ``brain``.
        inputs: Modality to file, for any other modality.
        patient: Phenopacket (GA4GH, version 2, JSON) in place of a sample; its gene is looked up in the cohort or in the file ``gene``.
        withhold_gene: Leave the gene of the patient out of the inputs and of the ranking of disorders.
        note: File with a clinical note; it is quoted to the model as data.
        out: File to write; by default the report is printed. Of a cohort: folder to write, and to go on in after a stop.
        format: Markdown or a page for people, JSON for programs; auto is Markdown, and of a cohort a page and JSON.
        use: Modalities of the sample to hand to the model; all by default.
        what_if: Regions or genes with assumed values, ``hippocampus=0`` each, in standard deviations from the training mean, both sides unless
            one is said: the report again, and which claims that changes.
        without: Modalities to leave out, likewise.
        llm: Where the base LLM is, when it is not where the bundle says.
        trust: Modules outside the packages whose classes may load.
        max_new_tokens: Longest report in tokens.
        constrain: Write only names of regions and genes that the bundle, or the facts, have.
        facts: Table of raw facts to check the report against, for whoever has embeddings alone: the sample id first, then a column per region or gene.
            The model is not given them.
        split: Of a cohort: which samples.
        limit: Of a cohort: how many of them, from the first on.
        write_back: Of a cohort: where its copy with the results goes; ``auto`` is beside the reports, ``none`` makes no copy.
        key_added: What the names of the results in that copy begin with; nothing there is written over.
    """
    require_tokens(max_new_tokens)
    if [] in (what_if, without):
        raise ValueError("report, fields what_if and without: found nothing behind one of them, expected --what-if NAME=Z or --without MODALITY")
    files = (inputs or {}) | ({"gene": gene} if gene else {}) | ({"brain": brain} if brain else {})
    if cohort and out and not (sample or files or patient):
        asked = {"note": note, "what_if": what_if, "without": without, "facts": facts}
        _require_of_one(asked)
        known_cohort(load_reader(bundle, tuple(trust or ())), bundle, cohort)  # before the LLM is loaded: what is wrong with it is known at once
        settings = Settings("html" if format == "auto" else format, max_new_tokens, constrain, tuple(use or ()))
        report_cohort(load(bundle, llm=llm, trust=tuple(trust or ())), bundle, cohort, Path(out), settings, (split, limit), (write_back, key_added))
        return
    require_file_name(out)
    text = read_text(note, "a clinical note") if note else ""
    about = {"cohort": cohort, "sample": sample, "patient": patient, "files": files, "use": use, "withhold_gene": withhold_gene}
    chosen = chosen_sample(load_reader(bundle, tuple(trust or ())), bundle, **about)
    companion = read_companion(Path(facts), chosen.subject.id, training=chosen.training) if facts else None
    bridge = load(bundle, llm=llm, trust=tuple(trust or ()))  # last, as it takes long: what is wrong with an input is known before
    require_room(bridge, text, max_new_tokens)
    settings = {"note": text, "max_new_tokens": max_new_tokens, "constrain": constrain, "companion": companion, "source": bundle}
    written = _written(bridge, chosen, what_if or [], without or [], settings | {"inputs": chosen.inputs, "own": chosen.own, "patient": chosen.patient})
    _put(rendered(bridge, written, "markdown" if format == "auto" else format), out)


def report_cohort(
    bridge: SemanticBridge, bundle: str, cohort: str, out: Path, settings: Settings, which: tuple[str, int | None], back: tuple[str, str]
) -> None:
    """The reports of a cohort with their index, and a copy of the cohort with the results.

    Args:
        bridge: A loaded bundle.
        bundle: Its folder.
        cohort: File of the cohort.
        out: Folder to write.
        settings: What the reports depend on.
        which: Split and how many.
        back: Where the copy goes, and what the names in it begin with.
    """
    split, limit = which
    whole, (place, key) = known_cohort(bridge, bundle, cohort), back
    copy = {"none": None, "auto": out / f"{Path(cohort).stem}.bridge.h5ad"}.get(place, Path(place))
    if copy is not None:
        require_free_keys(Path(cohort), key)
    made = CohortReports(bridge, whole, whole.rows(split)[:limit], out, source=bundle, settings=settings)
    done = made.write()
    rows = [row_of(kept, settings.form) for kept in made.kept()]
    with whole_file(out / "index.html") as partial:
        partial.write_text(index_page(rows, done.failures, f"Reports on {Path(cohort).name}"), encoding="utf-8")
    if copy is not None:
        write_back_results(bridge, whole, rows, done.failures, made.identity(), copy, key)
        print(f"wrote {copy}")
    print(f"wrote {done.written} reports to {out}, {done.kept} were there already; {len(done.failures)} samples have none; open {out}/index.html")


def _require_of_one(asked: dict[str, object]) -> None:
    given = [name for name, value in asked.items() if value]
    if given:
        raise ValueError(f"report, field {given[0]}: is of one sample; expected --sample ID with it, or no {given[0]} with the reports of a cohort")


def _written(bridge: SemanticBridge, chosen: Sample, what_if: list[str], without: list[str], settings: dict) -> Report:
    """The report of the inputs as they are, or as they are assumed to be."""
    if what_if or without:
        changed = changed_inputs(bridge, chosen.subject, chosen.values, what_if, without)
        written = what_if_report(bridge, chosen.subject, chosen.values, changed, **settings)
    elif chosen.values:
        written = write_report(bridge, chosen.subject, chosen.values, **settings)
    else:
        written = report_of_nothing(bridge, chosen.subject.id, chosen.patient, source=settings["source"], inputs=chosen.inputs)
    return written.model_copy(update={"unknown": (*written.unknown, *chosen.told)})


def rendered(bridge: SemanticBridge, written: Report, form: str) -> str:
    """A report in one of its forms."""
    if form == "html":
        return to_html(written, bridge.atlases)
    return to_markdown(written) if form == "markdown" else to_json(written)


def _put(text: str, out: str | None) -> None:
    if out is None:
        print(text)
        return
    with whole_file(Path(out)) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"wrote {out}")
