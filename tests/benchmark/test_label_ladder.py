"""The ladder of a label: rungs in order, each step on the samples that both rungs scored, and a verdict on the same samples."""

import numpy as np
import pytest

from bridge.benchmark.label_ladder import put_ladder
from bridge.benchmark.predictors import Label
from bridge.benchmark.results import Record

N = 60
GROUPS, FOLDS = np.arange(N) % 6, np.arange(N) % 6 // 2
LABELS = {"sex": Label("sex", (np.arange(N) % 7 < 3).astype(float), ("man", "woman")), "age": Label("age", 20.0 + np.arange(N) % 23)}


@pytest.fixture
def record(tmp_path):
    return Record("subjects", tmp_path, seed=0)


def ladder(record, label, **scores):
    """Scores of methods by their names with spaces; of plain text the first half is known."""
    named = {name.replace("_", " "): score for name, score in scores.items()}
    put_ladder(record, "here", named, label, GROUPS, FOLDS, tolerance=1.0, p={"cca": 0.25})
    return {part.heading: part.table[1] for part in record.parts if part.table}


def half(score):
    return np.where(np.arange(N) < N // 2, score, np.nan)


@pytest.mark.parametrize("name", ["sex", "age"])
def test_a_step_is_taken_on_the_samples_that_both_rungs_scored(name, record):
    label = LABELS[name]
    truth = label.values
    tables = ladder(record, label, bridge=truth, plain_text=half(-truth), cca=truth, chance=np.zeros(N))
    assert [line[:3] for line in tables["Ladder: here"]] == [
        ("cca over chance", "60", "+0.500"),
        ("plain text over cca", "30", "-1.000"),
        ("bridge over plain text", "30", "+1.000"),
    ]
    assert {row.method: row.n for row in record.rows} == {"chance": 60, "cca": 60, "plain text": 30, "bridge": 60}
    assert {(row.method, row.metric.split("_")[0]) for row in record.rows if row.p == 0.25} == {("cca", "auroc" if label.classes else "concordance")}


def test_errors_are_in_the_units_of_the_label_and_say_of_how_many_samples(record):
    age = LABELS["age"]
    tables = ladder(record, age, ridge=age.values + 2, plain_text=half(age.values - 4))
    assert [line[:3] for line in tables["Errors: here"]] == [("ridge", "60", "2.00"), ("plain text", "30", "4.00")]
    near = {row.method: row.value for row in record.rows if row.metric == "within_1"}
    assert near == {"ridge": 0, "plain text": 0}


def test_the_verdict_is_against_the_best_baseline_even_where_that_scored_fewer_samples(record):
    truth = LABELS["age"].values
    ladder(record, LABELS["age"], ridge=-truth, plain_text=half(truth), bridge=np.zeros(N))
    (verdict,) = [part.words for part in record.parts if part.heading == "Verdict"]
    assert "bridge justified on this data: no; worse than the best baseline (plain text) by -0.500" in verdict
    assert "n = 30" in verdict


def test_a_few_samples_without_a_pair_leave_a_step_undefined(record):
    alone = LABELS["sex"]
    tables = ladder(record, alone, ridge=alone.values, plain_text=np.where(np.arange(N) == 0, 1.0, np.nan))
    assert tables["Ladder: here"] == (("plain text over ridge", "1", "undefined", "undefined"),)
