"""Sentence vectors from a tiny random model in the files of the real one."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel

from bridge.data.sentence_vectors import SentenceVectors

SENTENCES = ["sodium channel", "kinase", "sodium channel voltage gated kinase", "channel"]


@pytest.fixture
def encoder(tmp_path):
    words = ["[PAD]", "[UNK]", "sodium", "channel", "kinase", "voltage", "gated"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    config = BertConfig(vocab_size=7, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, max_position_embeddings=16)
    torch.manual_seed(0)
    config.to_json_file(tmp_path / "config.json")
    save_file(BertModel(config).state_dict(), tmp_path / "model.safetensors")
    return SentenceVectors(tmp_path)


def test_a_sentence_has_one_vector_of_length_one_in_the_order_given(encoder):
    vectors = encoder(SENTENCES)
    assert vectors.shape == (4, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors[::-1], encoder(SENTENCES[::-1]), atol=1e-6)


def test_padding_beside_longer_sentences_does_not_change_a_vector(encoder):
    np.testing.assert_allclose(encoder(SENTENCES), encoder(SENTENCES, batch=1), atol=1e-6)


def test_the_vector_is_the_mean_over_the_tokens_of_the_last_layer(encoder):
    tokens = encoder.tokenizer("sodium channel", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        mean = encoder.model(tokens).last_hidden_state[0].mean(dim=0)
    np.testing.assert_allclose(encoder(["sodium channel"])[0], (mean / mean.norm()).numpy(), atol=1e-6)
