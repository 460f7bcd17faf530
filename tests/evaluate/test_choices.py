"""Likelihoods of given answers in words alone, and the bridge without any modality."""

import pytest
import torch

from bridge.bundle import load, save
from bridge.evaluate.likelihood import choice_log_likelihoods, token_nll
from bridge.language.prompts import SYSTEM, WORDS_ALONE
from bridge.model import SemanticBridge
from bridge.report.generation.generate import generate

QUESTIONS = ["Is the gene expressed in the thalamus?", "Which region is highest?"]
CHOICES = [["yes", "no"], ["the left thalamus", "the right caudate nucleus", "none"]]


@pytest.fixture
def bridge(language):
    return SemanticBridge.text_only(language).eval()


@pytest.mark.parametrize("row_tokens", [1, 1024])
def test_choices_behind_one_question_are_as_likely_as_each_behind_a_question_of_its_own(bridge, row_tokens):
    together = choice_log_likelihoods(bridge, QUESTIONS, CHOICES, row_tokens=row_tokens)
    for question, choices, found in zip(QUESTIONS, CHOICES, together, strict=True):
        alone = [-float(token_nll(bridge, {}, [bridge.prompt.example(question, choice)])[0].sum()) for choice in choices]
        assert found == pytest.approx(alone, abs=1e-4)


def test_a_question_without_choices_is_refused(bridge):
    with pytest.raises(ValueError, match="'Is it\\?' has none, expected at least one"):
        choice_log_likelihoods(bridge, ["Is it?"], [[]])
    assert choice_log_likelihoods(bridge, [], []) == []


def test_a_bridge_in_words_alone_writes_and_has_an_opening_of_its_own(bridge):
    assert len(generate(bridge, {}, QUESTIONS, max_new_tokens=4)) == 2
    assert bridge.prompt.system == WORDS_ALONE != SYSTEM


def test_a_bridge_in_words_alone_is_saved_and_loaded(bridge, language, tmp_path):
    save(bridge, tmp_path / "bundle")
    again = load(tmp_path / "bundle", language=language)
    with torch.no_grad():
        first, second = (choice_log_likelihoods(each, QUESTIONS, CHOICES) for each in (bridge, again))
    assert first == second
