"""Test items of benchmarks are found in training text, and what all questions share is not taken for one."""

import json

import pytest

from bridge.corpora.contamination import Item, TestItems, read_items

QUESTION = "A 34 year old woman has recurrent focal seizures since childhood and a new variant of unknown meaning in the gene SCN1A"
WORDS = QUESTION.split()


def items(*texts, ngram=13):
    return TestItems([Item(f"item-{number}", f"group-{number}", text) for number, text in enumerate(texts)], ngram)


def test_thirteen_words_in_a_row_are_found_whatever_their_case_and_punctuation():
    known = items("Another question of which nothing stands anywhere in the text, not even a single piece of it", QUESTION)
    assert known.found_in(f"Some text before. {', '.join(WORDS[5:18]).upper()}! And some behind.") == "item-1"


def test_twelve_words_in_a_row_are_not_enough_unless_it_is_said():
    text = f"Before it. {' '.join(WORDS[5:17])} otherwise."
    assert items(QUESTION).found_in(text) is None
    assert items(QUESTION, ngram=12).found_in(text) == "item-0"


def test_a_shorter_item_is_found_as_a_whole():
    known = items("Does valproate raise lamotrigine levels?")
    assert known.found_in("We asked: does valproate raise lamotrigine levels? It does.") == "item-0"
    assert known.found_in("We asked: does valproate raise lamotrigine?") is None


def test_an_item_of_very_few_words_has_to_be_the_document():
    known = items("Focal seizure")
    assert known.found_in("focal seizure.") == "item-0"
    assert known.found_in("She had a focal seizure.") is None


def test_wording_that_the_items_of_many_groups_share_is_not_content():
    frame = "Answer the question below with one of the given letters and with nothing else at all please"
    known = items(*(f"{frame}. Question {number}: what is number {number} times {number} in words of this and no other language?" for number in range(12)))
    assert known.found_in(f"A manual says: {frame}") is None
    assert known.found_in("question 7: what is number 7 times 7 in words of this and no other language") == "item-7"


def test_a_passage_that_many_questions_of_one_group_share_is_content():
    known = TestItems([Item(f"q{number}", "note-1", f"{QUESTION}. Question {number}?") for number in range(40)])
    assert known.found_in(QUESTION) == "q0"


def test_without_items_nothing_is_contaminated():
    assert TestItems().found_in(QUESTION) is None


def test_instructions_of_the_split_test_are_items_with_their_long_answers(tmp_path):
    path = tmp_path / "bench.jsonl"
    rows = [
        {"id": "a", "question": "Which one?", "answer": "yes", "split": "test", "group": "g"},
        {"id": "b", "question": "Summarise.", "answer": QUESTION, "split": "test"},
        {"id": "c", "question": "Not a test item.", "answer": "no", "split": "train"},
        {"question": "Without a split?"},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = list(read_items(path))
    assert found == [("a", "g", "Which one?"), ("b", "b", "Summarise."), ("b", "b", QUESTION), ("bench.jsonl:4", "bench.jsonl:4", "Without a split?")]


def test_lines_of_a_text_file_are_items(tmp_path):
    (tmp_path / "bench.txt").write_text("First item.\n\nSecond item.\n")
    assert [item.text for item in read_items(tmp_path / "bench.txt")] == ["First item.", "Second item."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"question": "a"', "line 1: found .* expected one JSON object"),
        ('{"text": "a"}', r"line 1, field question: found \['text'\]"),
        ('{"question": "a", "answer": 3}', "line 1, field question"),
        ('{"question": "a", "split": "train"}', "field split: found no item of the split 'test'"),
    ],
)
def test_a_file_without_items_is_refused(tmp_path, text, message):
    (tmp_path / "bench.jsonl").write_text(text)
    with pytest.raises(ValueError, match=message):
        list(read_items(tmp_path / "bench.jsonl"))


def test_very_short_runs_are_refused():
    with pytest.raises(ValueError, match=r"field ngram: found 3, expected at least 5"):
        TestItems(ngram=3)
