"""Is what a text claims true of the sample? Every claim gets a verdict and the measured value it was checked against.

A map with n measured regions, for a claim "highest" (for "lowest" from the other end):

========================== ==============================================================
``supported``              the region is among the three highest (of n // 2 where n < 6); equal values share a rank
``near``                   among the highest third, ceil(n / 3), but not among those
``contradicted``           anywhere else
``not in input``           the input has no such region, no value for it, or no such modality
========================== ==============================================================

A comparison is supported when the values differ the way it says, else contradicted. A fact is supported when it is
listed for the sample and contradicted when the sample's list does not have it; without a list (a new input) it is the
model's inference and uncheckable. A denied fact is contradicted when listed, else uncheckable: a list that does not
name a thing does not exclude it.

A level is judged by the fact sheet (``bridge.report.sheet``), for a claim "increased" ("decreased" from the other end):

========================== ==============================================================
``supported``              the state is up; for "within range": within range
``near``                   indeterminate and on the side that is claimed; for "within range": indeterminate
``contradicted``           any other state, or a stated z farther than ``Z_TOLERANCE`` (0.25) from the measured one,
                           or a stated value in the units of the map more than ``VALUE_TOLERANCE`` (5 %) off it
``not in input``           not measured, or a stated quantity of a kind that the sheet does not hold (percent, p)
``uncheckable``            training does not tell where the value lies, or the input has no names at all
========================== ==============================================================

A denied level ("not reduced") is contradicted where the level would be supported, near where it would be near, and
supported elsewhere. A region of both sides named without one has the worse of the two verdicts. A comparison with an
earlier examination is never in the input.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from bridge.language import grammar
from bridge.language.subject import RegionValues, Subject
from bridge.report.claims.lexicon import key
from bridge.report.claims.parse import claims_in
from bridge.report.reference import Reference
from bridge.report.schema import Claim, Direction, Evidence, Kind, Section, Source, Verdict
from bridge.report.sheet import Fact, FactSheet, State

__all__ = ["Reference", "check", "claims_in", "not_known", "sections", "struck"]

STRUCK = (Verdict.CONTRADICTED, Verdict.NOT_IN_INPUT)
Z_TOLERANCE, VALUE_TOLERANCE = 0.25, 0.05
_WORST_FIRST = (Verdict.CONTRADICTED, Verdict.NOT_IN_INPUT, Verdict.UNCHECKABLE, Verdict.NEAR, Verdict.SUPPORTED)


def check(claims: Iterable[Claim], subject: Subject, reference: Reference) -> list[Claim]:
    """The claims with verdicts and evidence, by the rules at the top of this file."""
    sheet = FactSheet(subject, reference)
    return [_checked(claim, subject, reference, sheet) for claim in claims]


def struck(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Checked claims that must not stand in the report."""
    return tuple(claim for claim in claims if claim.verdict in STRUCK)


def sections(claims: Iterable[Claim]) -> tuple[Section, ...]:
    """Checked claims that stand, by the input they speak of; free prose comes last."""
    standing = [claim for claim in claims if claim.verdict not in STRUCK]
    modalities = sorted(dict.fromkeys(claim.modality for claim in standing), key=lambda modality: not modality)
    groups = {modality: tuple(claim for claim in standing if claim.modality == modality) for modality in modalities}
    return tuple(Section(title=_title(modality), modality=modality, claims=group) for modality, group in groups.items())


def not_known(claims: Sequence[Claim], subject: Subject, reference: Reference) -> tuple[str, ...]:
    """What the input or the model leaves open, said in so many words."""
    said = {claim.attribute for claim in claims if claim.verdict not in STRUCK and claim.direction is not Direction.NONE}
    sentences = [_map_gap(modality, subject) for modality in reference.regions]
    for column, modality in reference.fact_modality.items():
        if modality not in subject.present:
            sentences.append(f"{grammar.capitalised(grammar.label(column))}: {grammar.INSUFFICIENT}, {grammar.label(modality)} not given.")
        elif column not in said:
            sentences.append(f"{grammar.capitalised(grammar.label(column))}: {grammar.INSUFFICIENT}.{_unsaid(column, subject)}")
    return tuple(filter(None, sentences))


