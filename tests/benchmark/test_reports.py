"""The whole task in small: every method, input and control has its rows, the page its parts, and a second run trains nothing."""

import json

import pytest

from bridge.benchmark.reports import Reports
from bridge.benchmark.results import Record

SMALL = {"steps": 1, "limit": 4, "likelihoods": 3, "max_new_tokens": 12, "resamples": 20}
METHODS = {"bridge", "bridge (no stage 1)", "bridge (blind)", "plain text"}
CONSTANT = {"zeroed", "mean", "noise", "constant answer"}


@pytest.fixture
def run(small_default):
    """``run(**settings)``: the record of a run."""

    def make(**settings):
        small_default.ran.clear()
        record = Record("reports", small_default.folder.parent / "reports")
        Reports(**(SMALL | settings)).run(record)
        return record

    return make


def test_every_method_input_and_control_has_its_rows(run, small_default):
    record = run()
    assert [stage for stage, _ in small_default.ran] == ["align", "tune", "tune", "tune"]  # the bridge, without stage 1, blind; plain text has its own stage
    scored = {(row.method, row.direction) for row in record.rows if row.metric == "region_precision"}
    assert scored == {(method, "both") for method in METHODS | CONSTANT | {"shuffled", "chance"}} | {("bridge", "brain")}
    assert {row.method for row in record.rows if row.metric == "grounded_gain"} == METHODS - {"bridge (blind)"}
    assert {row.direction for row in record.rows if row.metric == "grounded_gain"} == {"gene", "brain"}
    shares = {(row.direction, row.method) for row in record.rows if row.metric == "nll_share"}
    assert shares >= {("both", name) for name in ("shuffled", "zeroed", "mean", "noise", "blind twin", "chance")} | {("gene", "shuffled"), ("brain", "absent")}
    found = {row.method for row in record.rows if row.metric == "r10" and row.direction == "brain->anatomy"}
    assert found == {"bridge", "bridge (token space)", "bridge (no stage 1)", "chance"}
    assert {"ece", "auroc", "brier"} <= {row.metric for row in record.rows}
    assert {"brain shuffled", "gene noise"} <= {row.direction for row in record.rows if row.metric == "auroc"}
    headings = {part.heading for part in record.parts}
    assert {"Protocol", "Verdict", "Facts: regions", "Facts: phenotypes", "Grounded gain", "Likelihood of the true report", "Calibration of claims"} <= headings
    texts = json.loads((record.out / "texts.json").read_text())
    assert {len(some) for some in texts.values()} == {4}
    assert "1 steps" in next(part.words for part in record.parts if part.heading == "Protocol")

    again = run(bundle=str(small_default.folder / "bundle_1"), cohort=str(small_default.folder / "data" / "cohort.h5ad"))
    assert small_default.ran == []  # what was trained before is used again
    assert set(again.rows) == set(record.rows)
    assert "The bundle was given" in next(part.words for part in again.parts if part.heading == "Protocol")


def test_a_bundle_without_its_cohort_is_refused():
    with pytest.raises(ValueError, match=r"reports, fields bundle and cohort: found one of them, expected both or neither"):
        Reports(bundle="runs/demo/bundle")
