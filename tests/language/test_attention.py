"""Packed rows: what stands beside a text changes nothing of it, and several may follow one."""

import pytest
import torch

from bridge.language.attention import ALONE, Segments, segment_attention
from bridge.language.llm import load_llm

#: float32 sums in another order; states here are of order one, and a neighbour that is seen moves them by far more.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(params=[("llama-2", None), ("llama-3", None), ("llama-3", 1)], ids=["MHA", "GQA", "one key head"])
def model(request, tiny_llm):
    form, heads = request.param
    return load_llm(tiny_llm(form, key_value_heads=heads) if heads else tiny_llm(form)).model.eval()


def texts(model, *lengths):
    generator = torch.Generator().manual_seed(sum(lengths))
    return [torch.randint(3, model.config.vocab_size, (length,), generator=generator).tolist() for length in lengths]


def states(model, ids, segments):
    return model.model(input_ids=torch.tensor([ids]), use_cache=False, **segments.inputs()).last_hidden_state[0]


def alone(model, ids):
    return model.model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]


@torch.inference_mode()
def test_a_packed_text_has_the_states_it_has_alone(model):
    parts = texts(model, 5, 1, 17, 9)
    row = Segments(tuple(map(len, parts)), (ALONE,) * 4)
    found = states(model, [number for part in parts for number in part], row).split(row.lengths)
    for part, each in zip(parts, found, strict=True):
        torch.testing.assert_close(each, alone(model, part), **CLOSE)


@torch.inference_mode()
def test_texts_that_follow_one_have_the_states_of_both_together(model):
    shared, first, other, second = texts(model, 7, 5, 6, 11)
    row = Segments((7, 5, 6, 11), (ALONE, 0, ALONE, 0))
    found = states(model, shared + first + other + second, row).split(row.lengths)
    torch.testing.assert_close(found[0], alone(model, shared), **CLOSE)
    torch.testing.assert_close(found[1], alone(model, shared + first)[7:], **CLOSE)
    torch.testing.assert_close(found[2], alone(model, other), **CLOSE)
    torch.testing.assert_close(found[3], alone(model, shared + second)[7:], **CLOSE)


@torch.inference_mode()
def test_changing_one_text_changes_no_bit_of_another(model):
    first, second, third = texts(model, 8, 13, 6)
    row = Segments((8, 13, 6), (ALONE,) * 3)
    before, after = (states(model, first + middle + third, row).split(row.lengths) for middle in (second, second[::-1]))
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2], after[2])
    assert not torch.allclose(before[1], after[1], atol=1e-2)


def test_positions_count_on_from_what_a_segment_follows():
    row = Segments((3, 2, 4, 1), (ALONE, 0, ALONE, 2))
    assert row.inputs()["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]]


def test_the_kernel_of_variable_lengths_is_given_the_same_queries_and_keys():
    row = Segments((3, 2, 4, 1), (ALONE, 0, ALONE, 0)).ragged
    assert row.queries.tolist() == [0, 3, 5, 9, 10]
    assert row.keys.tolist() == [0, 3, 8, 12, 16]
    assert row.places.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 9]
    assert (row.longest_query, row.longest_key) == (4, 5)
    assert Segments((3, 2), (ALONE, ALONE)).ragged.places is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: the kernel of variable lengths runs on CUDA alone")
@pytest.mark.parametrize("after", [(ALONE, ALONE, ALONE), (ALONE, 0, 0)])
def test_on_a_gpu_the_kernel_of_variable_lengths_gives_what_the_loop_gives(after):
    row = Segments((33, 20, 41), after)
    generator = torch.Generator("cuda").manual_seed(0)
    query = torch.randn(1, 8, 94, 64, device="cuda", generator=generator)
    key, value = torch.randn(2, 1, 2, 94, 64, device="cuda", generator=generator)
    module = torch.nn.Module()
    expected, _ = segment_attention(module, query, key, value, None, segments=row)
    found, _ = segment_attention(module, *(each.bfloat16() for each in (query, key, value)), None, segments=row)
    torch.testing.assert_close(found.float(), expected, atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize(("lengths", "after"), [((3, 2), (ALONE,)), ((3, 2, 1), (ALONE, 0, 1))])
def test_segments_that_are_no_forest_of_depth_one_are_refused(lengths, after):
    with pytest.raises(ValueError, match="expected one each, and roots that follow nothing"):
        Segments(lengths, after)


def test_segments_of_another_row_are_refused():
    query, row = torch.zeros(1, 2, 5, 4), Segments((3, 3), (ALONE, ALONE))
    with pytest.raises(ValueError, match=r"found 1 rows of 5 tokens, expected one row of 6"):
        segment_attention(torch.nn.Module(), query, query, query, None, segments=row)