def _unsaid(column: str, subject: Subject) -> str:
    """That a list is known all the same, of which the model said nothing that stands."""
    whose = subject.lists_of.get(column, subject.id)
    return f" It is listed for {whose}, but no statement of the model about it stands." if subject.facts.get(column) else ""


def _map_gap(modality: str, subject: Subject) -> str:
    name, regions = grammar.capitalised(grammar.map_label(modality)), subject.regions.get(modality)
    if modality not in subject.present or regions is None:
        return f"{name}: {grammar.INSUFFICIENT}, not given."
    missing = [region for region, value in zip(regions.names, regions.values, strict=True) if not np.isfinite(value)]
    return f"{name}: {grammar.INSUFFICIENT} on {len(missing)} of {len(regions.names)} regions, no value: {grammar.listing(missing)}." if missing else ""


def _checked(claim: Claim, subject: Subject, reference: Reference, sheet: FactSheet) -> Claim:
    if claim.attribute is not None:
        return _checked_fact(claim, claim.attribute, subject, reference)
    if claim.kind is Kind.PROSE and not reference.regions:  # without any named value no quantity can be looked up
        return claim.model_copy(update={"verdict": Verdict.UNCHECKABLE})
    if claim.kind is Kind.LEVEL and claim.modality:
        return _checked_level(claim, subject, reference, sheet)
    if claim.direction is Direction.NONE or claim.kind is Kind.LEVEL or claim.verdict is Verdict.NOT_IN_INPUT:
        return claim
    return _checked_comparison(claim, subject, reference) if claim.than else _checked_extreme(claim, subject, reference)


def _checked_level(claim: Claim, subject: Subject, reference: Reference, sheet: FactSheet) -> Claim:
    facts = sheet.find(claim.modality, claim.entity)
    if claim.direction is Direction.NONE and claim.claimed is None:  # said to be open
        return claim
    verdict = level_verdict(claim, facts)
    evidence = tuple(found for fact in facts if (found := region_evidence(fact.modality, fact.name, subject, reference)))
    z = facts[0].z if len(facts) == 1 else None
    return claim.model_copy(update={"verdict": verdict, "source": Source.MEASURED if evidence else claim.source, "evidence": evidence, "magnitude": z})


def level_verdict(claim: Claim, facts: Sequence[Fact]) -> Verdict:
    """Verdict on a level by the facts it speaks of; the worst where it speaks of two."""
    verdicts = {verdict for fact in facts for verdict in (_quantity_verdict(claim, fact), _state_verdict(claim, fact))}
    return next((verdict for verdict in _WORST_FIRST if verdict in verdicts), Verdict.NOT_IN_INPUT)


def _state_verdict(claim: Claim, fact: Fact) -> Verdict:
    if fact.state is State.NOT_MEASURED:
        return Verdict.NOT_IN_INPUT
    if claim.direction is Direction.NONE:
        return Verdict.SUPPORTED
    if fact.z is None:
        return Verdict.UNCHECKABLE
    verdict = _level_of(claim.direction, fact)
    exchanged = {Verdict.SUPPORTED: Verdict.CONTRADICTED, Verdict.CONTRADICTED: Verdict.SUPPORTED}
    return exchanged.get(verdict, verdict) if claim.denied else verdict


def _level_of(direction: Direction, fact: Fact) -> Verdict:
    """Verdict on a level that is not denied."""
    state = {Direction.INCREASED: State.UP, Direction.DECREASED: State.DOWN, Direction.WITHIN: State.WITHIN}[direction]
    if fact.state is state:
        return Verdict.SUPPORTED
    sign = {Direction.INCREASED: fact.z > 0, Direction.DECREASED: fact.z < 0, Direction.WITHIN: True}[direction]
    return Verdict.NEAR if fact.state is State.INDETERMINATE and sign else Verdict.CONTRADICTED


def _quantity_verdict(claim: Claim, fact: Fact) -> Verdict:
    """Verdict on the stated quantity alone; none is stated: nothing against it."""
    if claim.claimed is None:
        return Verdict.SUPPORTED
    if fact.value is None:
        return Verdict.NOT_IN_INPUT
    if claim.unit in ("z", "SD"):
        found = None if fact.z is None else abs(fact.z) if claim.unit == "SD" else fact.z
        return Verdict.UNCHECKABLE if found is None else _within(claim.claimed, found, Z_TOLERANCE)
    if claim.unit and claim.unit == fact.units.casefold():
        return _within(claim.claimed, fact.value, VALUE_TOLERANCE * abs(fact.value))
    return Verdict.NOT_IN_INPUT


