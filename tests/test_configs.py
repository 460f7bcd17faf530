"""Every shipped configuration parses, every stage trains a step with it, and every entry fits its kind of LLM."""

import contextlib
import dataclasses
import importlib
import io
import tomllib
from pathlib import Path

import anndata
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from transformers import LlamaConfig, LlamaForCausalLM

from bridge.__main__ import main
from bridge.bundle import load
from bridge.corpora.build import read_config
from bridge.corpora.formats import FORMATS
from bridge.corpora.mixture import WEIGHTS
from bridge.data.cohort import Cohort
from bridge.instructions.item import Instruction, write_instructions
from bridge.language.llm import LLM, LanguageModel, Lora, add_lora, load_llm
from bridge.language.prompts import Prompt
from bridge.settings import config_file
from encoders.base import load_class

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
ALIGN = ("align.yaml", "align_me-llama-13b.yaml", "smoke.yaml")
TUNE = ("tune.yaml", "tune_me-llama-13b.yaml", "tune_me-llama-70b.yaml")
PRETRAIN = ("pretrain.yaml", "pretrain_me-llama-13b.yaml")
INSTRUCT = ("instruct.yaml", "instruct_me-llama-13b.yaml")
CORPORA = sorted((CONFIGS / "corpus").glob("*.yaml"))
LLMS = sorted((CONFIGS / "llm").glob("*.yaml"))
STRATEGIES = sorted((CONFIGS / "strategy").glob("*.yaml"))
ENCODERS = sorted((CONFIGS / "encoders").glob("*.yaml"))
BENCHMARKS = sorted((CONFIGS / "evaluate").glob("*.yaml"))

#: Key-value heads of four, and form of tokenizer and prompt, of a stand-in of the same kind as each entry.
KINDS = {
    "smollm2": ("chatml", 2),
    "me-llama-13b": ("llama-2", 4),
    "me-llama-13b-chat": ("llama-2", 4),
    "me-llama-70b": ("llama-2", 1),
    "me-llama-70b-chat": ("llama-2", 1),
    "med-llama3-8b": ("llama-3", 1),
}


