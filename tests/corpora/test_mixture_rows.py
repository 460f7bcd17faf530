"""Rows of a weighted mixture: whole documents once a pass, realised shares, and an order that depends on (seed, row) alone."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from bridge.corpora.mixture import MixtureData, Stream
from bridge.corpora.record import Record
from bridge.corpora.tokens import documents, is_held_out


@pytest.fixture(scope="module")
def tokenizer(tiny_llm):
    return AutoTokenizer.from_pretrained(tiny_llm())


@pytest.fixture(scope="module")
def corpus(make_corpus):
    return make_corpus({"biomedical": 120, "clinical": 30, "general": 60})


def filled(data, tokenizer):
    data.tokenise(tokenizer)
    return data


def test_every_token_of_a_domain_comes_once_in_a_pass():
    lengths = np.random.default_rng(0).integers(1, 40, 25)
    stream = Stream(lengths, 16, seed=0, name="a")
    covered = Counter()
    for number in range(int(lengths.sum()) * 16 // 16):
        for piece in stream.row(number):
            covered.update((piece.document, place) for place in range(piece.start, piece.stop))
    assert set(covered.values()) == {16}
    assert len(covered) == lengths.sum()


def test_rows_have_one_length_and_pieces_of_a_document_follow_one_another():
    stream = Stream(np.array([5, 40, 1, 7]), 16, seed=3, name="a")
    pieces = [piece for number in range(10) for piece in stream.row(number)]
    assert all(sum(piece.stop - piece.start for piece in stream.row(number)) == 16 for number in range(50))
    for piece, following in itertools.pairwise(pieces):
        assert following.start == (0 if piece.stop == [5, 40, 1, 7][piece.document] else piece.stop)


def test_realised_shares_are_within_one_per_cent_of_the_weights(corpus, tokenizer):
    data = filled(MixtureData(str(corpus), row_tokens=32, batch_size=4), tokenizer)
    tokens = Counter()
    for drawn in data.mixture.draws(400):
        tokens[drawn.source] += sum(len(turn.ids) for turn in data.turns(drawn))
    for domain, weight in (("biomedical", 15), ("clinical", 1), ("general", 4)):
        assert tokens[domain] / tokens.total() == pytest.approx(weight / 20, abs=0.01)


def test_a_row_holds_the_text_of_its_own_domain_and_ends_documents_with_the_end_token(corpus, tokenizer):
    data = filled(MixtureData(str(corpus), row_tokens=64), tokenizer)
    for drawn in data.mixture.draws(40):
        text = tokenizer.decode([token for turn in data.turns(drawn) for token in turn.ids])
        others = {"biomedical", "clinical", "general"} - {drawn.source}
        assert not any(other in text for other in others)
    whole = data.train["general"]
    assert whole.read(0, 0, int(whole.lengths[0]))[-1] == tokenizer.eos_token_id


def test_held_out_documents_are_in_no_row_and_stay_the_same_as_the_corpus_grows(corpus, tokenizer):
    data = filled(MixtureData(str(corpus), row_tokens=32, validation=0.3), tokenizer)
    assert all(len(found) for found in data.held_out.values())
    trained = {tuple(data.train["general"].read(number, 0, 32)) for number in range(len(data.train["general"]))}
    assert not trained & {tuple(turn.ids) for turns in data.held_out_rows("general") for turn in turns}
    record = Record("7", "text", "made-up")
    assert is_held_out(record, 0.3) == is_held_out(record._replace(text="other"), 0.3)


def test_tokens_are_made_once_and_found_again(tokenizer, tmp_path):
    records = [Record(str(number), "gene of the brain " * number, "made-up") for number in range(1, 5)]
    first, held = documents(iter(records), "key", tokenizer, 0.0, tmp_path)
    again, _ = documents(iter([]), "key", tokenizer, 0.0, tmp_path)
    assert first.size == again.size > 0
    assert len(held) == 0
    assert first.read(2, 0, 99) == again.read(2, 0, 99)
    assert documents(iter([]), "other key", tokenizer, 0.0, tmp_path)[0].size == 0


def test_special_tokens_in_a_document_are_split(tokenizer, tmp_path):
    found, _ = documents([Record("1", f"one {tokenizer.eos_token} two", "made-up")], "special", tokenizer, 0.0, tmp_path)
    assert found.read(0, 0, 999).count(tokenizer.eos_token_id) == 1


def test_the_order_is_a_pure_function_of_seed_and_row(corpus, tokenizer):
    data = [filled(MixtureData(str(corpus), row_tokens=32, seed=seed), tokenizer) for seed in (0, 0, 1)]
    drawn = data[0].mixture.draws(60)
    late_first = [data[1].turns(each) for each in reversed(drawn)][::-1]
    assert late_first == [data[0].turns(each) for each in drawn] != [data[2].turns(each) for each in drawn]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": {"legal": 1.0}}, r"there is no domain 'legal'; found \['biomedical', 'clinical', 'general'\]"),
        ({"row_tokens": 0}, "field row_tokens: found 0"),
        ({"batch_size": 0}, "field batch_size: found 0"),
        ({"validation": 1.0}, "field validation: found 1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(corpus, settings, message):
    with pytest.raises(ValueError, match=message):
        MixtureData(str(corpus), **settings)


def test_a_batch_has_no_measurements(corpus, tokenizer):
    data = filled(MixtureData(str(corpus), row_tokens=32), tokenizer)
    batch = data.batch(data.mixture.draws(3))
    assert len(batch) == 3
    assert not batch.values
    assert torch.equal(batch.rows, torch.tensor([drawn.number for drawn in data.mixture.draws(3)]))
