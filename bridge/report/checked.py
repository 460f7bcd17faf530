"""From what a model wrote to a report: take the claims apart, check each against the measurement."""

from __future__ import annotations

from collections.abc import Collection

from bridge.language.subject import Subject
from bridge.report.claims.absence import denied_inputs
from bridge.report.generation.confidence import Generation, claim_confidence
from bridge.report.reference import Reference
from bridge.report.schema import Kind, Provenance, Report, Section
from bridge.report.verify import check, claims_in, not_known, sections, struck

#: How a report calls the clinical note.
NOTE, NOTE_TITLE = "note", "With the clinical note in view"


def checked_report(
    written: Generation,
    subject: Subject,
    reference: Reference,
    *,
    against: tuple[Subject, Reference] | None = None,
    modalities: Collection[str],
    provenance: Provenance,
) -> Report:
    """A report on one sample.

    Args:
        written: What the model wrote.
        subject: The sample as measured.
        reference: What the training split looks like.
        against: Subject and reference with further facts to check the claims against.
        modalities: All that the bundle reads.
        provenance: What made the text.
    """
    known, beside = against or (subject, reference)
    claims = check(claims_in(written.text, beside.regions, beside.facts, beside.aliases), known, beside)
    claims += denied_inputs(written.text, subject.present)
    claims = [claim.model_copy(update={"confidence": claim_confidence(claim, written)}) for claim in claims]
    return Report(
        id=subject.id,
        given=tuple(sorted(subject.present)),
        missing=tuple(sorted(set(modalities) - subject.present)),
        sections=sections(claims),
        text=written.text,
        struck=struck(claims),
        unknown=not_known(claims, subject, reference),
        provenance=provenance,
    )


def beside_note(report: Report, read: Generation, beside: Reference) -> Report:
    """The report with what the model says once it has the note in view, as statements that nothing checks.

    A statement about a map or a list is left out: a note may try to say what was measured.

    Args:
        report: Written without the note.
        read: What the model wrote with it.
        beside: Knows the names of regions and items.
    """
    claims = claims_in(read.text, beside.regions, beside.facts, beside.aliases)
    said = tuple(claim.model_copy(update={"confidence": claim_confidence(claim, read)}) for claim in claims if claim.kind is Kind.PROSE and not claim.modality)
    told = (Section(title=NOTE_TITLE, modality=NOTE, claims=said),) if said else ()
    return report.model_copy(update={"given": (*report.given, NOTE), "sections": (*report.sections, *told)})
