"""An export is whole or not there, says whose terms hold, and is read only as it was written."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from bridge.bundle import bundle_digest
from bridge.export import export as exporting
from bridge.export.export import ABOUT, read_export, write_export
from bridge.export.folder import SUMS


def test_an_export_holds_what_a_server_loads(exported):
    bridge, export = exported()
    names = {path.relative_to(export.folder).as_posix() for path in export.folder.rglob("*") if path.is_file()}
    assert names >= {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "launch.sh", "README.md", SUMS}
    assert [name for name in names if name.endswith(".safetensors") and "/" not in name] == ["model.safetensors"]
    config = AutoConfig.from_pretrained(export.folder)
    assert (config.architectures, config.dtype, config.eos_token_id) == (["LlamaForCausalLM"], torch.float32, bridge.language.tokenizer.eos_token_id)
    assert GenerationConfig.from_pretrained(export.folder).eos_token_id == bridge.language.tokenizer.eos_token_id
    ids = torch.tensor([[9, 30, 200]])
    with torch.inference_mode():
        expected, found = bridge.llm.get_base_model()(ids).logits, AutoModelForCausalLM.from_pretrained(export.folder).eval()(ids).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_the_dtype_can_be_named(bundle, tiny_cohort, tmp_path):
    bridge, folder = bundle()
    write_export(bridge, folder, tmp_path / "served", cohort=tiny_cohort, dtype="bfloat16")
    export = read_export(tmp_path / "served")
    assert AutoModelForCausalLM.from_pretrained(export.folder, dtype="auto").dtype == torch.bfloat16
    assert export.embeds["sample-24"].dtype == torch.bfloat16
    assert "--dtype bfloat16" in (export.folder / "launch.sh").read_text()


def test_the_launch_script_is_a_command_of_vllm(export, tmp_path):
    """Run with a vllm that only says what it was given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vllm").write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n')
    (tmp_path / "bin" / "vllm").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    script = [export.folder / "launch.sh", "--tensor-parallel-size", "4"]
    said = subprocess.run(script, env={"PATH": path}, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.split()
    assert said[:3] == [str(export.folder), "serve", "."]
    assert said[-2:] == ["--tensor-parallel-size", "4"]
    assert "--enable-prompt-embeds" in said
    assert said[said.index("--served-model-name") + 1] == export.model
    assert said[said.index("--chat-template-content-format") + 1] == "openai"
    assert said[said.index("--host") + 1] == "127.0.0.1"
    assert (export.folder / said[said.index("--chat-template") + 1]).is_file()


def test_the_terms_of_the_llm_stand_in_the_export(bundle, tmp_path):
    bridge, folder = bundle()
    bridge.reference["notices"] = ["Ask before outputs are shared."]
    write_export(bridge, folder, tmp_path / "served")
    readme = (tmp_path / "served" / "README.md").read_text()
    assert "- Ask before outputs are shared." in readme
    assert "forbid passing weights on" in readme
    assert "not a medical device" in readme


def test_every_file_has_its_digest(export):
    lines = dict(reversed(line.split("  ")) for line in (export.folder / SUMS).read_text().splitlines())
    files = {path.relative_to(export.folder).as_posix(): path for path in export.folder.rglob("*") if path.is_file() and path.name != SUMS}
    assert lines == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


@pytest.mark.parametrize("name", ["chat_template.jinja", "bridge/export.json", "tokenizer.json", "launch.sh"])
def test_a_changed_file_is_noticed(name, export, tmp_path):
    folder = shutil.copytree(export.folder, tmp_path / "served")
    with (folder / name).open("a") as file:
        file.write(" ")
    with pytest.raises(ValueError, match=f"{name}: found another file than was written"):
        read_export(folder)


def test_a_missing_file_is_noticed(export, tmp_path):
    folder = shutil.copytree(export.folder, tmp_path / "served")
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match=r"config\.json: found another file than was written"):
        read_export(folder)


def test_an_export_of_another_form_is_refused(export, monkeypatch):
    monkeypatch.setattr(exporting, "FORMAT", 2)
    with pytest.raises(ValueError, match=r"found format 1 with fields .* expected 2 with"):
        read_export(export.folder)


def test_what_is_no_export_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"bridge/export\.json is missing; expected a folder as written by: bridge export"):
        read_export(tmp_path)


def test_a_folder_that_is_no_export_is_never_written_over(bundle, tmp_path):
    bridge, folder = bundle()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="found something that is not an export"):
        write_export(bridge, folder, tmp_path / "mine")
    with pytest.raises(ValueError, match="found something that is not an export"):
        write_export(bridge, folder, tmp_path / "mine" / "thesis.txt")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_an_export_replaces_an_export_and_an_interrupted_one_leaves_it(bundle, tiny_cohort, tmp_path, monkeypatch):
    bridge, folder = bundle()
    write_export(bridge, folder, tmp_path / "served")
    assert not read_export(tmp_path / "served").embeds.files
    write_export(bridge, folder, tmp_path / "served", cohort=tiny_cohort)
    assert len(read_export(tmp_path / "served").embeds.files) == 8

    def interrupted(_):
        raise OSError("disk full")

    monkeypatch.setattr(exporting, "write_sums", interrupted)
    with pytest.raises(OSError, match="disk full"):
        write_export(bridge, folder, tmp_path / "served")
    assert len(read_export(tmp_path / "served").embeds.files) == 8
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name or ".old." in path.name]


def test_a_blind_bundle_and_another_cohort_are_refused(bundle, tiny_cohort, tmp_path):
    bridge, folder = bundle()
    bridge.cards["gene"] = type(bridge.cards["gene"]).from_dict(bridge.cards["gene"].to_dict() | {"encoder": "another"})
    with pytest.raises(ValueError, match="another"):
        write_export(bridge, folder, tmp_path / "served", cohort=tiny_cohort)
    bridge.blind = True
    with pytest.raises(ValueError, match="field blind: found true"):
        write_export(bridge, folder, tmp_path / "served")
    assert not (tmp_path / "served").exists()


def test_the_name_under_which_it_is_served_is_the_bundles(bundle, tmp_path):
    bridge, folder = bundle()
    write_export(bridge, folder, tmp_path / "served")
    digest = bundle_digest(folder)
    assert json.loads((tmp_path / "served" / ABOUT).read_text())["bundle"] == digest
    assert read_export(tmp_path / "served").model == f"bridge-{digest[:12]}"
    (folder / "README.md").write_text("another card")
    assert bundle_digest(folder) == digest
    (folder / "cards.json").write_text("{}")
    assert bundle_digest(folder) != digest
