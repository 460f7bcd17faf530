"""Every unusual input that is in order gives the values of the plain one."""

from __future__ import annotations

import numpy as np
import pytest
from benign import IMAGES, LEVELS, TABLES, VECTORS, WHOLE, families
from input_world import Outcome
from verdict import wrong_with_values

CASES = (*IMAGES, *WHOLE, *VECTORS, *LEVELS, *TABLES)


@pytest.fixture(scope="module")
def expected(world):
    """What the plain file of each family gives, by the name of the case."""
    return {case.name: values for cases, values in families(world) for case in cases}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_benign_input_gives_the_values_of_the_plain_one(case, world, expected):
    assert wrong_with_values(case.try_it(world), expected[case.name]) == ""


def test_there_are_at_least_30_benign_inputs_each_named_once():
    assert len(CASES) == len({case.name for case in CASES}) >= 30


def test_a_difference_of_a_millionth_is_seen():
    values = np.array([1.0, 2.0])
    assert wrong_with_values(Outcome(values + 2e-6, "", ()), values)
