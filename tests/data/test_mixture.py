"""Draws by weight: exact shares, an order that depends on the number of the draw alone, every item once a pass."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.data.mixture import Draws, MixedItems, Mixture, shuffled

MIXTURES = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.05, 20), min_size=1)


@settings(deadline=None, max_examples=50)
@given(MIXTURES, st.integers(1, 700))
def test_after_any_number_of_draws_each_source_has_had_its_share(weights, count):
    found = Counter(drawn.source for drawn in Mixture(weights).draws(count))
    total = sum(weights.values())
    assert all(abs(found[source] - count * weight / total) <= len(weights) / 2 for source, weight in weights.items())


def test_the_mixture_of_me_llama_is_exact_in_every_twenty_draws():
    draws = Mixture({"biomedical": 15, "clinical": 1, "general": 4}).draws(200)
    for start in range(0, 200, 20):
        assert Counter(drawn.source for drawn in draws[start : start + 20]) == {"biomedical": 15, "clinical": 1, "general": 4}


@settings(deadline=None, max_examples=30)
@given(MIXTURES, st.integers(1, 300))
def test_a_longer_run_begins_as_a_shorter_one_and_numbers_each_source_from_0(weights, count):
    draws = Mixture(weights).draws(2 * count)
    assert Mixture(weights).draws(count) == draws[:count]
    for source in weights:
        numbers = [drawn.number for drawn in draws if drawn.source == source]
        assert numbers == list(range(len(numbers)))


def test_each_item_comes_once_in_a_pass_and_in_another_order_in_the_next():
    items = MixedItems({"a": 7, "b": 3}, {"a": 7, "b": 3}, seed=0)
    drawn = [(each.source, items.item(each)) for each in items.mixture.draws(20)]
    first, second = ([number for source, number in half if source == "a"] for half in (drawn[:10], drawn[10:]))
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_another_seed_is_another_order():
    assert shuffled(0, "a", 0, 50).tolist() != shuffled(1, "a", 0, 50).tolist()
    assert shuffled(0, "a", 0, 50).tolist() != shuffled(0, "b", 0, 50).tolist()


@pytest.mark.parametrize(
    ("sizes", "weights", "message"),
    [
        ({"a": 1}, {"a": 0}, "one of them above it"),
        ({"a": 1}, {"a": -1, "b": 1}, "at least 0"),
        ({"a": 1}, {"a": float("nan")}, "at least 0"),
        ({"a": 1}, {"a": 1, "b": 1}, "'b' has a weight and no item"),
    ],
)
def test_weights_that_cannot_be_are_refused(sizes, weights, message):
    with pytest.raises(ValueError, match=message):
        MixedItems(sizes, weights)


def test_processes_share_the_draws_of_an_epoch_and_go_on_in_the_next():
    parts = [Draws(11, rank, 2) for rank in (0, 1)]
    assert [list(part) for part in parts] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
    for part in parts:
        part.set_epoch(1)
    assert sorted(number for part in parts for number in part) == list(range(10, 20))
