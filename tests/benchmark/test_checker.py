"""The checker keeps its bars on reports of known truth, and its reading of other people's wording is measured, not assumed."""

import numpy as np
import pytest

from bridge.benchmark.checker import DETECTION, FALSE_ALARM, Checker, outcomes, readings
from bridge.benchmark.checker_frames import FRAMES, PHRASES
from bridge.benchmark.checker_reports import KINDS, REGIONS, make_report, reference
from bridge.benchmark.results import Record
from bridge.report.claims.anatomy import place_of
from bridge.report.sheet import FactSheet, State

REPORTS = 1000


@pytest.fixture(scope="module")
def found():
    return outcomes(REPORTS, seed=0)


def test_errors_of_every_kind_are_found(found):
    for kind in KINDS:
        some = [outcome for outcome in found if outcome.made.error == kind]
        assert len(some) > 80
        assert np.mean([bool(outcome.struck) for outcome in some]) >= DETECTION, kind


def test_true_reports_raise_no_alarm(found):
    true = [outcome for outcome in found if outcome.made.error is None]
    assert len(true) == REPORTS // 2
    assert np.mean([bool(outcome.struck) for outcome in true]) <= FALSE_ALARM


def test_only_the_wrong_statement_of_a_report_is_struck(found):
    struck = [len(outcome.struck) for outcome in found if outcome.made.error]
    assert np.mean(np.array(struck) == 1) > 0.9


def test_the_same_seed_makes_the_same_reports_and_another_makes_others():
    first, again, other = (make_report("side", np.random.default_rng(seed)).text for seed in (3, 3, 4))
    assert first == again != other


def test_the_truth_of_a_report_is_not_the_checkers():
    """States are drawn first; the sheet has to find them again from the values."""
    made = make_report(None, np.random.default_rng(0))
    sheet = FactSheet(made.subject, reference())
    z = np.concatenate([regions.values for regions in made.subject.regions.values()])
    expected = np.select([z >= 2, z <= -2, np.abs(z) < 1], [State.UP, State.DOWN, State.WITHIN], State.INDETERMINATE)
    assert [fact.state.value for fact in sheet.facts] == expected.tolist()


def test_paraphrases_are_read_without_tuning_them():
    found = readings(3 * len(FRAMES), seed=0)
    right = sum(len(reading.said & reading.read) for reading in found)
    assert 0.75 < right / sum(len(reading.read) for reading in found) < 1
    assert 0.65 < right / sum(len(reading.said) for reading in found) < 1


def test_every_region_of_the_frames_is_one_of_the_made_up_atlas():
    concepts = {place_of(name).concept for name in REGIONS}
    assert {place_of(label).concept for label in PHRASES} <= concepts


def test_the_benchmark_writes_its_rows_with_intervals(tmp_path):
    record = Record("checker", tmp_path, seed=1)
    Checker(reports=24, paraphrases=70).run(record)
    rows = {(row.metric, row.direction): row for row in record.rows}
    assert {direction for metric, direction in rows if metric == "detection"} == {*KINDS, "any"}
    assert rows["false_alarm", "true reports"].n == 12
    assert rows["detection", "any"].n == 12
    for name in ("extractor_precision", "extractor_recall"):
        row = rows[name, "paraphrases"]
        assert row.low <= row.value <= row.high
    assert all(row.method == "bridge" and row.seed == 1 for row in record.rows)
