"""A score is what the definition says, against every truth, and "undefined" stays undefined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bridge.evaluate.facts import phenotype_scores, region_scores, summary
from bridge.language import grammar
from bridge.language.subject import RegionValues

NAMES = tuple(f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "precuneus", "insula", "pallidum", "hippocampus", "frontal eye field"))
VOCABULARY = {"inheritance": ("autosomal recessive", "autosomal dominant"), "organ_systems": ("nervous system", "eye", "skin")}


def report(values, names=NAMES):
    regions = RegionValues(names, values)
    return grammar.section("brain", [grammar.extreme(end, regions.extremes(end)) for end in (grammar.HIGHEST, grammar.LOWEST)])


def by_definition(claims, values, k=3):
    """Share of (direction, name) pairs that are true, counted one by one."""
    order = [NAMES[number] for number in np.argsort(-values)]
    true = {("highest", name) for name in order[:k]} | {("lowest", name) for name in order[-k:]}
    return len(claims & true) / len(claims)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float64, (5, len(NAMES)), elements=st.floats(-3, 3, width=32), unique=True))
def test_true_reports_score_one_against_their_own_map_and_by_definition_against_the_others(values):
    scores = region_scores([report(row) for row in values], values, NAMES)
    claims = [{(end, name) for end in ("highest", "lowest") for name in RegionValues(NAMES, row).extremes(end)} for row in values]
    np.testing.assert_allclose(scores.share, [[by_definition(said, truth) for truth in values] for said in claims])
    assert summary(scores)["precision"] == 1
    assert summary(scores)["contradiction_rate"] == 0
    assert summary(scores)["named_per_report"] == 6


def test_reversed_reports_score_nothing_and_are_contradicted():
    values = np.random.default_rng(0).normal(size=(4, len(NAMES)))
    found = summary(region_scores([report(-row) for row in values], values, NAMES))
    assert (found["precision"], found["contradiction_rate"], found["not_in_input_rate"]) == (0, 1, 0)


def test_a_constant_text_scores_the_same_against_its_own_and_other_samples_on_average():
    values = np.random.default_rng(1).normal(size=(300, len(NAMES)))
    found = summary(region_scores([report(values[0])] * 300, values, NAMES))
    assert found["precision"] == pytest.approx(found["shuffled"], abs=0.01)
    assert found["shuffled"] == pytest.approx(0.25, abs=0.05)


def test_texts_that_name_nothing_are_undefined_and_counted():
    values = np.random.default_rng(2).normal(size=(3, len(NAMES)))
    top = RegionValues(NAMES, values[1]).extremes("highest")
    scores = region_scores(["All is well.", f"Highest in the {top[0]}.", "Not highest in the left cuneus."], values, NAMES)
    found = summary(scores)
    assert np.isnan(scores.share[[0, 2]]).all()
    assert (found["n"], found["silent"], found["fewer_than_expected"], found["precision"]) == (1, 2, 3, 1)


def test_nothing_to_average_is_none_and_not_a_number():
    found = summary(region_scores(["All is well."], np.ones((1, len(NAMES))), NAMES))
    assert (found["n"], found["precision"], found["shuffled"], found["contradiction_rate"]) == (0, None, None, None)


def test_a_name_outside_the_atlas_counts_as_named_and_wrong_but_not_as_known():
    values = np.arange(float(len(NAMES)))[None]
    scores = region_scores([f"Highest in the {NAMES[-1]} and the left glowing pole."], values, NAMES)
    assert (scores.share[0, 0], scores.named[0], scores.outside[0], scores.contradiction[0]) == (0.5, 1, 0.5, 0)


def test_repeating_a_right_region_does_not_raise_the_score():
    values = np.arange(float(len(NAMES)))[None]
    once = region_scores([f"Highest in the {NAMES[-1]}, {NAMES[0]}."], values, NAMES)
    often = region_scores([f"Highest in the {NAMES[-1]}, {NAMES[-1]}, {NAMES[-1]}, {NAMES[0]}. Highest in the {NAMES[-1]}."], values, NAMES)
    assert once.share[0, 0] == often.share[0, 0] == 0.5


def test_a_name_inside_another_name_is_not_counted():
    values = np.zeros((1, len(NAMES)))
    values[0, NAMES.index("left cuneus")] = 1
    scores = region_scores(["Highest in the left precuneus."], values, NAMES, k=1)
    assert scores.share[0, 0] == 0


def test_equal_values_are_equally_right_and_a_map_without_contrast_tells_nothing():
    values = np.zeros((2, len(NAMES)))
    values[0, :5] = 1
    scores = region_scores([f"Highest in the {NAMES[4]}."] * 2, values, NAMES)
    assert scores.share[0, 0] == 1
    assert np.isnan(scores.share[:, 1]).all()


def test_an_unmeasured_region_is_never_right_and_the_others_move_up():
    values = np.arange(float(len(NAMES)))[None]
    values[0, -1] = np.nan
    assert region_scores([f"Highest in the {NAMES[-1]}."], values, NAMES).share[0, 0] == 0
    assert region_scores([f"Highest in the {NAMES[-4]}."], values, NAMES).share[0, 0] == 1


def test_a_near_miss_is_wrong_but_not_contradicted():
    values = np.arange(12.0, 0, -1)[None]
    near, far = (region_scores([f"Highest in the {NAMES[rank]}."], values, NAMES) for rank in (3, 4))
    assert (near.share[0, 0], near.contradiction[0]) == (0, 0)
    assert (far.share[0, 0], far.contradiction[0]) == (0, 1)


FACTS = [
    {"inheritance": ("autosomal recessive",), "organ_systems": ("nervous system", "eye")},
    {"inheritance": ("autosomal dominant",), "organ_systems": ("skin",)},
    {"inheritance": (), "organ_systems": ("eye",)},
]


def test_facts_score_by_what_is_listed_for_each_sample():
    text = "Gene findings: inheritance autosomal recessive; organ systems nervous system and skin."
    scores = phenotype_scores([text] * 3, FACTS, VOCABULARY)
    np.testing.assert_allclose(scores.share[0], [2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(scores.contradiction, [1 / 3, 2 / 3, 1])
    assert scores.named.tolist() == [3, 3, 3]


def test_a_column_unknown_for_a_sample_is_neither_right_nor_wrong():
    scores = phenotype_scores(["Inheritance autosomal recessive.", "Organ systems eye.", "Inheritance autosomal dominant."], FACTS, VOCABULARY)
    assert np.isnan(scores.share[0, 2])
    assert np.isnan(scores.share[2, 2])
    assert scores.share[1].tolist() == [1, 0, 1]
    assert summary(scores)["n"] == 2


def test_what_a_text_denies_is_not_counted_as_named():
    scores = phenotype_scores(["No involvement of the skin.", "The eye is spared; organ systems skin.", "Organ systems eye."], FACTS, VOCABULARY)
    assert scores.named.tolist() == [0, 1, 1]
    assert summary(scores)["precision"] == 1


def test_an_item_outside_the_vocabulary_counts_as_wrong():
    scores = phenotype_scores(["Organ systems eye and peripheral nervous system."], FACTS[:1], VOCABULARY)
    assert (scores.share[0, 0], scores.outside[0]) == (0.5, 0.5)


def test_the_eye_in_the_name_of_a_region_is_not_the_eye():
    text = "Brain findings: highest in the left frontal eye field."
    assert phenotype_scores([text], FACTS[:1], VOCABULARY, names=NAMES).named.tolist() == [0]


def test_texts_and_truths_of_different_number_are_refused():
    with pytest.raises(ValueError, match="2 texts, 3 truths"):
        phenotype_scores(["", ""], FACTS, VOCABULARY)
