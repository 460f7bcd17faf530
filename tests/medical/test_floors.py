"""Floors: the commonest answer has its known value on the published sets, and TF-IDF learns from training alone."""

import functools

import pytest

from bridge.medical import floors
from bridge.medical.ask import judged_answers
from bridge.medical.benchmarks import BENCHMARKS, splits
from bridge.medical.floors import bodies, can_learn, majority, tfidf
from bridge.medical.scores import figure
from bridge.settings import DATA, data_root

REAL = data_root() / "medical"


@functools.cache
def real(name):
    folder = REAL / BENCHMARKS[name].folder
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; set {DATA} to the benchmark data")
    return splits(name, folder)


@pytest.mark.parametrize(("name", "answer", "accuracy"), [("pubmedqa", "yes", 0.552), ("medqa", "(B)", 0.218), ("medmcqa", "(A)", 0.322)])
def test_the_commonest_answer_has_its_known_value(name, answer, accuracy):
    found = real(name)
    answers = majority(found["train"], found["test"])
    assert set(answers) == {answer}
    judged = judged_answers(found["test"], answers)
    assert figure(judged, "accuracy") == pytest.approx(accuracy, abs=0.0005)
    assert figure(judged, "unparsed") == 0.0


@pytest.mark.parametrize(("name", "size"), [("pubmedqa", 500), ("medqa", 1273), ("hoc", 315), ("ncbi-disease", 940)])
def test_the_published_sets_are_whole_and_true_answers_score_one(name, size):
    items = real(name)["test"]
    judged = judged_answers(items, [item.answer for item in items])
    assert len(items) == size
    assert figure(judged, BENCHMARKS[name].metrics[0]) == 1.0


@pytest.mark.parametrize(("name", "answer"), [("ddi-2013", "false"), ("hoc", "cellular energetics"), ("bc5cdr", "chemical: Aspirin"), ("emrqa", "")])
def test_the_commonest_answer_is_that_of_training(name, answer, folder_of):
    found = splits(name, folder_of(name))
    assert majority(found["train"], found["test"]) == [answer] * len(found["test"])


def test_words_in_every_question_are_no_features(folder_of):
    items = splits("hoc", folder_of("hoc"))["test"]
    assert bodies(items) == ["Abstract: Vessels sprout. 0", "Abstract: Vessels sprout. Glucose burns."]


def test_tfidf_learns_labels_and_choices(folder_of):
    labels = splits("hoc", folder_of("hoc"))
    answers, told = tfidf(labels["train"], labels["test"])
    assert answers[0] == "inducing angiogenesis"
    assert told.startswith("word 1-")
    pairs = splits("ddi-2013", folder_of("ddi-2013"))
    found = judged_answers(pairs["test"], tfidf(pairs["train"], pairs["test"], negative="false")[0])
    right = [one.item.answer for one in found if one.score]
    assert {"false", "effect", "mechanism"} <= set(right)
    assert tfidf(labels["train"], labels["test"]) == (answers, told)


def test_letters_of_options_are_not_learned(folder_of):
    items = splits("medqa", folder_of("medqa"))["test"]
    assert not can_learn(items)
    assert not can_learn([])
    assert can_learn(splits("mednli", folder_of("mednli"))["train"])


def test_tfidf_reaches_the_known_floor_of_hoc(monkeypatch):
    """With the setting that the choice on training falls on; that of DDI-2013 takes minutes, and its figure comes from the command."""
    monkeypatch.setattr(floors, "SETTINGS", ((1, 1.0, "balanced"),))
    found = real("hoc")
    answers, told = tfidf(found["train"], found["test"])
    assert told == "word 1-1-grams, C = 1, class weights balanced"
    assert figure(judged_answers(found["test"], answers), "macro_f1") == pytest.approx(0.8035, abs=0.02)
