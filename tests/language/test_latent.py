"""Word-count vectors: equal to scikit-learn's, fitted on what they are given, and the same after a bundle."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from bridge.language.latent import LatentText
from bridge.language.llm import load_llm
from bridge.language.textbank import TextBank

WORDS = ("cortex", "memory", "visual", "motor", "reward", "pain", "language", "fear")


@pytest.fixture(scope="module")
def texts():
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, size=random.integers(2, 9))) for _ in range(60)]


def test_vectors_equal_those_of_scikit_learn(texts):
    weights = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    expected = TruncatedSVD(5, random_state=0).fit_transform(weights.fit_transform(texts))
    np.testing.assert_allclose(LatentText.fit(texts, 5)(texts).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_an_empty_text_has_no_vector_and_unknown_words_have_a_zero_one(texts):
    found = LatentText.fit(texts, 5)(["", "nothing known here", "visual cortex"])
    assert torch.isnan(found[0]).all()
    assert found[1].tolist() == [0.0] * 5
    assert found[2].norm() > 0


def test_a_term_in_fewer_than_three_of_many_texts_is_left_out(texts):
    many = [*texts * 6, "zebra stripes", "zebra stripes"]
    assert "zebra" not in LatentText.fit(many, 3).terms
    assert "zebra" in LatentText.fit([*texts, "zebra stripes"], 3).terms


def test_terms_and_weights_build_it_again(texts):
    first = LatentText.fit(texts, 4)
    again = LatentText(first.terms, first.components)
    again.load_state_dict(first.state_dict(), strict=True)
    assert torch.equal(again(texts), first(texts))


def test_texts_that_are_all_alike_are_refused():
    with pytest.raises(ValueError, match="found 1 different training texts, expected at least 2"):
        LatentText.fit(["the same", "the same", ""], 3)


def test_a_text_bank_puts_them_after_the_states_or_gives_them_alone(tiny_llm, texts, tmp_path):
    language, latent = load_llm(tiny_llm()), LatentText.fit(texts, 4)
    alone = TextBank(language, [], latent=latent, folder=tmp_path)
    states = TextBank(language, [1], folder=tmp_path)
    both = TextBank(language, [1], latent=latent, folder=tmp_path)
    assert (alone.width, both.width) == (4, states.width + 4)
    np.testing.assert_array_equal(both.embed(texts[:6]), np.concatenate([states.embed(texts[:6]), alone.embed(texts[:6])], axis=1))
    assert alone.encoded == 0
    assert np.isnan(both.embed(["", "visual"])[0]).all()
