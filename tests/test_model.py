"""The bridge in logits: what is absent leaves no trace, and batch, padding, cache and merging change nothing."""

import copy
import functools
import itertools

import pytest
import torch
import torch.nn.functional as F

from bridge.data.batch import IGNORE, pad
from bridge.language.llm import LLM, Lora, add_lora, load_llm
from bridge.language.prompts import Prompt
from bridge.model import SemanticBridge
from bridge.project.mlp import FactorisedMLP, LinearProjector
from bridge.project.prefix import Prefix, prepend
from bridge.project.resampler import PerceiverResampler
from bridge.project.space import SharedSpace

#: float32 sums in another order; logits here are of order one, and a leak moves them by far more.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
QUESTIONS = ("Which regions of the brain map are highest?", "Write the report.", "Name the lowest regions of the brain map, and the organ systems.", "Report.")
ANSWERS = ("Highest in the left cuneus.", "Brain findings: insufficient evidence.", "Eye.", "Skin and kidney.")
ROWS = [0, 3, 5, 7]  # whole, no gene, no brain, one region missing


@pytest.fixture
def values(tiny_cohort):
    return {modality: torch.from_numpy(tiny_cohort.values(modality)[ROWS]) for modality in tiny_cohort.modalities}


@pytest.fixture
def examples(bridge):
    """Ids, mask and labels of four questions with their answers, padded on the right."""
    return batch_of(bridge, range(4))


def batch_of(bridge, rows):
    prompt = Prompt(bridge.language.tokenizer, "me-llama")
    made = [prompt.example(QUESTIONS[row], ANSWERS[row]) for row in rows]
    ids, mask = pad([each for each, _ in made], bridge.language.tokenizer.pad_token_id)
    labels, _ = pad([each for _, each in made], IGNORE)
    return ids, mask, labels


def text_logits(bridge, values, ids, mask):
    """Logits at the text's own positions."""
    return bridge(values, ids, mask).logits[:, -ids.shape[1] :]


def wear_trained_adapter(bridge):
    bridge.wear(add_lora(bridge.language, Lora(r=2)))
    torch.manual_seed(3)
    for name, parameter in bridge.llm.eval().named_parameters():
        torch.nn.init.normal_(parameter, std=0.2) if "lora_B" in name else None


def absent(values, *modalities):
    return {name: torch.full_like(column, torch.nan) if name in modalities else column for name, column in values.items()}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_masked_prefix_gives_the_logits_of_the_text_alone(attention, bridge, examples):
    bridge.llm.set_attn_implementation(attention)
    ids, mask, _ = examples
    with torch.inference_mode():
        alone = bridge.llm(input_ids=ids, attention_mask=mask.long()).logits
        prefix = Prefix(torch.randn(4, 6, bridge.language.width), torch.zeros(4, 6, dtype=torch.bool))
        masked = bridge.llm(**prepend(prefix, bridge.llm.get_input_embeddings()(ids), mask)).logits[:, 6:]
    assert alone.std() > 0.5
    torch.testing.assert_close(masked[mask], alone[mask], **CLOSE)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_sample_without_any_modality_reads_its_text_alone_in_a_batch_with_others(attention, bridge, values, examples):
    bridge.llm.set_attn_implementation(attention)
    ids, mask, _ = examples
    mixed = {name: column.clone() for name, column in values.items()}
    for column in mixed.values():
        column[1] = torch.nan
    with torch.inference_mode():
        alone = bridge.llm(input_ids=ids, attention_mask=mask.long()).logits
        found = text_logits(bridge, mixed, ids, mask)
        nothing = text_logits(bridge, absent(values, "gene", "brain"), ids, mask)
    torch.testing.assert_close(found[1][mask[1]], alone[1][mask[1]], **CLOSE)
    torch.testing.assert_close(nothing[mask], alone[mask], **CLOSE)
    assert not torch.allclose(found[0][mask[0]], alone[0][mask[0]], atol=0.1)


@pytest.mark.parametrize("modality", ["gene", "brain"])
def test_an_absent_modality_is_the_same_as_one_that_is_not_given(modality, bridge, values, examples):
    ids, mask, _ = examples
    given = {name: column for name, column in values.items() if name != modality}
    with torch.inference_mode():
        found, expected = text_logits(bridge, absent(values, modality), ids, mask), text_logits(bridge, given, ids, mask)
    torch.testing.assert_close(found[mask], expected[mask], **CLOSE)


@pytest.mark.parametrize("modality", ["gene", "brain"])
def test_an_absent_modality_gets_no_gradient_even_when_every_token_is_to_be_learned(modality, bridge, values, examples):
    ids, mask, _ = examples
    labels = torch.where(mask, ids, IGNORE)
    logits, targets = bridge.answer_logits(absent(values, modality), ids, mask, labels)
    F.cross_entropy(logits, targets).backward()
    for name in ("gene", "brain"):
        parts = {"tag": bridge.tags[name], **dict(bridge.projectors[name].named_parameters())}
        learned = {part for part, parameter in parts.items() if parameter.grad is not None and parameter.grad.abs().sum() > 0}
        assert (learned == set()) == (name == modality), (name, learned)
        assert name == modality or learned == set(parts)


