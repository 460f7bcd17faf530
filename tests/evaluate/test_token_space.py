"""Retrieval in the LLM's token embeddings: soft tokens that are a text's own embeddings find it, and nothing missing has a place."""

import functools

import numpy as np
import torch

from bridge.evaluate.retrieval import embedding_retrieval
from bridge.evaluate.token_space import token_embeddings
from bridge.project.base import masked_mean
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP

TEXTS = ["anatomy", "clinical"]


def test_it_is_the_mean_soft_token_and_the_mean_word_less_those_of_training(bridge, tiny_cohort):
    rows, train = tiny_cohort.rows("test"), tiny_cohort.rows("train")
    found = token_embeddings(bridge, tiny_cohort, rows, TEXTS, batch_size=5)
    values = torch.from_numpy(tiny_cohort.values("gene"))
    with torch.no_grad():
        tokens = bridge.encoders["gene"](values)
        prefix = bridge.projectors["gene"](tokens)
    soft = masked_mean(prefix.values, prefix.mask).numpy()
    has_gene = np.isfinite(tiny_cohort.raw("gene")).all(axis=1)
    np.testing.assert_allclose(found["gene"], soft[rows] - soft[train[has_gene[train]]].mean(axis=0), atol=1e-5)
    words = np.stack([_words(bridge, text) for text in tiny_cohort.text("anatomy")])
    np.testing.assert_allclose(found["anatomy"], words[rows] - words[train].mean(axis=0), atol=1e-5)


def test_what_a_sample_lacks_is_nan(bridge, tiny_cohort):
    found = token_embeddings(bridge, tiny_cohort, tiny_cohort.rows("all"), TEXTS)
    missing = {name: np.flatnonzero(np.isnan(vectors).any(axis=1)).tolist() for name, vectors in found.items()}
    assert missing == {"gene": [3], "brain": [5], "anatomy": [], "clinical": [9]}


def test_soft_tokens_that_start_at_region_names_find_the_text_that_names_them(make_bridge, tiny_cohort):
    """No stage of training: the identities alone carry the words of the highest and lowest regions."""
    bridge = make_bridge(
        {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4), "brain": functools.partial(IdentityValue, extremes=2, name_tokens=16)}
    )
    found = token_embeddings(bridge, tiny_cohort, tiny_cohort.rows("all"), TEXTS)
    both = np.isfinite(found["brain"]).all(axis=1)
    scores = embedding_retrieval(found["brain"][both], found["anatomy"][both])
    assert scores["mean_percentile"] > 0.65


def _words(bridge, text):
    ids = torch.tensor(bridge.language.tokenizer(text)["input_ids"])
    return bridge.language.embeddings[ids].mean(dim=0).numpy()
