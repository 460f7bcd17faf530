"""Many prompts in few slots: every answer has the tokens it has alone, whoever had the slot before, and the LLM the weights it had."""

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from tiny_checkpoints import FORMS

from bridge.language.attention import ALONE, Segments
from bridge.language.llm import LLM, Lora, add_lora, base_model, load_llm, wearing
from bridge.language.merged import merged
from bridge.language.prompts import Prompt
from bridge.report.generation.constrain import KnownNames
from bridge.report.generation.decode import Answer, Prompts, decode, greedy
from bridge.report.generation.generate import generated, prompts
from bridge.report.generation.slots import Slots

TIE = 1e-4
COUNT = 10
QUESTIONS = ("Write the report.", "Report.", "Which regions of the brain map are highest? Which are lowest?", "Eye?")


@pytest.fixture
def values(tiny_cohort):
    """Sample 3 has no gene, sample 5 no brain; sample 0 here has neither."""
    values = {modality: torch.from_numpy(tiny_cohort.values(modality)[:COUNT].copy()) for modality in tiny_cohort.modalities}
    for column in values.values():
        column[0] = torch.nan
    return values


@pytest.fixture
def limits():
    return np.random.default_rng(0).integers(1, 13, size=COUNT).tolist()


@pytest.fixture
def asked(bridge):
    prompt = Prompt(bridge.language.tokenizer, bridge.template)
    return [prompt.question(question, "Seizures." if number % 3 == 0 else "") for number, question in zip(range(COUNT), itertools.cycle(QUESTIONS))]


def wear(bridge, name="default", seed=3):
    """An adapter that says something."""
    bridge.wear(add_lora(bridge.language, Lora(r=2), name))
    torch.manual_seed(seed)
    for label, parameter in bridge.llm.eval().named_parameters():
        torch.nn.init.normal_(parameter, std=0.2) if f"lora_B.{name}." in label else None


@torch.inference_mode()
def decoded(bridge, values, asked, limits, *, slots, end, choose=greedy):
    """Answers of slot refill, in the order of the prompts, and the order in which they ended."""
    answers = [Answer(number, limit) for number, limit in enumerate(limits)]
    ended = list(decode(bridge.llm, prompts(bridge, values, asked, answers, size=slots), slots=slots, end=end, choose=choose))
    return answers, [answer.number for answer in ended]


@torch.inference_mode()
def alone(bridge, values, asked, limits, end, processor=None):
    """Token ids and logits of each answer from the library's own generation, one by one, from the embeddings in a plain row."""
    opening, table = Prompt(bridge.language.tokenizer, bridge.template).opening, bridge.llm.get_input_embeddings()
    for row, question in enumerate(asked):
        prefix = bridge.prefix({name: column[row : row + 1] for name, column in values.items()})
        before, after = (table(torch.tensor(ids, dtype=torch.long)) for ids in (opening, question))
        embeds = torch.cat([before, prefix.values[prefix.mask].to(before.dtype), after])[None]
        stop = {"eos_token_id": end, "pad_token_id": end, "max_new_tokens": limits[row], "do_sample": False}
        given = {"inputs_embeds": embeds, "attention_mask": torch.ones(embeds.shape[:2], dtype=torch.long), "logits_processor": processor or []}
        written = bridge.llm.generate(**given, **stop, return_dict_in_generate=True, output_logits=True)
        yield written.sequences[0].tolist(), torch.cat(written.logits)


def ties(answers, expected, tie=TIE):
    """How many answers leave what is expected at a tie; one that leaves it elsewhere fails."""
    found = 0
    for answer, (ids, logits) in zip(answers, expected, strict=True):
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(answer.ids, ids, strict=False)))
        steps = min(same + 1, len(ids))
        torch.testing.assert_close(answer.probabilities[:same], probabilities(logits, ids)[:same], rtol=1e-3, atol=tie)
        if answer.ids != ids:
            first, second = logits[steps - 1].float().topk(2).values
            assert first - second < tie, f"answer {answer.number} differs at token {same}"
            found += 1
    return found


def probabilities(logits, ids):
    return logits.float().softmax(dim=-1).gather(1, torch.tensor(ids)[:, None])[:, 0].tolist()


def frequent(bridge, values, asked):
    """A token that some answers write early: the end, for a test of ends."""
    found = Counter(token for ids, _ in alone(bridge, values, asked, [6] * COUNT, None) for token in set(ids[1:]))
    return found.most_common(1)[0][0]


def test_every_answer_has_the_tokens_it_has_alone_however_often_its_slot_changed_hands(bridge, values, asked, limits):
    end, limits = frequent(bridge, values, asked), [limit + 4 for limit in limits]
    expected = list(alone(bridge, values, asked, limits, end))
    early = sum(ids[-1] == end and len(ids) < limit for (ids, _), limit in zip(expected, limits, strict=True))
    assert 1 < early < COUNT - 1  # some end by themselves, some at their limit
    for slots in (1, 3, 40):
        answers, ended = decoded(bridge, values, asked, limits, slots=slots, end=end)
        assert ties(answers, expected) <= 1
        assert sorted(ended) == list(range(COUNT))
        assert slots != 3 or ended != sorted(ended)


