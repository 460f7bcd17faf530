"""Whether what came of a case is what has to come of it."""

from __future__ import annotations

import re

import numpy as np
from benign import families
from input_world import Case, Outcome, World
from malformed_configs import CASES as CONFIGS
from malformed_found import CASES as FOUND
from malformed_h5ad import CASES as H5AD
from malformed_ids import CASES as IDS
from malformed_nifti import CASES as NIFTI
from malformed_tables import CASES as TABLES

MALFORMED = (*NIFTI, *H5AD, *TABLES, *IDS, *CONFIGS, *FOUND)

#: Longest refusal in characters: two lines of a wide terminal, paths left out.
LONGEST = 600

#: A remedy or what is expected; one of them every refusal has.
SAYS_WHAT = re.compile(r"expected|;|use |name |see:|cannot|must", re.IGNORECASE)


def wrong_with(case: Case, outcome: Outcome) -> str:
    """What is wrong with the verdict on a malformed input, '' where it is right."""
    if not outcome.refusal:
        return "" if case.flagged and outcome.said else "was accepted"
    lines = outcome.refusal.splitlines()
    if len(lines) > 2 or "Traceback" in outcome.refusal:
        return f"refused in {len(lines)} lines: {outcome.refusal[:300]}"
    if len(re.sub(r"/\S+", "", outcome.refusal)) > LONGEST or not SAYS_WHAT.search(outcome.refusal):
        return f"refused without a remedy or at length: {outcome.refusal[:900]}"
    return ""


def wrong_with_values(outcome: Outcome, expected: np.ndarray) -> str:
    """What is wrong with the values of a benign input, '' where they are those of the plain one."""
    if outcome.refusal:
        return f"refused: {outcome.refusal}"
    apart = np.max(np.abs(outcome.values - expected) / np.maximum(1.0, np.abs(expected)))
    return "" if outcome.values.shape == expected.shape and apart <= 1e-6 else f"values differ by {apart:.3g}"


def benign(world: World) -> list[tuple[Case, np.ndarray]]:
    """Benign cases with the values they must give."""
    return [(case, expected) for cases, expected in families(world) for case in cases]
