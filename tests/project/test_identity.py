"""Identity and value: the most extreme regions are kept, highest first, and start as what the LLM calls them."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.project.identity import IdentityValue
from encoders.base import Tokens

REGIONS = 10


def transparent(tokens=REGIONS, **settings):
    """A projector whose prefix tokens say which region they are: identity is one-hot, value and rank add nothing."""
    projector = IdentityValue(1, tokens, tokens, name_tokens=1, **settings)
    with torch.no_grad():
        projector.identity.copy_(torch.eye(tokens).unsqueeze(1))
        projector.film[-1].weight.zero_()
    return projector


def chosen(projector, values, mask):
    """Which regions the prefix of one sample holds, in order; the first token reads the whole map."""
    tokens = Tokens(torch.where(mask, values, 0.0)[None, :, None], mask[None])
    prefix = projector(tokens)
    assert bool(prefix.mask[0, 0]) == bool(mask.any())
    return prefix.values[0, 1:][prefix.mask[0, 1:]].argmax(dim=1).tolist()


def expected(values, mask, kept):
    """The same by sorting: the highest half, then of what is left the lowest half."""
    order = sorted((number for number in range(len(values)) if mask[number]), key=lambda number: -values[number].item())
    high = order[: kept // 2]
    return high + order[len(high) :][-(kept // 2) :]


maps = st.lists(st.floats(-5, 5, width=32), min_size=REGIONS, max_size=REGIONS)
masks = st.lists(st.booleans(), min_size=REGIONS, max_size=REGIONS)


@settings(max_examples=150, deadline=None)
@given(values=maps, mask=masks, extremes=st.sampled_from([2, 4, 8, 10, 12]))
def test_the_highest_and_the_lowest_of_what_is_present_are_kept_highest_first(values, mask, extremes):
    values, mask = torch.tensor(values), torch.tensor(mask)
    assert chosen(transparent(extremes=extremes), values, mask) == expected(values, mask, min(extremes, REGIONS))


@settings(max_examples=50, deadline=None)
@given(values=maps, mask=masks)
def test_with_extremes_zero_every_present_region_keeps_its_own_place(values, mask):
    values, mask = torch.tensor(values), torch.tensor(mask)
    assert chosen(transparent(extremes=0), values, mask) == mask.nonzero().flatten().tolist()


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(-5, 5, width=32), min_size=REGIONS, max_size=REGIONS, unique=True), seed=st.integers(0, 99))
def test_the_order_in_which_the_atlas_lists_its_regions_does_not_change_what_is_chosen(values, seed):
    values, order = torch.tensor(values), torch.randperm(REGIONS, generator=torch.Generator().manual_seed(seed))
    mask = torch.ones(REGIONS, dtype=torch.bool)
    found = chosen(transparent(extremes=6), values[order], mask)
    assert [order[number].item() for number in found] == chosen(transparent(extremes=6), values, mask)


@pytest.mark.parametrize(("tokens", "extremes", "kept"), [(83, 8, 8), (10, 8, 8), (7, 8, 6), (1, 8, 1), (10, 0, 10), (2, 2, 2)])
def test_the_prefix_is_as_long_as_what_is_kept_of_the_map(tokens, extremes, kept):
    assert IdentityValue(1, tokens, 16, extremes=extremes, name_tokens=3).k == 1 + kept * 3


@pytest.mark.parametrize("extremes", [3, -2])
def test_an_odd_or_negative_number_of_extremes_is_refused(extremes):
    with pytest.raises(ValueError, match=f"field extremes: expected an even number or 0, found {extremes}"):
        IdentityValue(1, 10, 16, extremes=extremes)


def test_a_region_starts_as_the_embeddings_of_its_name():
    torch.manual_seed(0)
    embeddings = torch.randn(50, 32)
    names = [embeddings[:2], embeddings[2:9], embeddings[9:12]]  # two tokens, seven, three
    projector = IdentityValue(1, 3, 32, extremes=2, name_tokens=4)
    projector.match(embeddings, names)
    assert torch.equal(projector.identity[0, :2], names[0])
    assert torch.equal(projector.identity[1], names[1][:4])
    assert projector.identity_mask.tolist() == [[True, True, False, False], [True] * 4, [True, True, True, False]]
    prefix = projector(Tokens(torch.tensor([[[1.0], [0.0], [-1.0]]]), torch.ones(1, 3, dtype=torch.bool)))
    assert prefix.mask[0].tolist() == [True, *[True, True, False, False], *[True, True, True, False]]
    likeness = F.cosine_similarity(prefix.values[0, 1:3], names[0])
    assert (likeness > 0.9).all()  # the value shifts it a little from the first step on


def test_the_plain_form_has_one_vector_for_each_region_and_ignores_names():
    projector = IdentityValue(1, 5, 16, extremes=0, name_tokens=0)
    before = projector.identity.clone()
    projector.match(torch.randn(20, 16), [torch.randn(2, 16)] * 5)
    assert projector.identity.shape == (5, 1, 16)
    assert torch.equal(projector.identity, before)


def test_the_value_moves_the_token_of_its_region_and_no_other():
    torch.manual_seed(0)
    projector = IdentityValue(1, 6, 16, extremes=0, name_tokens=2)
    values = torch.randn(1, 6, 1)
    other = values.clone()
    other[0, 2] += 1
    whole = torch.ones(1, 6, dtype=torch.bool)
    moved = (projector(Tokens(other, whole)).values - projector(Tokens(values, whole)).values).abs().sum(dim=2)[0] > 1e-6
    assert moved.tolist() == [True, *[number // 2 == 2 for number in range(12)]]  # the first token reads every value


def test_rank_tells_equal_values_at_either_end_apart():
    torch.manual_seed(0)
    projector = IdentityValue(1, 4, 16, extremes=4, name_tokens=1)
    with torch.no_grad():
        projector.identity.copy_(torch.ones_like(projector.identity))
        torch.nn.init.normal_(projector.rank)
    prefix = projector(Tokens(torch.zeros(1, 4, 1), torch.ones(1, 4, dtype=torch.bool))).values[0, 1:]
    assert all(not torch.allclose(prefix[one], prefix[two], atol=1e-3) for one in range(4) for two in range(one))
