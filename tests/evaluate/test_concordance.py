"""Concordance agrees with scikit-learn, torchmetrics and with counting pairs; its bootstrap with resampling the samples."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torchmetrics.functional import auroc

from bridge.evaluate.concordance import balanced, concordance, hits, paired, pooled, within


def sample(seed, *, ties=False, classes=False, n=60, groups=6):
    random = np.random.default_rng(seed)
    score, label = random.normal(size=n), random.normal(size=n)
    score += 0.5 * label
    score = np.round(score) if ties else score
    return score, (label > 0).astype(float) if classes else label, random.integers(0, groups, n)


def counted(score, label):
    """Share of pairs in order, one by one."""
    pairs = [(one, two) for one in range(len(label)) for two in range(len(label)) if label[one] > label[two]]
    return np.mean([1.0 if score[one] > score[two] else 0.5 if score[one] == score[two] else 0.0 for one, two in pairs])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_for_two_classes_it_is_the_area_under_the_roc_curve(seed, ties):
    score, label, groups = sample(seed, ties=ties, classes=True)
    value, low, high = pooled(concordance(score, label, groups))
    assert value == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert value == pytest.approx(float(auroc(torch.sigmoid(torch.tensor(score)), torch.tensor(label).int(), task="binary")), abs=1e-6)
    assert low <= value <= high


@pytest.mark.parametrize("seed", range(5))
def test_for_numbers_it_is_the_share_of_pairs_in_order(seed):
    score, label, groups = sample(seed, ties=True)
    label = np.round(label, 1)
    assert pooled(concordance(score, label, groups))[0] == pytest.approx(counted(score, label), abs=1e-12)


def test_within_groups_only_pairs_of_one_group_count():
    score, label, groups = sample(0)
    counts = [(len([0 for one in label[groups == group] for two in label[groups == group] if one > two]), group) for group in range(6)]
    expected = sum(size * counted(score[groups == group], label[groups == group]) for size, group in counts) / sum(size for size, _ in counts)
    assert within(concordance(score, label, groups))[0] == pytest.approx(expected, abs=1e-12)


def test_a_score_that_only_tells_groups_apart_is_at_chance_within_them():
    groups = np.repeat([0, 1, 2], 20)
    label = groups + np.tile(np.linspace(0, 0.5, 20), 3)
    counts = concordance(groups.astype(float), label, groups)
    assert within(counts)[0] == 0.5
    assert pooled(counts)[0] > 0.8


def test_scores_of_two_models_are_not_compared_with_each_other():
    score, label, groups = sample(2)
    blocks = groups % 2
    shifted = score + 100 * blocks
    np.testing.assert_allclose(pooled(concordance(shifted, label, groups, blocks)), pooled(concordance(score, label, groups, blocks)))
    sizes = [(one > two).sum() for block in (0, 1) for one, two in [np.meshgrid(label[blocks == block], label[blocks == block])]]
    expected = np.average([counted(score[blocks == block], label[blocks == block]) for block in (0, 1)], weights=sizes)
    assert pooled(concordance(score, label, groups, blocks))[0] == pytest.approx(expected)
    means = np.array([label[blocks != block].mean() for block in blocks])  # what a fold learns that learns nothing
    assert pooled(concordance(means, label, groups, blocks))[0] == 0.5
    assert pooled(concordance(means, label, groups))[0] < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_balanced_accuracy_is_scikit_learns(seed):
    random = np.random.default_rng(seed)
    truth, said, groups = random.integers(0, 3, 50), random.integers(0, 3, 50), random.integers(0, 5, 50)
    assert balanced(hits(truth == said, truth, groups))[0] == pytest.approx(balanced_accuracy_score(truth, said), abs=1e-12)


def test_the_interval_is_that_of_drawing_whole_groups_and_scoring_them_again():
    score, label, groups = sample(3, classes=True)
    draws = np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), size=200)
    rows = [np.concatenate([np.tile(np.flatnonzero(groups == group), times) for group, times in enumerate(draw)]).astype(int) for draw in draws]
    again = [roc_auc_score(label[row], score[row]) for row in rows if len(set(label[row])) == 2]
    found = pooled(concordance(score, label, groups), resamples=200, seed=0)
    np.testing.assert_allclose(found[1:], np.percentile(again, [2.5, 97.5]), atol=1e-12)


def test_the_difference_of_two_scores_is_judged_on_the_same_groups():
    score, label, groups = sample(1)
    one, other = concordance(score, label, groups), concordance(-score, label, groups)
    assert paired(one, one) == (0.0, 0.0, 0.0)
    assert paired(one, other)[0] == pytest.approx(pooled(one)[0] - pooled(other)[0])
    with pytest.raises(ValueError, match="not of the same samples"):
        paired(one, concordance(score[:30], label[:30], groups[:30]))


def test_what_is_undefined_is_none():
    ones = np.ones(6)
    assert pooled(concordance(np.arange(6.0), ones, np.arange(6))) == (None, None, None)  # one class
    assert within(concordance(np.arange(6.0), np.arange(6.0), np.arange(6))) == (None, None, None)  # no pair within a group
    assert pooled(concordance(np.arange(6.0), np.arange(6.0), np.zeros(6))) == (1.0, None, None)  # one group has no interval
    assert pooled(concordance(ones, np.arange(6.0), np.arange(6)))[0] == 0.5
    empty = np.zeros(0)
    assert pooled(concordance(empty, empty, empty)) == (None, None, None)
    assert balanced(hits(np.zeros(0, dtype=bool), empty, empty)) == (None, None, None)
    with pytest.raises(ValueError, match="found 2 groups for 6 samples"):
        concordance(ones, ones, [0, 1])
