"""The ladder: every rung on the same samples, steps with paired intervals, and a verdict that follows the interval."""

import numpy as np
import pytest

from bridge.benchmark.ladder import Rung, climb, justified, permutation_p
from bridge.benchmark.results import Record
from bridge.benchmark.two_tower import two_tower_retrieval
from bridge.evaluate.baselines import neighbour_retrieval
from bridge.evaluate.retrieval import cosine_similarity, ranks, without_hubs


@pytest.fixture
def random():
    return np.random.default_rng(0)


def noisy(random, n, noise):
    """Similarities in which the right candidate stands out, less so with more noise."""
    return np.eye(n) + noise * random.normal(size=(n, n))


def test_every_method_has_every_metric_and_the_bridge_a_verdict(random, tmp_path):
    record = Record("made-up", tmp_path, seed=1)
    climb(record, "brain->text", [Rung("ridge", noisy(random, 120, 2.0)), Rung("bridge", noisy(random, 120, 0.2))])
    methods = {metric: {row.method for row in record.rows if row.metric == metric} for metric in ("r1", "r10", "mrr", "mean_percentile")}
    assert methods["r10"] == {"ridge", "bridge", "chance"}
    assert all(found == {"ridge", "bridge"} for metric, found in methods.items() if metric != "r10")
    assert all(row.candidates == row.n == 120 and row.seed == 1 for row in record.rows)
    (verdict,) = [part.words for part in record.parts if part.heading == "Verdict"]
    assert "justified on this data: yes." in verdict


def test_recall_beyond_the_gallery_is_undefined_for_every_method(random, tmp_path):
    record = Record("made-up", tmp_path)
    climb(record, "a->b", [Rung("bridge", noisy(random, 8, 0.1))], k=10, verdict=False)
    assert {row.value for row in record.rows if row.metric in ("r10", "r100")} == {None}


@pytest.mark.parametrize(("ours", "words"), [(0.2, "yes."), (1.0, "no, not by more than chance."), (6.0, "no, it is worse.")])
def test_the_verdict_follows_the_interval(ours, words):
    random = np.random.default_rng(3)
    hits = {name: (ranks(noisy(random, 300, noise)) <= 10).astype(float) for name, noise in (("cca", 1.0), ("bridge", ours))}
    assert words in justified("a->b", hits, None)


def test_p_is_small_for_a_true_match_and_uniform_without_one(random):
    assert permutation_p(noisy(random, 60, 0.3)) < 0.001
    found = np.array([permutation_p(random.normal(size=(40, 40)), seed=seed) for seed in range(100)])
    assert 1 <= (found < 0.1).sum() <= 20
    assert permutation_p(np.eye(2)) is None
    assert permutation_p(np.eye(9), k=10) is None


def test_two_towers_and_neighbours_find_a_planted_map_and_nothing_in_noise(random):
    cause = random.normal(size=(500, 4))
    x, y = cause @ random.normal(size=(4, 12)), cause @ random.normal(size=(4, 9))
    parts = slice(0, 350), slice(350, 400), slice(400, 500)
    towers = two_tower_retrieval(*((x[part], y[part]) for part in parts))
    nearest = neighbour_retrieval(x[parts[0]], y[parts[0]], x[parts[2]], y[parts[2]])
    assert min((ranks(found) <= 10).mean() for found in (towers, nearest)) > 0.6
    dealt = random.permutation(350)
    lost = two_tower_retrieval((x[parts[0]], y[parts[0]][dealt]), *((x[part], y[part]) for part in parts[1:]))
    assert (ranks(lost) <= 10).mean() < 0.3


def test_two_towers_are_the_same_for_the_same_seed_and_leave_the_generator_alone(random):
    import torch

    x, y = random.normal(size=(60, 5)), random.normal(size=(60, 5))
    state = torch.get_rng_state()
    first, second = (two_tower_retrieval((x, y), (x, y), (x, y), seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_hub_no_longer_wins_and_an_even_gallery_stays_in_order(random):
    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    bank, queries = unit(random.normal(size=(400, 6))), unit(random.normal(size=(50, 6)))
    candidates = queries.copy()
    candidates[0] = unit(bank.mean(axis=0, keepdims=True))[0]  # near to everything, the right one of nothing
    similarity = cosine_similarity(queries, candidates)
    corrected = without_hubs(similarity, bank, candidates, neighbours=400)
    assert ranks(corrected)[1:].mean() <= ranks(similarity)[1:].mean()
    nearest = np.sort(candidates @ bank.T, axis=1)[:, -5:].mean(axis=1)
    np.testing.assert_allclose(without_hubs(similarity, bank, candidates, 5), 2 * similarity - nearest)
