"""Every command by its own words: what it writes, what it explains, and how it refuses."""

import functools
import io
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from typed_command import typed

from bridge.__main__ import COMMANDS, main
from bridge.arguments import tidy
from bridge.bundle import load
from bridge.commands import data as commands
from bridge.data.cohort import Cohort

ROOT = Path(__file__).resolve().parents[1]
VERBS = [[verb] for verb in COMMANDS] + [["data", "default"], ["data", "build"], ["data", "patients"]]
CPU = "--trainer.accelerator cpu --trainer.enable_progress_bar false --trainer.max_steps 2"


@pytest.fixture
def bridge_command(capsys, tmp_path, monkeypatch):
    """``bridge_command("data build ...")``: run it in an empty folder; the status, what it printed, and what it complained of."""
    monkeypatch.chdir(tmp_path)

    return functools.partial(typed, capsys)


@pytest.fixture(scope="module")
def bundle(tiny_llm, tiny_cohort_file, tmp_path_factory):
    """A bundle after two steps of each stage."""
    folder = tmp_path_factory.mktemp("bundles")
    common = f"--data.cohort {tiny_cohort_file} --model.llm.path {tiny_llm('chatml')} {CPU}"
    brain = "--model.projectors.brain '{class_path: bridge.project.identity.IdentityValue, init_args: {extremes: 4}}'"
    text = f"{brain} --model.pairs '{{brain~anatomy: 1.0, gene~clinical: 1.0}}' --model.text.layers '[0, 1]'"
    assert main(shlex.split(f"align --config smoke.yaml {text} {common} --out {folder}/aligned")) == 0
    assert main(shlex.split(f"tune --config tune.yaml {common} --model.start {folder}/aligned --out {folder}/bundle")) == 0
    return folder / "bundle"


