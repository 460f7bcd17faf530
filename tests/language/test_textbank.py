"""Text vectors are the LLM's own states, are computed once, and never come from another model, layer or text."""

import itertools

import numpy as np
import pytest
import torch
from transformers import AutoModel

from bridge.language.attention import ALONE, Segments
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


def padded(folder, texts, pooling, layers=(0, 1), max_tokens=512):
    """The same for all texts in one padded batch of the library's own model, whose attention is not ours."""
    model, tokenizer = AutoModel.from_pretrained(folder), load_llm(folder).tokenizer
    tokens = tokenizer(texts, padding=True, padding_side="right", truncation=True, max_length=max_tokens, return_tensors="pt")
    with torch.inference_mode():
        states = model(**tokens, output_hidden_states=True).hidden_states
    chosen, mask = torch.cat([states[layer] for layer in layers], dim=2), tokens["attention_mask"]
    last = chosen[torch.arange(len(texts)), mask.sum(dim=1) - 1]
    return (last if pooling == "last" else (chosen * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1)[:, None]).numpy()


@pytest.mark.parametrize(("form", "heads"), [("llama-2", 2), ("llama-2", 4), ("llama-3", 1), ("llama-3", 4), ("chatml", 2)])
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_vectors_equal_those_of_transformers_one_text_at_a_time_and_padded(form, heads, pooling, make_bank, tiny_llm):
    folder = tiny_llm(form, key_value_heads=heads)
    bank = make_bank(folder, pooling=pooling)
    found = bank.embed(TEXTS)
    # Neighbours and padding change the order in which float32 sums are taken: a few units in the last place of values near 1.
    np.testing.assert_allclose(found, np.stack([reference(bank.language, text, pooling) for text in TEXTS]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, padded(folder, TEXTS, pooling), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["llama-2", "llama-3"])  # with and without a token in front of every text
@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.filterwarnings("ignore:text bank. 2 of 4 texts are longer than 16 tokens")
def test_a_long_text_is_cut_as_the_tokenizer_cuts_it(form, pooling, make_bank, tiny_llm):
    bank = make_bank(tiny_llm(form), pooling=pooling, max_tokens=16)
    np.testing.assert_allclose(bank.embed(TEXTS), padded(tiny_llm(form), TEXTS, pooling, max_tokens=16), rtol=1e-4, atol=1e-5)


def test_every_state_of_a_packed_row_is_that_of_its_text_alone(language):
    ids = language.tokenizer(TEXTS)["input_ids"]
    rows = [list(itertools.chain(*ids)), *ids]
    lengths = [tuple(map(len, ids)), *((len(each),) for each in ids)]
    with torch.no_grad():
        states = [
            hidden_states(language.model, torch.tensor([row]), Segments(each, (ALONE,) * len(each)), [0, 1, 2]) for row, each in zip(rows, lengths, strict=True)
        ]
    for packed, *alone in zip(*states, strict=True):
        torch.testing.assert_close(packed[0], torch.cat(alone, dim=1)[0], rtol=0, atol=1e-4)


def test_the_highest_layer_is_the_state_before_the_final_norm(bank, language):
    tokens = language.tokenizer(TEXTS[0], return_tensors="pt")
    kept = {}
    hook = language.model.model.layers[-1].register_forward_hook(lambda module, inputs, output: kept.update(state=output))
    with torch.inference_mode():
        language.model(**tokens)
        hook.remove()
        (state,) = hidden_states(language.model, tokens["input_ids"], Segments((tokens["input_ids"].shape[1],), (ALONE,)), [2])
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


def test_neither_its_row_nor_the_order_changes_a_vector(language, tmp_path):
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


def test_a_second_run_neither_cuts_a_text_into_tokens_nor_runs_the_llm(make_bank, tiny_llm, monkeypatch):
    vectors, second = make_bank(tiny_llm(), layers=(0,)).embed(TEXTS), make_bank(tiny_llm(), layers=(0,))
    second.language.model.model.embed_tokens.register_forward_hook(lambda *_: pytest.fail("the LLM was run"))
    monkeypatch.setattr(type(second.language.tokenizer), "__call__", lambda *_, **__: pytest.fail("a text was cut into tokens"))
    np.testing.assert_array_equal(second.embed(TEXTS), vectors)


def test_a_run_that_is_stopped_goes_on_where_it_stopped(make_bank, tiny_llm, monkeypatch):
    read, calls = TextBank._read, itertools.count()
    monkeypatch.setattr(TextBank, "_read", lambda bank, ids: read(bank, ids) if next(calls) < 3 else (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        make_bank(tiny_llm()).embed(TEXTS, batch_tokens=1)
    monkeypatch.undo()
    bank = make_bank(tiny_llm())
    np.testing.assert_allclose(bank.embed(TEXTS), make_bank(tiny_llm(), keep=False).embed(TEXTS), rtol=1e-4, atol=1e-5)
    assert bank.encoded == 1


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


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_gradients_are_those_of_each_text_alone(pooling, tiny_llm, tmp_path):
    gradients = []
    for together in (True, False):
        torch.manual_seed(0)
        language = add_lora(load_llm(tiny_llm()), Lora(r=2, dropout=0.0), "text")
        bank = TextBank(language, (1, 2), pooling, folder=tmp_path)
        parts = [bank.encode(TEXTS)] if together else [bank.encode([text]) for text in TEXTS]
        (torch.cat(parts) ** 2).mean().backward()
        gradients.append({name: parameter.grad for name, parameter in language.model.named_parameters() if parameter.grad is not None})
    assert gradients[0]
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-4, atol=1e-5)


def test_vectors_in_the_form_of_earlier_versions_are_left_alone(make_bank, tiny_llm):
    bank = make_bank(tiny_llm())
    bank.folder.mkdir(parents=True)
    old = bank.folder / "0123.npz"
    old.write_bytes(b"of an earlier version")
    assert np.isfinite(bank.embed(TEXTS)).all()
    assert make_bank(tiny_llm()).embed(TEXTS[:1]).shape == (1, bank.width)
    assert old.exists()


def test_a_bank_that_keeps_nothing_writes_nothing(make_bank, tiny_llm):
    bank = make_bank(tiny_llm(), keep=False)
    bank.embed(TEXTS)
    bank.embed(TEXTS)
    assert bank.encoded == 2 * len(TEXTS)
    assert not bank.folder.exists()


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
