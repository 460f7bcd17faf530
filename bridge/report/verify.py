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
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from bridge.data.cohort import Cohort
from bridge.language import grammar
from bridge.language.subject import RegionValues, Subject, fact_vocabulary, region_names
from bridge.report.lexicon import key
from bridge.report.parse import claims_in
from bridge.report.schema import Claim, Direction, Evidence, Section, Source, Verdict

__all__ = ["Reference", "check", "claims_in", "not_known", "sections", "struck"]

STRUCK = (Verdict.CONTRADICTED, Verdict.NOT_IN_INPUT)


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """What the training split looks like, kept beside a model so that a new input can be placed.

    Args:
        regions: Modality to region names.
        mean: Modality to the training mean of each region, in raw units; NaN where never measured.
        spread: Modality to the standard deviation of each region.
        facts: Fact column to its vocabulary, the most common first.
        fact_modality: Fact column to the modality that can tell it.
    """

    regions: dict[str, tuple[str, ...]]
    mean: dict[str, Float[np.ndarray, " regions"]]
    spread: dict[str, Float[np.ndarray, " regions"]]
    facts: dict[str, tuple[str, ...]]
    fact_modality: dict[str, str]

    @classmethod
    def of(cls, cohort: Cohort) -> Reference:
        """Fitted on the training split alone."""
        names, train = region_names(cohort), cohort.rows("train")
        mean, spread = {}, {}
        for modality in names:
            values = np.ma.masked_invalid(cohort.raw(modality)[train].astype(np.float64))
            mean[modality], spread[modality] = values.mean(axis=0).filled(np.nan), values.std(axis=0).filled(np.nan)
        return cls(names, mean, spread, fact_vocabulary(cohort), dict(cohort.facts))

    def to_dict(self) -> dict:
        """Plain JSON types; NaN is None."""
        numbers = {name: {modality: _json(values) for modality, values in getattr(self, name).items()} for name in ("mean", "spread")}
        names = {name: {group: list(items) for group, items in getattr(self, name).items()} for name in ("regions", "facts")}
        return numbers | names | {"fact_modality": self.fact_modality}

    @classmethod
    def from_dict(cls, fields: dict) -> Reference:
        """Inverse of :meth:`to_dict`."""
        numbers = {name: {modality: np.array(values, dtype=float) for modality, values in fields[name].items()} for name in ("mean", "spread")}
        names = {name: {group: tuple(items) for group, items in fields[name].items()} for name in ("regions", "facts")}
        return cls(**numbers, **names, fact_modality=dict(fields["fact_modality"]))

    def z(self, modality: str, region: str, raw: float) -> float | None:
        """Standard deviations from the training mean of the same region, None where training does not tell."""
        if region not in self.regions.get(modality, ()):
            return None
        number = self.regions[modality].index(region)
        z = (raw - self.mean[modality][number]) / (self.spread[modality][number] or np.nan)
        return float(z) if np.isfinite(z) else None


def check(claims: Iterable[Claim], subject: Subject, reference: Reference) -> list[Claim]:
    """The claims with verdicts and evidence, by the rules at the top of this file."""
    return [_checked(claim, subject, reference) for claim in claims]


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
            sentences.append(f"{grammar.capitalised(grammar.label(column))}: {grammar.INSUFFICIENT}.")
    return tuple(filter(None, sentences))


def _map_gap(modality: str, subject: Subject) -> str:
    name, regions = grammar.capitalised(grammar.map_label(modality)), subject.regions.get(modality)
    if modality not in subject.present or regions is None:
        return f"{name}: {grammar.INSUFFICIENT}, not given."
    missing = [region for region, value in zip(regions.names, regions.values, strict=True) if not np.isfinite(value)]
    return f"{name}: {grammar.INSUFFICIENT} on {len(missing)} of {len(regions.names)} regions, no value: {grammar.listing(missing)}." if missing else ""


def _checked(claim: Claim, subject: Subject, reference: Reference) -> Claim:
    if claim.attribute is not None:
        return _checked_fact(claim, claim.attribute, subject, reference)
    if claim.direction is Direction.NONE or claim.verdict is Verdict.NOT_IN_INPUT:
        return claim
    return _checked_comparison(claim, subject, reference) if claim.than else _checked_extreme(claim, subject, reference)


def _checked_extreme(claim: Claim, subject: Subject, reference: Reference) -> Claim:
    evidence = _region_evidence(claim.modality, claim.entity, subject, reference)
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
    evidence = tuple(_region_evidence(claim.modality, name, subject, reference) for name in (claim.entity, claim.than))
    if None in evidence:
        return claim.model_copy(update={"verdict": Verdict.NOT_IN_INPUT})
    regions = subject.regions[claim.modality]
    first, second = (regions.values[regions.names.index(name)] for name in (claim.entity, claim.than))
    true = first > second if claim.direction is Direction.HIGHER else first < second
    return claim.model_copy(update={"verdict": Verdict.SUPPORTED if true else Verdict.CONTRADICTED, "source": Source.MEASURED, "evidence": evidence})


def _region_evidence(modality: str, region: str, subject: Subject, reference: Reference) -> Evidence | None:
    """The measured value of a region, None where the input has none."""
    regions = subject.regions.get(modality) if modality in subject.present else None
    if regions is None or region not in regions.names or (rank := regions.rank(region)) is None:
        return None
    raw = float((regions.values if regions.raw is None else regions.raw)[regions.names.index(region)])
    z = reference.z(modality, region, raw)
    return Evidence(modality=modality, feature=region, sample=subject.id, value=raw, units=regions.units, z=z, rank=rank, of=regions.measured)


def _checked_fact(claim: Claim, column: str, subject: Subject, reference: Reference) -> Claim:
    modality = reference.fact_modality.get(column, "")
    claim = claim.model_copy(update={"modality": modality})
    if claim.direction is Direction.NONE:
        return claim
    if modality not in subject.present:
        return claim.model_copy(update={"verdict": Verdict.NOT_IN_INPUT})
    if not (items := subject.facts.get(column, ())):
        return claim
    evidence = Evidence(modality=modality, feature=column, sample=subject.id, listed=items)
    return claim.model_copy(update={"verdict": _fact_verdict(claim, items), "source": Source.RETRIEVED, "evidence": (evidence,)})


def _fact_verdict(claim: Claim, items: Sequence[str]) -> Verdict:
    listed = key(claim.entity) in {key(item) for item in items}
    if claim.direction is Direction.ABSENT:
        return Verdict.CONTRADICTED if listed else Verdict.UNCHECKABLE
    if listed:
        return Verdict.SUPPORTED
    return Verdict.NOT_IN_INPUT if claim.verdict is Verdict.NOT_IN_INPUT else Verdict.CONTRADICTED


def _title(modality: str) -> str:
    return f"{grammar.capitalised(grammar.label(modality))} {grammar.FINDINGS}" if modality else "Other statements"


def _json(values: Float[np.ndarray, " regions"]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
