"""Every kind of LLaMA checkpoint loads, pads and generates; adapters come and go without a trace in the base."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from bridge.language import quantise
from bridge.language.attention import Segments
from bridge.language.llm import (
    LLM,
    Lora,
    add_lora,
    base_model,
    ensure_pad_token,
    fingerprint,
    load_llm,
    resolve_dtype,
    stored_fingerprint,
    wearing,
)

KINDS = {
    "LLaMA 2, multi-head": {"form": "llama-2", "key_value_heads": 4},
    "LLaMA 2, sharded .bin": {"form": "llama-2", "key_value_heads": 4, "files": "sharded bin"},
    "LLaMA 3, grouped-query": {"form": "llama-3", "key_value_heads": 2},
    "LLaMA 3, one key-value head, .bin": {"form": "llama-3", "key_value_heads": 1, "files": "bin"},
    "SmolLM2, sharded safetensors": {"form": "chatml", "files": "sharded safetensors"},
    "more rows than tokens": {"form": "llama-3", "rows": 7},
}


def spread(adapter):
    """A weight of B other than zero, or the adapter adds nothing."""
    torch.manual_seed(1)
    for name, parameter in adapter.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)


def logits_of(language, text="Which regions are highest?"):
    with torch.inference_mode():
        return language.model(**language.tokenizer(text, return_tensors="pt")).logits


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_checkpoint_loads_pads_and_generates(kind, tiny_llm):
    language = load_llm(LLM(str(tiny_llm(**kind)), dtype="float32"))
    tokenizer = language.tokenizer
    assert tokenizer.pad_token_id is not None
    assert language.model.config.pad_token_id == tokenizer.pad_token_id < len(language.embeddings)
    assert language.model.config.num_key_value_heads == kind.get("key_value_heads", 2)
    tokens = tokenizer(["Which regions are highest?", "Report."], padding=True, padding_side="left", return_tensors="pt")
    written = language.model.generate(**tokens, max_new_tokens=4, do_sample=False)
    assert written.shape[0] == 2
    assert written.shape[1] > tokens["input_ids"].shape[1]
    assert torch.isfinite(logits_of(language)).all()


@pytest.mark.parametrize("files", ["bin", "sharded bin", "sharded safetensors"])
def test_the_form_of_the_files_does_not_change_the_logits(files, tiny_llm):
    assert len(list(tiny_llm(files="sharded safetensors").glob("model-*.safetensors"))) > 1
    assert torch.equal(logits_of(load_llm(tiny_llm(files=files))), logits_of(load_llm(tiny_llm())))


def test_the_pad_token_is_the_unknown_token_or_else_the_end_token(tiny_llm):
    assert load_llm(tiny_llm("llama-2")).tokenizer.pad_token == "<unk>"
    assert load_llm(tiny_llm("llama-3")).tokenizer.pad_token == "<|eot_id|>"
    assert load_llm(tiny_llm("chatml")).tokenizer.pad_token == "<|im_end|>"


def test_another_architecture_is_refused_by_name(tmp_path):
    GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=16, n_positions=8, bos_token_id=0, eos_token_id=0)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="field model_type: found 'gpt2', expected 'llama'"):
        load_llm(tmp_path)


@pytest.mark.parametrize("there", [False, True], ids=["no folder", "an empty folder"])
def test_a_folder_without_a_model_is_one_line(there, tmp_path):
    folder = tmp_path / "models" / "me-llama"
    folder.mkdir(parents=True) if there else None
    with pytest.raises(ValueError, match=r"me-llama'.*expected a folder with config.json or a hub name") as error:
        load_llm(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("lost", ["tokenizer", "weights"])
def test_a_folder_that_lost_a_part_is_refused_with_its_name(lost, tiny_llm, tmp_path):
    for file in tiny_llm().iterdir():
        if not (file.name.startswith("tokenizer") if lost == "tokenizer" else file.suffix == ".safetensors"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match=f"{tmp_path}.*cannot be loaded") as error:
        load_llm(tmp_path)
    assert "\n" not in str(error.value)


def test_new_tokens_need_new_rows_of_the_embedding_table(tiny_llm, tmp_path):
    language = load_llm(tiny_llm())
    tokens = len(language.tokenizer)
    language.tokenizer.add_special_tokens({"additional_special_tokens": ["<gene>", "<brain>"]})
    with pytest.raises(
        ValueError, match=rf"tokenizer has {tokens + 2} tokens, the embedding table {tokens} rows; call resize_token_embeddings\({tokens + 2}\)"
    ):
        ensure_pad_token(language.tokenizer, language.model)
    language.model.resize_token_embeddings(tokens + 2)
    language.model.save_pretrained(tmp_path)
    language.tokenizer.save_pretrained(tmp_path)
    assert len(load_llm(tmp_path).embeddings) == tokens + 2


def test_a_checkpoint_whose_tokenizer_outgrew_it_is_not_loaded(tiny_llm):
    with pytest.raises(ValueError, match="call resize_token_embeddings"):
        load_llm(tiny_llm("llama-2", rows=-1))


def test_dtypes_are_named_as_torch_names_them_and_auto_is_float32_without_a_gpu(monkeypatch):
    assert resolve_dtype("bfloat16") is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_dtype("auto") is torch.float32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_dtype("auto") is torch.bfloat16
    for wrong in ("bf16", "Tensor", "int8"):
        with pytest.raises(ValueError, match=f"field dtype: found '{wrong}', expected auto, float32, bfloat16 or float16"):
            resolve_dtype(wrong)


def test_names_become_the_embeddings_of_their_tokens_without_special_ones(language):
    table, tokenizer = language.embeddings, language.tokenizer
    (found,) = language.name_embeddings(["left cuneus"])
    assert torch.equal(found, table[tokenizer(" left cuneus", add_special_tokens=False)["input_ids"]])


def test_lora_targets_given_as_one_string_are_refused(language):
    with pytest.raises(ValueError, match="field targets: found the string 'q_proj', expected a list"):
        add_lora(language, Lora(targets="q_proj"))


def test_an_unknown_lora_target_is_refused_with_those_that_exist(language):
    with pytest.raises(ValueError, match=r"'query' names no layer of .*expected some of \['down_proj', 'gate_proj', .*'q_proj'"):
        add_lora(language, Lora(targets=["q_proj", "query"]))


def test_an_adapter_is_float32_and_alone_trainable_whatever_the_base_is(tiny_llm):
    adapted = add_lora(load_llm(LLM(str(tiny_llm()), dtype="bfloat16")), Lora(r=2))
    for name, parameter in adapted.model.named_parameters():
        assert parameter.requires_grad == ("lora_" in name), name
        assert parameter.dtype == (torch.float32 if "lora_" in name else torch.bfloat16), name


def test_two_adapters_are_worn_one_at_a_time_and_a_name_that_is_not_there_is_the_bare_model(tiny_llm):
    bare = logits_of(load_llm(tiny_llm()))
    language = add_lora(add_lora(load_llm(tiny_llm()), Lora(r=2), "text"), Lora(r=2), "default")
    assert list(language.model.peft_config) == ["text", "default"]
    spread(language.model.eval())
    seen = {}
    for name in ("text", "default", "nobody"):
        with wearing(language.model, name):
            seen[name] = logits_of(language)
        assert language.model.active_adapter == "default"
    assert torch.equal(seen["nobody"], bare)
    assert torch.equal(seen["default"], logits_of(language))
    assert not torch.allclose(seen["text"], seen["default"], atol=1e-2)
    assert not torch.allclose(seen["text"], bare, atol=1e-2)


def test_an_error_while_wearing_one_adapter_leaves_the_other_on(tiny_llm):
    language = add_lora(add_lora(load_llm(tiny_llm()), Lora(r=2), "text"), Lora(r=2), "default")
    with pytest.raises(KeyboardInterrupt), wearing(language.model, "text"):
        raise KeyboardInterrupt
    assert language.model.active_adapter == "default"


def test_a_model_without_adapters_is_worn_as_it_is(language):
    with wearing(language.model, "text"):
        assert base_model(language.model) is language.model


def test_the_fingerprint_is_that_of_the_base_and_tells_weights_and_shapes_apart(tiny_llm):
    language = load_llm(tiny_llm())
    before = fingerprint(language)
    adapted = add_lora(language, Lora(r=2))
    spread(adapted.model)
    assert fingerprint(adapted) == before == fingerprint(load_llm(tiny_llm(files="sharded bin")))
    others = [tiny_llm(seed=1), tiny_llm(key_value_heads=4), tiny_llm(rows=7)]
    assert len({before, *(fingerprint(load_llm(other)) for other in others)}) == 4


def test_the_fingerprint_with_an_adapter_follows_that_adapter_alone(tiny_llm):
    language = add_lora(add_lora(load_llm(tiny_llm()), Lora(r=2), "text"), Lora(r=2), "default")
    before = fingerprint(language, "text")
    with torch.no_grad():
        for name, parameter in language.model.named_parameters():
            parameter += ".default." in name
    assert fingerprint(language, "text") == before
    spread(language.model)
    assert fingerprint(language, "text") != before


def test_the_fingerprint_is_the_same_in_every_dtype_the_weights_are_loaded_in(tiny_llm):
    path = str(tiny_llm())
    assert fingerprint(load_llm(LLM(path, dtype="bfloat16"))) == fingerprint(load_llm(LLM(path, dtype="float32")))


def test_no_code_runs_from_a_checkpoint(tiny_llm, tmp_path):
    for file in tiny_llm(files="bin").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    torch.save(state | {"model.norm.weight": Trap()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_llm(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "strange", "auto_map": {"AutoConfig": "trap.Trap"}}))
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_llm(tmp_path)


class Trap:
    """Fails the test when a checkpoint is unpickled with code."""

    def __reduce__(self):
        return pytest.fail, ("code from a checkpoint was run",)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_files_of_a_checkpoint_have_the_fingerprint_of_the_model_in_them(kind, tiny_llm):
    """By which a bundle made over four-bit weights loads over the whole ones."""
    language = load_llm(LLM(str(tiny_llm(**kind)), dtype="bfloat16"))
    assert stored_fingerprint(tiny_llm(**kind), language.model.config) == fingerprint(language)


def test_a_tied_head_is_the_table_in_the_files_too(tiny_llm, tmp_path):
    language = load_llm(tiny_llm())
    language.model.config.tie_word_embeddings = True
    language.model.tie_weights()
    language.model.save_pretrained(tmp_path)
    language.tokenizer.save_pretrained(tmp_path)
    again = load_llm(tmp_path)
    assert stored_fingerprint(tmp_path, again.model.config) == fingerprint(again)


def test_a_checkpoint_that_lacks_a_weight_has_no_fingerprint(tiny_llm, tmp_path):
    (tmp_path / "config.json").write_bytes((tiny_llm() / "config.json").read_bytes())
    with pytest.raises(ValueError, match=r"weight 'lm_head.weight' is in none of its model\*.safetensors"):
        stored_fingerprint(tmp_path, load_llm(tiny_llm()).model.config)


def test_four_bits_need_a_card_and_a_package(tiny_llm, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"field quantise: found 'nf4' and no CUDA card, expected one") as refused:
        load_llm(LLM(str(tiny_llm()), quantise="nf4"))
    assert "\n" not in str(refused.value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(quantise.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"'nf4' needs the package bitsandbytes; install it with: pip install 'neuro-omics-bridge\[gpu\]'"):
        load_llm(LLM(str(tiny_llm()), dtype="float32", quantise="nf4"))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # the tracer looks at the one of a layer's input
def test_compiled_layers_give_what_layers_give_for_rows_of_any_segments(tiny_llm, monkeypatch):
    """With the graphs run as they were caught: what the code generator makes of them is torch's."""
    compiled = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **settings: compiled(self, backend="eager", **settings))
    folder = str(tiny_llm(layers=1))
    plain, fast = load_llm(LLM(folder)).model, load_llm(LLM(folder, compile=True)).model
    for lengths in ((3, 5), (9, 2, 4), (7,)):
        row, segments = torch.randn(1, sum(lengths), 32), Segments(lengths, (-1,) * len(lengths))
        one, other = (model.model(inputs_embeds=row, use_cache=False, **segments.inputs()).last_hidden_state for model in (plain, fast))
        assert torch.allclose(one, other, atol=1e-5)


def test_a_checkpoint_that_lacks_a_weight_is_not_filled_with_random_ones(tiny_llm, tmp_path):
    folder = shutil.copytree(tiny_llm(), tmp_path / "llm")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"weight 'model.layers.1.mlp.up_proj.weight' is missing \(1 in all\)"):
        load_llm(folder)


@pytest.mark.parametrize("layers", [0, 10**12])
def test_a_number_of_layers_that_cannot_be_is_refused_before_they_are_built(layers, tiny_llm, tmp_path):
    folder = shutil.copytree(tiny_llm(), tmp_path / "llm")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": layers}))
    with pytest.raises(ValueError, match=f"field num_hidden_layers: found {layers}, expected 1 to 1000"):
        load_llm(folder)
