"""The interval of any statistic: that of the mean where it is a mean, whole groups drawn, undefined where it must be."""

import numpy as np
import pytest

from bridge.evaluate.bootstrap import interval_of
from bridge.evaluate.retrieval import bootstrap_interval

GROUPS = np.repeat(np.arange(20), 5)


def test_for_a_mean_it_is_the_interval_of_the_mean():
    values = np.random.default_rng(0).normal(size=100)
    found = interval_of(lambda rows: float(values[rows].mean()), GROUPS, resamples=4000)
    assert found == pytest.approx(bootstrap_interval(values, GROUPS, resamples=4000), abs=0.03)


def test_rows_of_a_group_are_drawn_together():
    drawn = []
    interval_of(lambda rows: drawn.append(rows) or 0.0, GROUPS, resamples=3)
    assert all(len(rows) == 100 and (np.bincount(GROUPS[rows], minlength=20) % 5 == 0).all() for rows in drawn)


def test_groups_that_agree_within_themselves_make_a_wide_interval():
    values = GROUPS.astype(float)
    alone = interval_of(lambda rows: float(values[rows].mean()), np.arange(100))
    whole = interval_of(lambda rows: float(values[rows].mean()), GROUPS)
    assert whole[1] - whole[0] > 1.8 * (alone[1] - alone[0])


def test_a_statistic_undefined_in_some_resamples_has_an_interval_and_in_most_has_none():
    rare = np.arange(100) == 0
    assert interval_of(lambda rows: None if rare[rows].any() else 1.0, np.arange(100), resamples=200) == (None, None)
    assert interval_of(lambda rows: None if len(set(rows)) < 3 else 1.0, np.arange(100), resamples=200) == (1.0, 1.0)


@pytest.mark.parametrize(("groups", "resamples"), [([], 10), (["a", "a"], 10), (["a", "b"], 0)])
def test_below_two_groups_or_without_resamples_it_is_undefined(groups, resamples):
    assert interval_of(lambda rows: 1.0, groups, resamples=resamples) == (None, None)


def test_it_repeats_with_its_seed():
    values = np.random.default_rng(0).normal(size=100)
    first, second, other = (interval_of(lambda rows: float(np.median(values[rows])), GROUPS, seed=seed, resamples=100) for seed in (1, 1, 2))
    assert first == second != other