def _within(said: float, found: float, tolerance: float) -> Verdict:
    return Verdict.SUPPORTED if abs(said - found) <= tolerance else Verdict.CONTRADICTED


def _checked_extreme(claim: Claim, subject: Subject, reference: Reference) -> Claim:
    evidence = region_evidence(claim.modality, claim.entity, subject, reference)
    if evidence is None:
        return claim.model_copy(update={"verdict": Verdict.NOT_IN_INPUT})
    verdict = extreme_verdict(subject.regions[claim.modality], claim.entity, claim.direction)
    return claim.model_copy(update={"verdict": verdict, "source": Source.MEASURED, "evidence": (evidence,), "magnitude": evidence.z})


def extreme_verdict(regions: RegionValues, name: str, direction: Direction) -> Verdict:
    """Verdict on "highest in the name" (``higher``) or "lowest in the name" (``lower``) for a measured region."""
    rank = regions.rank(name, grammar.HIGHEST if direction is Direction.HIGHER else grammar.LOWEST)
    if rank <= regions.named:
        return Verdict.SUPPORTED
    return Verdict.NEAR if regions.named and rank <= -(-regions.measured // 3) else Verdict.CONTRADICTED


def _checked_comparison(claim: Claim, subject: Subject, reference: Reference) -> Claim:
    evidence = tuple(region_evidence(claim.modality, name, subject, reference) for name in (claim.entity, claim.than))
    if None in evidence:
        return claim.model_copy(update={"verdict": Verdict.NOT_IN_INPUT})
    regions = subject.regions[claim.modality]
    first, second = (regions.values[regions.names.index(name)] for name in (claim.entity, claim.than))
    true = first > second if claim.direction is Direction.HIGHER else first < second
    return claim.model_copy(update={"verdict": Verdict.SUPPORTED if true else Verdict.CONTRADICTED, "source": Source.MEASURED, "evidence": evidence})


def region_evidence(modality: str, region: str, subject: Subject, reference: Reference) -> Evidence | None:
    """The measured value of a region, None where the input has none."""
    regions = subject.regions.get(modality) if modality in subject.present else None
    if regions is None or region not in regions.names or (rank := regions.rank(region)) is None:
        return None
    raw = float((regions.values if regions.raw is None else regions.raw)[regions.names.index(region)])
    z = reference.z(modality, region, raw)
    return Evidence(modality=modality, feature=region, sample=subject.id, value=raw, units=regions.units, z=z, rank=rank, of=regions.measured)


def fact_evidence(column: str, subject: Subject, reference: Reference) -> Evidence | None:
    """What is listed for a sample in a fact column, None where nothing is or its modality was not given."""
    modality, items = reference.fact_modality.get(column, ""), subject.facts.get(column, ())
    if not items or modality not in subject.present:
        return None
    return Evidence(modality=modality, feature=column, sample=subject.lists_of.get(column, subject.id), listed=items)


def _checked_fact(claim: Claim, column: str, subject: Subject, reference: Reference) -> Claim:
    modality = reference.fact_modality.get(column, "")
    claim = claim.model_copy(update={"modality": modality})
    if claim.direction is Direction.NONE:
        return claim
    if modality not in subject.present:
        return claim.model_copy(update={"verdict": Verdict.NOT_IN_INPUT})
    if (evidence := fact_evidence(column, subject, reference)) is None:
        return claim
    return claim.model_copy(update={"verdict": _fact_verdict(claim, evidence.listed), "source": Source.RETRIEVED, "evidence": (evidence,)})


def _fact_verdict(claim: Claim, items: Sequence[str]) -> Verdict:
    listed = key(claim.entity) in {key(item) for item in items}
    if claim.direction is Direction.ABSENT:
        return Verdict.CONTRADICTED if listed else Verdict.UNCHECKABLE
    if listed:
        return Verdict.SUPPORTED
    return Verdict.NOT_IN_INPUT if claim.verdict is Verdict.NOT_IN_INPUT else Verdict.CONTRADICTED


def _title(modality: str) -> str:
    return f"{grammar.capitalised(grammar.label(modality))} {grammar.FINDINGS}" if modality else "Other statements"