def printed(*arguments):
    """What a command prints with --print_config, read as YAML."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
        main([*arguments, "--print_config"])
    assert end.value.code == 0
    return yaml.safe_load(out.getvalue())


def stage_of(name):
    return "align" if name == "smoke.yaml" else name.removesuffix(".yaml").partition("_")[0]


def test_every_file_is_of_a_kind_that_is_tested_here():
    known = {CONFIGS / name for name in (*ALIGN, *TUNE, *PRETRAIN, *INSTRUCT)} | {CONFIGS / "data" / "own_cohort.yaml"}
    known |= {*LLMS, *STRATEGIES, *ENCODERS, *BENCHMARKS, *CORPORA}
    assert known == set(CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("name", [*ALIGN, *TUNE, *PRETRAIN, *INSTRUCT])
def test_a_stage_config_parses_and_what_is_printed_parses_to_the_same(name, tmp_path):
    first = printed(stage_of(name), "--config", str(CONFIGS / name))
    (tmp_path / "printed.yaml").write_text(yaml.safe_dump(first))
    assert printed(stage_of(name), "--config", str(tmp_path / "printed.yaml")) == first
    assert first["model"]["llm"]["path"]


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_config_parses_and_says_all_its_settings(path):
    found = printed("evaluate", path.stem)
    assert yaml.safe_load(path.read_text())["init_args"].items() <= found.items()
    assert {"out", "seed"} < set(found)


@pytest.mark.parametrize("path", LLMS, ids=lambda path: path.stem)
def test_an_llm_entry_fills_its_place_in_a_stage(path):
    found = printed("tune", "--config", "tune.yaml", "--model.llm", str(path))["model"]["llm"]
    assert found == dataclasses.asdict(LLM(**yaml.safe_load(path.read_text())))


@pytest.mark.parametrize("path", STRATEGIES, ids=lambda path: path.stem)
def test_a_strategy_changes_where_a_stage_runs_and_nothing_else(path):
    before = printed("tune", "--config", "tune_me-llama-13b.yaml")
    after = printed("tune", "--config", "tune_me-llama-13b.yaml", "--trainer", str(path))
    changed = {key for key in before["trainer"] if before["trainer"][key] != after["trainer"][key]}
    assert changed <= {"devices", "strategy"}
    assert after["model"] == before["model"]
    assert after["trainer"]["accumulate_grad_batches"] == 8


@pytest.fixture(scope="module")
def one_step(tiny_llm, tiny_cohort_file, tmp_path_factory):
    """``one_step(config)``: the bundle after a step on a stand-in, as deep as the text side reads; only path and accelerator are others."""
    folder, done = tmp_path_factory.mktemp("steps"), {}

    def run(name):
        if name not in done:
            form, heads = KINDS["me-llama-13b" if "me-llama" in name else "smollm2"]
            llm = tiny_llm(form, key_value_heads=heads, layers=16)
            more = ["--model.start", str(run(name.replace("tune", "align").replace("70b", "13b")))] if name in TUNE else []
            more += ["--model.llm.quantise", "null"] if "70b" in name else []
            arguments = ["--config", name, "--data.cohort", str(tiny_cohort_file), "--model.llm.path", str(llm), "--out", str(folder / Path(name).stem), *more]
            arguments += ["--trainer.accelerator", "cpu", "--trainer.max_steps", "1", "--trainer.enable_progress_bar", "false"]
            assert main([stage_of(name), *arguments]) == 0
            done[name] = folder / Path(name).stem
        return done[name]

    return run


@pytest.mark.parametrize("name", [*ALIGN, *TUNE])
def test_a_stage_trains_a_step_on_a_stand_in(one_step, name):
    bridge = load(one_step(name))
    assert bridge.finite_trained()
    assert set(bridge.projectors) == {"gene", "brain"}


@pytest.fixture(scope="module")
def words(make_corpus, tmp_path_factory):
    """What each stage in words alone reads."""
    folder = tmp_path_factory.mktemp("instructions")
    fields = {"family": "inference", "source": "made-up", "question": "Does it follow?", "answer": "yes"}
    write_instructions([Instruction(id=str(number), **fields) for number in range(16)], folder / "train.jsonl")
    corpus = make_corpus({"biomedical": 12, "clinical": 6, "general": 6})
    return {"pretrain": ["--data.corpus", str(corpus), "--data.row_tokens", "32"], "instruct": ["--data.instructions", str(folder)]}


@pytest.mark.parametrize("name", [*PRETRAIN, *INSTRUCT])
def test_a_stage_in_words_alone_trains_a_step_on_a_stand_in(name, words, tiny_llm, tmp_path):
    form, heads = KINDS["me-llama-13b" if "me-llama" in name else "smollm2"]
    arguments = [*words[stage_of(name)], "--model.llm.path", str(tiny_llm(form, key_value_heads=heads)), "--out", str(tmp_path / "out")]
    arguments += ["--trainer.accelerator", "cpu", "--trainer.max_steps", "1", "--trainer.enable_progress_bar", "false"]
    assert main([stage_of(name), "--config", name, *arguments]) == 0
    written = load_llm(tmp_path / "out").model if name == "pretrain_me-llama-13b.yaml" else load(tmp_path / "out").llm
    assert all(torch.isfinite(parameter).all() for parameter in written.parameters())


@pytest.mark.parametrize("path", CORPORA, ids=lambda path: path.stem)
def test_a_corpus_config_names_formats_that_there_are_and_the_domains_of_the_mixture(path):
    config = read_config(path)
    assert set(config) == set(WEIGHTS)
    assert {source["format"] for sources in config.values() for source in sources} <= set(FORMATS)


def test_the_large_configs_keep_the_llm_in_bfloat16_and_what_is_trained_in_float32(one_step):
    record = yaml.safe_load(one_step("tune_me-llama-13b.yaml").with_name("tune_me-llama-13b-tune").joinpath("config.yaml").read_text())
    llm = record["model"]["llm"]
    assert "permission" in llm.pop("notice")
    assert llm.pop("shape")["hidden_size"] == 5120
    assert llm | {"path": ""} == {"path": "", "dtype": "bfloat16", "quantise": None, "checkpointing": "auto", "compile": False, "template": "me-llama"}
    assert record["trainer"]["precision"] == "32-true"
    bridge = load(one_step("tune_me-llama-13b.yaml"))
    assert bridge.template == "me-llama"
    adapted = {name.split(".")[-4] for name, _ in bridge.named_parameters() if "lora_A" in name}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize("path", LLMS, ids=lambda path: path.stem)
def test_an_entry_fits_a_stand_in_of_its_kind(path, tiny_llm, tiny_cohort, make_bridge):
    form, heads = KINDS[path.stem]
    entry = LLM(**yaml.safe_load(path.read_text()) | {"path": str(tiny_llm(form, key_value_heads=heads)), "checkpointing": False})
    language = load_llm(entry)
    bridge = make_bridge(over=add_lora(language, Lora()))
    prompt = Prompt(language.tokenizer, entry.template)
    turn = prompt.example("Where does the brain map peak?", "In the left cuneus.")
    values = {modality: torch.from_numpy(tiny_cohort.values(modality)[:1]) for modality in bridge.projectors}
    logits, targets = bridge(values, prompt.opening, [[turn]])
    assert logits.shape == (len(prompt.answer("In the left cuneus.")), len(language.embeddings))
    assert torch.isfinite(logits).all()
    assert targets.tolist() == prompt.answer("In the left cuneus.")


def test_the_adapter_of_13b_has_the_size_its_config_names(language):
    shape = LlamaConfig(hidden_size=5120, intermediate_size=13824, num_hidden_layers=40, num_attention_heads=40, num_key_value_heads=40, vocab_size=32000)
    with torch.device("meta"):
        large = LanguageModel(LlamaForCausalLM(shape), language.tokenizer, "13B")
        adapted = add_lora(large, Lora(**yaml.safe_load((CONFIGS / "tune_me-llama-13b.yaml").read_text())["model"]["lora"]))
    trained = sum(parameter.numel() for parameter in adapted.model.parameters() if parameter.requires_grad)
    assert round(trained / 1e6) == 63


def test_the_projectors_of_13b_are_small_for_they_are_factorised():
    for spec in yaml.safe_load((CONFIGS / "align_me-llama-13b.yaml").read_text())["model"]["projectors"].values():
        module, _, name = spec["class_path"].rpartition(".")
        projector = getattr(importlib.import_module(module), name)(1, 83, 5120, **spec["init_args"]) if "identity" in module else None
        projector = projector or getattr(importlib.import_module(module), name)(1536, 1, 5120, **spec["init_args"])
        assert sum(parameter.numel() for parameter in projector.parameters()) < 2e7


@pytest.mark.parametrize("path", ENCODERS, ids=lambda path: path.stem)
def test_an_encoder_fragment_builds_a_cohort_and_asks_to_be_filled_in(path, tmp_path, monkeypatch):
    spec = yaml.safe_load(path.read_text())
    modality = "gene" if "gene_table" in spec["class_path"] else "brain"
    source = sources(tmp_path, spec)
    monkeypatch.chdir(tmp_path)
    arguments = ["data", "build", "--out", "cohort.h5ad", "--modalities", f"{{{modality}: {path}}}", f"--{modality}", str(source), "--group", "id"]
    with pytest.warns(UserWarning, match=rf"{path.name}: provenance still has <...> in encoder|layer|atlas"):
        assert main(arguments) == 0
    cohort = Cohort.read(tmp_path / "cohort.h5ad")
    assert isinstance(cohort.encoder(modality), load_class(spec["class_path"]))
    card = cohort.card(modality).to_dict()
    assert {name: card[name] for name in spec["init_args"]["provenance"]} == spec["init_args"]["provenance"]


def test_a_cohort_of_ones_own_is_built_from_its_config_once_it_is_filled_in(tmp_path, monkeypatch):
    for fragment in ("geneformer", "freesurfer"):
        filled = (CONFIGS / "encoders" / f"{fragment}.yaml").read_text().replace("<", "").replace(">", "")
        (tmp_path / "configs" / "encoders").mkdir(parents=True, exist_ok=True)
        (tmp_path / "configs" / "encoders" / f"{fragment}.yaml").write_text(filled)
        spec = yaml.safe_load(filled)
        source, place = sources(tmp_path, spec), tmp_path / spec["source"]
        place.parent.mkdir(exist_ok=True)
        source.rename(place.with_suffix(source.suffix))
    (tmp_path / "configs" / "data").mkdir()
    (tmp_path / "configs" / "data" / "own_cohort.yaml").write_text((CONFIGS / "data" / "own_cohort.yaml").read_text())
    names = [f"s{number:02d}" for number in range(12)]
    table = pd.DataFrame({"id": names, "participant_id": names, "notes": "well", "diagnoses": "ataxia; seizure"})
    table.to_csv(tmp_path / "study" / "participants.csv", index=False)
    monkeypatch.chdir(tmp_path)
    assert main(["data", "build", "--config", "configs/data/own_cohort.yaml", "--brain", "study/freesurfer.csv"]) == 0
    cohort = Cohort.read(tmp_path / "study" / "cohort.h5ad")
    assert cohort.modalities == ["gene", "brain"]
    assert cohort.texts == ["notes"]
    assert cohort.facts == {"diagnoses": "gene"}


def test_a_shipped_config_is_found_by_its_name_and_a_file_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_file("llm/smollm2.yaml") == config_file("configs/llm/smollm2.yaml") == CONFIGS / "llm" / "smollm2.yaml"
    (tmp_path / "align.yaml").write_text("seed_everything: 3\n")
    assert config_file("align.yaml").resolve() == tmp_path / "align.yaml"
    with pytest.raises(ValueError, match=r"configuration 'nothing.yaml': no such file"):
        config_file("nothing.yaml")


def sources(folder, spec):
    """Twelve samples in a form the fragment's encoder reads."""
    random, ids = np.random.default_rng(0), [f"s{number:02d}" for number in range(12)]
    kind = spec["class_path"].rpartition(".")[2]
    if kind == "BrainVolume":
        return _images(folder, spec, random, ids)
    if kind == "Peaks":
        _images(folder, spec, random, ids)
        peaks = pd.DataFrame({"id": np.repeat(ids, 3), **dict(zip("xyz", random.uniform(1, 4, size=(3, 36)), strict=True))})
        peaks.to_csv(folder / "peaks.csv", index=False)
        return folder / "peaks.csv"
    if kind == "BrainTokens":
        np.savez(folder / "tokens.npz", ids=np.array(ids), values=random.normal(size=(12, 5, 6)))
        return folder / "tokens.npz"
    if kind == "RegionTable":
        table = pd.DataFrame(
            random.normal(size=(12, 4)), index=ids, columns=["lh_cuneus_thickness", "rh_cuneus_thickness", "lh_insula_thickness", "Brain-Stem"]
        )
        table.to_csv(folder / "regions.csv", index_label="id")
        return folder / "regions.csv"
    vectors = random.normal(size=(12, 8))
    name = spec["init_args"].get("key", "obsm:X").partition(":")[2]
    anndata.AnnData(obs=pd.DataFrame(index=ids), obsm={name: vectors}).write_h5ad(folder / "vectors.h5ad")
    return folder / "vectors.h5ad"


