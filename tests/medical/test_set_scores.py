"""Figures of a set of answers: against scikit-learn, by hand, and undefined where they are."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import f1_score

from bridge.instructions.item import Instruction
from bridge.medical.asking import asked
from bridge.medical.scores import difference, figure, interval, paired_p, scored

CLASSES = ("mechanism", "effect", "false")


def item(number, answer, judged="choice", choices=CLASSES, **fields):
    question = asked(f"What is {number}?", judged, choices)
    return Instruction(f"i{number}", fields.pop("family", "classification"), "made-up", question, answer, judged, choices, **fields)


def answers(truth, said):
    return [scored(item(number, right, group=f"g{number // 2}"), text) for number, (right, text) in enumerate(zip(truth, said, strict=True))]


@pytest.fixture
def noisy():
    """60 answers, two thirds of them right, in 30 groups."""
    random = np.random.default_rng(0)
    truth = random.choice(CLASSES, size=60)
    said = [right if random.random() < 2 / 3 else str(random.choice(CLASSES)) for right in truth]
    return [str(right) for right in truth], said


def test_macro_and_relation_f1_are_those_of_scikit_learn(noisy):
    truth, said = noisy
    found = answers(truth, said)
    assert figure(found, "macro_f1") == pytest.approx(f1_score(truth, said, average="macro"))
    assert figure(found, "relation_f1", negative="false") == pytest.approx(f1_score(truth, said, labels=["mechanism", "effect"], average="micro"))
    assert figure(found, "accuracy") == pytest.approx(np.mean(np.array(truth) == np.array(said)))


def test_an_unread_answer_is_wrong_and_counted(noisy):
    found = answers(["effect", "effect"], ["effect", "no idea"])
    assert (figure(found, "accuracy"), figure(found, "unparsed")) == (0.5, 0.5)
    assert figure(found, "macro_f1") == pytest.approx(2 / 3)


def test_a_class_that_the_truth_lacks_is_left_out_of_the_macro_mean():
    found = answers(["effect", "effect", "false"], ["effect", "mechanism", "false"])
    assert figure(found, "macro_f1") == pytest.approx((2 / 3 + 1) / 2)
    assert figure([], "macro_f1") is None
    assert figure([], "accuracy") is None
    assert figure(answers(["false"], ["false"]), "relation_f1", negative="false") is None


def test_items_are_counted_over_the_whole_set():
    one = item(0, "disease: a; disease: b", "items", ())
    two = item(1, "none", "items", ())
    found = [scored(one, "disease: a; disease: c"), scored(two, "disease: d")]
    assert figure(found, "f1") == pytest.approx(2 * 1 / (3 + 2))
    assert [each.score for each in found] == [0.5, 0.0]
    assert figure([scored(two, "none")], "f1") is None


def test_labels_are_scored_for_each_label():
    labels = ("inducing angiogenesis", "cellular energetics")
    found = [scored(item(0, "; ".join(labels), "labels", labels), labels[0]), scored(item(1, labels[0], "labels", labels), labels[0])]
    assert figure(found, "macro_f1") == pytest.approx(0.5)
    assert figure(found, "micro_f1") == pytest.approx(2 * 2 / (2 + 3))
    assert figure(found, "exact") == 0.5


@pytest.mark.parametrize(
    ("answer", "token_f1", "exact"), [("25 mg", 1.0, 1.0), ("25 mg daily", 1.0, 1.0), ("25 mg twice daily", 6 / 7, 0.0), ("no dose", 0.0, 0.0), ("", 0.0, 0.0)]
)
def test_the_accepted_answer_that_fits_best_counts(answer, token_f1, exact):
    dose = item(0, "25 mg", "text", ("25 mg", "25 mg daily"))
    judged = scored(dose, answer)
    assert judged.means == pytest.approx({"token_f1": token_f1, "exact_match": exact, "unparsed": float(answer == "")})


def test_summaries_are_scored_by_rouge():
    summary = item(0, "No acute process in the chest.", "text", (), family="summarisation")
    judged = scored(summary, "no acute disease")
    assert judged.means == pytest.approx({"rougeL": 4 / 9, "rouge1": 4 / 9, "rouge2": 2 / 7, "unparsed": 0.0})
    assert judged.score == pytest.approx(4 / 9)
    assert scored(summary, "").means == {"rougeL": 0.0, "rouge1": 0.0, "rouge2": 0.0, "unparsed": 1.0}
    assert scored(summary, summary.answer).score == 1.0


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "relation_f1"])
def test_intervals_hold_the_figure_and_differences_are_paired(noisy, metric):
    truth, said = noisy
    ours, base = answers(truth, said), answers(truth, ["false"] * len(truth))
    value, low, high = interval(ours, metric, negative="false", resamples=200)
    assert low < value < high
    change = difference(ours, base, metric, negative="false", resamples=200)
    assert 0 < change.low < change.value < change.high if metric != "relation_f1" else change.low > 0
    assert difference(ours, ours, metric, negative="false", resamples=50) == (0.0, 0.0, 0.0)
    assert paired_p(ours, base) < 0.05


def test_one_group_has_no_interval_and_few_have_no_p():
    found = [scored(item(number, "false", group="one"), "false") for number in range(4)]
    assert interval(found, "macro_f1")[1:] == (None, None)
    assert interval(found, "accuracy")[1:] == (None, None)
    assert paired_p(found, [scored(each.item, "effect") for each in found]) is None


def test_other_items_are_not_compared(noisy):
    found = answers(*noisy)
    with pytest.raises(ValueError, match="answered other items"):
        difference(found, found[1:], "accuracy")


def test_a_line_of_an_item_has_its_hash_and_no_question():
    one = scored(item(0, "effect", group="patient-4711"), "Effect.")
    assert one.line() == {"id": "i0", "question": one.line()["question"], "answer": "Effect.", "parsed": ["effect"], "correct": True, "score": 1.0}
    assert len(one.line()["question"]) == 16
    other = dataclasses.replace(one.item, question=one.item.question + " ")
    assert scored(other, "Effect.").line()["question"] != one.line()["question"]
