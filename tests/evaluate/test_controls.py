"""Controls change the prefix and nothing else: noise keeps norms, the mean is the mean, every one counts."""

import functools

import numpy as np
import pytest
import torch

from bridge.evaluate.controls import NOISE_DRAWS, always, constant_texts, controlled, derangement, given_values, mean_prefix, noisy
from bridge.evaluate.held_out import prefix_nll, prefix_use, report_facts
from bridge.language.questions import REPORT_ASK
from bridge.project.prefix import zeroed
from bridge.report.generation.generate import generate

ROWS, BOTH = np.arange(8), ("gene", "brain")


@pytest.fixture
def values(bridge, tiny_cohort):
    """Eight samples; the fourth has no gene, the sixth no brain."""
    return given_values(bridge, tiny_cohort, ROWS, BOTH)


@torch.no_grad()
def test_a_controlled_bridge_shares_its_weights_and_leaves_the_bridge_as_it_is(bridge, values):
    before = bridge.prefix(values)
    changed = controlled(bridge, zeroed)
    assert all(one is other for one, other in zip(changed.parameters(), bridge.parameters(), strict=True))
    assert not changed.prefix(values).values.any()
    assert torch.equal(changed.prefix(values).mask, before.mask)
    assert torch.equal(bridge.prefix(values).values, before.values)


@torch.no_grad()
def test_noise_is_as_long_as_the_soft_tokens_and_points_elsewhere(bridge, values):
    real = bridge.prefix(values)
    noise = noisy(real, np.random.default_rng(0))
    lengths = [torch.linalg.vector_norm(each.values, dim=-1)[real.mask] for each in (real, noise)]
    torch.testing.assert_close(*lengths)
    assert torch.equal(noise.mask, real.mask)
    assert float(torch.cosine_similarity(real.values, noise.values, dim=-1)[real.mask].abs().mean()) < 0.5
    assert torch.equal(noise.values, noisy(real, np.random.default_rng(0)).values)
    assert not torch.equal(noise.values, noisy(real, np.random.default_rng(1)).values)


@torch.no_grad()
def test_the_mean_prefix_is_the_mean_of_the_training_samples_that_have_the_token(bridge, tiny_cohort):
    whole = mean_prefix(bridge, tiny_cohort, BOTH)
    places = bridge.prefix(given_values(bridge, tiny_cohort, tiny_cohort.rows("train"), BOTH))
    held = places.mask.any(dim=0)
    expected = [places.values[places.mask[:, place], place].mean(dim=0) for place in held.nonzero().ravel()]
    torch.testing.assert_close(whole.values[whole.mask], torch.stack(expected))
    assert torch.equal(whole.mask[0], held)
    torch.testing.assert_close(mean_prefix(bridge, tiny_cohort, BOTH, batch_size=3).values, whole.values)
    gene = mean_prefix(bridge, tiny_cohort, ("gene",))
    torch.testing.assert_close(gene.values[gene.mask], whole.values[0, :3])
    assert gene.mask.sum() == 3  # a tag and two tokens


@torch.no_grad()
def test_always_gives_every_sample_the_same_prefix(bridge, values, tiny_cohort):
    mean = mean_prefix(bridge, tiny_cohort, BOTH)
    given = controlled(bridge, always(mean)).prefix(values)
    assert given.values.shape[0] == given.mask.shape[0] == len(ROWS)
    assert all(torch.equal(each, mean.values[0]) for each in given.values)


def test_constant_texts_are_those_of_each_prefix_written_alone(bridge, values, tiny_cohort):
    mean, ask = mean_prefix(bridge, tiny_cohort, BOTH), functools.partial(generate, max_new_tokens=12)
    found = constant_texts(bridge, values, REPORT_ASK[0], mean, seed=3, max_new_tokens=12)
    first = {modality: column[:1] for modality, column in values.items()}
    assert {name: len(texts) for name, texts in found.items()} == {"zeroed": 1, "mean": 1, "noise": NOISE_DRAWS}
    assert found["zeroed"] == ask(bridge, first, [REPORT_ASK[0]], zeroed=True)
    assert found["mean"] == ask(controlled(bridge, always(mean)), first, [REPORT_ASK[0]])
    assert len(set(found["noise"])) > 1


@pytest.mark.parametrize("n", [2, 3, 17])
def test_a_derangement_gives_every_sample_another_one(n):
    other = derangement(n, np.random.default_rng(0))
    assert sorted(other) == list(range(n))
    assert (other != np.arange(n)).all()


def test_every_control_changes_the_likelihood(bridge, tiny_cohort):
    truth, controls = prefix_nll(bridge, tiny_cohort, tiny_cohort.rows("test"))
    assert set(controls) == {"gene_shuffled", "gene_absent", "brain_shuffled", "brain_absent", "shuffled", "zeroed", "mean", "noise"}
    assert all(np.abs(nll - truth).max() > 1e-3 for nll in controls.values())


def test_the_use_of_the_prefix_has_a_share_and_an_interval_per_control(bridge, tiny_cohort):
    used = prefix_use(bridge, tiny_cohort, limit=6)
    for row in used.values():
        assert {"nll_true", "nll_control", "n", "share", "low", "high", "ties", "p"} == set(row)
        assert row["low"] <= row["share"] <= row["high"]


def test_report_facts_hold_every_control_beside_the_score(bridge, tiny_cohort):
    table, texts = report_facts(bridge, tiny_cohort, limit=3, max_new_tokens=8)
    for given in ("gene", "brain", "both"):
        for score in ("region_precision", "phenotype_precision"):
            assert {score, *(f"{score}_{control}" for control in ("shuffled", "zeroed", "mean", "noise"))} <= set(table[given])
        assert isinstance(table[given]["zeroed_text"], str)
    assert len(texts["both"]) == 3
