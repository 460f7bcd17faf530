"""From what a model wrote to a report: take the claims apart, check each against the measurement."""

from __future__ import annotations

from collections.abc import Collection

from bridge.language.subject import Subject
from bridge.report.confidence import Generation, claim_confidence
from bridge.report.reference import Reference
from bridge.report.schema import Provenance, Report
from bridge.report.verify import check, claims_in, not_known, sections, struck


def checked_report(
    written: Generation,
    subject: Subject,
    reference: Reference,
    *,
    against: tuple[Subject, Reference] | None = None,
    modalities: Collection[str],
    note: str = "",
    provenance: Provenance,
) -> Report:
    """A report on one sample.

    Args:
        written: What the model wrote.
        subject: The sample as measured.
        reference: What the training split looks like.
        against: Subject and reference with further facts to check the claims against.
        modalities: All that the bundle reads.
        note: The clinical note that the model was given.
        provenance: What made the text.
    """
    known, beside = against or (subject, reference)
    claims = check(claims_in(written.text, beside.regions, beside.facts, beside.aliases), known, beside)
    claims = [claim.model_copy(update={"confidence": claim_confidence(claim, written)}) for claim in claims]
    return Report(
        id=subject.id,
        given=tuple(sorted(subject.present)) + (("note",) if note.strip() else ()),
        missing=tuple(sorted(set(modalities) - subject.present)),
        sections=sections(claims),
        text=written.text,
        struck=struck(claims),
        unknown=not_known(claims, subject, reference),
        provenance=provenance,
    )
