"""The best candidates: exactly up to 100,000, beyond through an index whose recall is measured here."""

import sys

import numpy as np
import pytest

from bridge.retrieve import nearest
from bridge.retrieve.nearest import Nearest


def unit(random, *shape):
    vectors = random.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def made(candidates, dim=8, seed=0):
    random = np.random.default_rng(seed)
    scale, offset = (random.uniform(low, 2, candidates).astype(np.float32) for low in (0.5, 1.5))
    return Nearest(unit(random, candidates, dim), scale, offset, tuple(f"c{number:06d}" for number in range(candidates)))


def test_the_best_are_those_of_a_full_comparison():
    many, query = made(500), unit(np.random.default_rng(1), 8)
    scores = many.scale * (many.vectors @ query) + many.offset
    best = many.best(query, 7)
    assert many.exact
    assert best.rows.tolist() == np.argsort(-scores)[:7].tolist()
    np.testing.assert_allclose(best.scores, np.sort(scores)[::-1][:7], rtol=1e-5)


def test_equal_ones_stand_in_the_order_of_their_ids_also_where_the_list_ends():
    ids = ("d", "b", "e", "a", "c")
    flat = Nearest(np.tile([1.0, 0.0], (5, 1)).astype(np.float32), np.ones(5, np.float32), np.zeros(5, np.float32), ids)
    assert [ids[row] for row in flat.best(np.array([1.0, 0.0]), 3).rows] == ["a", "b", "c"]
    assert [ids[row] for row in flat.best(np.array([1.0, 0.0]), 3, without="a").rows] == ["b", "c", "d"]
    assert len(flat.best(np.array([1.0, 0.0]), 9).rows) == 5


def test_the_index_finds_nearly_what_a_full_comparison_finds():
    pytest.importorskip("faiss", reason="the extra 'search' is not installed")
    many, queries = made(120_000), unit(np.random.default_rng(1), 40, 8)
    assert not many.exact
    scores = queries @ (many.vectors * many.scale[:, None]).T + many.offset
    truth = np.argsort(-scores, axis=1)[:, :10]
    found = [many.best(query, 10) for query in queries]
    recall = np.mean([len(set(best.rows.tolist()) & set(row.tolist())) / 10 for best, row in zip(found, truth, strict=True)])
    assert recall >= 0.98
    again = made(120_000).best(queries[0], 10)
    assert again.rows.tolist() == found[0].rows.tolist()
    np.testing.assert_allclose(found[0].scores, scores[0][found[0].rows], rtol=1e-5)


def test_without_faiss_more_than_that_is_refused_and_the_extra_named(monkeypatch):
    monkeypatch.setattr(nearest, "EXACT", 10)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ValueError, match=r"20 candidates, more than 10, .*neuro-omics-bridge\[search\]"):
        made(20).best(unit(np.random.default_rng(1), 8), 3)