@pytest.mark.parametrize(("form", "heads"), list(zip(FORMS, (1, 4, 4), strict=True)))
def test_answers_are_the_same_for_every_prompt_form_and_kind_of_attention(form, heads, make_bridge, tiny_llm, values, limits):
    bridge = make_bridge(over=load_llm(tiny_llm(form, key_value_heads=heads)))
    end, prompt = bridge.language.tokenizer.eos_token_id, Prompt(bridge.language.tokenizer, bridge.template)
    asked, limits, values = [prompt.question(question) for question in QUESTIONS], limits[:4], {name: column[:4] for name, column in values.items()}
    assert ties(decoded(bridge, values, asked, limits, slots=2, end=end)[0], alone(bridge, values, asked, limits, end)) <= 1


def test_a_template_without_an_opening_has_nothing_to_share(bridge, values, limits):
    bridge.template = "plain"
    end, asked = bridge.language.tokenizer.eos_token_id, [Prompt(bridge.language.tokenizer, "plain").question(QUESTIONS[2])] * 4
    limits, values = limits[:4], {name: column[:4] for name, column in values.items()}
    assert ties(decoded(bridge, values, asked, limits, slots=3, end=end)[0], alone(bridge, values, asked, limits, end)) <= 1


def test_the_opening_is_read_once_for_all_prompts_of_a_row(bridge, values, asked):
    opening = Prompt(bridge.language.tokenizer, bridge.template).opening
    (row,) = prompts(bridge, values, asked, [Answer(number, 4) for number in range(COUNT)], size=COUNT)
    soft = int(bridge.prefix(values).mask.sum())
    assert row.embeds.shape[1] == len(opening) + soft + sum(map(len, asked))
    assert row.segments.after == (ALONE, *[0] * COUNT)
    assert all(places[: len(opening)] == list(range(len(opening))) for places in row.places())


def test_a_constrained_answer_is_that_of_the_same_rule_in_the_librarys_own_generation(bridge, values, asked, limits, tiny_cohort):
    names = KnownNames(bridge.language.tokenizer, {"brain": tiny_cohort.card("brain").names}, {})
    begun = bridge.language.tokenizer("Highest in the zyg", add_special_tokens=False)["input_ids"]
    limits, asked, values = [12, 9, 10, 14], asked[:4], {name: column[:4] for name, column in values.items()}

    def wished(written, scores):
        """The rule's choice, of a model that begins in the same way for everybody and then goes on as it likes."""
        pushed = [[begun[len(ids)]] if len(ids) < len(begun) else [] for ids in written]
        return names(written, torch.stack([row.index_fill(0, torch.tensor(wish, dtype=torch.long), 99.0) for row, wish in zip(scores, pushed, strict=True)]))

    def only(ids, scores):
        return torch.full_like(scores, -torch.inf).scatter(1, torch.tensor(wished(ids.tolist(), scores))[:, None], 0.0)

    expected = list(alone(bridge, values, asked, limits, names.end, [only]))
    assert ties(decoded(bridge, values, asked, limits, slots=2, end=names.end, choose=wished)[0], expected) == 0
    assert all(ids[:3] == begun[:3] and ids[: len(begun)] != begun for ids, _ in expected)


def test_an_llm_in_bfloat16_writes_what_it_writes_alone_but_for_its_coarser_ties(tiny_llm, make_bridge, values, asked, limits):
    bridge = make_bridge(over=load_llm(LLM(str(tiny_llm()), dtype="bfloat16")))
    end = bridge.language.tokenizer.eos_token_id
    answers, _ = decoded(bridge, values, asked, limits, slots=3, end=end)
    assert ties(answers, alone(bridge, values, asked, limits, end), tie=0.1) < COUNT // 2
    assert bridge.llm.dtype == torch.bfloat16


def test_a_slot_takes_the_place_of_one_that_has_ended_and_its_columns_are_reused(language):
    model = base_model(language.model)
    segments = Segments((2, 3, 5), (ALONE, 0, 0))
    row = Prompts(segments, torch.randn(1, 10, 32), [Answer(0, 1), Answer(1, 1)])
    assert row.places() == [[0, 1, 2, 3, 4], [0, 1, 5, 6, 7, 8, 9]]
    with torch.inference_mode():
        cached = model.model(inputs_embeds=row.embeds, use_cache=True, **segments.inputs()).past_key_values
        slots = Slots(2, 2)
        for places in row.places():
            slots.admit(cached, places, 1)
        kept = slots.layers[0].keys[1, :, :7].clone()
        slots.release(0)
        assert slots.lengths == [7]
        assert torch.equal(slots.layers[0].keys[0, :, :7], kept)
        slots.admit(cached, row.places()[0], 1)
        assert slots.lengths == [7, 5]
        assert slots.get_max_length() == 8  # the longest prompt and the one token that may follow: not the sum of all that had a slot
        seen = slots.step(torch.device("cpu"))
    assert seen["attention_mask"].sum(dim=-1).flatten().tolist() == [8, 6]
    assert seen["position_ids"].tolist() == [[7], [5]]


