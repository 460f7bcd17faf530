"""The probe finds a planted signal, nothing where there is none, and learns from the training rows alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from bridge.evaluate.probe import Rows, macro_f1, majority, pair_scores, probe, probe_scores, target_of, vector_rows, word_rows

N, WIDTH = 400, 24
ROWS = Rows(np.arange(0, 240), np.arange(240, 300), np.arange(300, N))
KINDS = ("class", "number")


@pytest.fixture
def planted():
    """Four classes, and a number, in two directions of otherwise random vectors."""
    random = np.random.default_rng(0)
    classes = random.integers(4, size=N)
    number = random.normal(size=N)
    vectors = random.normal(size=(N, WIDTH))
    vectors[:, :4] += 3 * np.eye(4)[classes]
    vectors[:, 5] += 2 * number
    return vectors, {"class": pd.Series([f"c{each}" for each in classes]), "number": pd.Series(number)}


def scored(vectors, column, seed=0):
    target = target_of(column)
    said = probe(vector_rows(vectors, ROWS.train), target, ROWS)
    return {score.metric: score for score in probe_scores(said, target, ROWS.test, ROWS.test, resamples=200, seed=seed)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_signal_is_found(kind, planted):
    vectors, columns = planted
    for score in scored(vectors, columns[kind]).values():
        assert score.low > 0.75
        assert score.low < score.value < score.high


@pytest.mark.parametrize("kind", KINDS)
def test_shuffled_labels_are_at_chance(kind, planted):
    vectors, columns = planted
    orders = [columns[kind].sample(frac=1, random_state=seed).reset_index(drop=True) for seed in range(8)]
    found = [next(iter(scored(vectors, order).values())).value for order in orders]
    assert abs(np.mean(found) - (0.25 if kind == "class" else 0.5)) < 0.06  # 8 draws of 100 samples: a standard error of 0.015 to 0.02


def test_words_are_probed_as_vectors_are_and_unknown_words_are_ignored(planted):
    labels = planted[1]["class"]
    texts = [f"note {row} of ward {label}" for row, label in enumerate(labels)]
    words = word_rows(texts, ROWS.train)
    assert words.shape[0] == N
    assert not any(str(row) in word_rows_vocabulary(texts) for row in ROWS.test)
    assert (probe(words, target_of(labels), ROWS) == labels[ROWS.test]).all()


def word_rows_vocabulary(texts):
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer().fit([texts[row] for row in ROWS.train]).vocabulary_


def test_the_labels_of_test_rows_are_not_looked_at(planted):
    vectors, columns = planted
    changed = columns["class"].copy()
    changed[ROWS.test] = "c9"
    said = [probe(vector_rows(vectors, ROWS.train), target_of(column), ROWS) for column in (columns["class"], changed)]
    np.testing.assert_array_equal(*said)
    moved = vectors.copy()
    moved[ROWS.test] += 100
    np.testing.assert_array_equal(vector_rows(vectors, ROWS.train)[ROWS.train], vector_rows(moved, ROWS.train)[ROWS.train])


def test_the_penalty_is_chosen_on_validation(planted):
    """Where validation labels contradict training, only the strongest penalty is not punished, whatever test says."""
    random = np.random.default_rng(2)
    vectors, number = random.normal(size=(N, 200)), random.normal(size=N)
    noise, signal = pd.Series(number), pd.Series(vectors[:, 0] * 3)
    alone = np.std(probe(vector_rows(vectors, ROWS.train), target_of(noise), ROWS).astype(float))
    told = np.std(probe(vector_rows(vectors, ROWS.train), target_of(signal), ROWS).astype(float))
    assert alone < 0.5 * noise.std()
    assert told > 0.9 * signal.std()


def test_the_majority_is_the_commonest_class_of_training_or_its_mean():
    column = pd.Series(["a"] * 150 + ["b"] * 90 + ["b"] * (N - 240))
    assert set(majority(target_of(column), ROWS)) == {"a"}
    numbers = pd.Series(np.arange(N, dtype=float))
    np.testing.assert_allclose(majority(target_of(numbers), ROWS), np.arange(240).mean())
    target = target_of(column)
    accuracy = probe_scores(majority(target, ROWS), target, ROWS.test, ROWS.test, resamples=50)[0]
    assert (accuracy.value, accuracy.low, accuracy.high) == (0.0, 0.0, 0.0)


def test_macro_f1_is_that_of_scikit_learn_over_classes_of_the_truth():
    random = np.random.default_rng(3)
    truth, said = random.integers(5, size=60), random.integers(7, size=60)
    expected = f1_score(truth, said, labels=np.unique(truth), average="macro", zero_division=0)
    assert macro_f1(truth, said) == pytest.approx(expected, abs=1e-12)
    assert macro_f1(truth[:0], said[:0]) is None


def test_numbers_of_two_values_and_text_are_classes_and_gaps_are_not_known():
    assert target_of(pd.Series([0, 1, 0])).classes
    assert not target_of(pd.Series([0.0, 1.0, 2.0])).classes
    found = target_of(pd.Series(["a", "", " ", None, "b"]))
    assert found.known.tolist() == [True, False, False, False, True]
    assert target_of(pd.Series([1.0, np.nan, 2.0, 3.0])).known.tolist() == [True, False, True, True]


def test_groups_widen_the_interval(planted):
    vectors, columns = planted
    target = target_of(columns["class"])
    said = probe(vector_rows(vectors, ROWS.train), target, ROWS)
    right = (said == target.values[ROWS.test]).astype(int)
    width = [np.subtract(*[score[3], score[2]]) for score in (probe_scores(said, target, ROWS.test, groups)[0] for groups in (ROWS.test, right))]
    assert width[1] > 2 * width[0]


def test_empty_splits_and_a_single_class_are_refused(planted):
    target = target_of(planted[1]["class"])
    with pytest.raises(ValueError, match="no sample with a vector and a label is in validation"):
        probe(planted[0], target, ROWS._replace(validation=ROWS.validation[:0]))
    with pytest.raises(ValueError, match="all training samples are 'a', expected two classes"):
        probe(planted[0], target_of(pd.Series(["a"] * N)), ROWS)


def test_pairs_are_scored_with_intervals_over_groups():
    similarity, target = np.eye(20)[:, ::-1].copy(), np.arange(20)[::-1].copy()
    found = {score.metric: score for score in pair_scores(similarity, target, np.arange(20), resamples=50)}
    assert [found[name].value for name in ("r1", "r5", "r10", "mrr")] == [1.0] * 4
    assert (found["mrr"].low, found["mrr"].high) == (1.0, 1.0)
    wrong = pair_scores(similarity, target[::-1].copy(), np.arange(20), resamples=50)
    assert wrong[0].value == 0
