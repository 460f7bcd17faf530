"""Reports of an export's samples, written by its server and checked here as any report is."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bridge.data.cohort import Cohort, whole_file
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import subjects
from bridge.report.checked import checked_report
from bridge.report.decode import Answer
from bridge.report.generate import generation
from bridge.report.render import to_json, to_markdown
from bridge.report.schema import Report
from bridge.serve.client import Ask, Client
from bridge.serve.export import Export


def served_reports(export: Export, cohort: Cohort, client: Client, samples: Sequence[str], *, note: str = "", max_new_tokens: int = 160) -> Iterator[Report]:
    """Reports in the order of the samples; requests are made as answers come.

    The LLM's text is the one that :func:`bridge.report.write.write_report` would have, but for rounding: a server adds in another order, and
    where two tokens are as likely it may choose the other.

    Args:
        export: The export that the server serves.
        cohort: Measurements that the claims are checked against.
        client: Of the server.
        samples: Ids.
        note: Clinical note, given to the LLM as quoted data with each sample.
        max_new_tokens: Longest report.

    Raises:
        ValueError: a sample that was not exported or is not in the cohort, another cohort, or whatever went wrong at the server.
    """
    for modality, card in export.cards.items():
        card.require_same(cohort.card(modality))
    rows = {sample: row for row, sample in enumerate(cohort.ids)}
    missing = [sample for sample in samples if sample not in rows or sample not in export.embeds.files]
    if missing:
        raise ValueError(f"sample {missing[0]!r}: expected one that is in {cohort.source} and in {export.folder}; export it with: bridge export --cohort")
    versions = {"vllm": client.version(), **export.provenance.versions}
    made = export.provenance.model_copy(update={"versions": versions})
    replies = client.answers(_asks(export, samples, note, max_new_tokens))
    for sample, reply in zip(samples, replies, strict=True):
        (subject,) = subjects(cohort, [rows[sample]])
        written = generation(export.prompt.prompt, Answer(0, max_new_tokens, reply.ids, reply.probabilities), None)
        subject = subject.given(export.embeds.present[sample])
        yield checked_report(written, subject, export.reference, modalities=export.modalities, note=note, provenance=made)


def write_reports(ask: Callable[[Sequence[str]], Iterator[Report]], samples: Sequence[str], folder: Path, made_by: str) -> int:
    """Write a JSON and a Markdown file per sample as reports come; a report that is there already, of the same export, is not asked for again.

    Args:
        ask: Gives the reports of samples.
        samples: Ids.
        folder: Where the files go.
        made_by: What the provenance of such a report names as its bundle.

    Returns:
        How many were written.
    """
    waiting = [sample for sample in samples if not _is_there(folder / f"{file_name(sample)}.json", made_by)]
    for report in ask(waiting):
        name = file_name(report.id)
        for ending, text in ((".md", to_markdown(report)), (".json", to_json(report))):  # the one that is looked for comes last
            with whole_file(folder / f"{name}{ending}") as partial:
                partial.write_text(text, encoding="utf-8")
    return len(waiting)


def file_name(sample: str) -> str:
    """A sample's id as the name of a file: what a file name cannot hold is written as %XX, and so is a dot in front."""
    quoted = urllib.parse.quote(sample, safe=" +,=@")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def _is_there(path: Path, made_by: str) -> bool:
    return path.is_file() and Report.model_validate_json(path.read_text(encoding="utf-8")).provenance.bundle == made_by


def _asks(export: Export, samples: Sequence[str], note: str, max_new_tokens: int) -> Iterator[Ask]:
    text = export.prompt.text(REPORT_ASK[0], note)
    for sample in samples:
        soft = export.embeds[sample]
        yield Ask(soft, text, export.prompt.count(len(soft), REPORT_ASK[0], note), max_new_tokens)
