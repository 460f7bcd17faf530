"""Questions on a cohort's own measurements: the answers are those of the product's questions, the wordings are split."""

import re
from collections import defaultdict

import pytest

from bridge.instructions.build import build_instructions
from bridge.instructions.item import read_instructions
from bridge.instructions.measurements import family_of, measured, wordings
from bridge.instructions.task import LEAST
from bridge.language.questions import questions_for, subjects


@pytest.fixture
def asked(tiny_cohort):
    return [item for split in ("train", "validation", "test") for item in measured(tiny_cohort, split)]


def test_every_kind_of_question_has_six_wordings_and_those_of_the_test_are_its_own(asked, tiny_cohort):
    kinds = questions_for(tiny_cohort)
    assert {question.name.split(":")[0] for question in kinds} == {"highest", "lowest", "describe", "compare", "facts", "both", "report"}
    for question in kinds:
        assert len(set(wordings(question, tiny_cohort))) >= LEAST
        assert not any(re.search(r"\{(name|said|owner)\}", wording) for wording in wordings(question, tiny_cohort))
    said = defaultdict(set)
    for item in asked:
        words = re.sub(r"the (left|right) \w+", "the R", item.question)
        said[words].add(item.split == "test")
    assert all(len(found) == 1 for found in said.values())


def test_an_answer_names_the_highest_regions_of_its_own_sample(asked, tiny_cohort):
    of = {subject.id: subject for subject in subjects(tiny_cohort)}
    found = [item for item in asked if item.template.startswith("highest:brain")]
    assert found
    for item in found:
        values = of[item.sample].regions["brain"]
        best = sorted((-value, name) for value, name in zip(values.values, values.names, strict=True) if value == value)[:3]  # NaN is not itself
        assert re.findall(r"(?:left|right) \w+", item.answer) == [name for _, name in best]


def test_families_groups_and_splits_are_those_of_the_samples(asked, tiny_cohort):
    assert {item.family for item in asked} == {"brain phenotype", "gene disease", "report"}
    assert family_of("both:brain:inheritance") == "brain phenotype"
    obs = tiny_cohort.table.obs
    for item in asked:
        assert item.split == obs.loc[item.sample, "split"]
        assert item.group == f"sample group {obs.loc[item.sample, 'group']}"
        assert item.licence == "CC0"
    assert len({item.id for item in asked}) == len(asked)


def test_a_cohort_joins_the_set_with_its_own_split(tiny_cohort_file, release, tmp_path):
    card = build_instructions(tmp_path / "set", cohort=tiny_cohort_file, limit_per_family=24, sources=release, validation=0.2, test=0.3)
    assert card["items"]["brain phenotype"] == {"train": 24, "validation": 3, "test": 6}
    assert card["items"]["report"]["train"] > 0
    items = list(read_instructions(tmp_path / "set" / "test.jsonl"))
    assert {item.sample for item in items if item.sample} <= {f"sample-{row:02d}" for row in range(24, 32)}
    assert {item.source for item in items if item.family == "gene disease"} == {"cohort", "hpo"}
