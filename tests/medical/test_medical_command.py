"""``bridge evaluate medical`` and ``bridge evaluate instructions``: rows with intervals, a line per item, reasons for what is left out."""

import dataclasses
import json
from collections import Counter

import pytest

from bridge.__main__ import main
from bridge.benchmark.instructions import commonest, parts
from bridge.benchmark.medical import verdict
from bridge.bundle import save
from bridge.instructions.item import Instruction, write_instructions
from bridge.language.llm import Lora, add_lora, load_llm
from bridge.medical.asking import asked, lettered
from bridge.medical.benchmarks import BENCHMARKS, splits
from bridge.medical.scores import Interval
from bridge.model import SemanticBridge
from bridge.settings import quiet_libraries


@pytest.fixture
def run(published, tmp_path, monkeypatch):
    """``run(name, *arguments)``: exit status, rows and item lines of a run over the published files in small."""
    quiet_libraries()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRIDGE_DATA", str(published))

    def go(name, *arguments):
        status = main(["evaluate", name, *map(str, arguments), "--out", "out"])
        folder = tmp_path / "out" / name
        found = [folder / "results.json", folder / "items.jsonl"]
        if not all(path.is_file() for path in found):
            return status, [], []
        return status, json.loads(found[0].read_text()), [json.loads(line) for line in found[1].read_text().splitlines()]

    return go


@pytest.fixture
def bundle(tiny_llm, tmp_path):
    """A bundle without modalities whose adapter says something."""
    language = add_lora(load_llm(tiny_llm("chatml")), Lora(r=2, dropout=0.0, targets=["q_proj", "v_proj", "down_proj"]))
    for name, weight in language.model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(0, 0.5)
    return save(SemanticBridge.text_only(language).eval(), tmp_path / "bundle")


def methods(rows, direction):
    return {row["method"] for row in rows if row["direction"] == direction}


def test_a_bundle_is_scored_beside_its_base_and_the_floors(run, bundle, capsys):
    status, rows, lines = run("medical", "--bundle", bundle, "--benchmarks", "hoc", "medqa", "mimic-cxr", "--mode", "both")
    assert status == 0
    assert methods(rows, "HoC") == {"bridge", "base", "majority", "tfidf"}
    likely = {f"{name} ({way})" for name in ("bridge", "base") for way in ("likelihood", "likelihood of text")}
    assert methods(rows, "MedQA") == {"bridge", "base", "majority"} | likely
    assert {row["metric"] for row in rows if row["direction"] == "MIMIC-CXR"} == {"rougeL", "rouge1", "rouge2", "unparsed"}
    assert {row["n"] for row in rows if row["direction"] == "MedQA"} == {3}
    said = capsys.readouterr().out
    assert "Against the base: MedQA, accuracy: bridge (likelihood)" in said
    assert "The text of MIMIC-CXR may not be passed on" in said
    assert set(lines[0]) == {"set", "method", "id", "question", "answer", "parsed", "correct", "score"}
    assert Counter(line["method"] for line in lines if line["set"] == "hoc") == {"bridge": 2, "base": 2, "majority": 2, "tfidf": 2}


def test_recorded_truth_scores_one_and_no_llm_is_loaded(run, folder_of, tmp_path, monkeypatch):
    monkeypatch.setattr("bridge.benchmark.answerers.load_llm", lambda *_: pytest.fail("an LLM was loaded"))
    names = ("pubmedqa", "ddi-2013", "bc5cdr")
    truth = [item for name in names for item in splits(name, folder_of(name))["test"]]
    path = tmp_path / "truth.jsonl"
    path.write_text("".join(json.dumps({"id": item.id, "text": item.answer}) + "\n" for item in truth))
    status, rows, lines = run("medical", "--answers", path, "--benchmarks", *names, "--baseline", "majority")
    assert status == 0
    ours = {(row["direction"], row["metric"]): row["value"] for row in rows if row["method"] == "truth"}
    assert {value for (_, metric), value in ours.items() if metric != "unparsed"} == {1.0}
    assert all(line["correct"] for line in lines if line["method"] == "truth")
    assert not any(row["method"] == "tfidf" for row in rows)


def test_a_seeded_limit_is_stated(run, tmp_path, folder_of, capsys):
    items = splits("ddi-2013", folder_of("ddi-2013"))["test"]
    path = tmp_path / "said.jsonl"
    path.write_text("".join(json.dumps({"id": item.id, "text": "effect"}) + "\n" for item in items))
    settings = ("--answers", path, "--benchmarks", "ddi-2013", "--limit", "5", "--baseline", "majority", "--seed", "3")
    assert run("medical", *settings) == run("medical", *settings)
    _, rows, _ = run("medical", *settings)
    assert {row["n"] for row in rows} == {5}
    assert "DDI-2013: 5 of 12 test items, 48 for training." in capsys.readouterr().out


