"""The bridge in logits: what is absent leaves no trace, and packing, sharing a prefix and merging change nothing."""

import copy
import functools
import itertools

import pytest
import torch
import torch.nn.functional as F

from bridge.data.batch import IGNORE, Turn, pad
from bridge.language.llm import LLM, Lora, add_lora, load_llm
from bridge.language.prompts import Prompt
from bridge.model import SemanticBridge
from bridge.project.mlp import FactorisedMLP, LinearProjector
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
def opening(bridge):
    return Prompt(bridge.language.tokenizer, "me-llama").opening


@pytest.fixture
def turns(bridge):
    """A question with its answer for each of four samples; every token after the first is a target."""
    prompt = Prompt(bridge.language.tokenizer, "me-llama")
    ids = [prompt.question(question) + prompt.answer(answer) for question, answer in zip(QUESTIONS, ANSWERS, strict=True)]
    return [[Turn(each, each)] for each in ids]


def alone_logits(bridge, opening, turn):
    """What the LLM itself gives for the text without any prefix, at the places that predict the turn's tokens after its first."""
    ids = torch.tensor([[*opening, *turn.ids]])
    with torch.inference_mode():
        return bridge.llm(input_ids=ids, use_cache=False).logits[0, len(opening) : -1]


def padded_logits(bridge, values, opening, turns):
    """The same through a batch padded on the right and the library's own mask and attention: the peer that packing has to equal."""
    prefix, table = bridge.prefix(values), bridge.llm.get_input_embeddings()
    rows = [[*opening, *[0] * int(count), *turn.ids] for count, (turn,) in zip(prefix.mask.sum(dim=1), turns, strict=True)]
    ids, mask = pad(rows, 0)
    embeds = table(ids)
    for row, (values_of_row, present) in enumerate(zip(prefix.values, prefix.mask, strict=True)):
        embeds[row, len(opening) : len(opening) + int(present.sum())] = values_of_row[present]
    logits = bridge.llm(inputs_embeds=embeds, attention_mask=mask.long(), use_cache=False).logits
    return torch.cat([logits[row, len(ids) - len(turn.ids) : len(ids) - 1] for row, (ids, (turn,)) in enumerate(zip(rows, turns, strict=True))])


def split(logits, turns):
    """Logits of each sample."""
    return logits.split([sum(len(turn.ids) - 1 for turn in asked) for asked in turns])


def wear_trained_adapter(bridge):
    bridge.wear(add_lora(bridge.language, Lora(r=2)))
    torch.manual_seed(3)
    for name, parameter in bridge.llm.eval().named_parameters():
        torch.nn.init.normal_(parameter, std=0.2) if "lora_B" in name else None


def absent(values, *modalities):
    return {name: torch.full_like(column, torch.nan) if name in modalities else column for name, column in values.items()}


@torch.inference_mode()
def test_a_sample_without_any_modality_reads_its_text_alone_in_a_row_with_others(bridge, values, opening, turns):
    mixed = {name: column.clone() for name, column in values.items()}
    for column in mixed.values():
        column[1] = torch.nan
    found = split(bridge(mixed, opening, turns)[0], turns)
    nothing = split(bridge(absent(values, "gene", "brain"), opening, turns)[0], turns)
    expected = [alone_logits(bridge, opening, turn) for (turn,) in turns]
    assert expected[0].std() > 0.5
    torch.testing.assert_close(found[1], expected[1], **CLOSE)
    for row in range(4):
        torch.testing.assert_close(nothing[row], expected[row], **CLOSE)
    assert not torch.allclose(found[0], expected[0], atol=0.1)


@torch.inference_mode()
@pytest.mark.parametrize("form", ["bare", "adapter", "merged adapter"])
def test_a_packed_row_gives_the_logits_of_a_padded_batch_and_of_each_sample_alone(form, bridge, values, opening, turns):
    if form != "bare":
        wear_trained_adapter(bridge)
    if form == "merged adapter":
        bridge.llm = copy.deepcopy(bridge.llm).merge_and_unload()
    together = bridge(values, opening, turns)[0]
    torch.testing.assert_close(together, padded_logits(bridge, values, opening, turns), **CLOSE)
    for row, found in enumerate(split(together, turns)):
        one = {name: column[row : row + 1] for name, column in values.items()}
        torch.testing.assert_close(found, bridge(one, opening, turns[row : row + 1])[0], **CLOSE)


