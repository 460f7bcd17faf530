"""What the model thought of each token: its own probability, whatever constrains it, and the confidence of a claim from these."""

import numpy as np
import pytest
import torch
from tiny_checkpoints import FORMS, tiny_tokenizer

from bridge.language.prompts import Prompt
from bridge.report.confidence import Generation, claim_confidence, pieces
from bridge.report.generate import generate, generated
from bridge.report.schema import Claim

ROWS = [0, 3, 5, 7]


@pytest.fixture
def values(tiny_cohort):
    return {modality: torch.from_numpy(tiny_cohort.values(modality)[ROWS]) for modality in tiny_cohort.modalities}


def test_the_texts_alone_are_those_of_the_generations(bridge, values):
    ask = ["Write the report."] * 4
    written = generated(bridge, values, ask, max_new_tokens=6)
    assert generate(bridge, values, ask, max_new_tokens=6) == [generation.text for generation in written]
    assert all("".join(generation.tokens) == generation.text for generation in written)
    assert all(len(generation.tokens) == len(generation.probabilities) for generation in written)


def test_a_probability_is_that_of_the_models_own_logits_at_the_token_it_wrote(bridge, values, monkeypatch):
    seen, run = [], bridge.llm.generate

    def watched(**inputs):
        written = run(**inputs, return_dict_in_generate=True, output_logits=True)
        seen.append((written.sequences, torch.stack(written.logits, dim=1)))
        return written.sequences

    monkeypatch.setattr(bridge.llm, "generate", watched)
    for constrain in (False, True):
        found = generated(bridge, values, ["Report."] * 4, max_new_tokens=6, constrain=constrain)
        sequences, logits = seen[-1]
        expected = logits.softmax(dim=-1).gather(2, sequences[..., None])[..., 0]
        for row, generation in enumerate(found):
            np.testing.assert_allclose(generation.probabilities, expected[row, : len(generation.probabilities)], rtol=1e-5)
            assert len(generation.probabilities) > 0


def test_what_stands_after_the_end_token_has_no_probability(bridge, values, monkeypatch):
    end = bridge.language.tokenizer.eos_token_id
    run = bridge.llm.generate

    def ended(**inputs):
        written = run(**inputs)
        written[:, 2] = end
        return written

    monkeypatch.setattr(bridge.llm, "generate", ended)
    assert [len(generation.tokens) for generation in generated(bridge, values, ["Report."] * 4, max_new_tokens=6)] == [2] * 4


@pytest.mark.parametrize("form", FORMS)
def test_pieces_of_any_tokens_join_to_the_decoded_text(form):
    tokenizer = tiny_tokenizer(form)
    prompt = Prompt(tokenizer)
    random = np.random.default_rng(0)
    written = tokenizer(" Größe, 3.4 mm – naïve ", add_special_tokens=False)["input_ids"]
    for ids in ([], written, *(random.integers(len(tokenizer), size=40).tolist() for _ in range(50))):
        found = pieces(lambda part: tokenizer.decode(part, skip_special_tokens=True), ids, prompt.decode(ids))
        assert len(found) == len(ids)
        assert "".join(found) == prompt.decode(ids)


def test_the_confidence_of_a_claim_is_the_mean_over_the_tokens_of_its_name():
    tokens = ("Highest", " in", " the", " left", " cune", "us", ";", " lowest in the", " insula")
    written = Generation("".join(tokens), tokens, (0.9, 0.9, 0.9, 0.2, 0.4, 0.6, 0.9, 0.9, 0.7))
    assert claim_confidence(Claim(entity="left cuneus", statement="s"), written) == pytest.approx(0.4)
    assert claim_confidence(Claim(entity="left insula", mention="Insula", statement="s"), written) == pytest.approx(0.7)


def test_every_place_of_a_name_counts_and_a_longer_word_is_no_place():
    tokens = ("eye", ", ", "eye", "lid")
    written = Generation("".join(tokens), tokens, (0.5, 1.0, 0.1, 0.1))
    assert claim_confidence(Claim(entity="eye", statement="s"), written) == pytest.approx(0.5)


def test_free_prose_and_a_name_that_the_text_does_not_hold_have_no_confidence():
    written = Generation("All is well", ("All", " is", " well"), (0.5, 0.5, 0.5))
    assert claim_confidence(Claim(entity="", statement="All is well"), written) is None
    assert claim_confidence(Claim(entity="insula", statement="s"), written) is None
