"""Cross-validated prediction against scikit-learn and chance, and undefined where nothing can be told."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bridge.evaluate.predictability import auc, predictability


@pytest.mark.parametrize("seed", range(3))
def test_the_auc_is_that_of_scikit_learn(seed):
    random = np.random.default_rng(seed)
    scores, targets = random.normal(size=(40, 4)).round(), random.random((40, 4)) < 0.3
    assert np.allclose(auc(scores, targets), [roc_auc_score(targets[:, column], scores[:, column]) for column in range(4)])


def test_what_chance_tells_is_believed_as_often_as_the_level_says():
    random = np.random.default_rng(0)
    found = [predictability(random.normal(size=(60, 5)), random.random((60, 3)) < 0.4, seed=seed).p for seed in range(100)]
    assert np.mean(np.array(found) <= 0.1) <= 0.17  # 99 % of binomial draws
    assert np.mean(np.array(found) > 0.5) > 0.3


def test_the_target_that_is_told_is_named():
    random = np.random.default_rng(0)
    features, targets = random.normal(size=(100, 4)), random.random((100, 3)) < 0.5
    targets[:, 2] = features[:, 1] + 0.5 * random.normal(size=100) > 0
    found = predictability(features, targets)
    assert (found.n, found.target, found.p) == (100, 2, 1 / 500)
    assert found.auc > 0.85


@pytest.mark.parametrize(
    ("features", "targets"),
    [
        (np.ones((20, 2)), np.arange(20)[:, None] % 2 == 0),
        (np.eye(20), np.ones((20, 1), bool)),
        (np.eye(20), np.ones((20, 0), bool)),
        (np.eye(4), np.eye(4) > 0),
    ],
    ids=["constant features", "one class", "no target", "too few"],
)
def test_where_nothing_can_be_told_the_result_is_undefined(features, targets):
    assert predictability(features, targets) is None
