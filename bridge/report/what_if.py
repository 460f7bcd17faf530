"""What if a region were average, or a modality had not been given? The report on changed inputs, and which claims that changes."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bridge.data.cohort import apply_normalisation
from bridge.language.subject import RegionValues, Subject
from bridge.model import SemanticBridge
from bridge.report.claims.lexicon import key, lexicon_of
from bridge.report.claims.mention import Mention
from bridge.report.gate import require_usable
from bridge.report.reference import Reference
from bridge.report.schema import Assumed, Change, Claim, ClaimChange, Report, WhatIf
from bridge.report.write import tensors, write_report

_Z = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_ASSUMPTION = re.compile(r"\s*(?P<name>.+?)\s*=\s*(?P<z>[^=]+?)\s*")


@dataclasses.dataclass(frozen=True)
class Changed:
    """Inputs as they are assumed to be.

    Args:
        subject: The sample with the assumed values.
        values: Modality to its normalised values ``[features]``.
        assumed: What was replaced.
        without: Modalities that were left out.
    """

    subject: Subject
    values: dict[str, np.ndarray]
    assumed: tuple[Assumed, ...] = ()
    without: tuple[str, ...] = ()


def what_if_report(bridge: SemanticBridge, subject: Subject, values: dict[str, np.ndarray], changed: Changed, **settings: Any) -> Report:
    """The report on changed inputs, with what differs from that on the inputs as they are.

    Args:
        bridge: A loaded bundle.
        subject: The sample as measured.
        values: Modality to its normalised values ``[features]``.
        changed: From :func:`changed_inputs`.
        settings: As :func:`bridge.report.write.write_report` takes them, the same for both reports.

    Raises:
        ValueError: the changed inputs are unlike all that training has seen.
    """
    _require_likely(bridge, changed)
    before = write_report(bridge, subject, values, **settings)
    after = write_report(bridge, changed.subject, changed.values, **settings)
    changes, same = claim_changes(all_claims(before), all_claims(after))
    found = WhatIf(assumed=changed.assumed, without=changed.without, changes=changes, unchanged=same, text_before=before.text)
    return after.model_copy(update={"what_if": found, "measured": _marked(after, changed.assumed)})


def changed_inputs(
    bridge: SemanticBridge, subject: Subject, values: dict[str, np.ndarray], assumptions: Sequence[str] = (), without: Sequence[str] = ()
) -> Changed:
    """The inputs with values replaced and modalities left out.

    Args:
        bridge: A loaded bundle.
        subject: The sample as measured.
        values: Modality to its normalised values ``[features]``.
        assumptions: ``NAME=Z`` each: a region or gene as a report may name it, both sides where none is said, and its value in standard
            deviations from the training mean.
        without: Modalities.

    Raises:
        ValueError: a name or a modality that the sample does not have, a value that is no number, or nothing that is left.
    """
    unknown = [modality for modality in without if modality not in values]
    if unknown:
        raise ValueError(f"report, field without: the sample has no {unknown[0]!r} to leave out; it has {sorted(values)}")
    kept = {modality: row for modality, row in values.items() if modality not in without}
    if not kept:
        raise ValueError(f"report, field without: found {sorted(without)}, which is all that the sample has; expected at least one modality to stay")
    left = subject.given(kept)
    replaced = _assumptions(bridge, left, assumptions)
    regions, rows = dict(subject.regions), dict(kept)
    for modality in {each.modality for each in replaced}:
        regions[modality], rows[modality] = _with(bridge, subject.regions[modality], [each for each in replaced if each.modality == modality])
    return Changed(dataclasses.replace(left, regions=regions), rows, tuple(replaced), tuple(sorted(without)))


def _require_likely(bridge: SemanticBridge, changed: Changed) -> None:
    try:
        require_usable(bridge, tensors(bridge, changed.values))
    except ValueError as error:
        if not changed.assumed:
            raise
        farthest = max(changed.assumed, key=lambda each: abs(each.z))
        found = f"with {farthest.feature} at z {farthest.z:g} training has seen nothing like it ({str(error).partition(';')[0]})"
        raise ValueError(f"report, field what_if: {found}; assume values nearer to 0") from error


def all_claims(report: Report) -> list[Claim]:
    """Every claim of a report, those struck last."""
    return [*(claim for section in report.sections for claim in section.claims), *report.struck]


def claim_changes(before: Iterable[Claim], after: Iterable[Claim]) -> tuple[tuple[ClaimChange, ...], int]:
    """Claims that differ, in the order of the new report and then those that are gone, and how many are the same."""
    old, new = ({_about(claim): claim for claim in claims} for claims in (before, after))
    changes = [_change(old.get(about), claim) for about, claim in new.items()]
    changes += [ClaimChange(change=Change.DISAPPEARED, before=claim) for about, claim in old.items() if about not in new]
    differing = tuple(change for change in changes if change is not None)
    return differing, len(changes) - len(differing)


def _change(before: Claim | None, after: Claim) -> ClaimChange | None:
    if before is None:
        return ClaimChange(change=Change.APPEARED, after=after)
    return None if _said(before) == _said(after) else ClaimChange(change=Change.CHANGED, before=before, after=after)


def _about(claim: Claim) -> tuple:
    """The same for two claims about one thing; of an extreme its direction is part of what it is about, as a region is named at either end."""
    return claim.kind, claim.attribute, claim.modality, key(claim.entity or claim.statement), claim.than and key(claim.than)


def _said(claim: Claim) -> tuple:
    return claim.direction, claim.denied, claim.claimed, claim.unit, claim.verdict


def _assumptions(bridge: SemanticBridge, subject: Subject, assumptions: Sequence[str]) -> list[Assumed]:
    """Each named feature with its assumed z; a region named without a side is two."""
    reference, found = Reference.from_dict(bridge.reference["training"]), {}
    for assumption in assumptions:
        for each in _assumed(assumption, subject, reference):
            if (each.modality, each.feature) in found:
                raise ValueError(f"what-if {assumption!r}: {each.feature!r} is assumed twice, expected every region or gene once")
            found[each.modality, each.feature] = each
    return list(found.values())


def _assumed(assumption: str, subject: Subject, reference: Reference) -> list[Assumed]:
    parts = _ASSUMPTION.fullmatch(assumption)
    z = _number(parts["z"]) if parts else None
    if z is None:
        raise ValueError(f"what-if {assumption!r}: expected NAME=Z with Z in standard deviations from the training mean, for example hippocampus=0")
    named = _named(assumption, parts["name"], subject, reference)
    features = _features(named, reference)
    return [_one(assumption, named.modality, feature, z, subject, reference) for feature in features]


def _number(text: str) -> float | None:
    value = float(text) if _Z.fullmatch(text) else np.inf
    return value if np.isfinite(value) else None


def _named(assumption: str, name: str, subject: Subject, reference: Reference) -> Mention:
    """What the name means, by the rules that find regions and genes in a report."""
    maps = {modality: names for modality, names in reference.regions.items() if modality in subject.present}
    if not maps:
        vectors = ", ".join(sorted(subject.present))
        raise ValueError(f"what-if {assumption!r}: no input of the sample has named values ({vectors}: vectors whose columns have no names); leave it out")
    exact = {key(feature): (modality, feature) for modality, names in reversed(maps.items()) for feature in names}
    if key(name) in exact:
        modality, feature = exact[key(name)]
        return Mention(0, len(name), name, feature, modality, True)
    found = lexicon_of(maps, {}, reference.aliases).spoken.exactly(name)
    if found is None or not found.known:
        some = ", ".join(map(repr, _nearest(name, [feature for names in maps.values() for feature in names])))
        raise ValueError(f"what-if {assumption!r}: no input has {name!r}; expected a region or gene of {', '.join(maps)}; the nearest are {some}")
    return found


def _nearest(name: str, features: Sequence[str]) -> list[str]:
    """Three names that are written most like this one, in whatever case and order of words."""
    written = {_in_order(feature): feature for feature in reversed(features)}
    return [written[each] for each in difflib.get_close_matches(_in_order(name), written, n=3, cutoff=0)]


def _in_order(name: str) -> str:
    return " ".join(sorted(key(name).split()))


def _features(named: Mention, reference: Reference) -> list[str]:
    """Names of the features that a mention means: itself, or both sides of a concept."""
    names = reference.regions[named.modality]
    exact = [name for name in names if key(name) == key(named.entity)]
    return exact or list(lexicon_of({named.modality: names}, {}).spoken.sides(named.entity, named.modality))


def _one(assumption: str, modality: str, feature: str, z: float, subject: Subject, reference: Reference) -> Assumed:
    number = reference.regions[modality].index(feature)
    if not (np.isfinite(reference.mean[modality][number]) and reference.spread[modality][number] > 0):
        raise ValueError(f"what-if {assumption!r}: training does not tell the mean and spread of {feature!r}, so z has no value in units; leave it out")
    raw = _raw(subject.regions[modality])[number]
    return Assumed(modality=modality, feature=feature, z_before=reference.z(modality, feature, float(raw)), z=z)


def _with(bridge: SemanticBridge, regions: RegionValues, assumed: Sequence[Assumed]) -> tuple[RegionValues, np.ndarray]:
    """A map with assumed values, and its normalised row."""
    modality, raw = assumed[0].modality, _raw(regions).astype(np.float64)
    reference = Reference.from_dict(bridge.reference["training"])
    for each in assumed:
        number = regions.names.index(each.feature)
        raw[number] = reference.mean[modality][number] + each.z * reference.spread[modality][number]
    raw = raw.astype(np.float32)
    row = apply_normalisation(raw, bridge.cards[modality].normalisation)
    return dataclasses.replace(regions, values=row, raw=raw), row


def _raw(regions: RegionValues) -> np.ndarray:
    return regions.values if regions.raw is None else regions.raw


def _marked(report: Report, assumed: Iterable[Assumed]) -> tuple:
    """The measurements with the names of what is not measured but assumed."""
    changed: dict[str, list[str]] = {}
    for each in assumed:
        changed.setdefault(each.modality, []).append(each.feature)
    return tuple(measured.model_copy(update={"changed": tuple(changed.get(measured.modality, ()))}) for measured in report.measured)
