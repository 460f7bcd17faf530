"""What stands in a report beside its claims: the measurements, what lies near the sample, how its sides agree, the patient, the terms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bridge.language.subject import Subject
from bridge.model import SemanticBridge
from bridge.report.given import Patient
from bridge.report.measured import measured
from bridge.report.origin import licences
from bridge.report.schema import Report
from bridge.retrieve.schema import CandidateKind


def with_context(
    bridge: SemanticBridge,
    report: Report,
    subject: Subject,
    values: dict[str, np.ndarray],
    *,
    patient: Patient | None = None,
    own: Mapping[CandidateKind, frozenset[str]] | None = None,
) -> Report:
    """The report with all that a page shows.

    Args:
        bridge: A loaded bundle; without a gallery nothing is retrieved.
        report: Its claims, checked.
        subject: The sample as measured.
        values: Modality to its normalised values ``[features]``.
        patient: The patient's record, where the sample is one.
        own: Candidates that the sample's own lists hold; None where it has no lists.
    """
    found, near, numbers = {"retrieved": ()}, bridge.gallery, measured(bridge, subject, values)
    if near is not None:
        found = {"retrieved": near.search(bridge, values, sample=subject.id, own=None if own is None else dict(own))}
        found |= {"agreement": near.agreement(bridge, values), "position": near.position(bridge, values, sample=subject.id)}
    terms = licences(bridge, values, found["retrieved"])
    origin = report.provenance.model_copy(update={"licences": terms})
    return report.model_copy(update={**found, "measured": numbers, "patient": patient, "provenance": origin})
