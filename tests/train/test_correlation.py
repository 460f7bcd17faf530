"""The linear part of the shared space equals regularised CCA, is fitted on the training split, and survives a bundle."""

import numpy as np
import pytest
import torch

from bridge.bundle import load, save
from bridge.data.cohort import Cohort
from bridge.evaluate.baselines import canonical_directions, principal_axes
from bridge.evaluate.held_out import retrieval
from bridge.evaluate.retrieval import cosine_similarity
from bridge.train import correlation
from bridge.train.align import TextSide

PAIRS = {"brain~anatomy": 1.0, "gene~clinical": 1.0, "gene+brain~clinical": 1.0}


@pytest.fixture
def fitted(align, data, fit):
    def make(batches=None, **settings):
        batches = batches or data(16)
        module = align(batches.cohort, pairs=PAIRS, linear=4, **settings)
        fit(module, batches, max_steps=2)
        return module, batches.cohort

    return make


def test_the_linear_part_is_regularised_cca_of_the_training_split(fitted, monkeypatch):
    monkeypatch.setattr(correlation, "SHRINKAGES", (0.3,))
    module, cohort = fitted()
    part, texts = module.bridge.space.linear, module.texts["anatomy"].numpy()
    x = cohort.values("brain")
    known = np.isfinite(x).any(axis=1) & np.isfinite(texts).all(axis=1)
    x = np.nan_to_num(x).astype(float)
    y = (texts - module.bridge.space.text_mean.numpy()) / module.bridge.space.text_deviation.numpy()
    train, test = ([row for row in cohort.rows(split) if known[row]] for split in ("train", "test"))
    left, right, strength = canonical_directions(principal_axes(x[train]), principal_axes(y[train].astype(float)), 0.3, 4)
    expected = cosine_similarity(x[test] @ left * strength, y[test] @ right * strength)
    brain = part.place({"brain": torch.from_numpy(x[test]).float()})
    text = part.place_text(torch.from_numpy(y[test]).float(), "anatomy")

    np.testing.assert_allclose((brain @ text.T).detach().numpy(), expected, atol=1e-4)


def test_samples_outside_the_training_split_do_not_move_it(fitted, data):
    first, _ = fitted()
    changed = data(16)
    table = changed.cohort.table.copy()
    rows = changed.cohort.rows("test")
    table.obsm["brain"] = table.obsm["brain"].copy()
    table.obsm["brain"][rows] += 5
    changed.cohort = Cohort(table)
    changed.values["brain"] = torch.from_numpy(changed.cohort.values("brain"))
    second, _ = fitted(changed)
    for name, tensor in first.bridge.space.linear.state_dict().items():
        torch.testing.assert_close(second.bridge.space.linear.state_dict()[name], tensor, msg=name)


def test_a_bundle_keeps_the_linear_part_the_words_and_the_joint_side(fitted, tmp_path, monkeypatch):
    module, cohort = fitted(text=TextSide(layers=(1,), words=6))
    save(module.bridge.eval(), tmp_path / "bundle")
    found = load(tmp_path / "bundle")
    assert found.latent.terms == module.bridge.latent.terms
    table, again = (retrieval(bridge, cohort, split="train", seed=0) for bridge in (module.bridge, found))
    assert "gene+brain->clinical" in table
    assert table == again


def test_the_weight_of_the_linear_part_is_one_of_the_candidates(fitted):
    module, _ = fitted()
    assert any(float(module.bridge.space.linear.share) == pytest.approx(share) for share in correlation.SHARES)


def test_without_a_text_or_without_variates_there_is_no_linear_part(align, data):
    assert align(data(16).cohort, pairs={"gene~brain": 1.0}, linear=4).bridge.space.linear is None
    assert align(data(16).cohort, linear=0).bridge.space.linear is None
