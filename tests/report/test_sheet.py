"""The fact sheet, and levels judged by it: the state of every value, and what may be said of it."""

import numpy as np
import pytest
from desikan_killiany import REGIONS

from bridge.language.subject import RegionValues, Subject
from bridge.report.reference import Reference
from bridge.report.render import to_markdown
from bridge.report.schema import Report, Verdict
from bridge.report.sheet import FactSheet, State
from bridge.report.verify import check, claims_in, sections, struck

LEFT, RIGHT = REGIONS.index("left insula"), REGIONS.index("right insula")


@pytest.fixture
def insula(make_subject):
    """``insula(left, right)``: a subject with these z, 0 elsewhere."""

    def make(left, right=0.0):
        values = np.zeros(len(REGIONS))
        values[LEFT], values[RIGHT] = left, right
        return make_subject(values)

    return make


def verdict(text, subject, reference):
    (claim,) = check(claims_in(text, reference.regions, {}), subject, reference)
    return claim.verdict.value


@pytest.mark.parametrize(
    ("z", "state"),
    [(2.0, State.UP), (-2.0, State.DOWN), (0.99, State.WITHIN), (-0.99, State.WITHIN), (1.0, State.INDETERMINATE), (-1.99, State.INDETERMINATE)],
)
def test_the_state_follows_the_thresholds(z, state, insula, reference):
    (fact,) = FactSheet(insula(z + 1e-12 * np.sign(z)), reference).find("brain", "left insula")
    assert (fact.state, fact.side) == (state, "left")
    assert fact.z == pytest.approx(z)
    assert fact.value == pytest.approx(0.5 + z / 10)


def test_what_is_missing_or_not_given_is_not_measured(insula, reference):
    subject = insula(np.nan)
    assert FactSheet(subject, reference).find("brain", "left insula")[0].state is State.NOT_MEASURED
    assert FactSheet(subject.given([]), reference).find("brain", "right insula")[0].state is State.NOT_MEASURED
    assert verdict("The left insula is reduced.", subject, reference) == "not in input"
    assert verdict("The right insula is reduced.", subject.given([]), reference) == "not in input"


def test_a_value_without_a_reference_is_indeterminate_and_its_level_uncheckable(insula, reference):
    spread = reference.spread["brain"].copy()
    spread[LEFT] = 0
    flat = Reference(reference.regions, reference.mean, {"brain": spread}, {}, {})
    assert FactSheet(insula(3.0), flat).find("brain", "left insula")[0].state is State.INDETERMINATE
    assert verdict("The left insula is increased.", insula(3.0), flat) == "uncheckable"


def test_values_are_found_by_name_where_the_sample_has_another_order(reference):
    names = REGIONS[::-1]
    subject = Subject("s", {"brain": RegionValues(names, np.arange(len(names), dtype=float))}, {}, {}, {}, frozenset({"brain"}))
    sheet = FactSheet(subject, reference)
    assert [fact.value for fact in sheet.facts] == [float(names.index(fact.name)) for fact in sheet.facts]


def test_the_strongest_facts_are_those_farthest_from_the_mean(insula, reference):
    assert [(fact.name, round(fact.z)) for fact in FactSheet(insula(2.5, -4.0), reference).strongest(5)] == [("right insula", -4), ("left insula", 2)]
    assert FactSheet(insula(0.0), reference).strongest(5) == []


def test_the_other_side_of_a_region_is_found_and_of_a_region_without_sides_is_not(insula, reference):
    sheet = FactSheet(insula(2.5), reference)
    assert sheet.mirrored(sheet.find("brain", "left insula")[0]).name == "right insula"
    assert sheet.mirrored(sheet.find("brain", "brain stem")[0]) is None


