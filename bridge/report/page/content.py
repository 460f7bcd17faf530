"""What a report shows and in which order, the same for a page and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bridge.language import grammar
from bridge.report.given import Measured
from bridge.report.schema import Claim, Evidence, Kind, Report, Source, Verdict

NOTICE = "Research use only. Not a medical device; not for diagnosis, treatment or any decision about a person."
RANK = "z is against the training split; rank 1 is the highest value."

#: Headings, in order; the findings of every modality stand after the first.
GIVEN, RELATE, SAYS = "What was given and what was missing", "How they relate", "What literature and ontologies say"
DISORDERS, CANNOT, STRUCK = "Ranked disorders", "What cannot be said", "Struck statements"
PROVENANCE, RESEARCH, LICENCES = "Provenance", "Research use only", "Licences and notices"

RETRIEVED = "Retrieved: what lies near the sample in the shared space. None of it was measured in this sample."
UNCHECKED = "Statements of the model that nothing in the input can check. They are the model's inference, not findings."
STRIKES = "Statements of the model that the input contradicts or does not hold. They are no part of the report."

_NEAR = {False: "near: in the highest or lowest third, not among the three", True: "near: between 1 and 2 standard deviations from the training mean"}
_FIRST = {"gene": 0, "brain": 1}
_NOTE = "note"


class Findings(NamedTuple):
    """One input with the findings that rest on it.

    Args:
        title: Heading.
        modality: The input.
        given: Whether the sample has it.
        claims: Claims with evidence.
        measured: Its values, where they have names.
        lists: What is listed for the sample, one row per fact column that a claim speaks of.
    """

    title: str
    modality: str
    given: bool
    claims: tuple[Claim, ...]
    measured: Measured | None
    lists: tuple[Evidence, ...]

    @property
    def nothing(self) -> str:
        """Why there is no finding."""
        return "No statement of the model about it stood the check." if self.given else "Not given."


def findings(report: Report) -> tuple[Findings, ...]:
    """Findings by input, gene first, brain second; every claim among them has evidence."""
    return tuple(_findings(report, modality) for modality in _modalities(report))


def unchecked(report: Report) -> tuple[Claim, ...]:
    """Claims that were not struck, and that no measurement and no list can confirm."""
    return tuple(claim for section in report.sections for claim in section.claims if not _rests(claim))


def standing(report: Report) -> Iterator[Claim]:
    """Claims that the input confirms."""
    return (claim for section in report.sections for claim in section.claims if _rests(claim))


def remark(claim: Claim) -> str:
    """What a reader must know of a claim beside its evidence; '' where nothing."""
    return _NEAR[claim.kind is Kind.LEVEL] if claim.verdict is Verdict.NEAR else ""


def rests_on(claim: Claim) -> str:
    """What a claim rests on, in words: its source, and for the model's own inference the confidence and the verdict."""
    if claim.source is not Source.INFERENCE:
        return claim.source.value
    confidence = "unknown" if claim.confidence is None else f"{claim.confidence:.2f}"
    return f"{claim.source.value}, confidence {confidence}, {claim.verdict.value}"


def why_struck(claim: Claim) -> str:
    """Reason in words."""
    return "comparison with an earlier examination, not in input" if claim.kind is Kind.PRIOR else claim.verdict.value


def coverage(report: Report) -> str:
    """How many imaging phenotypes speak of regions."""
    imaging = report.patient.imaging if report.patient else ()
    mapped = sum(bool(finding.regions) for finding in imaging)
    return f"{mapped} of {len(imaging)} imaging phenotypes map to regions" if imaging else "no imaging phenotype in the record"


def provenance_rows(report: Report) -> list[tuple[str, str]]:
    """Names and values of what made the report."""
    origin = report.provenance
    rows = [("bundle", origin.bundle), ("SHA-256 of the bundle", origin.bundle_sha256), ("LLM", origin.llm)]
    rows += [("seed", "none" if origin.seed is None else str(origin.seed))]
    rows += [(f"input {file.modality}", f"{file.name}, SHA-256 {file.sha256}") for file in origin.inputs]
    rows += [(f"card {modality}", _card(card)) for modality, card in origin.cards.items()]
    rows += [(name, version) for name, version in origin.versions.items()]
    return [(name, value) for name, value in rows if value]


def licences(report: Report) -> tuple[str, ...]:
    """Terms that travel with the report, each once."""
    cards = (f"{modality}: {card['licence']}" for modality, card in report.provenance.cards.items() if card.get("licence"))
    return tuple(dict.fromkeys([*report.provenance.licences, *report.provenance.notices, *cards]))


def _rests(claim: Claim) -> bool:
    return bool(claim.evidence) and claim.verdict in (Verdict.SUPPORTED, Verdict.NEAR)


def _modalities(report: Report) -> list[str]:
    told = [*report.given, *report.missing, *(section.modality for section in report.sections), *(measured.modality for measured in report.measured)]
    return sorted(dict.fromkeys(name for name in told if name and name != _NOTE), key=lambda name: _FIRST.get(name, 2))


def _findings(report: Report, modality: str) -> Findings:
    claims = tuple(claim for claim in standing(report) if claim.modality == modality)
    measured = next((measured for measured in report.measured if measured.modality == modality), None)
    named = measured if measured is not None and measured.names else None
    lists = _lists(claim for claim in (*claims, *report.struck) if claim.modality == modality)
    return Findings(_title(report, modality), modality, modality not in report.missing, claims, named, lists)


def _title(report: Report, modality: str) -> str:
    titles = (section.title for section in report.sections if section.modality == modality)
    return next(titles, f"{grammar.capitalised(grammar.label(modality))} {grammar.FINDINGS}")


def _lists(claims: Iterable[Claim]) -> tuple[Evidence, ...]:
    """Lists that the claims were checked against, each once."""
    return tuple({evidence.feature: evidence for claim in claims for evidence in claim.evidence if evidence.value is None}.values())


def _card(card: dict[str, object]) -> str:
    return ", ".join(f"{field} {card[field]}" for field in ("encoder", "source", "version", "atlas", "space") if card.get(field))
