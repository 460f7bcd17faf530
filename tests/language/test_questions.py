"""Questions come from what was measured, give nothing away, and have answers that a parser can read back."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bridge.data.cohort import Cohort
from bridge.language.questions import Asked, RegionValues, questions_for, region_names, sample_questions, subjects
from bridge.language.subject import fact_vocabulary
from encoders.base import Encoder, masked_tokens

NAMES = tuple(f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "precuneus", "insula", "pallidum", "hippocampus"))
ITEMS = ("nervous system", "eye", "skin", "heart", "kidney", "ear", "liver")


class Columns(Encoder):
    """Columns of a table as tokens: one per name, or a single vector."""

    def read(self, source):
        raise NotImplementedError

    def forward(self, values):
        return masked_tokens(values.reshape(len(values), self.tokens, self.dim))

    @classmethod
    def example(cls):
        return cls("brain", 1, NAMES)


def make_cohort(modalities=("brain", "gene"), facts=True, texts=(), samples=12, seed=0):
    rng = np.random.default_rng(seed)
    kinds = {"brain": (Columns("brain", 1, NAMES), rng.normal(size=(samples, len(NAMES)))), "gene": (Columns("gene", 6), rng.normal(size=(samples, 6)))}
    obs = pd.DataFrame({"split": ["train"] * (samples - 4) + ["validation"] * 2 + ["test"] * 2}, index=[f"s{row}" for row in range(samples)])
    obs["group"] = obs.index
    obs["inheritance"] = ["autosomal recessive", "autosomal dominant"] * (samples // 2)
    obs["organ_systems"] = ["; ".join(ITEMS[: row % 8]) for row in range(samples)]
    for column in texts:
        obs[column] = [f"{column} of sample {row}" for row in range(samples)]
    told = {"inheritance": "gene", "organ_systems": "gene"} if facts else {}
    return Cohort.assemble(obs, {name: kinds[name] for name in modalities}, texts=texts, facts=told, normalise={"brain": "global"})


def all_asked(cohort, present=("brain", "gene"), seed=0, row=0):
    (subject,) = subjects(cohort, [row])
    return {asked.name: asked for asked in sample_questions(subject, questions_for(cohort), present, seed)}


def test_a_cohort_with_regions_and_facts_has_every_kind_of_question():
    names = {question.name for question in questions_for(make_cohort())}
    assert names == {
        *("highest:brain", "lowest:brain", "describe:brain", "compare:brain", "facts:inheritance", "facts:organ_systems"),
        *("both:brain:inheritance", "both:brain:organ_systems", "report"),
    }
    assert all(2 <= len(question.ask) <= 4 for question in questions_for(make_cohort()))


def test_the_answers_state_the_true_extremes_in_order():
    cohort = make_cohort()
    order = np.argsort(-cohort.raw("brain")[3])
    top, bottom = [NAMES[number] for number in order[:3]], [NAMES[number] for number in order[::-1][:3]]
    asked = all_asked(cohort, row=3)
    assert asked["highest:brain"].answer == f"Highest in the {top[0]}, {top[1]} and {top[2]}."
    assert asked["lowest:brain"].answer == f"Lowest in the {bottom[0]}, {bottom[1]} and {bottom[2]}."
    assert asked["facts:organ_systems"].answer == "Organ systems nervous system, eye and skin."
    assert asked["both:brain:inheritance"].answer == f"Highest in the {top[0]}; inheritance autosomal dominant."
    assert asked["report"].answer == (
        f"Brain findings: highest in the {top[0]}, {top[1]} and {top[2]}; lowest in the {bottom[0]}, {bottom[1]} and {bottom[2]}. "
        "Gene findings: inheritance autosomal dominant; organ systems nervous system, eye and skin."
    )


@pytest.mark.parametrize(("present", "missing"), [(["brain"], "Gene: not given."), (["gene"], "Brain map: not given.")])
def test_a_report_on_part_of_the_inputs_says_what_was_not_given_and_nothing_else_about_it(present, missing):
    asked = all_asked(make_cohort(), present=present, row=3)
    report = asked["report"].answer
    assert missing in report
    assert ("inheritance" in report) == ("gene" in present)
    assert any(name in report for name in NAMES) == ("brain" in present)
    assert not any(name.startswith("both") for name in asked)


def test_no_question_is_asked_about_what_is_absent():
    cohort = make_cohort()
    assert all_asked(cohort, present=()) == {}
    cohort.table.obsm["brain"][0] = np.nan
    assert not [name for name in all_asked(cohort) if "brain" in name]
    assert "Brain map: not given." in all_asked(cohort)["report"].answer


def test_questions_hold_no_number_and_no_region_but_the_two_to_compare():
    cohort, put = make_cohort(), {}
    for subject in subjects(cohort, range(12)):
        for seed in range(5):
            for asked in sample_questions(subject, questions_for(cohort), ("brain", "gene"), seed):
                put.setdefault(asked.name, set()).add(asked.question)
    compared = put.pop("compare:brain")
    known = (*NAMES, *ITEMS, "recessive", "dominant")
    assert not [question for questions in put.values() for question in questions if re.search(r"\d", question) or any(name in question for name in known)]
    assert {sum(name in question for name in NAMES) for question in compared} <= {2, 3}  # "left cuneus" is a part of no other name here
    assert not [question for question in compared if "{" in question or re.search(r"\d", question)]


def test_a_comparison_says_what_was_measured_and_both_directions_occur():
    cohort = make_cohort()
    values, answers = cohort.raw("brain")[5], []
    for seed in range(40):
        answers.append(re.fullmatch(r"The (.+) is (higher|lower) than the (.+)\.", all_asked(cohort, seed=seed, row=5)["compare:brain"].answer).groups())
    for first, direction, second in answers:
        assert (values[NAMES.index(first)] > values[NAMES.index(second)]) == (direction == "higher")
        ranks = np.argsort(np.argsort(values))
        assert abs(ranks[NAMES.index(first)] - ranks[NAMES.index(second)]) >= len(NAMES) / 3
    assert {direction for _, direction, _ in answers} == {"higher", "lower"}


def test_the_same_seed_gives_the_same_questions_and_another_gives_others():
    cohort = make_cohort()
    (subject,) = subjects(cohort, [0])
    draw = lambda seed: sample_questions(subject, questions_for(cohort), ("brain", "gene"), seed, count=4)  # noqa: E731
    assert draw(7) == draw(7)
    assert draw((7, 1)) == draw((7, 1))
    assert len({tuple(draw(seed)) for seed in range(10)}) > 5
    assert len(draw(0)) == 4


def test_two_subjects_with_one_seed_are_asked_different_things():
    cohort = make_cohort()
    order = [[asked.name for asked in sample_questions(subject, questions_for(cohort), ("brain", "gene"), 0)] for subject in subjects(cohort, range(6))]
    assert len({tuple(names) for names in order}) > 1


def test_the_report_is_drawn_more_often_than_a_single_question():
    cohort = make_cohort()
    (subject,), questions = subjects(cohort, [1]), questions_for(cohort)
    first = [sample_questions(subject, questions, ("brain", "gene"), seed, count=1)[0].name for seed in range(400)]
    assert first.count("report") > 2 * first.count("highest:brain")


def test_items_are_listed_as_common_in_training_and_at_most_five():
    cohort = make_cohort()
    assert fact_vocabulary(cohort)["organ_systems"] == ITEMS
    assert all_asked(cohort, row=7)["facts:organ_systems"].answer == "Organ systems nervous system, eye, skin, heart and kidney."


def test_an_item_that_training_never_lists_is_not_in_the_vocabulary():
    cohort = make_cohort()
    cohort.table.obs["inheritance"] = ["autosomal recessive"] * 8 + ["X-linked"] * 4
    assert fact_vocabulary(cohort)["inheritance"] == ("autosomal recessive",)
    assert "facts:inheritance" not in all_asked(cohort, row=9)


def test_a_sample_without_known_facts_is_reported_as_insufficient_evidence():
    cohort = make_cohort()
    cohort.table.obs["inheritance"] = cohort.table.obs["organ_systems"] = ""
    assert "Gene findings: insufficient evidence." in all_asked(cohort)["report"].answer


def test_unmeasured_regions_are_never_named():
    cohort = make_cohort()
    cohort.table.obsm["brain"][0, :5] = np.nan
    asked = all_asked(cohort)
    assert not [name for name in NAMES[:5] for item in asked.values() if name in item.answer + item.question]
    assert asked["highest:brain"].answer.count(",") == 0  # five measured regions leave two for either end


def test_a_map_without_contrast_has_no_extremes():
    assert RegionValues(NAMES, np.ones(len(NAMES))).named == 0
    assert RegionValues(NAMES, np.full(len(NAMES), np.nan)).named == 0


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.float32, len(NAMES), elements=st.floats(-3, 3, width=16) | st.just(np.nan)))
def test_the_named_regions_are_those_of_the_first_ranks_and_the_ends_share_none(values):
    regions = RegionValues(NAMES, values)
    for direction in ("highest", "lowest"):
        assert all(regions.rank(name, direction) <= regions.named for name in regions.extremes(direction))
        assert len(regions.extremes(direction)) == regions.named
    assert not set(regions.extremes("highest")) & set(regions.extremes("lowest"))


def test_a_cohort_of_embeddings_with_text_is_asked_for_the_text():
    cohort = make_cohort(modalities=["gene"], facts=False, texts=["summary", "abstract"])
    (first,), (chosen,) = questions_for(cohort), questions_for(cohort, text="abstract")
    (subject,) = subjects(cohort, [2])
    rng = np.random.default_rng(0)
    assert first.put(subject, rng).answer == "summary of sample 2"
    assert chosen.put(subject, rng).answer == "abstract of sample 2"
    assert chosen.put(subject.given([]), rng) is None


def test_a_chosen_text_is_the_report_of_any_cohort():
    questions = {question.name: question for question in questions_for(make_cohort(texts=["note"]), text="note")}
    (subject,) = subjects(make_cohort(texts=["note"]), [4])
    assert questions["report"].put(subject, np.random.default_rng(0)).answer == "note of sample 4"


def test_a_cohort_with_nothing_to_ask_is_refused_and_told_what_to_add():
    with pytest.raises(ValueError, match="region names, fact columns or a text column"):
        questions_for(make_cohort(modalities=["gene"], facts=False))
    with pytest.raises(ValueError, match="'abstract' is not in the cohort"):
        questions_for(make_cohort(texts=["note"]), text="abstract")


def test_subjects_hold_raw_and_normalised_values():
    cohort = make_cohort()
    (subject,) = subjects(cohort, [6])
    np.testing.assert_array_equal(subject.regions["brain"].raw, cohort.raw("brain")[6])
    np.testing.assert_array_equal(subject.regions["brain"].values, cohort.values("brain")[6])
    assert region_names(cohort) == {"brain": NAMES}
    assert (subject.id, subject.present) == ("s6", {"brain", "gene"})
    assert isinstance(sample_questions(subject, questions_for(cohort), ["brain"], 0)[0], Asked)
