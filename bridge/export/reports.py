"""Reports of an export's samples, written by its server and checked here as any report is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bridge.data.cohort import Cohort
from bridge.export.client import Ask, Client
from bridge.export.export import Export
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import subjects
from bridge.report.checked import checked_report
from bridge.report.cohort.report_files import kept_report, put_report
from bridge.report.generation.decode import Answer
from bridge.report.generation.generate import generation
from bridge.report.render import to_markdown
from bridge.report.schema import Report


def served_reports(export: Export, cohort: Cohort, client: Client, samples: Sequence[str], *, max_new_tokens: int = 160) -> Iterator[Report]:
    """Reports in the order of the samples; requests are made as answers come.

    The LLM's text is the one that :func:`bridge.report.write.write_report` would have, but for rounding: a server adds in another order, and
    where two tokens are as likely it may choose the other.

    Args:
        export: The export that the server serves.
        cohort: Measurements that the claims are checked against.
        client: Of the server.
        samples: Ids.
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
    replies = client.answers(_asks(export, samples, max_new_tokens))
    for sample, reply in zip(samples, replies, strict=True):
        (subject,) = subjects(cohort, [rows[sample]])
        written = generation(export.prompt.prompt, Answer(0, max_new_tokens, reply.ids, reply.probabilities), None)
        subject = subject.given(export.embeds.present[sample])
        yield checked_report(written, subject, export.reference, modalities=export.modalities, provenance=made)


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
    waiting = [sample for sample in samples if not _is_there(folder, sample, made_by)]
    for report in ask(waiting):
        put_report(folder, report, {".md": to_markdown})
    return len(waiting)


def _is_there(folder: Path, sample: str, made_by: str) -> bool:
    kept = kept_report(folder, sample)
    return kept is not None and kept.provenance.bundle == made_by


def _asks(export: Export, samples: Sequence[str], max_new_tokens: int) -> Iterator[Ask]:
    text = export.prompt.text(REPORT_ASK[0])
    for sample in samples:
        soft = export.embeds[sample]
        yield Ask(soft, text, export.prompt.count(len(soft), REPORT_ASK[0]), max_new_tokens)