def test_absent_sets_are_skipped_and_the_others_run(run, published, tmp_path, monkeypatch, capsys, folder_of):
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path))
    assert run("medical", "--benchmarks", "mednli") == (0, [], [])
    assert "medical: skipped: none of mednli is here" in capsys.readouterr().out
    path = tmp_path / "said.jsonl"
    path.write_text("".join(json.dumps({"id": item.id, "text": "neutral"}) + "\n" for item in splits("mednli", folder_of("mednli"))["test"]))
    given = ("--folders.mednli", folder_of("mednli"))
    status, rows, _ = run("medical", "--benchmarks", "mednli", "hoc", *given, "--answers", path)
    assert status == 0
    assert {row["direction"] for row in rows} == {"MedNLI"}
    assert "Skipped: HoC: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--benchmarks", "medqb"), "found 'medqb', expected some of pubmedqa"),
        (("--bundle", "a", "--llm", "b"), "fields bundle and llm: found both"),
        (("--endpoint", "http://localhost:1"), "fields endpoint and model: found one of them"),
        (("--folders.mednli", "nowhere", "--benchmarks", "mednli"), "field folders.mednli: nowhere is no folder"),
        (("--benchmarks", "hoc", "--limit", "0"), "field limit: found 0"),
        (("--mode", "guess"), "mode"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_line(run, arguments, message, capsys):
    status, _, _ = run("medical", *arguments)
    assert status != 0
    assert message in capsys.readouterr().err


def test_every_benchmark_has_a_title_of_its_own():
    assert len({about.title for about in BENCHMARKS.values()}) == len(BENCHMARKS)


def test_a_verdict_needs_an_interval_beside_zero():
    assert verdict(Interval(0.1, 0.05, 0.2)) == "is above its base by +0.100 (+0.050 to +0.200)"
    assert verdict(Interval(-0.1, -0.2, -0.05), "tuned", "base") == "tuned below base by -0.100 (-0.200 to -0.050)"
    assert "not shown to differ" in verdict(Interval(0.1, -0.05, 0.2))
    assert "no interval" in verdict(Interval(0.1, None, None))


@pytest.fixture
def instruction_set(tmp_path):
    """A folder of instructions: choices of two wordings, labels, a closed book, and one with soft tokens."""
    folder = tmp_path / "set"
    folder.mkdir()
    for split, count in (("train", 12), ("test", 8)):
        write_instructions(made(split, count), folder / f"{split}.jsonl")
    return folder


def made(split, count):
    for number in range(count):
        question, letters = lettered(f"How is disorder {split} {number} inherited?", ["dominant", "recessive"])
        rest = {"split": split, "group": f"{split}-{number // 2}"}
        closed = {"judged": "choice", "choices": letters, "template": f"closed-book-mode/{number % 2}"}
        yield Instruction(f"{split}-c{number}", "question answering", "hpo", question, letters[number % 3 == 0], **rest, **closed)
        choices, wording = ("yes", "no"), number % 2 + 2 * (split == "test" and number % 4 == 0)
        opened = {"judged": "choice", "choices": choices, "template": f"open/{wording}"}
        yield Instruction(f"{split}-o{number}", "question answering", "hpo", asked(f"Record {number}: so?", "choice", choices), "yes", **rest, **opened)
        labels = {"judged": "labels", "choices": ("eye", "skin"), "template": "systems/0"}
        yield Instruction(f"{split}-l{number}", "classification", "hpo", asked(f"Finding {number}?", "labels", ("eye", "skin")), "eye; skin", **rest, **labels)
    brain = Instruction(f"{split}-b", "brain phenotype", "cohort", "Which region?", "insula", sample="sample-01", split=split)
    yield brain


def test_each_family_is_compared_with_the_base(run, bundle, instruction_set, capsys):
    status, rows, lines = run("instructions", "--data", instruction_set, "--bundle", bundle)
    assert status == 0
    directions = {row["direction"] for row in rows}
    assert {"question answering", "classification", "question answering, closed book", "question answering, not new wording"} <= directions
    assert "brain phenotype" not in directions
    assert methods(rows, "classification") == {"commonest answer", "base", "bridge"}
    best = {row["direction"]: row for row in rows if row["method"] == "commonest answer" and row["metric"] == "score"}
    assert best["classification"]["value"] == 1.0
    assert {row["n"] for row in rows if row["direction"] == "question answering"} == {16}
    said = capsys.readouterr().out
    assert "(1 more have soft tokens in front and are left out)" in said
    assert "in 0 of 2 families" in said
    assert len(lines) == 3 * 24


def test_items_of_each_family_are_limited_by_the_seed(run, bundle, instruction_set):
    settings = ("--data", instruction_set, "--bundle", bundle, "--limit", "4")
    _, rows, _ = run("instructions", *settings)
    assert {row["n"] for row in rows if row["direction"] in ("question answering", "classification")} == {4}


def test_without_a_set_or_a_bundle_it_says_what_is_missing(run, instruction_set, bundle, tmp_path, capsys):
    assert run("instructions", "--data", instruction_set)[0] != 0
    assert "fields data and bundle: found nothing" in capsys.readouterr().err
    assert run("instructions", "--data", tmp_path, "--bundle", bundle)[0] != 0
    assert "test.jsonl: no such file" in capsys.readouterr().err


def test_parts_of_a_family_are_told_apart_by_their_wordings():
    items = list(made("test", 8))
    found = parts(items, {"open/0", "open/1", "closed-book-mode/0", "closed-book-mode/1", "systems/0"})
    assert {name: len(rows) for name, rows in found.items() if name.startswith("question")} == {
        "question answering": 16,
        "question answering, closed book": 8,
        "question answering, not closed book": 8,
        "question answering, new wording": 2,
        "question answering, not new wording": 14,
    }
    assert "classification, new wording" not in found


def test_the_commonest_answer_is_that_of_the_same_kind_of_question():
    training, items = list(made("train", 12)), [item for item in made("test", 2) if not item.sample]
    assert commonest(training, items) == ["(A)", "yes", "eye; skin"] * 2
    strange = dataclasses.replace(items[0], template="other/0")
    assert commonest(training, [strange]) == [""]
