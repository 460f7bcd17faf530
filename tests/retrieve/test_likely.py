"""Probabilities: the maximum-likelihood fit, honest on other samples, silent where the space is or where there is too little."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from bridge.retrieve.likely import Odds, Standing, fit_odds, standing


def drawn(samples, slope, seed=0, candidates=40):
    """Cosines with a candidate's own mean and spread, and own candidates whose log odds follow them."""
    random = np.random.default_rng(seed)
    share, mean, spread = np.linspace(0.02, 0.6, candidates), np.linspace(-0.1, 0.2, candidates), np.linspace(0.05, 0.2, candidates)
    standard = random.normal(size=(samples, candidates))
    own = random.random((samples, candidates)) < expit(slope * standard + logit(share))
    return mean + spread * standard, own, Standing(mean, spread, share)


def test_the_fit_is_that_of_scikit_learn_where_there_is_much_to_fit():
    cosines, own, training = drawn(2000, 0.8)
    found = fit_odds(cosines, own, training)
    features = np.stack([((cosines - training.mean) / training.spread).ravel(), np.broadcast_to(training.odds, own.shape).ravel()], axis=1)
    expected = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(features, own.ravel())
    assert [found.slope, found.weight] == pytest.approx(expected.coef_[0], abs=5e-3)
    assert found.slope == pytest.approx(0.8, abs=0.03)


def test_probabilities_hold_on_other_samples():
    fitted = fit_odds(*drawn(200, 0.8))
    cosines, own, training = drawn(2000, 0.8, seed=1)
    scale, offset = fitted.affine(training)
    chance = expit(scale * cosines + offset)
    for low in np.arange(0, 0.9, 0.1):
        within = (chance >= low) & (chance < low + 0.1)
        assert chance[within].mean() == pytest.approx(own[within].mean(), abs=0.03)


def test_a_typical_cosine_says_no_more_than_was_known_before():
    _, _, training = drawn(10, 0.8)
    fitted = Odds(0.7, 1.1, -0.2, 0.1)
    scale, offset = fitted.affine(training)
    np.testing.assert_allclose(expit(scale * training.mean + offset), fitted.prior(training))


def test_a_space_that_tells_the_wrong_thing_has_no_say():
    found = fit_odds(*drawn(200, -0.8))
    assert found.slope == 0
    assert found.weight == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize(("samples", "own"), [(10, 1), (200, 0), (200, 2)], ids=["few samples", "no own candidate", "all own"])
def test_too_little_is_not_fitted(samples, own):
    cosines, _, training = drawn(samples, 0.8)
    assert fit_odds(cosines, np.full(cosines.shape, own == 2) if own != 1 else cosines > 0, training) is None


def test_a_candidate_equally_near_to_all_has_a_spread():
    cosines = np.full((5, 2), 0.3)
    assert (standing(cosines, np.array([0.5, 0.5])).spread > 0).all()
