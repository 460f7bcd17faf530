"""Figures over checked reports: each error is counted under its own name, and nothing to count is no figure."""

import numpy as np
import pytest

from bridge.evaluate.claims import CheckedReport, claim_metrics
from bridge.language.subject import RegionValues, Subject
from bridge.report.reference import Reference
from bridge.report.verify import check, claims_in

NAMES = ("left insula", "right insula", "left cuneus", "right cuneus", "left putamen", "right putamen", "brain stem")
Z = np.array([3.0, 0.2, -2.5, -2.4, 0.1, -0.3, 1.5])


@pytest.fixture
def report():
    """``report(text)``: checked against a sample whose z are known."""
    size = len(NAMES)
    reference = Reference({"brain": NAMES}, {"brain": np.full(size, 0.5)}, {"brain": np.full(size, 0.1)}, {}, {})
    subject = Subject("one", {"brain": RegionValues(NAMES, Z, 0.5 + 0.1 * Z)}, {}, {}, {}, frozenset({"brain"}))
    return lambda text: CheckedReport(check(claims_in(text, reference.regions, {}), subject, reference), subject, reference)


def test_the_shares_are_those_counted_by_hand(report):
    text = "The left insula is increased. The left cuneus is increased. The left hippocampus is reduced. The brain stem is increased. All is well."
    found = claim_metrics([report(text)])
    assert (found["reports"], found["claims"], found["judged"], found["claims_per_report"]) == (1, 4, 4, 4.0)
    assert (found["precision"], found["contradiction_rate"], found["not_in_input_rate"]) == (0.25, 0.25, 0.25)


def test_the_strongest_facts_that_no_true_claim_tells_are_omitted(report):
    # z +3.0 of the left insula, -2.5 and -2.4 of the cuneus are all that is up or down
    assert claim_metrics([report("The left insula is increased.")])["omission"] == pytest.approx(2 / 3)
    assert claim_metrics([report("The left insula is increased.")], k=1)["omission"] == 0
    assert claim_metrics([report("The left insula is not reduced.")], k=1)["omission"] == 1
    assert claim_metrics([report("The cuneus is reduced on both sides.")])["omission"] == pytest.approx(1 / 3)
    assert claim_metrics([report("Lowest in the left cuneus and right cuneus; highest in the left insula.")])["omission"] == 0


def test_a_right_region_on_the_wrong_side_is_a_laterality_error_and_a_wrong_region_is_none(report):
    assert claim_metrics([report("The right insula is increased.")])["laterality_errors"] == 1
    assert claim_metrics([report("The right insula is increased. The left insula is increased.")])["laterality_errors"] == 0.5
    assert claim_metrics([report("The left putamen is increased.")])["laterality_errors"] == 0
    assert claim_metrics([report("Lowest in the left insula.")])["laterality_errors"] == 0


def test_comparisons_with_an_earlier_examination_are_counted_per_report(report):
    reports = [report("The left insula has progressed since the last scan. It is unchanged from the prior study."), report("The left insula is increased.")]
    assert claim_metrics(reports)["invented_comparisons"] == 1.0


def test_nothing_to_count_is_undefined(report):
    none = claim_metrics([])
    assert {name for name, value in none.items() if value is not None} == {"reports", "claims", "judged"}
    prose = claim_metrics([report("All is well.")])
    assert (prose["claims_per_report"], prose["precision"], prose["laterality_errors"]) == (0.0, None, None)
    assert prose["omission"] == 1.0
