"""What the leak scanner says, and how it is printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

#: A test below this is believed.
ALPHA = 0.01
EXAMPLES = 5


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that makes, or may make, a score too good.

    Args:
        check: What was looked for.
        where: Field of the cohort.
        found: What was found, with counts and examples.
        why: What it does to a score.
        severe: Whether scores on this cohort are not to be trusted; else it is a thing to know.
    """

    check: str
    where: str
    found: str
    why: str
    severe: bool


def table(findings: Sequence[Finding]) -> str:
    """Findings as text, severe ones marked."""
    severe = sum(finding.severe for finding in findings)
    lines = [f"leaks: {severe} severe, {len(findings) - severe} to know"]
    for finding in findings:
        lines += [f"\n{'SEVERE' if finding.severe else 'note  '} {finding.check}: {finding.where}", f"       {finding.found}", f"       {finding.why}"]
    return "\n".join(lines)


def listed(items: Sequence[str]) -> str:
    """The first few items, and how many more there are."""
    more = f" and {len(items) - EXAMPLES} more" if len(items) > EXAMPLES else ""
    return ", ".join(items[:EXAMPLES]) + more
