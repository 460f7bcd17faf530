"""Near-duplicates are found, documents that only share words are kept, and the order decides which one stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.corpora.duplicates import NearDuplicates


def document(random, words=200):
    return [f"word{number}" for number in random.integers(0, 5000, words)]


def changed(words, random, count):
    """The same document with a few words in another way, all in a row so that few shingles change."""
    start = int(random.integers(0, len(words) - count))
    return [*words[:start], *(f"new{number}" for number in range(count)), *words[start + count :]]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 3))
def test_a_planted_near_duplicate_is_found_and_distinct_documents_are_kept(seed, count):
    random = np.random.default_rng(seed)
    seen = NearDuplicates()
    originals = [document(random) for _ in range(10)]
    assert not any(seen.seen(" ".join(words)) for words in originals)
    # Three new words in 200 change at most 7 of 196 shingles: a likeness of at least 0.93, five standard errors of a sketch above the threshold.
    assert all(seen.seen(" ".join(changed(words, random, count))) for words in originals)
    assert not any(seen.seen(" ".join(document(random))) for _ in range(10))
    assert len(seen.sketches) == 20


def test_of_near_duplicates_at_nine_tenths_hardly_one_is_missed():
    random, seen = np.random.default_rng(2), NearDuplicates()
    originals = [document(random) for _ in range(100)]
    assert not any(seen.seen(" ".join(words)) for words in originals)
    assert sum(seen.seen(" ".join(changed(words, random, 6))) for words in originals) >= 98


def test_case_punctuation_and_spaces_make_no_other_document():
    seen = NearDuplicates()
    assert not seen.seen("The patient is well, and goes home.")
    assert seen.seen("the  PATIENT is well\n\nand goes home")


def test_documents_of_half_the_same_text_are_both_kept():
    random = np.random.default_rng(0)
    shared, seen = document(random, 100), NearDuplicates()
    assert not seen.seen(" ".join(shared + document(random, 100)))
    assert not seen.seen(" ".join(shared + document(random, 100)))


def test_the_threshold_decides():
    random = np.random.default_rng(1)
    words = document(random)
    other = " ".join(changed(words, random, 30))  # 34 of 196 shingles are new: a likeness of about 0.7
    for threshold, found in ((0.5, True), (0.95, False)):
        seen = NearDuplicates(threshold=threshold)
        seen.seen(" ".join(words))
        assert seen.seen(other) is found


def test_documents_shorter_than_a_shingle_are_compared_whole():
    seen = NearDuplicates()
    assert [seen.seen(text) for text in ("Seizure.", "Ataxia.", "seizure", "ataxia of gait")] == [False, False, True, False]


def test_every_planted_copy_is_found_among_two_thousand():
    random = np.random.default_rng(2)
    seen = NearDuplicates()
    originals = [document(random, 60) for _ in range(1000)]
    assert sum(seen.seen(" ".join(words)) for words in originals) == 0
    assert sum(seen.seen(" ".join([*words[:-1], "end"])) for words in originals) >= 990  # a likeness of 0.96


@pytest.mark.parametrize("wrong", [{"threshold": 0.0}, {"threshold": 1.2}, {"permutations": 4}, {"shingle": 0}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"near-duplicates, fields threshold, permutations, shingle: found"):
        NearDuplicates(**wrong)