def test_the_cache_never_grows_beyond_the_longest_prompt_and_its_limit(bridge, values, asked, limits, monkeypatch):
    held = []
    admit = Slots.admit
    monkeypatch.setattr(Slots, "admit", lambda self, *given: (admit(self, *given), held.append(self.layers[0].keys.shape))[0])
    decoded(bridge, values, asked, limits, slots=3, end=-1)
    row = next(prompts(bridge, values, asked, [Answer(0, 1)] * COUNT, size=COUNT))
    longest = max(len(places) + limit - 1 for places, limit in zip(row.places(), limits, strict=True) if limit > 1)
    assert held[-1][0] == 3
    assert held[-1][2] == longest


def test_an_adapter_is_merged_while_reports_are_written_and_every_weight_is_the_same_afterwards(bridge, values):
    wear(bridge)
    ask = ["Write the report."] * COUNT
    before = {name: tensor.clone() for name, tensor in bridge.state_dict().items()}
    held = {name: parameter.data_ptr() for name, parameter in bridge.llm.named_parameters()}
    seen = []
    layer = base_model(bridge.llm).model.layers[0].self_attn.q_proj
    bridge.llm.get_submodule("base_model.model.model.norm").register_forward_hook(lambda *_: seen.append(layer.merged))
    generated(bridge, values, ask, max_new_tokens=3)
    assert len(seen) > 2
    assert all(seen)
    assert not layer.merged
    assert {name: parameter.data_ptr() for name, parameter in bridge.llm.named_parameters()} == held
    assert all(torch.equal(tensor, before[name]) for name, tensor in bridge.state_dict().items())


@pytest.mark.parametrize("within", [torch.inference_mode, torch.no_grad])
def test_a_merged_adapter_has_the_logits_of_the_adapter_beside_the_weights(within, bridge):
    ids = torch.arange(20, 40)[None]
    with within():
        bare = bridge.llm(ids).logits
        wear(bridge, "text", seed=1)
        wear(bridge)
        worn = bridge.llm(ids).logits
        for adapter in ("default", "text", "none"):
            with wearing(bridge.llm, adapter):
                beside = bridge.llm(ids).logits
                with merged(bridge.llm):
                    torch.testing.assert_close(bridge.llm(ids).logits, beside, rtol=1e-4, atol=1e-4)
                assert torch.equal(bridge.llm(ids).logits, beside)
        assert torch.equal(bridge.llm(ids).logits, worn)
        assert not torch.allclose(bare, worn, atol=0.1)


def test_weights_come_back_when_writing_fails_and_an_adapter_that_is_not_finite_is_refused(bridge):
    wear(bridge)
    before = {name: tensor.clone() for name, tensor in bridge.llm.state_dict().items()}
    with pytest.raises(RuntimeError, match="stopped"), merged(bridge.llm):
        raise RuntimeError("stopped")
    layer = base_model(bridge.llm).model.layers[1].mlp.down_proj
    assert all(torch.equal(tensor, before[name]) for name, tensor in bridge.llm.state_dict().items())
    with torch.no_grad():
        layer.lora_B["default"].weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="NaNs detected"), merged(bridge.llm):
        pass
    assert not any(getattr(module, "merged", False) for module in bridge.llm.modules())
    first = base_model(bridge.llm).model.layers[0].mlp.down_proj.base_layer.weight
    assert torch.equal(first, before["base_model.model.model.layers.0.mlp.down_proj.base_layer.weight"])


def test_reports_have_limits_of_their_own_and_come_back_in_the_order_of_the_samples(bridge, values, limits):
    ask = ["Write the report."] * COUNT
    whole = generated(bridge, values, ask, max_new_tokens=24, batch_size=COUNT)
    parts = generated(bridge, values, ask, max_new_tokens=limits, batch_size=3)
    assert [part.probabilities for part in parts] == [pytest.approx(each.probabilities[:limit], abs=1e-3) for each, limit in zip(whole, limits, strict=True)]
    assert len({len(part.tokens) for part in parts}) > 3


@pytest.mark.parametrize("limit", [0, [4, 4], [4] * (COUNT - 1) + [0]])
def test_a_limit_of_no_token_and_limits_for_other_samples_are_refused(limit, bridge, values):
    with pytest.raises(ValueError, match=f"expected a number above 0, or one for each of {COUNT} samples"):
        generated(bridge, values, ["Report."] * COUNT, max_new_tokens=limit)


def test_no_question_gives_no_answer(bridge, values):
    assert generated(bridge, {name: column[:0] for name, column in values.items()}, []) == []


def test_the_bar_counts_answers_that_have_ended(bridge, values, limits, capsys):
    generated(bridge, values, ["Report."] * COUNT, max_new_tokens=limits, batch_size=2, show_progress=True)
    assert "Writing" in capsys.readouterr().out


def test_an_answer_ends_at_the_end_token_or_its_limit():
    answer = Answer(0, 2, [5])
    assert answer.ended(5)
    assert not answer.ended(6)
    assert dataclasses.replace(answer, ids=[5, 7]).ended(6)
