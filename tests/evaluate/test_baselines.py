"""Linear baselines find what is planted, find nothing in shuffled pairs, and see the training rows only."""

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import Ridge

from bridge.evaluate.baselines import (
    baseline_table,
    canonical_directions,
    cca_retrieval,
    principal_axes,
    ridge_retrieval,
    text_features,
    vector_features,
)
from bridge.evaluate.retrieval import cosine_similarity, retrieval_scores


def planted(train=200, test=60, noise=0.5, x=20, y=15, hidden=6, seed=0):
    """Both sides are linear in the same hidden values, with noise of their own."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(train + test, hidden))
    sides = [shared @ random.normal(size=(hidden, width)) + noise * random.normal(size=(train + test, width)) for width in (x, y)]
    return sides[0][:train], sides[1][:train], sides[0][train:], sides[1][train:]


def sides_of(arrays):
    train_x, train_y, test_x, test_y = arrays
    return {"brain": (train_x, test_x), "text": (train_y, test_y)}


@pytest.mark.parametrize("method", [ridge_retrieval, cca_retrieval])
def test_a_planted_linear_relation_is_found(method):
    scores = retrieval_scores(method(*planted()))
    assert scores["r1"] > 0.8
    assert scores["chance_r1"] < 0.02


def test_both_directions_have_both_baselines_and_cca_is_one_matrix():
    table = baseline_table(sides_of(planted()))
    assert list(table) == ["brain->text", "text->brain"]
    assert np.array_equal(table["brain->text"]["cca"], table["text->brain"]["cca"].T)
    assert all(retrieval_scores(similarity)["r10"] > 0.9 for methods in table.values() for similarity in methods.values())


def test_shuffled_training_pairs_leave_chance_in_both_directions():
    table = baseline_table(sides_of(planted(test=300)), permuted=True, seed=1)
    for methods in table.values():
        for similarity in methods.values():
            assert retrieval_scores(similarity)["mean_percentile"] == pytest.approx(0.5, abs=0.12)
            assert retrieval_scores(similarity)["r10"] < 0.12


def test_the_shuffle_of_the_control_is_seeded():
    first, again, other = (baseline_table(sides_of(planted()), permuted=True, seed=seed)["brain->text"]["ridge"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("method", [ridge_retrieval, cca_retrieval])
def test_other_test_rows_do_not_change_the_fit(method):
    train_x, train_y, test_x, test_y = planted()
    both = method(train_x, train_y, test_x, test_y)
    changed_x, changed_y = test_x.copy(), test_y.copy()
    changed_x[10:], changed_y[10:] = 1e3, -1e3
    assert np.allclose(method(train_x, train_y, changed_x, changed_y)[:10, :10], both[:10, :10], atol=1e-12)


@pytest.mark.parametrize("method", [ridge_retrieval, cca_retrieval])
def test_the_same_input_gives_the_same_bits(method):
    assert np.array_equal(method(*planted()), method(*planted()))


@pytest.mark.parametrize("method", [ridge_retrieval, cca_retrieval])
def test_units_of_a_side_do_not_matter(method):
    train_x, train_y, test_x, test_y = planted()
    assert np.allclose(method(train_x * 1e3, train_y, test_x * 1e3, test_y), method(train_x, train_y, test_x, test_y), atol=1e-8)


def test_ridge_predicts_what_scikit_learn_predicts():
    train_x, train_y, test_x, test_y = planted()
    centred = train_x - train_x.mean(axis=0)
    model = Ridge(alpha=0.3 * len(train_x) * centred.var(axis=0).mean()).fit(train_x, train_y)
    expected = cosine_similarity(model.predict(test_x) - train_y.mean(axis=0), test_y - train_y.mean(axis=0))
    assert np.allclose(ridge_retrieval(train_x, train_y, test_x, test_y, penalties=[0.3]), expected, atol=1e-8)


def test_the_first_canonical_correlation_equals_that_of_scikit_learn():
    train_x, train_y, _, _ = planted(train=400, noise=1.0, x=5, y=4, hidden=2)
    _, _, correlations = canonical_directions(principal_axes(train_x), principal_axes(train_y), 0.0, 4)
    variates = CCA(n_components=1, max_iter=5000, tol=1e-12).fit(train_x, train_y).transform(train_x, train_y)
    # Both solve the same eigenvalue problem; scikit-learn by iteration to a tolerance, here in closed form.
    assert correlations[0] == pytest.approx(np.corrcoef(variates[0][:, 0], variates[1][:, 0])[0, 1], abs=1e-6)
    assert (np.diff(correlations) <= 0).all()


def test_a_strength_is_chosen_by_whole_groups():
    """Copies of a row in another fold would reward the weakest penalty; in one group they do not."""
    train_x, train_y, test_x, test_y = planted(train=30, noise=3.0, x=60)
    copies, groups = np.repeat(np.arange(30), 4), np.repeat(np.arange(30), 4)
    arguments = (train_x[copies], train_y[copies], test_x, test_y)
    weakest = ridge_retrieval(*arguments, penalties=[1e-6])
    candidates = [1e-6, 10.0]
    assert np.array_equal(ridge_retrieval(*arguments, penalties=candidates), weakest)
    assert not np.array_equal(ridge_retrieval(*arguments, groups=groups, penalties=candidates), weakest)


@pytest.mark.parametrize("method", [ridge_retrieval, cca_retrieval])
@pytest.mark.parametrize(("train", "x"), [(3, 40), (2, 5), (12, 200)])
def test_fewer_samples_than_features_or_components_is_handled(method, train, x):
    similarity = method(*planted(train=train, test=9, x=x, y=30))
    assert similarity.shape == (9, 9)
    assert np.isfinite(similarity).all()


@pytest.mark.parametrize("method", [ridge_retrieval, cca_retrieval])
def test_one_group_and_a_constant_side_give_a_finite_answer(method):
    train_x, train_y, test_x, test_y = planted()
    assert np.isfinite(method(train_x, train_y, test_x, test_y, groups=["a"] * len(train_x))).all()
    assert not method(np.ones_like(train_x), train_y, np.ones_like(test_x), test_y).any()


@pytest.mark.parametrize("method", [ridge_retrieval, cca_retrieval])
def test_an_empty_test_split_gives_an_empty_matrix_whose_scores_are_undefined(method):
    train_x, train_y, test_x, test_y = planted()
    similarity = method(train_x, train_y, test_x[:0], test_y[:0])
    assert similarity.shape == (0, 0)
    assert retrieval_scores(similarity)["r10"] is None


def test_sides_that_are_no_pairs_or_not_finite_are_refused():
    train_x, train_y, test_x, test_y = planted()
    with pytest.raises(ValueError, match="expected pairs"):
        ridge_retrieval(train_x[:-1], train_y, test_x, test_y)
    with pytest.raises(ValueError, match="expected pairs"):
        cca_retrieval(train_x[:1], train_y[:1], test_x, test_y)
    with pytest.raises(ValueError, match="NaN or infinite"):
        ridge_retrieval(np.where(train_x > 3, np.nan, train_x), train_y, test_x, test_y)


def test_vectors_are_standardised_with_training_statistics_and_missing_values_become_the_mean():
    train, test = np.array([[0.0, 5.0], [2.0, 5.0], [np.nan, 5.0]]), np.array([[3.0, np.nan], [1.0, 7.0]])
    scaled_train, scaled_test = vector_features(train, test)
    assert scaled_train.tolist() == [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    assert scaled_test.tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_a_sample_or_a_feature_that_is_missing_as_a_whole_is_refused():
    with pytest.raises(ValueError, match="1 samples are all NaN"):
        vector_features(np.ones((2, 2)), np.array([[np.nan, np.nan]]))
    with pytest.raises(ValueError, match="a feature is NaN in every sample"):
        vector_features(np.array([[1.0, np.nan], [2.0, np.nan]]), np.ones((1, 2)))


TEXTS = ["ataxia and seizures", "seizures with hypotonia", "cardiac arrhythmia", "arrhythmia and syncope", "hypotonia, ataxia"]


def test_text_features_are_fitted_on_the_training_texts_alone():
    train, test = text_features(TEXTS, ["ataxia", "unknownword"])
    again, other = text_features(TEXTS, ["ataxia", "quite another text", "and more"])
    assert np.array_equal(train, again)
    assert np.allclose(test[0], other[0])
    assert not test[1].any()


def test_text_features_have_at_most_the_asked_components_and_fewer_for_few_texts():
    assert text_features(TEXTS, TEXTS[:1], components=2)[0].shape == (5, 2)
    assert text_features(TEXTS, TEXTS[:1])[0].shape[1] == 4


def test_texts_that_are_alike_share_direction():
    train, test = text_features(TEXTS, ["seizures and ataxia"], components=3)
    assert np.argmax(cosine_similarity(test, train)) == 0


def test_training_texts_without_a_difference_are_refused():
    with pytest.raises(ValueError, match="expected at least 2"):
        text_features(["same", "same"], ["other"])


def test_an_empty_test_split_has_features_of_the_same_width():
    assert text_features(TEXTS, [], components=2)[1].shape == (0, 2)


def test_texts_lead_to_vectors_and_back():
    random = np.random.default_rng(0)
    values = random.normal(size=(300, 12))
    texts = [" ".join(f"region{region}" for region in np.argsort(-row)[:4]) for row in values]
    table = baseline_table({"brain": vector_features(values[:240], values[240:]), "anatomy": text_features(texts[:240], texts[240:])})
    assert all(retrieval_scores(similarity)["r10"] > 0.8 for methods in table.values() for similarity in methods.values())
