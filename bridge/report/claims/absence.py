"""What a text says of its own inputs: that one of them was not given, though it was."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bridge.language import grammar
from bridge.report.schema import Claim, Direction, Kind, Source, Verdict


def denied_inputs(text: str, present: Iterable[str]) -> list[Claim]:
    """The inputs that the text says were not given and that the sample has, as claims that the input contradicts.

    Args:
        text: Raw generation.
        present: Inputs that the model was given; of any other the statement is true and no finding.
    """
    return [_claim(modality, found[0]) for modality in sorted(present) if (found := _denial(modality).search(text))]


def _denial(modality: str) -> re.Pattern[str]:
    """``Gene: not given``, ``Brain map was not given``, ``Brain findings: not given``."""
    said = r"\s+".join(map(re.escape, grammar.NOT_GIVEN.split()))
    names = "|".join(re.escape(name) for name in (grammar.map_label(modality), grammar.label(modality)))
    return re.compile(rf"(?<![\w-])(?:{names})(?:\s+(?:map|{grammar.FINDINGS}))?\s*(?::|\b(?:is|are|was|were)\b)\s*{said}\b", re.IGNORECASE)


def _claim(modality: str, said: str) -> Claim:
    statement = " ".join(said.split())
    about = {"kind": Kind.INPUT, "direction": Direction.ABSENT, "source": Source.MEASURED, "verdict": Verdict.CONTRADICTED}
    return Claim(entity=grammar.label(modality), statement=statement, modality=modality, **about)
