"""The examples run on a tiny LLaMA, and what their pages show is what they run."""

import argparse
import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from tiny_hpo import write_release

from bridge.bundle import load
from bridge.data.cohort import Cohort
from bridge.instructions import build

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "walkthrough"


@pytest.fixture
def small_sources(tmp_path, monkeypatch):
    """A release of HPO and the sources of a corpus, both small."""
    release = write_release(tmp_path)
    monkeypatch.setattr(build, "_default_sources", lambda: release)
    sources = {}
    for domain in ("biomedical", "clinical", "general"):
        (tmp_path / domain).mkdir()
        for number in range(40):
            words = " ".join(f"{domain}{(number * 7 + place) % 53}" for place in range(30))
            (tmp_path / domain / f"{number}.txt").write_text(f"Text {number} of what is {domain}: {words}.")
        sources[domain] = [{"format": "text", "path": str(tmp_path / domain)}]
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(sources))
    return tmp_path / "sources.yaml"


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / name / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def walkthrough():
    return example("walkthrough")


@pytest.fixture(scope="module")
def medical():
    return example("medical")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with the shipped configs, as in a checkout."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cpu(tiny_llm):
    """What is another one on the tiny LLaMA: its path, the accelerator and the number of steps."""
    llm = tiny_llm("llama-2", key_value_heads=4, layers=16)
    return ["--llm", str(llm)], ["--stage", "--trainer.accelerator", "cpu", "--trainer.max_steps", "2", "--trainer.enable_progress_bar", "false"]


def commands(page):
    """Every command of the page's bash blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def test_the_readme_shows_the_commands_that_run(walkthrough):
    shown = [sorted(words) for words in commands((FOLDER / "README.md").read_text()) if words[0] == "bridge"]
    plans = [walkthrough.plan("checkpoints/me-llama-13b", tokens=tokens) for tokens in (False, True)]
    planned = [[sorted(shlex.split(command)) for command in plan] for plan in plans]
    assert shown == [*planned[0], *planned[1][:2]]


def test_the_stages_differ_from_the_shipped_configs_in_the_path_of_the_llm_alone(walkthrough):
    for command in walkthrough.plan("checkpoints/me-llama-13b")[1:3]:
        words = shlex.split(command)
        config = yaml.safe_load((ROOT / words[words.index("--config") + 1]).read_text())
        llm = yaml.safe_load((ROOT / "configs" / config["model"]["llm"]).read_text())
        assert words[words.index("--model.llm.path") + 1] == llm["path"] == "checkpoints/me-llama-13b"
        changed = {word for word in words if word.startswith("--")} - {"--config", "--data.cohort", "--out", "--model.llm.path", "--model.start"}
        assert changed <= {"--model.pairs"}  # the texts of a cohort are its own


def test_the_walkthrough_ends_with_a_report(walkthrough, here, cpu):
    llm, stage = cpu
    walkthrough.main([*llm, *stage])
    cohort = Cohort.read("study/cohort.h5ad")
    assert len(cohort.ids) == 96
    assert cohort.texts == ["notes"]
    assert "sub-001" in Path("study/cohort.unjoined.csv").read_text()
    families = cohort.table.obs.groupby("family", observed=True)["split"].nunique()
    assert (families == 1).all()
    bridge = load("study/bundle")
    assert bridge.template == "me-llama"
    assert set(bridge.projectors) == {"gene", "brain"}
    report = Path("study/sub-017.md").read_text()
    assert "sub-017" in report
    assert "note" in report


def test_token_grids_and_no_notes_train_as_well(walkthrough, here, cpu):
    (_, llm), (_, *stage) = cpu
    walkthrough.write_study(Path("study"))
    with pytest.warns(UserWarning, match="PerceiverResampler of 'brain' has no part of its own for the shared space"):
        walkthrough.run(walkthrough.plan(llm, tokens=True, notes=False, stage=" ".join(stage))[:3])
    assert Cohort.read("study/cohort.h5ad").texts == []
    assert load("study/bundle").cards["brain"].tokens == 6


def test_the_study_is_made_up_in_the_same_way_each_time(walkthrough, tmp_path):
    for name in ("one", "two"):
        walkthrough.write_study(tmp_path / name)
    for file in ("thickness.csv", "participants.csv", "note.txt"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_step_that_fails_ends_the_walkthrough(walkthrough, here, capsys):
    with pytest.raises(SystemExit) as end:
        walkthrough.main(["--llm", "checkpoints/nowhere", "--stage", "--trainer.accelerator", "cpu"])
    assert end.value.code == 2
    assert "LLM 'checkpoints/nowhere'" in capsys.readouterr().err


def test_the_medical_example_runs_whole_in_small_form(medical, here, tiny_llm, small_sources):
    """Three steps of each stage over a corpus and an instruction set that are made as the whole example makes them."""
    quiet = "--trainer.accelerator cpu --trainer.enable_progress_bar false"
    more = ["--sources", str(small_sources), "--per-family", "8", "--limit", "4", "--pretrain-steps", "3", "--instruct-steps", "3", "--stage", quiet]
    medical.main(["--llm", str(tiny_llm()), *more])
    rows = json.loads(Path("runs/medical/scores/instructions/results.json").read_text())
    assert {"base", "bridge"} <= {row["method"] for row in rows}
    metrics = json.loads(Path("runs/medical/pretrained/metrics.json").read_text())["pretrain"]
    assert metrics["perplexity/general/after"] > 0
    assert json.loads(Path("runs/medical/corpus/card.json").read_text())["benchmarks"]["items"] > 0


def test_the_readme_shows_the_commands_of_the_medical_example(medical):
    page = (ROOT / "README.md").read_text()
    steps = {"pretrain_steps": 1, "instruct_steps": 1, "limit": 1, "per_family": 800}
    given = argparse.Namespace(out="runs/medical", llm="LLM", sources="configs/corpus/small.yaml", stage="", **steps)
    shown = {(words[1], *words[2:3]) for words in commands(page) if words and words[0] == "bridge"}
    assert {tuple(shlex.split(command)[1:3]) for command in (medical.instructions(given), *medical.plan(given))} <= shown
