"""A what-if in words: what was assumed, and what became of each claim."""

from __future__ import annotations

from bridge.report.page.plain import signed
from bridge.report.schema import Change, Claim, ClaimChange, WhatIf

WHAT_IF = "What if"
NOT_MEASURED = "This report is of inputs that were changed: nothing in it that rests on a changed value is measured of the sample."
COLUMNS = ("change", "claim", "with the inputs as they are", "with the changed inputs")


def assumptions(what_if: WhatIf) -> list[str]:
    """What was changed, line by line."""
    lines = [f"{each.feature} ({each.modality}): z {_z(each.z_before)} assumed to be z {signed(each.z)}" for each in what_if.assumed]
    return [*lines, *(f"{modality}: left out" for modality in what_if.without)]


def change_rows(what_if: WhatIf) -> list[tuple[str, str, str, str]]:
    """One row per claim that differs, under ``COLUMNS``."""
    return [_row(change) for change in what_if.changes]


def unchanged(what_if: WhatIf) -> str:
    """How many claims are as they were."""
    many = len(what_if.changes)
    return f"{many} claim{'' if many == 1 else 's'} differ{'s' if many == 1 else ''}, {what_if.unchanged} stay{'s' if what_if.unchanged == 1 else ''} the same."


def _row(change: ClaimChange) -> tuple[str, str, str, str]:
    before, after = _said(change.before), _said(change.after)
    claim = change.after if change.change is not Change.DISAPPEARED else change.before
    return change.change.value, claim.statement if claim else "", before, after


def _said(claim: Claim | None) -> str:
    if claim is None:
        return "not said"
    return ", ".join([claim.direction.value, claim.verdict.value]) if claim.direction.value != "none" else claim.verdict.value


def _z(z: float | None) -> str:
    return "unknown" if z is None else signed(z)
