"""Copied texts: runs of words against sets, and what counts as an excess."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.evaluate.copies import excess_p, run_overlap, same_texts, words


def overlap_by_sets(texts, train, groups, length):
    runs = [[tuple(words(text)[start : start + length]) for start in range(len(words(text)) - length + 1)] for text in texts]
    others = [{run for row, some in enumerate(runs) if train[row] and groups[row] != group for run in some} for group in groups]
    return [np.mean([run in other for run in some]) if some else np.nan for some, other in zip(runs, others, strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(st.sampled_from("abc"), max_size=8), st.booleans(), st.integers(0, 3)), min_size=1, max_size=8))
def test_the_overlap_of_runs_is_that_of_sets(rows):
    texts, train, groups = [" ".join(row[0]) for row in rows], np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    assert np.allclose(run_overlap(texts, train, groups, 3), overlap_by_sets(texts, train, groups, 3), equal_nan=True)


def test_a_text_is_the_same_in_another_split_or_in_another_group_of_the_training_split():
    texts, splits = ["A b.", "a  B", "a b", "c", "c", "", "", "d", "D!"], ["train", "train", "test", "train", "train", "train", "test", "validation", "test"]
    found = same_texts(texts, splits, np.array([0, 1, 2, 3, 3, 4, 5, 6, 7]))
    assert found.tolist() == [True, True, True, False, False, False, False, True, True]


def test_as_many_copies_as_between_training_texts_are_no_excess():
    train = np.repeat([True, False], [200, 100])
    copied = np.r_[np.arange(200) < 20, np.arange(100) < 10]
    assert excess_p(copied, train) > 0.4
    assert excess_p(np.r_[copied[:200], np.arange(100) < 40], train) < 1e-6
    assert excess_p(np.zeros(300, bool), train) == 1.0
