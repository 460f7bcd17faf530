"""``bridge ask`` as a user types it: questions behind the bundle or on standard input, answers as text or as JSON lines, and every refusal in a line."""

import io
import json
import sys

import pytest
from injections import INJECTIONS
from tiny_study import save_bundle
from typed_command import typed

from bridge.commands import ask as command
from bridge.report.questions.answer import Answer

HIGHEST, PRESSURE = "Which regions are highest?", "What is the blood pressure?"


@pytest.fixture(scope="module")
def bundle(tiny_llm, tmp_path_factory):
    return save_bundle(tmp_path_factory.mktemp("bundles") / "bundle", tiny_llm("chatml"))


@pytest.fixture
def ask(bundle, tiny_cohort_file, capsys):
    """``ask(*words)``: questions about a sample of both modalities."""
    return lambda *words: typed(capsys, ["ask", str(bundle), "--cohort", str(tiny_cohort_file), "--sample", "sample-30", "--max-new-tokens", "4", *words])


def test_several_questions_are_answered_in_their_order_as_text_and_as_json_lines(ask):
    status, said, complained = ask(HIGHEST, PRESSURE, "Is the left insula reduced?")
    assert status == 0, complained
    places = [
        said.index(text) for text in (f"**{HIGHEST}**", "- measured: ", f"**{PRESSURE}**", "Not in the input: no input tells of 'blood'", "left insula red")
    ]
    assert places == sorted(places)
    status, said, _ = ask(HIGHEST, PRESSURE, "--format", "json")
    answers = [Answer.model_validate_json(line) for line in said.splitlines()]
    assert (status, [answer.question for answer in answers]) == (0, [HIGHEST, PRESSURE])
    assert [bool(answer.not_in_input) for answer in answers] == [False, True]
    assert {file.modality for file in answers[0].provenance.inputs} == {"gene", "brain"}


def test_without_questions_they_are_read_line_by_line_to_the_end(ask, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PRESSURE}\n\n   \nHow old is the patient?\n"))
    status, said, _ = ask("--format", "json")
    assert (status, [json.loads(line)["question"] for line in said.splitlines()]) == (0, [PRESSURE, "How old is the patient?"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    status, _, complained = ask()
    assert (status, len(complained.splitlines()[-1:])) == (2, 1)
    assert "ask: found no question" in complained


def test_who_types_is_asked_for_each_question_until_an_empty_line(ask, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(f"{PRESSURE}\n\nWhat is the weight?\n"))
    status, said, _ = ask()
    assert (status, said.count("question> "), said.count("Not in the input")) == (0, 2, 1)


@pytest.mark.parametrize("question", ["Is the right hippocampus reduced?", "Is the left inzula reduced?", "?!", "x" * 500])
def test_what_the_input_does_not_tell_is_answered_so_without_the_model(ask, monkeypatch, question):
    monkeypatch.setattr("bridge.report.generation.prefix_cache.PrefixCache.answers", lambda *_, **__: pytest.fail("the model was asked"))
    status, said, complained = ask(question)
    assert status == 0, complained
    assert "Not in the input: " in said


def test_orders_in_a_question_are_text_and_no_control_character_comes_out(ask):
    status, said, complained = ask(*INJECTIONS[::7])
    assert status == 0, complained
    assert not any(sign in said for sign in ("<script", "<|im", "\x1b", "\u202e", "\x0b"))
    assert said.count("Not in the input") + said.count("No answer that stands") + said.count("- ") >= len(INJECTIONS[::7])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([""], "field questions: found an empty one"),
        ([HIGHEST, " \n "], "field questions: found an empty one"),
        ([f"{HIGHEST} " * 400], "question: found "),
        (["x" * 10_000], "question: found "),
        (["highest \udcff?"], "field questions: found bytes that are no text in UTF-8"),
        ([HIGHEST, "--format", "html"], "format: found html, expected one of 'markdown', 'json'"),
        ([HIGHEST, "--use", "heart"], "field use: sample 'sample-30' has no"),
        ([HIGHEST, "--max-new-tokens", "0"], "field max_new_tokens: found 0"),
        ([HIGHEST, "--what", "is it?"], "unrecognized arguments: --what"),
        ([HIGHEST, "--withhold-gene"], "field withhold_gene: is of a patient"),
    ],
)
def test_a_mistake_is_told_in_a_line_or_two(ask, words, told):
    status, said, complained = ask(*words)
    error = complained[complained.index("bridge ask: error: ") :]  # what stands before it is progress
    assert (status, said) == (2, "")
    assert told in error
    assert len(error.splitlines()) <= 2


def test_questions_that_begin_like_options_stand_behind_two_dashes():
    assert command.put_questions(["B", "--sample", "S", "--", "--what is it?", "x"])[-1] == '--questions=["--what is it?", "x"]'
