"""The area under the ROC curve is scikit-learn's, ties included, and undefined where a kind is absent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from bridge.evaluate.discrimination import auroc, roc


def sides(seed, levels, count=40):
    random = np.random.default_rng(seed)
    return random.integers(0, levels, count).astype(float) + 1, random.integers(0, levels, count // 2).astype(float)


def labelled(positive, negative):
    return np.r_[np.ones(len(positive)), np.zeros(len(negative))], np.r_[positive, negative]


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([1, 2, 5, 1000]))
@settings(max_examples=60, deadline=None)
def test_the_area_is_that_of_scikit_learn_with_and_without_ties(seed, levels):
    positive, negative = sides(seed, levels)
    assert auroc(positive, negative) == pytest.approx(roc_auc_score(*labelled(positive, negative)), abs=1e-12)


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_the_curve_is_that_of_scikit_learn_and_has_the_area(levels):
    positive, negative = sides(3, levels)
    false, true = roc(positive, negative)
    expected = roc_curve(*labelled(positive, negative), drop_intermediate=False)
    np.testing.assert_allclose(false, expected[0])
    np.testing.assert_allclose(true, expected[1])
    assert np.trapezoid(true, false) == pytest.approx(auroc(positive, negative))


def test_infinite_scores_are_ordered_and_one_kind_alone_is_undefined():
    assert auroc(np.array([np.inf, 1.0]), np.array([0.0, np.inf])) == 0.625
    assert auroc(np.array([]), np.array([1.0])) is None
    assert auroc(np.array([1.0]), np.array([])) is None
    with pytest.raises(ValueError, match="0 positives and 1 negatives"):
        roc(np.array([]), np.array([1.0]))


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN among the scores"):
        auroc(np.array([np.nan]), np.array([1.0]))
