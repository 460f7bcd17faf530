"""The fusion: present tokens in their order in front of the text, and nothing learned before the text's second token."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.data.batch import IGNORE
from bridge.project.prefix import Prefix, prepend, prepend_labels, without_gaps


@st.composite
def prefixes(draw, width=3):
    batch, length = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    mask = torch.tensor(draw(st.lists(st.lists(st.booleans(), min_size=length, max_size=length), min_size=batch, max_size=batch)))
    values = torch.arange(batch * length * width, dtype=torch.float32).reshape(batch, length, width)
    return Prefix(values, mask)


@settings(max_examples=60, deadline=None)
@given(prefix=prefixes())
def test_closing_gaps_keeps_the_present_tokens_in_order_and_is_as_short_as_can_be(prefix):
    found = without_gaps(prefix)
    assert found.mask.shape[1] == int(prefix.mask.sum(dim=1).max())
    for row in range(len(prefix.mask)):
        present = prefix.values[row][prefix.mask[row]]
        assert torch.equal(found.values[row, : len(present)], present)
        assert found.mask[row].tolist() == [True] * len(present) + [False] * (found.mask.shape[1] - len(present))


@settings(max_examples=60, deadline=None)
@given(prefix=prefixes(), padding=st.integers(0, 3))
def test_positions_count_what_is_present_and_what_is_absent_is_zero(prefix, padding):
    batch, width = len(prefix.mask), prefix.values.shape[2]
    text = torch.full((batch, 5, width), 7.0)
    mask = torch.arange(5).expand(batch, 5) >= padding
    inputs = prepend(prefix, text, mask)
    assert torch.equal(inputs["attention_mask"].bool(), torch.cat([prefix.mask, mask], dim=1))
    for row in range(batch):
        present = inputs["attention_mask"][row].bool()
        assert inputs["position_ids"][row][present].tolist() == list(range(int(present.sum())))
    absent = ~prefix.mask
    assert not inputs["inputs_embeds"][:, : prefix.mask.shape[1]][absent].any()
    assert torch.equal(inputs["inputs_embeds"][:, prefix.mask.shape[1] :], text)


def test_what_stands_in_an_absent_place_never_reaches_the_model_not_even_nan():
    values = torch.full((1, 2, 3), torch.nan)
    inputs = prepend(Prefix(values, torch.tensor([[False, False]])), torch.ones(1, 1, 3), torch.tensor([[True]]))
    assert torch.isfinite(inputs["inputs_embeds"]).all()


def test_the_prefix_takes_the_dtype_of_the_model():
    inputs = prepend(Prefix(torch.ones(1, 2, 3), torch.ones(1, 2, dtype=torch.bool)), torch.ones(1, 1, 3, dtype=torch.bfloat16), torch.tensor([[True]]))
    assert inputs["inputs_embeds"].dtype == torch.bfloat16


def test_neither_the_prefix_nor_the_first_token_after_it_has_a_label():
    prefix = Prefix(torch.ones(2, 3, 4), torch.tensor([[True, True, False], [False, False, False]]))
    labels = torch.tensor([[11, 12, 13], [21, IGNORE, 23]])
    assert prepend_labels(prefix, labels).tolist() == [[IGNORE] * 4 + [12, 13], [IGNORE] * 5 + [23]]
    assert labels[0, 0] == 11