def test_questions_over_one_prefix_have_the_logits_and_gradients_of_separate_samples(make_bridge, tiny_llm, values, opening, turns):
    asked = [[turns[0][0], turns[1][0], turns[2][0]], [turns[3][0]], [turns[1][0], turns[0][0]], [turns[2][0]]]
    rows = [row for row, each in enumerate(asked) for _ in each]
    alone = [[turn] for each in asked for turn in each]
    found = {}
    for form, (given, questions) in {"shared": (values, asked), "separate": ({name: column[rows] for name, column in values.items()}, alone)}.items():
        bridge = make_bridge(over=load_llm(tiny_llm()))
        wear_trained_adapter(bridge)
        logits, targets = bridge(given, opening, questions)
        F.cross_entropy(logits, targets, reduction="sum").div(100).backward()
        found[form] = logits.detach(), {name: each.grad for name, each in bridge.named_parameters() if each.grad is not None}
    torch.testing.assert_close(found["shared"][0], found["separate"][0], **CLOSE)
    assert found["shared"][1].keys() == found["separate"][1].keys()
    assert any("lora_" in name for name in found["shared"][1])
    for name, gradient in found["shared"][1].items():
        torch.testing.assert_close(gradient, found["separate"][1][name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("modality", ["gene", "brain"])
@torch.inference_mode()
def test_an_absent_modality_is_the_same_as_one_that_is_not_given(modality, bridge, values, opening, turns):
    given = {name: column for name, column in values.items() if name != modality}
    found, expected = bridge(absent(values, modality), opening, turns)[0], bridge(given, opening, turns)[0]
    torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize("modality", ["gene", "brain"])
def test_an_absent_modality_gets_no_gradient_even_when_every_token_is_to_be_learned(modality, bridge, values, turns):
    logits, targets = bridge(absent(values, modality), [], turns)
    F.cross_entropy(logits, targets).backward()
    for name in ("gene", "brain"):
        parts = {"tag": bridge.tags[name], **dict(bridge.projectors[name].named_parameters())}
        learned = {part for part, parameter in parts.items() if parameter.grad is not None and parameter.grad.abs().sum() > 0}
        assert (learned == set()) == (name == modality), (name, learned)
        assert name == modality or learned == set(parts)


def test_the_first_token_of_a_turn_is_never_a_target(bridge, values, opening, turns):
    _, targets = bridge(values, opening, turns)
    assert targets.tolist() == [number for (turn,) in turns for number in turn.ids[1:]]


@pytest.mark.parametrize("given", [subset for size in (1, 2) for subset in itertools.combinations(("gene", "brain"), size)])
def test_any_subset_of_modalities_gives_finite_logits_and_gradients(given, bridge, values, opening, turns):
    logits, targets = bridge({name: values[name] for name in given}, opening, turns)
    loss = F.cross_entropy(logits, targets)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(parameter.grad).all() for parameter in bridge.parameters() if parameter.grad is not None)


def test_without_any_modality_the_error_says_what_to_give(bridge, opening, turns):
    with pytest.raises(ValueError, match=r"none of the modalities \['gene', 'brain'\] was given; give at least one, NaN where it is missing"):
        bridge.prefix({})


@torch.inference_mode()
def test_asked_in_words_alone_the_answer_is_that_of_samples_without_any_measurement(bridge, values, opening, turns):
    absent = {name: torch.full_like(column, torch.nan) for name, column in values.items()}
    torch.testing.assert_close(bridge({}, opening, turns)[0], bridge(absent, opening, turns)[0])


@torch.inference_mode()
def test_permuting_the_samples_permutes_the_logits(bridge, values, opening, turns):
    order = [2, 0, 3, 1]
    whole = split(bridge(values, opening, turns)[0], turns)
    turned = bridge({name: column[order] for name, column in values.items()}, opening, [turns[row] for row in order])[0]
    torch.testing.assert_close(turned, torch.cat([whole[row] for row in order]), **CLOSE)


@torch.inference_mode()
def test_merging_the_adapter_changes_no_logits(bridge, values, opening, turns):
    before = bridge(values, opening, turns)[0]
    wear_trained_adapter(bridge)
    worn = bridge(values, opening, turns)[0]
    bridge.llm = copy.deepcopy(bridge.llm).merge_and_unload()
    torch.testing.assert_close(bridge(values, opening, turns)[0], worn, **CLOSE)
    assert not torch.allclose(worn, before, atol=0.1)


@torch.inference_mode()
def test_logits_are_given_at_the_answers_alone(bridge, values, opening, turns):
    prompt = Prompt(bridge.language.tokenizer, "me-llama")
    examples = [[prompt.example(question, answer)] for question, answer in zip(QUESTIONS, ANSWERS, strict=True)]
    found, targets = bridge(values, opening, examples)
    answered = torch.tensor([label != IGNORE for (turn,) in examples for label in turn.labels[1:]])
    torch.testing.assert_close(found, bridge(values, opening, turns)[0][answered], **CLOSE)
    assert targets.tolist() == [number for answer in ANSWERS for number in prompt.answer(answer)]


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


def test_an_llm_in_bfloat16_reads_soft_tokens_in_float32(tiny_llm, make_bridge, values, opening, turns):
    bridge = make_bridge(over=load_llm(LLM(str(tiny_llm()), dtype="bfloat16")))
    logits, targets = bridge(values, opening, turns)
    loss = F.cross_entropy(logits.float(), targets)
    loss.backward()
    assert bridge.llm.dtype == torch.bfloat16
    assert torch.isfinite(loss)
    assert all(parameter.dtype == parameter.grad.dtype == torch.float32 for parameter in bridge.projectors.parameters() if parameter.grad is not None)


def test_a_frozen_llm_still_teaches_the_projectors(make_bridge, values, opening, turns):
    bridge = make_bridge({"gene": functools.partial(FactorisedMLP, k=2, hidden=8, rank=2)})
    bridge.llm.requires_grad_(False)
    logits, targets = bridge(values, opening, turns)
    F.cross_entropy(logits, targets).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in bridge.projectors.parameters())
    assert all(parameter.grad is None for parameter in bridge.llm.parameters())
