"""What the server loads is the base LLM with the adapter inside, each weight rounded once."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from bridge.export.weights import write_merged
from bridge.language.llm import Lora, add_lora, load_llm


@pytest.fixture
def adapted(tiny_llm):
    """``adapted()``: a tiny LLM with an adapter that is not zero."""

    def make(**kind):
        language = add_lora(load_llm(tiny_llm(**kind)), Lora(r=2, targets=["q_proj", "down_proj"]))
        with torch.no_grad():
            for name, weight in language.model.named_parameters():
                if "lora_B" in name:
                    weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(2))
        return language.model.eval()

    return make


def stored(folder):
    return {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


@pytest.mark.parametrize("limit", [10**9, 20_000], ids=["whole", "in shards"])
def test_transformers_loads_the_llm_with_its_adapter(limit, adapted, tmp_path):
    model = adapted()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    write_merged(model, tmp_path, torch.float32, limit)
    model.get_base_model().config.save_pretrained(tmp_path)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (limit == 20_000)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[5, 90, 17, 200]])
    with torch.inference_mode():
        expected = model.merge_and_unload(safe_merge=True)(ids).logits
        torch.testing.assert_close(loaded(ids).logits, expected, rtol=0, atol=1e-5)
    merged = model.get_base_model().state_dict() if hasattr(model, "get_base_model") else model.state_dict()
    assert {name: tensor.shape for name, tensor in stored(tmp_path).items()} == {name: merged[name].shape for name in stored(tmp_path)}
    assert all(torch.equal(before[name], tensor) for name, tensor in before.items())


def test_shards_hold_what_their_index_says(adapted, tmp_path):
    write_merged(adapted(), tmp_path, torch.float32, 20_000)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    for path in tmp_path.glob("*.safetensors"):
        held = load_file(path)
        assert {name for name, file in index["weight_map"].items() if file == path.name} == set(held)
        assert len(held) == 1 or sum(tensor.nbytes for tensor in held.values()) <= 20_000
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in stored(tmp_path).values())


def test_a_weight_is_merged_in_float32_and_rounded_once(adapted, tmp_path):
    model = adapted()
    write_merged(model, tmp_path, torch.bfloat16)
    layer = model.get_base_model().model.layers[0].self_attn.q_proj
    expected = (layer.base_layer.weight.float() + layer.get_delta_weight("default").float()).to(torch.bfloat16)
    found = stored(tmp_path)
    assert torch.equal(found["model.layers.0.self_attn.q_proj.weight"], expected)
    assert not torch.equal(expected, layer.base_layer.weight.to(torch.bfloat16))
    assert {tensor.dtype for tensor in found.values()} == {torch.bfloat16}


def test_the_llm_itself_is_left_as_it_was(adapted, tmp_path):
    model = adapted()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    write_merged(model, tmp_path, torch.float32)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_head_that_is_the_embedding_table_is_written_once(tiny_llm, tmp_path):
    model = load_llm(tiny_llm()).model
    model.config.tie_word_embeddings = True
    write_merged(model, tmp_path, torch.float32)
    assert "lm_head.weight" not in stored(tmp_path)
    assert "model.embed_tokens.weight" in stored(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_adapter_that_is_damaged_is_refused_with_the_weight(value, adapted, tmp_path):
    model = adapted()
    with torch.no_grad():
        model.get_base_model().model.layers[1].mlp.down_proj.lora_B["default"].weight[0, 0] = value
    with pytest.raises(ValueError, match=r"weight 'model\.layers\.1\.mlp\.down_proj\.weight': NaN or infinite as torch.float32"):
        write_merged(model, tmp_path, torch.float32)


def test_a_weight_too_large_for_the_dtype_is_refused(adapted, tmp_path):
    model = adapted()
    with torch.no_grad():
        model.get_input_embeddings().weight[3, 3] = 1e30
    with pytest.raises(ValueError, match=r"weight 'model\.embed_tokens\.weight': NaN or infinite as torch.float16"):
        write_merged(model, tmp_path, torch.float16)


def test_a_quantised_llm_is_refused(adapted, tmp_path):
    model = adapted()
    model.get_base_model().model.layers[0].mlp.up_proj.weight = torch.nn.Parameter(torch.zeros(4, 4, dtype=torch.uint8), requires_grad=False)
    with pytest.raises(ValueError, match=r"up_proj\.weight': found torch.uint8, expected one of .*load the base LLM unquantised"):
        write_merged(model, tmp_path, torch.float32)
