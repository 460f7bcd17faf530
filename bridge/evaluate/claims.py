"""What checked reports are worth: how much they claim, how much of it holds, what they leave out, and errors of their own kind.

Every figure is None where there is nothing to average over.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from bridge.language.subject import Subject
from bridge.report.reference import Reference
from bridge.report.schema import Claim, Direction, Kind, Verdict
from bridge.report.sheet import Fact, FactSheet, State
from bridge.report.verify import extreme_verdict, level_verdict

#: Verdicts that say whether a claim holds; the others cannot be judged.
JUDGED = (Verdict.SUPPORTED, Verdict.NEAR, Verdict.CONTRADICTED, Verdict.NOT_IN_INPUT)
STRONGEST = 5


@dataclasses.dataclass(frozen=True, eq=False)
class CheckedReport:
    """The claims of one report with their verdicts, the sample they are about, and the training reference it is placed in."""

    claims: Sequence[Claim]
    subject: Subject
    reference: Reference

    @functools.cached_property
    def sheet(self) -> FactSheet:
        """The facts they were checked against."""
        return FactSheet(self.subject, self.reference)


def claim_metrics(reports: Sequence[CheckedReport], k: int = STRONGEST) -> dict[str, float | int | None]:
    """Figures over all claims of all reports; None where undefined.

    ``claims_per_report`` counts what asserts anything. ``precision`` is the share of supported among judged claims,
    ``contradiction_rate`` of contradicted, ``not_in_input_rate`` of those that the input does not hold. ``omission``
    is the share of the k strongest facts of each sample (z up or down) that its report does not rightly name.
    ``laterality_errors`` is the share of claims on a side that are contradicted there and true of the other side.
    ``invented_comparisons`` counts comparisons with an earlier examination per report.

    Args:
        reports: Checked reports.
        k: How many of the strongest facts a report should tell.
    """
    asserted = [claim for report in reports for claim in report.claims if asserts(claim)]
    judged = [claim.verdict for claim in asserted if claim.verdict in JUDGED]
    sided = [wrong for report in reports for claim in report.claims if (wrong := _wrong_side(claim, report)) is not None]
    told = [_tells(fact, report.claims) for report in reports for fact in report.sheet.strongest(k)]
    priors = sum(claim.kind is Kind.PRIOR for claim in asserted)
    return {
        "reports": len(reports),
        "claims": len(asserted),
        "judged": len(judged),
        "claims_per_report": _share(len(asserted), len(reports)),
        "precision": _share(judged.count(Verdict.SUPPORTED), len(judged)),
        "contradiction_rate": _share(judged.count(Verdict.CONTRADICTED), len(judged)),
        "not_in_input_rate": _share(judged.count(Verdict.NOT_IN_INPUT), len(judged)),
        "omission": _share(told.count(False), len(told)),
        "laterality_errors": _share(sum(sided), len(sided)),
        "invented_comparisons": _share(priors, len(reports)),
    }


def asserts(claim: Claim) -> bool:
    """Whether a claim says anything that could be wrong: free prose and what is left open do not."""
    return claim.direction is not Direction.NONE or claim.claimed is not None or claim.kind is Kind.PRIOR


def _wrong_side(claim: Claim, report: CheckedReport) -> bool | None:
    """Whether a claim on one side is false there and true of the other side; None for a claim that is not on one side."""
    if claim.verdict not in JUDGED or claim.kind not in (Kind.LEVEL, Kind.EXTREME) or not asserts(claim):
        return None
    facts = report.sheet.find(claim.modality, claim.entity)
    other = report.sheet.mirrored(facts[0]) if len(facts) == 1 else None
    if other is None or other.state is State.NOT_MEASURED:
        return None
    return claim.verdict is Verdict.CONTRADICTED and _holds(claim, other, report.subject)


def _holds(claim: Claim, fact: Fact, subject: Subject) -> bool:
    """Whether the same would be true of another region."""
    if claim.kind is Kind.LEVEL:
        return level_verdict(claim, (fact,)) is Verdict.SUPPORTED
    return extreme_verdict(subject.regions[fact.modality], fact.name, claim.direction) is Verdict.SUPPORTED


def _tells(fact: Fact, claims: Sequence[Claim]) -> bool:
    """Whether any supported claim names the fact with its direction."""
    right = (Direction.INCREASED, Direction.HIGHER) if fact.state is State.UP else (Direction.DECREASED, Direction.LOWER)
    return any(
        claim.verdict is Verdict.SUPPORTED
        and claim.kind in (Kind.LEVEL, Kind.EXTREME)
        and not claim.denied
        and claim.direction in right
        and any(evidence.feature == fact.name and evidence.modality == fact.modality for evidence in claim.evidence)
        for claim in claims
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
