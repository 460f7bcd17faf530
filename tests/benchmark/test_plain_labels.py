"""Labels asked of an LLM: what is written of a sample, which answers are weighed, and that their likelihoods are the LLM's own."""

import numpy as np
import pytest
import torch

from bridge.benchmark import plain_labels
from bridge.benchmark.plain_labels import PlainText, answer_likelihoods, answers_of, asked, written
from bridge.benchmark.predictors import Label
from bridge.data.batch import IGNORE
from bridge.language.prompts import Prompt

SEX = Label("sex", np.array([0.0, 1, 0, 1, 1, 0]), ("man", "woman"))
AGE = Label("age", np.array([20.0, 30, 40, 50, 60, 70.4]))
NAMES = ("lh_G_cuneus_thickness", "Right-Hippocampus", "CSF")


def test_the_most_unusual_features_are_written_with_their_place_in_training(monkeypatch):
    monkeypatch.setattr(plain_labels, "WRITTEN", 2)
    values = np.array([[1.0, 10, 5], [3, 10, 7], [2, 10, np.nan], [4, 10, 3.0], [2, 12, 5.5]])
    first, second = written(values, NAMES, np.array([0, 1, 2]), np.array([3, 4]))
    assert first == "Measurements of one person, in standard deviations from the average: CSF -3.0, left G cuneus thickness +2.4."
    # What never varies in training has no place in it, and a sample is not told of what it lacks.
    assert second == "Measurements of one person, in standard deviations from the average: CSF -0.5, left G cuneus thickness +0.0."


def test_a_missing_feature_is_not_written():
    (text,) = written(np.array([[1.0, 1], [3, 3], [np.nan, 5]]), ("a", "b"), np.array([0, 1]), np.array([2]))
    assert text.endswith("average: b +3.0.")


def test_the_answers_are_both_classes_or_numbers_of_the_training_rows():
    assert answers_of(SEX, np.array([0, 1])) == {"man": 0.0, "woman": 1.0}
    found = answers_of(AGE, np.arange(6))
    assert all(float(said) == value and 20 <= value <= 70 for said, value in found.items())
    assert list(found) == ["23", "28", "34", "39", "45", "51", "56", "62", "68"]
    assert answers_of(AGE, np.array([2])) == {"40": 40.0}
    assert asked(SEX) == "What is the sex? Answer man or woman."
    assert asked(AGE) == "What is the age? Answer with a number."


@pytest.mark.parametrize("form", ["llama-2", "chatml"])
def test_an_answer_is_as_likely_as_the_llm_finds_it_when_it_reads_all_of_it_alone(form, tiny_llm):
    """Parity with one pass per answer, without cache or padding; float32 sums in another order, hence the tolerance."""
    from bridge.language.llm import load_llm

    language = load_llm(tiny_llm(form))
    prompt, answers = Prompt(language.tokenizer), ["man", "a woman of 40 years", "7"]
    found = answer_likelihoods(language, prompt, "What is the sex?", answers)
    for answer, likelihood in zip(answers, found, strict=True):
        turn = prompt.example("What is the sex?", answer)
        ids = torch.tensor([[*prompt.opening, *turn.ids]])
        with torch.inference_mode():
            logits = language.model(input_ids=ids).logits[0].log_softmax(dim=-1)
        count = sum(label != IGNORE for label in turn.labels)
        expected = logits[-count - 1 : -1].gather(-1, ids[0, -count:].unsqueeze(-1)).sum()
        assert likelihood == pytest.approx(float(expected), abs=1e-4)


def test_a_score_is_the_mean_of_the_answers_by_their_likelihood(language, monkeypatch):
    values = np.random.default_rng(0).normal(size=(6, 3))
    seen = []

    def likelihoods(_, __, question, answers):
        seen.append(question)
        return np.log(np.arange(1, len(answers) + 1.0))

    monkeypatch.setattr(plain_labels, "answer_likelihoods", likelihoods)
    train, test = np.array([0, 1, 2, 3]), np.array([5, 4])
    found = PlainText(language, values, NAMES, [SEX, AGE])(train, test)
    assert found["sex"] == pytest.approx([2 / 3, 2 / 3])
    numbers = list(answers_of(AGE, train).values())
    assert found["age"] == pytest.approx([np.average(numbers, weights=np.arange(1, len(numbers) + 1))] * 2)
    assert seen[0] == f"{written(values, NAMES, train, test)[0]}\nWhat is the sex? Answer man or woman."


def test_labels_and_features_of_other_held_out_samples_change_nothing(language):
    values = np.random.default_rng(0).normal(size=(6, 3))
    train, test = np.array([0, 1, 2, 3]), np.array([4])
    changed = values.copy()
    changed[5] = 9
    other = Label("age", np.where(np.arange(6) > 3, 99, AGE.values))
    np.testing.assert_array_equal(
        PlainText(language, values, NAMES, [AGE])(train, test)["age"], PlainText(language, changed, NAMES, [other])(train, test)["age"]
    )
