"""The instruction set as written: whole, deterministic, split by wording and by gene, without an answer that pays off blindly."""

import json
from collections import Counter, defaultdict

import pytest

from bridge.instructions import build
from bridge.instructions.build import MAKERS, build_instructions, majority_share
from bridge.instructions.item import FAMILIES, Instruction
from bridge.instructions.task import LEAST, Task

MADE = [family for family in FAMILIES if family not in ("brain phenotype", "report")]


def tasks():
    modules = {maker.__module__ for makers in MAKERS.values() for maker in makers} | {"bridge.instructions.clinvar", "bridge.instructions.dialogues"}
    return [value for name in sorted(modules) for value in vars(__import__(name, fromlist=["x"])).values() if isinstance(value, Task)]


def test_every_family_that_needs_no_cohort_has_items_in_every_split(items):
    counts = Counter((item.family, item.split) for item in items)
    assert set(counts) == {(family, split) for family in MADE for split in ("train", "validation", "test")}
    assert min(counts.values()) >= 5


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(release, tmp_path):
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        build_instructions(tmp_path / name, seed=seed, sources=release, limit_per_family=12)
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl", "card.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()
    assert (tmp_path / "other" / "test.jsonl").read_bytes() != (tmp_path / "first" / "test.jsonl").read_bytes()


def test_the_card_counts_what_the_files_hold(built, items):
    card = built[1]
    assert card == json.loads((built[0] / "card.json").read_text())
    counts = Counter((item.family, item.split) for item in items)
    assert {(family, split): count for family, of in card["items"].items() for split, count in of.items() if count} == counts
    assert card["hpo_release"] == "2025-01-16"
    assert sum(card["disorders"].values()) == 72
    assert card["licences"] == {"hpo": ["HPO terms of use, https://hpo.jax.org/app/license"]}


def test_no_wording_of_the_test_is_in_training(items):
    sides = defaultdict(set)
    for item in items:
        sides[item.template].add("test" if item.split == "test" else "training")
    assert len(sides) > 80
    assert all(len(found) == 1 for found in sides.values())


def test_every_task_has_at_least_six_wordings_of_which_none_is_another_with_its_slots_filled():
    assert len(tasks()) >= 25
    assert len({task.name for task in tasks()}) == len(tasks())
    assert all(len(set(task.wordings)) >= LEAST for task in tasks())


def test_a_task_with_too_few_wordings_is_refused():
    with pytest.raises(ValueError, match=r"task short, field wordings: found 2, expected at least 6"):
        Task("short", "inference", ("a", "b", "b"))


def test_ids_are_unique_and_questions_are_short(items):
    assert len({item.id for item in items}) == len(items)
    assert len({(item.split, item.question) for item in items}) == len(items)
    assert max(len(item.question.split()) for item in items) < 110
    assert max(len(item.answer.split()) for item in items) < 60


def test_no_answer_of_a_task_is_much_more_frequent_than_its_choices_allow(items):
    of_task = defaultdict(list)
    for item in items:
        if item.judged == "choice" and item.split == "train":
            of_task[item.template.rpartition("/")[0]].append(item)
    for name, found in of_task.items():
        classes = min(len(item.choices) for item in found)
        most = Counter(item.answer for item in found).most_common(1)[0][1]
        assert most <= -(-len(found) // classes) + 4, (name, Counter(item.answer for item in found))


def test_the_answer_is_at_no_favourite_place_among_its_choices(items):
    places = [item.choices.index(item.answer) / (len(item.choices) - 1) for item in items if item.judged == "choice" and not item.choices[0].startswith("(")]
    assert len(places) > 100
    assert 0.4 < sum(places) / len(places) < 0.6


def test_all_three_relations_of_inference_are_as_frequent_and_negation_does_not_tell_them(items):
    found = [item for item in items if item.family == "inference" and item.split == "train"]
    counts = Counter(item.answer for item in found)
    assert max(counts.values()) - min(counts.values()) <= 4
    denied = [any(word in item.question.partition("\n")[2] for word in ("does not have", "None of these")) for item in found]
    of_denied = Counter(item.answer for item, no in zip(found, denied, strict=True) if no)
    assert max(of_denied.values()) < 0.65 * of_denied.total()


def test_questions_that_must_be_known_say_so_in_their_template(items):
    closed = {item.template.rpartition("/")[0] for item in items if item.template.startswith("closed-book")}
    assert closed == {
        "closed-book-inheritance",
        "closed-book-onset",
        "closed-book-finding",
        "closed-book-gene",
        "closed-book-disorder",
        "closed-book-recurrence-risk",
        "closed-book-case-disorder",
    }


def test_families_shares_and_length_are_kept(release, tmp_path):
    card = build_instructions(
        tmp_path / "set", families=("inference", "summarisation"), shares={"inference": 0.5}, limit_per_family=40, sources=release, longest=60
    )
    assert set(card["items"]) == {"inference", "summarisation"}
    assert card["items"]["inference"]["train"] == 20
    assert 0 < card["items"]["summarisation"]["train"] < 40
    assert card["left_out"]["summarisation"] > 0


def test_nothing_is_left_of_a_set_that_failed(release, tmp_path, monkeypatch):
    def fails(*_):
        raise ValueError("offender")

    monkeypatch.setattr(build, "assert_split", fails)
    with pytest.raises(ValueError, match="offender"):
        build_instructions(tmp_path / "set", families=("inference",), limit_per_family=8, sources=release)
    monkeypatch.setattr(build, "assert_split", lambda *_: None)
    monkeypatch.setattr(build, "CARD", "no/such/folder.json")
    with pytest.raises(OSError, match="No such file"):
        build_instructions(tmp_path / "set", families=("inference",), limit_per_family=8, sources=release)
    assert not list(tmp_path.iterdir())


def test_an_unknown_family_and_a_folder_in_use_are_refused(release, tmp_path):
    with pytest.raises(ValueError, match=r"families: found 'dancing', expected some of question answering"):
        build_instructions(tmp_path / "set", families=("dancing",), sources=release)
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ValueError, match=r"the folder is not empty"):
        build_instructions(tmp_path, sources=release)


def test_the_majority_share_is_that_of_the_most_frequent_answer_of_each_task():
    def item(number, task, answer):
        return Instruction(str(number), "inference", "hpo", "?", answer, "choice", ("a", "b"), template=f"{task}/0")

    items = [item(0, "x", "a"), item(1, "x", "a"), item(2, "x", "b"), item(3, "y", "b")]
    assert majority_share(items) == 0.75
    assert majority_share([]) is None
