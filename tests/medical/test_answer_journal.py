"""Answers are kept: a stopped run asks only what it had not asked, and a change of the model asks everything anew."""

import pytest

from bridge.medical import journal
from bridge.medical.journal import Journal


class Counting:
    name = "counting"

    def __init__(self, stop_at=None):
        self.asked, self.stop_at = [], stop_at

    def generate(self, questions, *, max_new_tokens):
        if self.stop_at is not None and len(self.asked) >= self.stop_at:
            raise KeyboardInterrupt
        self.asked += questions
        return [f"{question} {max_new_tokens}" for question in questions]

    def log_likelihoods(self, questions, choices):
        self.asked += questions
        return [[float(len(choice)) for choice in each] for each in choices]


@pytest.fixture(autouse=True)
def two_at_once(monkeypatch):
    monkeypatch.setattr(journal, "AT_ONCE", 2)


QUESTIONS = ["a", "b", "c", "a", "d"]


def test_a_stopped_run_asks_only_what_is_left(tmp_path):
    path = tmp_path / "run" / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        Journal(Counting(stop_at=2), "model", path).generate(QUESTIONS, max_new_tokens=8)
    second = Counting()
    assert Journal(second, "model", path).generate(QUESTIONS, max_new_tokens=8) == ["a 8", "b 8", "c 8", "a 8", "d 8"]
    assert second.asked == ["c", "d"]


def test_another_model_another_limit_and_other_choices_are_asked_anew(tmp_path):
    path = tmp_path / "answers.jsonl"
    Journal(Counting(), "model", path).generate(["a"], max_new_tokens=8)
    for identity, limit in (("other", 8), ("model", 9)):
        asks = Counting()
        assert Journal(asks, identity, path).generate(["a"], max_new_tokens=limit) == [f"a {limit}"]
        assert asks.asked == ["a"]
    asks = Counting()
    likely = Journal(asks, "model", path)
    assert likely.log_likelihoods(["a", "a"], [["x"], ["x", "yy"]]) == [[1.0], [1.0, 2.0]]
    assert likely.log_likelihoods(["a"], [["x"]]) == [[1.0]]
    assert asks.asked == ["a", "a"]


def test_a_line_that_was_cut_off_is_asked_again(tmp_path):
    path = tmp_path / "answers.jsonl"
    Journal(Counting(), "model", path).generate(["a", "b"], max_new_tokens=8)
    path.write_bytes(path.read_bytes()[:-5])
    asks = Counting()
    assert Journal(asks, "model", path).generate(["a", "b"], max_new_tokens=8) == ["a 8", "b 8"]
    assert asks.asked == ["b"]
    assert Journal(Counting(stop_at=0), "model", path).generate(["a", "b"], max_new_tokens=8) == ["a 8", "b 8"]
