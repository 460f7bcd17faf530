"""What a report shows and in which order, the same for a page and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import NamedTuple

from bridge.language import grammar
from bridge.report.claims.lexicon import key
from bridge.report.given import Measured, Patient
from bridge.report.schema import Claim, Evidence, Kind, Report, Source, Verdict
from bridge.retrieve.schema import Candidate, CandidateKind, Retrieved

NOTICE = "Research use only. Not a medical device; not for diagnosis, treatment or any decision about a person."
RANK = "z is against the training split; rank 1 is the highest value."

#: Headings, in order; the findings of every modality stand after the first.
GIVEN, RELATE, SAYS = "What was given and what was missing", "How they relate", "What literature and ontologies say"
DISORDERS, CANNOT, STRUCK = "Ranked disorders", "What cannot be said", "Struck statements"
PROVENANCE, RESEARCH, LICENCES = "Provenance", "Research use only", "Licences and notices"

RETRIEVED = "Retrieved: what lies near the sample in the shared space. None of it was measured in this sample."
CHANCES = (
    "Ordered by the probability that the sample's record lists this very item, calibrated on the validation split; before: the same when nothing "
    "is known of the sample (where the two are equal, the sample added nothing). Where it is not calibrated, ordered by the cosine, less what the "
    "item has with every sample. Own list: the sample's own record has the item, or one that is a kind of it."
)
UNCHECKED = "Statements of the model that nothing in the input can check. They are the model's inference, not findings."
STRIKES = "Statements of the model that the input contradicts or does not hold. They are no part of the report."

_NEAR = {
    False: "near: in the highest or lowest third, as stated, but not among the few at its end",
    True: "near: between 1 and 2 standard deviations from the training mean",
}
_GENE, _NOTE, _NO_UNITS = "gene", "note", "none"
#: Whether the sample's own record has a candidate.
OWN_LIST = {True: "yes", False: "no", None: "unknown"}
_FIRST = {_GENE: 0, "brain": 1}


class Findings(NamedTuple):
    """One input with the findings that rest on it.

    Args:
        title: Heading.
        modality: The input.
        given: Whether the sample has it.
        claims: Claims with evidence.
        nothing: Why there is none, where there is none.
        measured: Its values, where they have names.
        lists: What is listed for the sample, one row per fact column that a claim speaks of.
    """

    title: str
    modality: str
    given: bool
    claims: tuple[Claim, ...]
    nothing: str
    measured: Measured | None
    lists: tuple[Evidence, ...]


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
    reasons = {Kind.PRIOR: "comparison with an earlier examination, not in input", Kind.INPUT: f"{claim.verdict.value}: it was given"}
    return reasons.get(claim.kind, claim.verdict.value)


def on_list(claim: Claim, evidence: Evidence) -> str:
    """Whether a long list, which is shown elsewhere, has what the claim names: ``among the 15 listed for HTT``."""
    among = key(claim.entity) in map(key, evidence.listed)
    return f"{'' if among else 'not '}among the {len(evidence.listed)} listed for {evidence.sample}"


def coverage(report: Report) -> str:
    """How many imaging phenotypes speak of regions."""
    imaging = report.patient.imaging if report.patient else ()
    terms, mapped = {finding.term for finding in imaging}, {finding.term for finding in imaging if finding.regions}
    return f"{len(mapped)} of {len(terms)} imaging phenotypes map to regions" if imaging else "no imaging phenotype in the record"


def brain_side(report: Report, patient: Patient) -> str:
    """What the model was given of the patient's brain."""
    if not set(report.given) - {_GENE, _NOTE}:
        return "none, the model was given no brain of this patient"
    return "the patient's own image or table" if patient.measured_brain else "the imaging phenotypes mapped to regions, not a scan"


def first(found: Retrieved) -> str:
    """What the candidates of a list are, in the order they are in: calibrated ones by probability, others by nearness."""
    return f"Likeliest {found.kind.value} from {found.query}" if has_chances(found) else f"Nearest {found.kind.value} to {found.query}"


def has_chances(found: Retrieved) -> bool:
    """Whether any candidate has a calibrated probability."""
    return any(item.probability is not None for item in found.items)


def has_own_list(found: Retrieved) -> bool:
    """Whether it is known of any candidate if the sample's own record has it."""
    return any(item.here is not None for item in found.items)


def chance(probability: float | None) -> str:
    """A probability, told as far as it was calibrated."""
    return "not calibrated" if probability is None else f"{probability:.2f}"


def candidate_name(found: Retrieved, item: Candidate) -> str:
    """Its name, or the beginning of its text, marked where it is cut."""
    name = item.label or item.id
    return f"{name}…" if found.kind is CandidateKind.TEXT and item.label and not item.label.endswith((".", "!", "?")) else name


def about(measured: Measured) -> tuple[str, ...]:
    """Atlas and units, as far as there are any."""
    return tuple(text for text in (measured.atlas, measured.units) if text and text != _NO_UNITS)


def provenance_rows(report: Report) -> list[tuple[str, str]]:
    """Names and values of what made the report."""
    origin = report.provenance
    rows = [("bundle", PurePath(origin.bundle).name), ("SHA-256 of the bundle", origin.bundle_sha256), ("LLM", origin.llm)]
    rows += [("seed", "none, the most probable token is taken" if origin.seed is None else str(origin.seed))]
    rows += [(f"input {file.modality}", f"{file.name}, SHA-256 {file.sha256}") for file in origin.inputs]
    rows += [(f"card {modality}", _card(card)) for modality, card in origin.cards.items()]
    rows += [(name, version) for name, version in origin.versions.items()]
    return [(name, value) for name, value in rows if value]


def licences(report: Report) -> tuple[str, ...]:
    """Terms that travel with the report, each once: none that stands whole within another."""
    cards = (f"{modality}: {card['licence']}" for modality, card in report.provenance.cards.items() if card.get("licence"))
    terms = tuple(dict.fromkeys([*report.provenance.licences, *report.provenance.notices, *cards]))
    return tuple(term for term in terms if not any(term in other for other in terms if other != term))


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
    return Findings(_title(report, modality), modality, modality not in report.missing, claims, _nothing(report, modality), named, lists)


def _nothing(report: Report, modality: str) -> str:
    """Why there is no finding about an input."""
    if modality in report.missing:
        return "Not given."
    if any(claim.modality == modality for claim in unchecked(report)):
        return f"Nothing can check what the model stated about it; see {CANNOT}."
    stated = any(claim.modality == modality for claim in report.struck)
    return "No statement of the model about it stood the check." if stated else "The model stated nothing about it."


def _title(report: Report, modality: str) -> str:
    titles = (section.title for section in report.sections if section.modality == modality)
    return next(titles, f"{grammar.capitalised(grammar.label(modality))} {grammar.FINDINGS}")


def _lists(claims: Iterable[Claim]) -> tuple[Evidence, ...]:
    """Lists that the claims were checked against, each once."""
    return tuple({evidence.feature: evidence for claim in claims for evidence in claim.evidence if evidence.value is None}.values())


def _card(card: dict[str, object]) -> str:
    return ", ".join(f"{field} {card[field]}" for field in ("encoder", "source", "version", "atlas", "space") if card.get(field))