@pytest.mark.parametrize(
    ("z", "increased", "decreased", "within"),
    [
        (2.5, "supported", "contradicted", "contradicted"),
        (1.5, "near", "contradicted", "near"),
        (0.5, "contradicted", "contradicted", "supported"),
        (-1.5, "contradicted", "near", "near"),
        (-2.5, "contradicted", "supported", "contradicted"),
    ],
)
def test_a_level_is_judged_by_the_state(z, increased, decreased, within, insula, reference):
    texts = ("The left insula is increased.", "The left insula is decreased.", "The left insula is within the normal range.")
    assert [verdict(text, insula(z), reference) for text in texts] == [increased, decreased, within]


@pytest.mark.parametrize(("z", "expected"), [(2.5, "supported"), (-1.5, "near"), (0.5, "supported"), (-2.5, "contradicted")])
def test_a_denied_level_is_contradicted_where_the_level_holds(z, expected, insula, reference):
    assert verdict("The left insula is not reduced.", insula(z), reference) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [("z = -2.5", "supported"), ("z = -2.3", "supported"), ("z = -2.9", "contradicted"), ("z = 2.5", "contradicted"), ("2.4 SD below the mean", "supported")],
)
def test_a_stated_z_has_to_be_within_a_quarter_of_the_measured_one(said, expected, insula, reference):
    assert verdict(f"The left insula is reduced ({said}).", insula(-2.5), reference) == expected
    assert verdict(f"The left insula has {said}.", insula(-2.5), reference) == expected


def test_a_quantity_that_no_sheet_holds_is_not_in_the_input(insula, reference):
    assert verdict("The left insula is reduced by 12 %.", insula(-2.5), reference) == "not in input"


def test_a_value_in_the_units_of_the_map_is_compared_with_the_measured_one(reference):
    values = np.full(len(REGIONS), 2.5)
    subject = Subject("s", {"brain": RegionValues(REGIONS, values, values, "mm")}, {}, {}, {}, frozenset({"brain"}))
    assert verdict("The left insula is 2.45 mm thick.", subject, reference) == "supported"
    assert verdict("The left insula is 3.1 mm thick.", subject, reference) == "contradicted"
    assert verdict("The left insula is 2.5 cm thick.", subject, reference) == "not in input"


@pytest.mark.parametrize(("left", "right", "expected"), [(-3, -3, "supported"), (-3, 0, "contradicted"), (-3, -1.5, "near"), (-3, np.nan, "not in input")])
def test_a_region_without_a_side_needs_both_sides_to_agree(left, right, expected, insula, reference):
    assert verdict("The insula is reduced.", insula(left, right), reference) == expected
    assert verdict("Bilateral atrophy of the insula.", insula(left, right), reference) == expected


def test_without_any_named_value_what_is_quantitative_is_uncheckable_and_stands(make_subject):
    nothing = Reference({}, {}, {}, {}, {})
    subject = Subject("s", {}, {}, {}, {}, frozenset({"gene"}))
    for text in ("The left insula is reduced.", "FOXP2 expression is increased (z = 2.3).", "The volume is 3.4 ml."):
        claims = check(claims_in(text, {}, {}), subject, nothing)
        assert [claim.verdict for claim in claims] == [Verdict.UNCHECKABLE]
        assert not struck(claims)


def test_a_report_shows_the_value_behind_a_level_and_why_a_comparison_with_the_past_is_struck(insula, reference):
    text = "The left insula is reduced (z = -2.5). The right insula has worsened. The right insula is enlarged."
    claims = check(claims_in(text, reference.regions, {}), insula(-2.5), reference)
    page = to_markdown(Report(id="s", sections=sections(claims), struck=struck(claims), text=text))
    assert "- the left insula is decreased, z -2.5 — left insula: 0.25 a.u. (z -2.5, rank 83 of 83)" in page
    assert "~~The right insula has worsened~~ — comparison with an earlier examination, not in input" in page
    assert "~~the right insula is increased~~ — contradicted: right insula: 0.5 a.u. (z 0.0, rank 1 of 83)" in page
