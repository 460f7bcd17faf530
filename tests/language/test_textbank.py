"""Text vectors are the LLM's own states, are computed once, and never come from another model, layer or text."""

import numpy as np
import pytest
import torch

from bridge.language.llm import Lora, add_lora, load_llm
from bridge.language.textbank import TextBank, hidden_states

TEXTS = ["Highest in the left cuneus.", "Seizures and a small head; autosomal recessive.", "Report.", "left insula " * 20]


@pytest.fixture
def bank(language, tmp_path):
    return TextBank(language, (0, 1, 2), folder=tmp_path)


@pytest.fixture
def make_bank(tmp_path):
    """A bank whose LLM is loaded again, as a second run does."""
    return lambda llm, layers=(0, 1), pooling="mean", **settings: TextBank(load_llm(llm), layers, pooling, folder=tmp_path, **settings)


def reference(language, text, pooling, layers=(0, 1)):
    """transformers' own output_hidden_states of one text alone; its last entry is normalised, so only inner layers compare."""
    with torch.inference_mode():
        states = language.model(**language.tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states
    chosen = [states[layer][0] for layer in layers]
    return torch.cat([state.mean(dim=0) if pooling == "mean" else state[-1] for state in chosen]).numpy()


@pytest.mark.parametrize("form", ["llama-2", "llama-3"])
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_vectors_equal_the_hidden_states_of_transformers(form, pooling, make_bank, tiny_llm):
    bank = make_bank(tiny_llm(form), pooling=pooling)
    expected = np.stack([reference(bank.language, text, pooling) for text in TEXTS])
    # Padding changes the order in which float32 sums are taken: differences are a few units in the last place of values near 1.
    np.testing.assert_allclose(bank.embed(TEXTS), expected, rtol=1e-4, atol=1e-5)


def test_the_highest_layer_is_the_state_before_the_final_norm(bank, language):
    tokens = language.tokenizer(TEXTS[0], return_tensors="pt")
    kept = {}
    hook = language.model.model.layers[-1].register_forward_hook(lambda module, inputs, output: kept.update(state=output))
    with torch.inference_mode():
        language.model(**tokens)
        hook.remove()
        (state,) = hidden_states(language.model, tokens["input_ids"], tokens["attention_mask"], [2])
    torch.testing.assert_close(state, kept["state"] if isinstance(kept["state"], torch.Tensor) else kept["state"][0])


@pytest.mark.parametrize(("layers", "expected"), [((0,), []), ((1,), [0]), ((0, 2), [0, 1])])
def test_only_the_layers_that_are_needed_are_run(layers, expected, language, tmp_path):
    ran = []
    for number, layer in enumerate(language.model.model.layers):
        layer.register_forward_hook(lambda module, inputs, output, number=number: ran.append(number))
    TextBank(language, layers, folder=tmp_path).embed(TEXTS[:1], show_progress=False)
    assert ran == expected


def test_the_model_is_left_whole(bank, language):
    bank.embed(TEXTS)
    assert len(language.model.model.layers) == language.model.config.num_hidden_layers == 2
    assert not any(layer._forward_hooks for layer in language.model.model.layers)
    assert isinstance(language.model.model.norm, type(language.model.model.layers[0].input_layernorm))


def test_neither_the_batch_nor_its_order_nor_its_padding_changes_a_vector(language, tmp_path):
    together = TextBank(language, (0, 2), folder=tmp_path / "a").embed(TEXTS)
    alone = TextBank(language, (0, 2), folder=tmp_path / "b").embed(TEXTS, batch_tokens=1)
    turned = TextBank(language, (0, 2), folder=tmp_path / "c").embed(TEXTS[::-1], batch_tokens=40)[::-1]
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(turned, together, rtol=1e-4, atol=1e-5)


def test_a_second_run_encodes_nothing_and_gives_the_same_bits(make_bank, tiny_llm):
    first, second = make_bank(tiny_llm()), make_bank(tiny_llm())
    vectors = first.embed([*TEXTS, TEXTS[0]])
    assert first.encoded == len(TEXTS)
    np.testing.assert_array_equal(second.embed([*TEXTS, TEXTS[0]]), vectors)
    assert second.encoded == 0
    second.embed([*TEXTS, "A new text."])
    assert second.encoded == 1


def test_an_empty_text_is_a_row_of_nan_and_is_not_encoded(bank):
    vectors = bank.embed(["", TEXTS[0]])
    assert np.isnan(vectors[0]).all()
    assert np.isfinite(vectors[1]).all()
    assert bank.encoded == 1
    assert bank.embed([]).shape == (0, bank.width)


def test_every_part_of_the_recipe_has_its_own_key(make_bank, tiny_llm):
    llm = tiny_llm()
    banks = [make_bank(llm), make_bank(llm, layers=(1, 0)), make_bank(llm, layers=(1,)), make_bank(llm, pooling="last"), make_bank(llm, max_tokens=8)]
    banks += [make_bank(tiny_llm(seed=1)), make_bank(tiny_llm(key_value_heads=4))]
    assert len({bank.key for bank in banks}) == len({bank.folder for bank in banks}) == len(banks)


def test_vectors_of_another_model_or_layer_are_never_found(make_bank, tiny_llm):
    make_bank(tiny_llm()).embed(TEXTS)
    for other in (make_bank(tiny_llm(seed=1)), make_bank(tiny_llm(), layers=(0, 2))):
        other.embed(TEXTS)
        assert other.encoded == len(TEXTS)


def test_the_same_weights_behind_another_tokenizer_have_a_key_of_their_own(language, tmp_path):
    first = TextBank(language, (0, 2), folder=tmp_path)
    first.embed(TEXTS)  # padding and truncation are set in the tokenizer by now
    assert TextBank(language, (0, 2), folder=tmp_path).key == first.key
    language.tokenizer.add_tokens(["cuneus"])
    assert TextBank(language, (0, 2), folder=tmp_path).key != first.key


def test_an_adapter_for_texts_changes_vectors_and_key_and_one_for_answers_neither(tiny_llm, tmp_path):
    vectors, keys = {}, {}
    for adapter in ("nothing", "default", "text"):
        language = load_llm(tiny_llm())
        if adapter != "nothing":
            language = add_lora(language, Lora(r=2), adapter)
            torch.manual_seed(0)
            for name, parameter in language.model.eval().named_parameters():
                torch.nn.init.normal_(parameter, std=0.2) if "lora_B" in name else None
        bank = TextBank(language, (0, 2), folder=tmp_path)
        vectors[adapter], keys[adapter] = bank.embed(TEXTS), bank.key
    assert keys["nothing"] == keys["default"] != keys["text"]
    np.testing.assert_array_equal(vectors["nothing"], vectors["default"])
    assert np.abs(vectors["text"] - vectors["nothing"]).max() > 1e-2


def test_texts_are_encoded_with_gradient_where_an_adapter_learns(tiny_llm, tmp_path):
    language = add_lora(load_llm(tiny_llm()), Lora(r=2), "text")
    TextBank(language, (2,), folder=tmp_path).encode(TEXTS).sum().backward()
    gradients = [parameter.grad for name, parameter in language.model.named_parameters() if "lora_B" in name]
    assert gradients
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize("damage", ["cut", "emptied", "flipped", "another file"])
def test_a_damaged_shard_is_taken_away_and_its_texts_are_encoded_again(damage, make_bank, tiny_llm):
    vectors = make_bank(tiny_llm()).embed(TEXTS)
    bank = make_bank(tiny_llm())
    (shard,) = bank.folder.glob("*.npz")
    content = bytearray(shard.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 255
    shard.write_bytes({"cut": content[: len(content) // 2], "emptied": b"", "flipped": content, "another file": b"\x93NUMPY"}[damage])
    np.testing.assert_array_equal(bank.embed(TEXTS), vectors)
    assert bank.encoded == len(TEXTS)
    assert not shard.exists()
    assert make_bank(tiny_llm()).embed(TEXTS[:1]).shape == (1, bank.width)


def test_what_a_stopped_run_left_half_written_is_not_read(make_bank, tiny_llm):
    bank = make_bank(tiny_llm())
    bank.folder.mkdir(parents=True)
    (bank.folder / "0123.partial").write_bytes(b"half")
    assert np.isfinite(bank.embed(TEXTS)).all()


def test_nothing_half_written_stays_when_writing_fails(bank, monkeypatch):
    monkeypatch.setattr(np, "savez", lambda file, **arrays: file.write(b"half") and (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space left"):
        bank.embed(TEXTS)
    assert not list(bank.folder.iterdir())


def test_texts_that_are_too_long_are_cut_and_counted(make_bank, tiny_llm):
    bank = make_bank(tiny_llm(), max_tokens=16)
    with pytest.warns(UserWarning, match="2 of 4 texts are longer than 16 tokens and were cut"):
        vectors = bank.embed(TEXTS)
    assert np.isfinite(vectors).all()


def test_layers_and_poolings_that_do_not_exist_are_refused(language, tmp_path):
    with pytest.raises(ValueError, match=r"field layers: found \[0, 3\], expected numbers from 0 to 2"):
        TextBank(language, (0, 3), folder=tmp_path)
    with pytest.raises(ValueError, match="field layers"):
        TextBank(language, (), folder=tmp_path)
    with pytest.raises(ValueError, match="field pooling: found 'max', expected 'mean' or 'last'"):
        TextBank(language, (0,), "max", folder=tmp_path)