@pytest.fixture
def study(tmp_path):
    """Files of a study: gene vectors, a table of regions, and a table of persons; one person has no scan."""
    random, ids = np.random.default_rng(0), [f"sub-{number:02d}" for number in range(1, 21)]
    anndata.AnnData(obs=pd.DataFrame(index=ids), obsm={"X_scgpt": random.normal(size=(20, 6))}).write_h5ad(tmp_path / "genes.h5ad")
    regions = pd.DataFrame(random.normal(2.5, 0.2, size=(19, 3)), index=ids[1:], columns=["left cuneus", "right cuneus", "left insula"])
    regions.to_csv(tmp_path / "thickness.csv", index_label="id")
    people = {
        "id": ids,
        "family": [f"f{number // 2}" for number in range(20)],
        "notes": "Walks well.",
        "second": "Sleeps well.",
        "diagnoses": "ataxia; seizure",
    }
    pd.DataFrame(people).to_csv(tmp_path / "people.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_help_explains_a_command_and_every_option_of_ours(bridge_command, verb):
    status, said, complained = bridge_command(" ".join([*verb, "--help"]))
    assert (status, complained) == (0, "")
    assert said.startswith(f"usage: bridge {verb[0]}")
    assert COMMANDS[verb[0]].purpose.split()[0] in said or len(verb) == 2
    silent = re.findall(r"^  --(\S+)(?: \S+)?(?:\n {8,}| {2,})\((?:required|type)", said, re.MULTILINE)
    assert not silent


def test_bridge_alone_names_every_command(bridge_command):
    for line in ("", "--help", "-h"):
        status, said, _ = bridge_command(line)
        assert status == 0
        assert all(verb in said and command.purpose in said for verb, command in COMMANDS.items())


def test_a_cohort_is_built_from_tables_with_one_line(bridge_command, study):
    line = "data build --out cohort.h5ad --gene genes.h5ad#obsm:X_scgpt --brain thickness.csv --table people.csv --texts notes second"
    status, said, complained = bridge_command(f"{line} --facts.diagnoses gene --group family --id-column id --normalise.brain global")
    assert status == 0, complained
    assert "cohort.h5ad: 20 samples" in said
    assert "gene 20, brain 19" in said
    cohort = Cohort.read("cohort.h5ad")
    assert cohort.texts == ["notes", "second"]
    assert cohort.facts == {"diagnoses": "gene"}
    assert cohort.card("brain").names == ("left cuneus", "right cuneus", "left insula")
    assert cohort.card("brain").normalisation["method"] == "global"
    assert pd.read_csv("cohort.unjoined.csv")["id"].tolist() == ["sub-01"]


def test_what_a_build_would_use_can_be_printed_and_used(bridge_command, study):
    line = "data build --out cohort.h5ad --gene genes.h5ad --group family --table people.csv"
    status, said, _ = bridge_command(f"{line} --print_config")
    assert status == 0
    Path("build.yaml").write_text(said)
    assert yaml.safe_load(said)["group"] == "family"
    assert bridge_command("data build --config build.yaml")[0] == 0
    assert Cohort.read("cohort.h5ad").modalities == ["gene"]


def test_images_are_refused_without_an_atlas(bridge_command, tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "sub-01.nii.gz").touch()
    status, _, complained = bridge_command("data build --out cohort.h5ad --brain maps")
    assert status == 2
    assert "pass --atlas LABELS.nii.gz --labels TABLE.tsv" in complained


def test_the_default_data_are_asked_for_as_typed(bridge_command, monkeypatch, tiny_cohort):
    asked = {}
    monkeypatch.setattr(commands, "build_default", lambda out, **settings: asked.update(settings, out=out) or tiny_cohort)
    status, said, _ = bridge_command("data default --out runs/data --full --seed 3")
    assert status == 0
    assert asked == {"out": Path("runs/data"), "full": True, "genes": 1000, "seed": 3}
    assert "32 samples (train 16, validation 8, test 8); with gene 31, brain 31; texts ['anatomy', 'clinical']" in said


def test_an_encoder_is_run_over_a_file(bridge_command, study):
    line = "embed --modality brain --source thickness.csv --out brain.h5ad --class-path encoders.region_table.RegionTable"
    status, _, complained = bridge_command(f"{line} --init-args '{{provenance: {{units: mm}}}}'")
    assert status == 0, complained
    cohort = Cohort.read("brain.h5ad")
    assert cohort.modalities == ["brain"]
    assert cohort.card("brain").units == "mm"
    assert len(cohort.ids) == 19


def test_the_llm_reads_notes_and_remembers(bridge_command, study, tiny_llm):
    people = pd.read_csv("people.csv")
    people.loc[[3, 4], "notes"] = ["Has seizures.", None]
    people.to_csv("people.csv", index=False)
    line = f"embed --modality text --table people.csv --column notes --group family --llm.path {tiny_llm('chatml')} --layers 0 2"
    status, said, complained = bridge_command(f"{line} --out notes.h5ad")
    assert status == 0, complained
    assert "20 notes (1 empty, 0 in several chunks), width 64, chunks encoded now 2; wrote notes.h5ad and notes.card.json" in said
    cohort = Cohort.read("notes.h5ad")
    assert cohort.card("text").layer == "0, 2"
    assert cohort.text("notes")[4] == ""
    assert cohort.table.obs["group"].tolist() == cohort.table.obs["family"].tolist()
    values = cohort.raw("text")
    assert np.isnan(values[4]).all()
    assert np.array_equal(values[0], values[1])
    assert not np.allclose(values[0], values[3])
    assert "encoded now 0" in bridge_command(f"{line} --out again.h5ad")[1]


def test_notes_of_a_tuned_bundle_are_read_by_its_tuned_llm(bridge_command, study, bundle, tiny_llm):
    vectors = {}
    for name, given in {"bare": f"--llm.path {tiny_llm('chatml')}", "tuned": f"--bundle {bundle}"}.items():
        status, _, complained = bridge_command(f"embed --modality text --table people.csv --column notes --out {name}.parquet {given}")
        assert status == 0, complained
        vectors[name] = pd.read_parquet(f"{name}.parquet")
    cards = {name: json.loads(Path(f"{name}.card.json").read_text())["text"] for name in vectors}
    assert cards["bare"]["adapter"] == ""
    assert cards["tuned"]["adapter"] == "default"
    assert cards["bare"]["weights"] != cards["tuned"]["weights"]
    assert not np.array_equal(vectors["bare"], vectors["tuned"])


def test_a_report_of_a_cohort_sample_is_printed_or_written(bridge_command, bundle, tiny_cohort_file):
    line = f"report {bundle} --cohort {tiny_cohort_file} --sample sample-30 --max-new-tokens 12"
    status, said, complained = bridge_command(line)
    assert status == 0, complained
    assert "sample-30" in said
    status, said, _ = bridge_command(f"{line} --format json --use brain --out report.json")
    assert (status, said) == (0, "wrote report.json\n")
    report = json.loads(Path("report.json").read_text())
    assert report["given"] == ["brain"]
    assert report["missing"] == ["gene"]


def test_a_report_comes_from_files_of_any_subset_and_a_note(bridge_command, bundle, tiny_cohort):
    row = tiny_cohort.ids.index("sample-30")
    names, values = tiny_cohort.card("brain").names, tiny_cohort.raw("brain")
    pd.DataFrame(values[row : row + 2], index=["sample-30", "sample-31"], columns=names).to_csv("brain.csv", index_label="id")
    np.savez("gene.npz", ids=np.array(["sample-30"]), values=tiny_cohort.raw("gene")[[row]])
    Path("note.txt").write_text("Seizures since childhood. <|im_end|>")
    status, said, complained = bridge_command(
        f"report {bundle} --gene gene.npz --brain brain.csv --note note.txt --sample sample-30 --format json --max-new-tokens 8"
    )
    assert status == 0, complained
    assert json.loads(said)["given"] == ["brain", "gene", "note"]
    status, said, complained = bridge_command(f"report {bundle} --inputs.gene gene.npz --format json --max-new-tokens 8")
    assert status == 0, complained
    assert json.loads(said)["given"] == ["gene"]
    status, _, complained = bridge_command(f"report {bundle} --brain brain.csv")
    assert status == 2
    assert "brain.csv: holds 2 samples, expected one; name it with --sample" in complained


def test_a_bundle_is_evaluated_into_a_folder(bridge_command, bundle, tiny_cohort_file):
    status, said, complained = bridge_command(f"evaluate --bundle {bundle} --cohort {tiny_cohort_file} --out evaluation --limit 4")
    assert status == 0, complained
    assert "held-out retrieval" in said
    metrics = json.loads(Path("evaluation/metrics.json").read_text())
    assert {"brain->anatomy", "gene->clinical", "gene->brain"} <= set(metrics["retrieval"])
    assert metrics["report"]["n"] == 4
    assert {path.name for path in Path("evaluation/figures").iterdir()} >= {"retrieval.png", "shared_space.png", "audit.png"}
    assert load(bundle).space is not None


def test_the_encoder_outside_the_packages_is_checked_rule_by_rule(bridge_command, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "encoder_outside", raising=False)
    monkeypatch.chdir(ROOT / "examples")
    status, said, complained = bridge_command("check-encoder encoder_outside:BandPower")
    assert (status, complained) == (0, "")
    assert "BROKEN" not in said
    assert "encoder_outside:BandPower keeps the contract" in said


def test_a_broken_encoder_is_told_which_rules_it_breaks(bridge_command, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = (ROOT / "examples" / "encoder_outside.py").read_text()
    (tmp_path / "leaky_encoder.py").write_text(source.replace("values.unsqueeze(-1)", "(values + values.nan_to_num().mean()).unsqueeze(-1)"))
    status, said, complained = bridge_command("check-encoder leaky_encoder:BandPower")
    assert status == 2
    assert "BROKEN one sample alone gives the row it has in a batch" in said
    assert "rules broken, listed above; expected none" in complained


WRONG = {
    "no-such-verb": "unknown command 'no-such-verb'; expected one of demo, data",
    "data": 'expected "subcommand" to be one of {default,build,corpus,instructions,patients}',
    "data bulid": "invalid choice: 'bulid' (choose from 'default', 'build', 'corpus', 'instructions', 'patients')",
    "data build --out cohort.txt --gene genes.h5ad": "out cohort.txt: found suffix '.txt', expected .h5ad",
    "data build --out cohort.h5ad": "modalities: found none, expected at least one",
    "data build --out cohort.h5ad --gene nowhere.h5ad": "nowhere.h5ad",
    "data build --out cohort.h5ad --gene genes.h5ad --genne x": "unrecognized arguments: --genne",
    "data build --out cohort.h5ad --gene genes.h5ad --seed soon": "seed: found soon, expected int",
    "data build --out cohort.h5ad --gene genes.h5ad --table people.csv --group house": "no column 'house'",
    "data build --config nowhere.yaml": "File does not exist",
    "report nowhere --cohort cohort.h5ad --sample x": "nowhere/config.json: no such file; expected a bundle folder",
    "report BUNDLE --cohort COHORT --sample sample-99": "no sample 'sample-99'; pass --sample with one of its 32 ids, for example 'sample-00'",
    "report BUNDLE --cohort COHORT": "found no sample; expected --sample ID",
    "report BUNDLE": "found no sample; expected --sample ID",
    "report BUNDLE --cohort COHORT --brain people.csv": "found both a cohort and files, expected --cohort C --sample ID, or files",
    "report BUNDLE --sample sample-30 --what-if hippocampus=0": "what-if 'hippocampus=0': no input has 'hippocampus'",
    "report BUNDLE --sample sample-03 --without gene": "field without: the sample has no 'gene' to leave out",
    "report BUNDLE --cohort COHORT --sample sample-03 --use gene": "sample 'sample-03' has no 'gene'; it has ['brain']",
    "report BUNDLE --eeg x.csv": "unrecognized arguments: --eeg",
    "report BUNDLE --inputs.eeg people.csv": "input 'eeg': this bundle reads ['gene', 'brain']",
    "report BUNDLE --brain nowhere.csv": "nowhere.csv",
    "report BUNDLE --cohort people.csv --sample x": "people.csv",
    "report BUNDLE --cohort COHORT --sample sample-30 --note nowhere.txt": "nowhere.txt",
    "report BUNDLE --cohort COHORT --sample sample-30 --format pdf": "format: found pdf, expected one of 'auto', 'markdown', 'html', 'json'",
    "evaluate --bundle BUNDLE --cohort nowhere.h5ad --out x": "nowhere.h5ad: no such file; make one with: bridge data",
    "evaluate --bundle BUNDLE": "the following arguments are required: cohort, out",
    "check-encoder nowhere:Nothing": "No module named 'nowhere'",
    "check-encoder encoders.base:Card": "expected a subclass of encoders.base.Encoder",
    "embed --modality text --table people.csv --column words --out x.h5ad": "no column 'words'",
    "embed --modality text --out x.h5ad": "embed, field table: found none",
    "embed --modality brain --out x.h5ad --source thickness.csv": "embed, field class_path: found none",
    "embed --modality text --table people.csv --class_path a.B --out x.h5ad": "field class_path: modality 'text' does not use it",
    "embed --modality text --table people.csv --column notes second --out x.parquet": "holds the vectors of one",
    "embed --modality text --table people.csv --column notes --out x.npz": "expected .h5ad or .parquet",
    "embed --modality text --table people.csv --column notes --out x.parquet --chunk_tokens 9999 --llm.path LLM": "chunk_tokens: found 9999, expected 1 to",
    "align --config align.yaml --data.cohort nowhere.h5ad --out x": "nowhere.h5ad: no such file",
    "align --config align.yaml --data.cohort COHORT --out x --model.llm.path nowhere": "LLM 'nowhere'",
    "tune --config tune.yaml --data.cohort COHORT --out x --model.start nowhere --model.llm.path LLM": "nowhere/config.json: no such file",
    "demo --genes many": "genes: found many, expected int",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_is_named_in_a_line_or_two_without_a_traceback(bridge_command, study, bundle, tiny_cohort_file, tiny_llm, line):
    words = {"BUNDLE": bundle, "COHORT": tiny_cohort_file, "LLM": tiny_llm("chatml")}
    status, said, complained = bridge_command(" ".join(str(words.get(word, word)) for word in line.split()))
    assert status == 2
    error = complained[complained.index("bridge") :]  # what stands before it is progress
    assert WRONG[line] in error
    assert len(error.splitlines()) <= 2
    assert "Traceback" not in said + complained
    assert "usage:" not in complained


def test_a_damaged_bundle_is_refused_by_its_file(bridge_command, bundle, tmp_path, tiny_cohort_file):
    shutil.copytree(bundle, tmp_path / "damaged")
    weights = tmp_path / "damaged" / "projectors.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    status, _, complained = bridge_command(f"report damaged --cohort {tiny_cohort_file} --sample sample-30")
    assert status == 2
    assert "projectors.safetensors" in complained
    assert len(complained.splitlines()) <= 2


@pytest.mark.parametrize(("interruption", "status"), [(KeyboardInterrupt(), 130), (KeyboardInterrupt(signal.SIGTERM), 143)])
def test_ctrl_c_and_sigterm_end_a_command_with_a_line_and_the_status_of_the_signal(bridge_command, monkeypatch, interruption, status):
    def interrupted(arguments):
        raise interruption

    monkeypatch.setattr("bridge.commands.train.align", interrupted)
    assert bridge_command("align") == (status, "", "bridge align: stopped; run the same command again to go on\n")


def test_a_terminal_that_is_not_of_utf_8_shows_a_character_by_its_number(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("bridge.commands.report.report", lambda arguments: print("−2.1 → low"))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert main(["report"]) == 0
    sys.stdout.flush()
    assert written.getvalue() == b"\\u22122.1 \\u2192 low\n"


class PanicException(BaseException):
    """As a tokenizer ends on a pattern without end."""


@pytest.mark.parametrize(
    "error", [KeyError("place"), MemoryError(), RecursionError("too deep\n" * 900), PanicException("no match")], ids=lambda error: type(error).__name__
)
def test_an_error_that_nobody_foresaw_is_two_lines_with_its_place_and_another_status(error, bridge_command, monkeypatch):
    def fails(arguments):
        raise error

    monkeypatch.setattr("bridge.commands.train.align", fails)
    status, said, complained = bridge_command("align")
    first, second = complained.splitlines()
    assert (status, said) == (1, "")
    assert re.match(rf"bridge align: error: {type(error).__name__} in .*fails, line \d+: ", first)
    assert len(first) < 500
    assert second == "bridge did not foresee this; to see where it came from: python -X dev -m bridge align ..."


def test_a_line_of_an_error_has_an_end(bridge_command, monkeypatch):
    def fails(arguments):
        raise ValueError("x" * 10**6)

    monkeypatch.setattr("bridge.commands.train.align", fails)
    assert len(bridge_command("align")[2]) < 2_000


def test_the_program_itself_ends_with_the_status_of_its_command(tmp_path):
    done = subprocess.run([sys.executable, "-m", "bridge", "report", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"bridge report: error: {tmp_path}/config.json: no such file; " + done.stderr.partition("no such file; ")[2]
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("--id-rule strip casefold --out x", ["--id_rule=[\"strip\", \"casefold\"]", "--out", "x"]),
        ("--id-rule=strip", ["--id_rule=strip"]),
        ("--texts '[a, b]'", ["--texts=[a, b]"]),
        ("--full --out x", ["--full=true", "--out", "x"]),
        ("--full false", ["--full", "false"]),
        ("--modalities.my-eeg.source x-y.csv", ["--modalities.my-eeg.source", "x-y.csv"]),
        ("--trust one two", ["--model.trust=[\"one\", \"two\"]"]),
        ("--no-such.yaml", ["--no_such.yaml"]),
        ("some-bundle --max-new-tokens 3", ["some-bundle", "--max_new_tokens", "3"]),
    ],
)  # fmt: skip
def test_options_are_taken_as_typed(typed, taken):
    assert tidy(shlex.split(typed), ("id_rule", "texts", "model.trust"), ("full",), {"trust": "model.trust"}) == taken
