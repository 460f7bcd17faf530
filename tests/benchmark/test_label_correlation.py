"""CCA of features and labels: a linear relation is found, held-out labels are not looked at, and p is small only where there is one."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from bridge.benchmark.label_correlation import Correlation, dealt_inside, permutation_p
from bridge.benchmark.labels import fold_of, group_folds
from bridge.benchmark.predictors import Label
from bridge.evaluate import baselines
from bridge.evaluate.concordance import concordance, pooled

N, GROUPS = 90, 6


@pytest.fixture
def world():
    """Features that tell a class and a number, groups, and folds of whole groups."""
    random = np.random.default_rng(0)
    groups = np.arange(N) % GROUPS
    labels = [Label("sex", random.integers(0, 2, N).astype(float), ("man", "woman")), Label("age", random.uniform(20, 70, N))]
    cause = np.c_[labels[0].values, (labels[1].values - 45) / 15]
    values = cause @ random.normal(size=(2, 8)) + 0.3 * random.normal(size=(N, 8))
    return values, labels, groups, group_folds(groups, 3, seed=0)


def test_labels_are_told_in_their_own_units_from_held_out_features(world):
    _, labels, groups, folds = world
    scores = Correlation(*world).scores()
    for label in labels:
        assert pooled(concordance(scores[label.name], label.values, groups, fold_of(folds, N)))[0] > 0.9
    assert np.abs(scores["age"] - labels[1].values).mean() < 6
    assert ((scores["sex"] > 0.5) == (labels[0].values > 0.5)).mean() > 0.9


def test_with_a_variate_for_each_label_they_span_a_ridge_regression_of_all_of_them(world, monkeypatch):
    """An identity of linear algebra, against scikit-learn: the shrinkage s is the penalty n s / (1 - s) of standardised features."""
    values, labels, _, folds = world
    monkeypatch.setattr("bridge.benchmark.label_correlation.SHRINKAGES", (0.3,))
    scores = Correlation(*world).scores()
    truth = np.stack([label.values for label in labels], axis=1)
    for train, test in folds:
        standardised = (values - values[train].mean(axis=0)) / values[train].std(axis=0)
        ridge = Ridge(alpha=len(train) * 0.3 / 0.7).fit(standardised[train], truth[train])
        scaled = LinearRegression().fit(ridge.predict(standardised[train]), truth[train])
        expected = scaled.predict(ridge.predict(standardised[test]))
        for number, label in enumerate(labels):
            np.testing.assert_allclose(scores[label.name][test], expected[:, number], rtol=1e-8)


def test_labels_of_held_out_samples_are_not_looked_at(world):
    values, labels, groups, folds = world
    test = folds[0][1]
    changed = [Label(label.name, np.where(np.isin(np.arange(N), test), label.values[::-1], label.values), label.classes) for label in labels]
    found, again = (Correlation(values, some, groups, folds).scores() for some in (labels, changed))
    for label in labels:
        np.testing.assert_array_equal(found[label.name][test], again[label.name][test])


def test_labels_are_dealt_out_inside_groups_alone():
    groups = np.array(["a", "b", "a", "b", "c", "a"])
    order = dealt_inside(groups, np.random.default_rng(1))
    assert sorted(order.tolist()) == list(range(6))
    assert (groups[order] == groups).all()
    assert order[4] == 4


def test_p_is_small_where_features_tell_the_label_and_not_where_they_do_not(world):
    values, labels, groups, folds = world
    fold = fold_of(folds, N)
    assert permutation_p(Correlation(*world), fold, permutations=19) == {"sex": 1 / 20, "age": 1 / 20}
    noise = np.random.default_rng(3).normal(size=values.shape)
    found = permutation_p(Correlation(noise, labels, groups, folds), fold, permutations=39, seed=1)
    assert all(p > 0.1 for p in found.values())


def test_p_does_not_come_from_what_groups_alone_tell():
    """Features that only name the group, and a label that only depends on it: nothing inside groups, so nothing to find."""
    random = np.random.default_rng(0)
    groups = np.arange(N) % GROUPS
    place = np.linspace(-1, 1, GROUPS)[groups]
    labels, folds = [Label("age", 45 + 20 * place + random.normal(0, 1, N))], group_folds(groups, 3, seed=0)
    correlation, fold = Correlation(np.c_[place, random.normal(size=(N, 3))], labels, groups, folds), fold_of(folds, N)
    assert pooled(concordance(correlation.scores()["age"], labels[0].values, groups, fold))[0] > 0.7
    assert permutation_p(correlation, fold, permutations=39)["age"] > 0.1


def test_p_is_undefined_where_nothing_can_be_dealt_out(world):
    values, labels, _, folds = world
    assert permutation_p(Correlation(*world), fold_of(folds, N), permutations=0) == {"sex": None, "age": None}
    alone = np.arange(N)
    folds = group_folds(alone, 3, seed=0)
    assert permutation_p(Correlation(values, labels, alone, folds), fold_of(folds, N), permutations=5) == {"sex": None, "age": None}


def test_where_nothing_varies_the_training_mean_is_said(world):
    values, labels, groups, folds = world
    scores = Correlation(np.ones_like(values), labels, groups, folds).scores()
    for train, test in folds:
        np.testing.assert_allclose(scores["age"][test], labels[1].values[train].mean())
    same = Correlation(values, [Label("age", np.full(N, 30.0))], groups, folds).scores()
    np.testing.assert_allclose(same["age"], 30)


def test_missing_features_are_the_training_mean(world):
    values, labels, groups, folds = world
    holed = values.copy()
    holed[:, 3], holed[::5, 2] = np.nan, np.nan
    assert np.isfinite(Correlation(holed, labels, groups, folds).scores()["age"]).all()


def test_the_shrinkages_are_those_of_the_alignment_benchmarks(world, monkeypatch):
    tried = []
    monkeypatch.setattr(
        "bridge.benchmark.label_correlation.canonical_directions", lambda *given: tried.append(given[2]) or baselines.canonical_directions(*given)
    )
    Correlation(*world).scores()
    assert set(tried) == set(baselines.SHRINKAGES)
