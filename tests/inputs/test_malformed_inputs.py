"""Every malformed input is refused (or said) in one or two lines, through the functions behind the commands."""

from __future__ import annotations

import pytest
from input_world import Outcome
from verdict import MALFORMED, wrong_with


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_a_malformed_input_gets_one_clear_line(case, world):
    assert wrong_with(case, case.try_it(world)) == ""


def test_there_are_at_least_110_malformed_inputs_each_named_once():
    names = [case.name for case in MALFORMED]
    assert len(names) == len(set(names)) >= 110


@pytest.mark.parametrize("outcome", [Outcome(1, "", ()), Outcome(None, "no", ()), Outcome(None, "expected\n" * 3, ()), Outcome(None, "expected " * 200, ())])
def test_the_verdict_itself_can_fail(outcome):
    assert wrong_with(MALFORMED[0], outcome)