def _images(folder, spec, random, ids):
    labels = np.zeros((6, 6, 6), dtype=np.int16)
    labels[1:3], labels[3:5] = 1, 2
    atlas = folder / spec["init_args"]["atlas"]
    atlas.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(labels, np.eye(4)), atlas)
    (folder / spec["init_args"]["labels"]).write_text("index\tname\n1\tleft half\n2\tright half\n")
    maps = folder / "maps"
    maps.mkdir()
    form = "sub-{}_desc-preproc_T1w.nii.gz" if "entities" in spec["init_args"] else "{}.nii.gz"
    for name in ids:
        nib.save(nib.Nifti1Image(random.normal(size=labels.shape).astype(np.float32), np.eye(4)), maps / form.format(name))
    return maps


def test_the_wheel_holds_every_package_and_every_configuration():
    settings = tomllib.loads((CONFIGS.parent / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        str(path.parent.relative_to(CONFIGS.parent)).replace("/", ".") for top in ("bridge", "encoders") for path in CONFIGS.parent.glob(f"{top}/**/*.py")
    }
    assert set(settings["packages"]) == folders | {"bridge.configs"}
    assert settings["package-dir"] == {"bridge.configs": "configs"}
    shipped = {path for pattern in settings["package-data"]["bridge.configs"] for path in CONFIGS.glob(pattern)}
    assert shipped == set(CONFIGS.rglob("*.yaml"))
