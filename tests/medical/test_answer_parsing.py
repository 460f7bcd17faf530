"""Answers are read in defined forms alone: what is not one of them is no answer, and two answers are none."""

import dataclasses

import pytest

from bridge.instructions.item import Instruction
from bridge.medical.asking import asked, lettered, options_of
from bridge.medical.parse import parsed, truth
from bridge.medical.scores import scored

QUESTION, LETTERS = lettered("Which one?", ["Aspirin", "Fever of unknown origin", "Vitamin A", "A and B", "No effect"])
OPTIONS = Instruction("q", "question answering", "made-up", QUESTION, "(B)", "choice", LETTERS)
DECISIONS = ("yes", "no", "maybe")
DECISION = Instruction("d", "question answering", "made-up", asked("Does it?", "choice", DECISIONS), "no", "choice", DECISIONS)
HALLMARKS = ("inducing angiogenesis", "resisting cell death", "cellular energetics")
LABELS = Instruction("l", "classification", "made-up", asked("Which?", "labels", HALLMARKS), "inducing angiogenesis; resisting cell death", "labels", HALLMARKS)
ITEMS = Instruction("i", "entity recognition", "made-up", asked("List.", "items"), "disease: heart failure; chemical: L - dopa", "items")
NONE = dataclasses.replace(ITEMS, answer="none")

LETTERED = {
    "B": "B",
    "b": "B",
    "(B)": "B",
    "[B]": "B",
    "B.": "B",
    "B)": "B",
    "**B**": "B",
    "Answer: B": "B",
    "Answer: (B)": "B",
    "answer: b": "B",
    "ANSWER: B": "B",
    "The answer is B": "B",
    "The answer is (B).": "B",
    "The correct answer is: B. Fever of unknown origin": "B",
    "The best option is (B), since aspirin does nothing.": "B",
    "(B) Fever of unknown origin": "B",
    "B. Fever of unknown origin": "B",
    "B: it fits": "B",
    "Fever of unknown origin": "B",
    "fever of unknown origin.": "B",
    "Answer: Fever of unknown origin": "B",
    "B because it fits": "B",
    "Let us think. The answer is (B).": "B",
    "Option B.": "B",
    "Answer: B\nAnswer: B": "B",
    "A": "A",
    "Answer: A": "A",
    "Vitamin A": "C",
    "A and B": "D",
    "(D) A and B": "D",
    "": None,
    "B or C": None,
    "(A) and (B)": None,
    "Answer: A or B": None,
    "The answer is A/B": None,
    "A, B": None,
    "Answer: A. Answer: B": None,
    "The answer is not B": None,
    "I am not sure": None,
    "A patient with fever": None,
    "A. fumigatus causes it": None,
    "The answer is a matter of taste": None,
    "All of the above": None,
    "Fever": None,
    "unknown origin": None,
    "Aspirin or Fever of unknown origin": None,
    "Probably B": None,
    "(F)": None,
    "F": None,
    "E coli": None,
    "Be careful": None,
    "Both (A) and (C) are right, the answer is (A)": None,
    "No": None,
    "Answer:": None,
}

DECIDED = {
    "no": "no",
    "No.": "no",
    "NO": "no",
    "Answer: no": "no",
    "The answer is no.": "no",
    "No, there is no evidence of it.": "no",
    "no - the groups did not differ": "no",
    "No\nbecause the groups did not differ": "no",
    '"no"': "no",
    "Yes, no doubt about it": "yes",
    "maybe": "maybe",
    "Maybe. More data are needed.": "maybe",
    "not known": None,
    "None": None,
    "no effect": None,
    "No evidence of it.": None,
    "nothing": None,
    "I am not sure": None,
    "I know": None,
    "yes and no": None,
    "Yes. No.": None,
    "yes, maybe": None,
    "The answer is not yes": None,
    "Normal yesterday": None,
    "": None,
    "(B)": None,
    "unknown": None,
}

LISTED = [
    (LABELS, "inducing angiogenesis; resisting cell death", 1.0, False),
    (LABELS, "resisting cell death;inducing angiogenesis", 1.0, False),
    (LABELS, "Resisting Cell Death, Inducing angiogenesis.", 1.0, False),
    (LABELS, "- inducing angiogenesis\n- resisting cell death", 1.0, False),
    (LABELS, "Answer: inducing angiogenesis; resisting cell death", 1.0, False),
    (LABELS, "inducing angiogenesis; inducing angiogenesis", 2 / 3, False),
    (LABELS, "inducing angiogenesis; cellular energetics; resisting cell death", 4 / 5, False),
    (LABELS, "not inducing angiogenesis", 0.0, True),
    (LABELS, "angiogenesis", 0.0, True),
    (LABELS, "none", 0.0, False),
    (LABELS, "none of them", 0.0, True),
    (LABELS, "", 0.0, True),
    (ITEMS, "disease: heart failure; chemical: L-dopa", 1.0, False),
    (ITEMS, "Chemical: L - DOPA ; Disease: heart  failure", 1.0, False),
    (ITEMS, "disease: heart failure", 2 / 3, False),
    (ITEMS, "chemical: heart failure; disease: L-dopa", 0.0, False),
    (ITEMS, "disease: failure; chemical: dopa", 0.0, False),
    (ITEMS, "none", 0.0, False),
    (ITEMS, "", 0.0, True),
    (NONE, "none", 1.0, False),
    (NONE, "None.", 1.0, False),
    (NONE, "disease: fever", 0.0, False),
    (NONE, "", 0.0, True),
]


@pytest.mark.parametrize(("text", "letter"), LETTERED.items())
def test_a_letter_is_read_in_defined_forms_alone(text, letter):
    assert parsed(OPTIONS, text) == (None if letter is None else frozenset({f"({letter.lower()})"}))
    judged = scored(OPTIONS, text)
    assert (judged.score, judged.means["unparsed"]) == (float(letter == "B"), float(letter is None))


@pytest.mark.parametrize(("text", "choice"), DECIDED.items())
def test_a_named_choice_is_never_found_inside_other_words(text, choice):
    assert parsed(DECISION, text) == (None if choice is None else frozenset({choice}))
    assert scored(DECISION, text).score == float(choice == "no")


@pytest.mark.parametrize(("item", "text", "score", "unparsed"), LISTED)
def test_labels_and_items_are_sets_of_whole_names(item, text, score, unparsed):
    judged = scored(item, text)
    assert judged.score == pytest.approx(score)
    assert (judged.said is None) == unparsed


def test_a_true_answer_is_read_as_itself_whatever_stands_in_the_options():
    assert options_of(OPTIONS) == ("Aspirin", "Fever of unknown origin", "Vitamin A", "A and B", "No effect")
    for item in (OPTIONS, DECISION, LABELS, ITEMS, NONE):
        assert parsed(item, item.answer) == truth(item)


def test_options_on_one_line_are_found_as_well():
    line = "Which?\n(A) one (B) two (C) three\nAnswer with the letter in brackets."
    item = Instruction("x", "question answering", "made-up", line, "(A)", "choice", ("(A)", "(B)", "(C)"))
    assert options_of(dataclasses.replace(item, question=line.replace(" (B)", "\n(B)").replace(" (C)", "\n(C)"))) == ("one", "two", "three")
    assert options_of(item) == ("one", "two", "three")