def test_the_first_token_of_a_text_is_never_a_target(bridge, values, examples):
    ids, mask, _ = examples
    _, targets = bridge.answer_logits(values, ids, mask, torch.where(mask, ids, IGNORE))
    assert len(targets) == int(mask.sum()) - len(ids)


@pytest.mark.parametrize("given", [subset for size in (1, 2) for subset in itertools.combinations(("gene", "brain"), size)])
def test_any_subset_of_modalities_gives_finite_logits_and_gradients(given, bridge, values, examples):
    ids, mask, labels = examples
    chosen = {name: values[name] for name in given}
    loss = bridge(chosen, ids, mask, labels).loss
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(parameter.grad).all() for parameter in bridge.parameters() if parameter.grad is not None)


def test_without_any_modality_the_error_says_what_to_give(bridge, examples):
    ids, mask, _ = examples
    with pytest.raises(ValueError, match=r"none of the modalities \['gene', 'brain'\] was given; give at least one, NaN where it is missing"):
        bridge({}, ids, mask)


def test_permuting_the_batch_permutes_the_logits(bridge, values, examples):
    ids, mask, _ = examples
    order = torch.tensor([2, 0, 3, 1])
    with torch.inference_mode():
        whole = text_logits(bridge, values, ids, mask)
        turned = text_logits(bridge, {name: column[order] for name, column in values.items()}, ids[order], mask[order])
    torch.testing.assert_close(turned[mask[order]], whole[order][mask[order]], **CLOSE)


@pytest.mark.parametrize("form", ["bare", "adapter", "merged adapter"])
def test_a_batch_padded_on_the_left_gives_the_logits_of_each_sample_alone(form, bridge, values):
    if form != "bare":
        wear_trained_adapter(bridge)
    if form == "merged adapter":
        bridge.llm = copy.deepcopy(bridge.llm).merge_and_unload()
    prompt = Prompt(bridge.language.tokenizer)
    asked = [prompt.question(question) for question in QUESTIONS]
    ids, mask = pad(asked, bridge.language.tokenizer.pad_token_id, side="left")
    with torch.inference_mode():
        together = text_logits(bridge, values, ids, mask)
        for row, question in enumerate(asked):
            single = torch.tensor([question])
            one = {name: column[row : row + 1] for name, column in values.items()}
            alone = text_logits(bridge, one, single, torch.ones_like(single, dtype=torch.bool))
            torch.testing.assert_close(together[row][mask[row]], alone[0], **CLOSE)


@pytest.mark.parametrize("adapted", [False, True])
def test_generation_with_a_cache_has_the_logits_of_one_pass_over_everything(adapted, bridge, values):
    if adapted:
        wear_trained_adapter(bridge)
    prompt, steps = Prompt(bridge.language.tokenizer), 6
    asked = [prompt.question(question) for question in QUESTIONS]
    ids, mask = pad(asked, bridge.language.tokenizer.pad_token_id, side="left")
    with torch.inference_mode():
        inputs = bridge.inputs(bridge.prefix(values), ids, mask)
        inputs.pop("position_ids")
        settings = {"max_new_tokens": steps, "min_new_tokens": steps, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}
        written = bridge.llm.generate(**inputs, **settings)
        cached = torch.stack(written.logits, dim=1)
        for row, question in enumerate(asked):
            whole = torch.tensor([[*question, *written.sequences[row].tolist()]])
            one = {name: column[row : row + 1] for name, column in values.items()}
            uncached = text_logits(bridge, one, whole, torch.ones_like(whole, dtype=torch.bool))[0, len(question) - 1 : -1]
            torch.testing.assert_close(cached[row], uncached, **CLOSE)


def test_merging_the_adapter_changes_no_logits(bridge, values, examples):
    ids, mask, _ = examples
    with torch.inference_mode():
        before = text_logits(bridge, values, ids, mask)
        wear_trained_adapter(bridge)
        worn = text_logits(bridge, values, ids, mask)
        bridge.llm = copy.deepcopy(bridge.llm).merge_and_unload()
        merged = text_logits(bridge, values, ids, mask)
    torch.testing.assert_close(merged[mask], worn[mask], **CLOSE)
    assert not torch.allclose(worn[mask], before[mask], atol=0.1)


