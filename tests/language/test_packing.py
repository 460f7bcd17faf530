"""Where everything stands in a packed row."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bridge.data.batch import IGNORE, Turn
from bridge.language.attention import ALONE
from bridge.language.packing import embedded, pack

OPENING = [91, 92]


def turn(*ids, asked=1):
    return Turn(list(ids), [IGNORE] * asked + list(ids[asked:]))


@st.composite
def samples(draw):
    soft = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    lengths = [draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)) for _ in soft]
    return soft, [[turn(*range(10, 10 + length)) for length in each] for each in lengths]


@settings(max_examples=100, deadline=None)
@given(drawn=samples(), opening=st.sampled_from([[], OPENING]))
def test_every_token_stands_in_the_row_once_and_soft_tokens_follow_the_opening(drawn, opening):
    soft, turns = drawn
    row = pack(opening, soft, turns)
    assert len(row.ids) == sum(row.lengths) == len(soft) * len(opening) + sum(soft) + sum(len(each.ids) for asked in turns for each in asked)
    assert len(row.soft) == sum(soft)
    assert all(row.ids[place] == 0 for place in row.soft)
    assert len(row.lengths) == sum(len(asked) + (len(asked) > 1 and len(opening) + count > 0) for count, asked in zip(soft, turns, strict=True))
    assert row.targets == [row.ids[place + 1] for place in row.predicts]


def test_one_question_stands_in_one_segment_with_its_prefix():
    row = pack(OPENING, [3], [[turn(7, 8, 9)]])
    assert row.ids == [91, 92, 0, 0, 0, 7, 8, 9]
    assert row.soft == [2, 3, 4]
    assert (row.lengths, row.after) == ([8], [ALONE])
    assert (row.predicts, row.targets) == ([5, 6], [8, 9])


def test_several_questions_follow_a_prefix_that_stands_there_once():
    row = pack(OPENING, [2, 1], [[turn(7, 8), turn(9, 10, 11, asked=2)], [turn(12, 13)]])
    assert row.ids == [91, 92, 0, 0, 7, 8, 9, 10, 11, 91, 92, 0, 12, 13]
    assert (row.lengths, row.after) == ([4, 2, 3, 5], [ALONE, 0, 0, ALONE])
    assert row.soft == [2, 3, 11]
    assert (row.predicts, row.targets) == ([4, 7, 12], [8, 11, 13])


def test_without_anything_to_share_questions_stand_alone():
    row = pack([], [0], [[turn(7, 8), turn(9, 10)]])
    assert (row.lengths, row.after) == ([2, 2], [ALONE, ALONE])


def test_a_turn_never_has_its_first_token_learned():
    row = pack([], [2], [[Turn([7, 8], [7, 8])]])
    assert (row.predicts, row.targets) == ([2], [8])


def test_soft_tokens_take_their_places_in_the_dtype_of_the_table_and_receive_gradient():
    table = nn.Embedding(100, 4).to(torch.bfloat16)
    soft = torch.randn(3, 4, requires_grad=True)
    row = pack(OPENING, [2, 1], [[turn(7, 8)], [turn(9, 10)]])
    found = embedded(row, table, soft)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found[0, row.soft], soft.to(torch.bfloat16))
    hard = [place for place in range(len(row.ids)) if place not in row.soft]
    assert torch.equal(found[0, hard], table(torch.tensor(row.ids)[hard]))
    found.float().sum().backward()
    assert torch.equal(soft.grad, torch.ones(3, 4))
