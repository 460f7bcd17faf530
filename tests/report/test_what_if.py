"""What if a region were average, or an input had not been given: the report again, and which claims that changes."""

import numpy as np
import pytest

from bridge.language.subject import subjects
from bridge.report import write
from bridge.report.generation.confidence import Generation
from bridge.report.reference import Reference
from bridge.report.render import to_html, to_json, to_markdown
from bridge.report.schema import Change, Claim, Direction, Kind, Report, Verdict
from bridge.report.what_if import changed_inputs, claim_changes, what_if_report


@pytest.fixture
def sample(tiny_cohort):
    """A subject of both modalities and its normalised values."""
    (subject,) = subjects(tiny_cohort, [0])
    return subject, {modality: tiny_cohort.values(modality)[0] for modality in sorted(subject.present)}


def test_a_region_is_set_to_the_value_that_has_the_z_and_the_model_is_given_it(bridge, sample, tiny_cohort):
    subject, values = sample
    changed = changed_inputs(bridge, subject, values, ["left insula=2"])
    reference = Reference.from_dict(bridge.reference["training"])
    place = reference.regions["brain"].index("left insula")
    raw = changed.subject.regions["brain"].raw[place]
    assert reference.z("brain", "left insula", float(raw)) == pytest.approx(2, abs=1e-4)
    statistics = tiny_cohort.card("brain").normalisation
    assert changed.values["brain"][place] == pytest.approx((raw - statistics["mean"]) / statistics["scale"], abs=1e-4)
    others = np.arange(len(values["brain"])) != place
    np.testing.assert_allclose(changed.values["brain"][others], values["brain"][others], rtol=1e-5)
    np.testing.assert_array_equal(changed.values["gene"], values["gene"])
    np.testing.assert_array_equal(changed.subject.regions["brain"].values, changed.values["brain"])


@pytest.mark.parametrize(
    ("said", "features"),
    [
        ("insula=0", ["left insula", "right insula"]),
        ("Insular cortex = 0", ["left insula", "right insula"]),
        ("left insula=-1.5", ["left insula"]),
        ("lh insula=1", ["left insula"]),
        ("bilateral amygdala=0", ["left amygdala", "right amygdala"]),
        ("globus pallidus=0", ["left pallidum", "right pallidum"]),
        ("RIGHT CAUDATE=0", ["right caudate"]),
    ],
)
def test_a_region_is_named_as_a_report_may_name_it(bridge, sample, said, features):
    assert [each.feature for each in changed_inputs(bridge, *sample, [said]).assumed] == features


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["hippocampus=0"], "what-if 'hippocampus=0': no input has 'hippocampus'; expected a region or gene of brain; the nearest are "),
        (["insula"], "what-if 'insula': expected NAME=Z"),
        (["insula=low"], "what-if 'insula=low': expected NAME=Z"),
        (["insula=nan"], "expected NAME=Z"),
        (["insula=1e999"], "expected NAME=Z"),
        (["insula and amygdala=0"], "no input has 'insula and amygdala'"),
        (["insula=0", "left insula=1"], "'left insula' is assumed twice"),
    ],
)
def test_what_cannot_be_assumed_is_refused_by_name(bridge, sample, said, message):
    with pytest.raises(ValueError, match=message):
        changed_inputs(bridge, *sample, said)


def test_values_without_names_and_inputs_that_are_not_there_cannot_be_assumed(bridge, sample):
    subject, values = sample
    alone = subject.given(["gene"]), {"gene": values["gene"]}
    with pytest.raises(ValueError, match=r"no input of the sample has named values \(gene: vectors whose columns have no names\)"):
        changed_inputs(bridge, *alone, ["insula=0"])
    with pytest.raises(ValueError, match=r"field without: the sample has no 'brain' to leave out; it has .'gene'."):
        changed_inputs(bridge, *alone, [], ["brain"])
    with pytest.raises(ValueError, match="which is all that the sample has"):
        changed_inputs(bridge, subject, values, [], ["gene", "brain"])
    with pytest.raises(ValueError, match="no input of the sample has named values"):
        changed_inputs(bridge, subject, values, ["insula=0"], ["brain"])


def test_the_report_without_a_modality_says_what_is_missing_and_what_became_of_each_claim(bridge, sample, monkeypatch):
    subject, values = sample
    highest = subject.regions["brain"].extremes("highest")[0]
    texts = iter([f"Highest in the {highest}. Organ systems eye.", f"Highest in the {highest}."])
    monkeypatch.setattr(write, "generated", lambda *_, **__: [Generation(text := next(texts), (text,), (0.5,))])
    report = what_if_report(bridge, subject, values, changed_inputs(bridge, subject, values, [], ["brain"]))
    assert (report.given, report.missing) == (("gene",), ("brain",))
    assert report.what_if.without == ("brain",)
    found = {(change.change, (change.after or change.before).entity) for change in report.what_if.changes}
    assert found == {(Change.CHANGED, highest), (Change.DISAPPEARED, "eye")}
    changed = next(change for change in report.what_if.changes if change.change is Change.CHANGED)
    assert (changed.before.verdict, changed.after.verdict) == (Verdict.SUPPORTED, Verdict.NOT_IN_INPUT)
    assert Report.model_validate_json(to_json(report)) == report


def test_the_measurements_of_the_report_mark_what_is_assumed(bridge, sample):
    subject, values = sample
    report = what_if_report(bridge, subject, values, changed_inputs(bridge, subject, values, ["insula=0"]), max_new_tokens=4)
    marked = {measured.modality: measured.changed for measured in report.measured}
    assert marked == {"gene": (), "brain": ("left insula", "right insula")}
    assert [each.z for each in report.what_if.assumed] == [0.0, 0.0]
    assert report.what_if.assumed[0].z_before == pytest.approx(
        Reference.from_dict(bridge.reference["training"]).z("brain", "left insula", float(subject.regions["brain"].raw[1]))
    )


def test_a_change_that_changes_nothing_gives_no_difference(bridge, sample, monkeypatch):
    subject, values = sample
    monkeypatch.setattr(write, "generated", lambda *_, **__: [Generation("Organ systems eye.", ("Organ systems eye.",), (0.5,))])
    found = what_if_report(bridge, subject, values, changed_inputs(bridge, subject, values, ["insula=0"])).what_if
    assert (found.changes, found.unchanged) == ((), 1)


def test_two_claims_about_one_thing_are_one_change():
    about = {"entity": "left insula", "statement": "s", "kind": Kind.EXTREME, "modality": "brain"}
    up, down = (Claim(**about, direction=direction, verdict=Verdict.SUPPORTED) for direction in (Direction.HIGHER, Direction.LOWER))
    (change,), same = claim_changes([up], [down])
    assert (change.change, change.before, change.after, same) == (Change.CHANGED, up, down, 0)
    assert claim_changes([up], [up]) == ((), 1)
    assert [each.change for each in claim_changes([], [up])[0]] == [Change.APPEARED]


def test_page_and_markdown_tell_what_was_assumed_and_what_changed(bridge, sample, monkeypatch):
    subject, values = sample
    texts = iter(["Organ systems <u>.", "Organ systems eye."])
    monkeypatch.setattr(write, "generated", lambda *_, **__: [Generation(text := next(texts), (text,), (0.5,))])
    report = what_if_report(bridge, subject, values, changed_inputs(bridge, subject, values, ["insula=0"]))
    for page in (to_markdown(report), to_html(report)):
        assert "left insula" in page
        assert "appeared" in page
        assert "<u>" not in page