def test_answer_logits_are_those_of_the_whole_pass_at_the_answers(bridge, values, examples):
    wear_trained_adapter(bridge)
    ids, mask, labels = examples
    with torch.inference_mode():
        found, targets = bridge.answer_logits(values, ids, mask, labels)
        whole = bridge(values, ids, mask, labels)
    answered = labels[:, 1:] != IGNORE
    expected = whole.logits[:, -ids.shape[1] :][:, :-1][answered]
    torch.testing.assert_close(found, expected, **CLOSE)
    assert torch.equal(targets, labels[:, 1:][answered])
    assert len(targets) == sum(len(Prompt(bridge.language.tokenizer).answer(answer)) for answer in ANSWERS)
    torch.testing.assert_close(F.cross_entropy(found, targets), whole.loss, **CLOSE)


def test_one_missing_region_changes_the_map_but_not_the_gene(bridge, values):
    whole = bridge.encode(values)
    values["brain"][0, 4] = torch.nan
    holed = bridge.encode(values)
    assert torch.equal(holed["gene"].values, whole["gene"].values)
    assert holed["brain"].mask[0].tolist() == [number != 4 for number in range(10)]


def test_each_modality_follows_its_tag_in_the_order_of_the_projectors(make_bridge, values):
    made = {name: functools.partial(PerceiverResampler, k=k, hidden=8, heads=2) for name, k in (("brain", 3), ("gene", 2))}
    bridge = make_bridge(made)
    prefix = bridge.prefix({"gene": values["gene"][:1], "brain": values["brain"][:1]})
    assert prefix.values.shape[1] == 1 + 3 + 1 + 2
    for place, name in ((0, "brain"), (4, "gene")):
        torch.testing.assert_close(prefix.values[0, place], bridge.tags[name][0])
        (words,) = bridge.language.name_embeddings([name])
        torch.testing.assert_close(bridge.tags[name][0], words.mean(dim=0))


def test_soft_tokens_start_at_the_scale_of_the_embedding_table(bridge, values):
    prefix = bridge.prefix(values)
    found = prefix.values[prefix.mask].pow(2).mean(dim=1).sqrt()
    expected = bridge.language.embeddings.pow(2).mean().sqrt()
    assert ((found > expected / 3) & (found < expected * 3)).all()


def test_embeddings_say_which_samples_have_each_side(bridge, values):
    bridge.space = SharedSpace(["gene", "brain"], bridge.language.width, 8, dim=6, joint=["gene+brain"]).eval()
    found = bridge.embed(values)
    assert found["gene"][1].tolist() == [True, False, True, True]
    assert found["brain"][1].tolist() == [True, True, False, True]
    assert found["gene+brain"][1].tolist() == [True, False, False, True]
    assert all(torch.isfinite(vectors).all() and vectors.shape == (4, 6) for vectors, _ in found.values())
    assert set(bridge.embed({"gene": values["gene"]})) == {"gene"}


def test_what_a_bundle_holds_is_everything_trained_and_nothing_of_the_llm(bridge):
    wear_trained_adapter(bridge)
    held = set(bridge.trained_state())
    assert held == {name for name in bridge.state_dict() if name.startswith(("projectors.", "tags."))}
    assert {name for name in held if name.startswith("tags.")} == {"tags.gene", "tags.brain"}


@pytest.mark.parametrize("part", ["projectors.gene.up.weight", "tags.brain", "lora_A", "lora_B"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_trained_weight_that_is_not_finite_is_found_wherever_it_is(part, value, bridge):
    wear_trained_adapter(bridge)
    assert bridge.finite_trained()
    parameter = next(parameter for name, parameter in bridge.named_parameters() if part in name)
    with torch.no_grad():
        parameter.view(-1)[-1] = value
    assert not bridge.finite_trained()


def test_a_modality_that_the_cohort_lacks_is_refused_with_those_it_has(language, tiny_cohort):
    with pytest.raises(ValueError, match=r"field projectors: modality 'retina' is not in tiny; found \['gene', 'brain'\]"):
        SemanticBridge.compose(language, tiny_cohort, {"retina": LinearProjector})


def test_an_llm_in_bfloat16_reads_soft_tokens_in_float32(tiny_llm, make_bridge, values, examples):
    bridge = make_bridge(over=load_llm(LLM(str(tiny_llm()), dtype="bfloat16")))
    ids, mask, labels = examples
    loss = bridge(values, ids, mask, labels).loss
    loss.backward()
    assert bridge.llm.dtype == torch.bfloat16
    assert torch.isfinite(loss)
    assert all(parameter.dtype == parameter.grad.dtype == torch.float32 for parameter in bridge.projectors.parameters() if parameter.grad is not None)


def test_a_frozen_llm_still_teaches_the_projectors(make_bridge, values, examples):
    bridge = make_bridge({"gene": functools.partial(FactorisedMLP, k=2, hidden=8, rank=2)})
    bridge.llm.requires_grad_(False)
    ids, mask, labels = examples
    bridge(values, ids, mask, labels).loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in bridge.projectors.parameters())
    assert all(parameter.grad is None for parameter in bridge.llm.parameters())
