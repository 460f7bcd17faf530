"""What the model thought of each token: its own probability, whatever constrains it, and the confidence of a claim from these."""

import numpy as np
import pytest
import torch
from tiny_checkpoints import FORMS, tiny_tokenizer

from bridge.data.batch import IGNORE, Turn
from bridge.language.prompts import Prompt
from bridge.report.generation import decode
from bridge.report.generation import generate as generate_module
from bridge.report.generation.confidence import Generation, claim_confidence, pieces, token_probabilities
from bridge.report.generation.decode import greedy
from bridge.report.generation.generate import generate, generated
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
    seen = []
    monkeypatch.setattr(decode, "token_probabilities", lambda scores, chosen: seen.append((scores, chosen)) or token_probabilities(scores, chosen))
    for constrain in (False, True):
        seen.clear()
        found = generated(bridge, values, ["Report."] * 4, max_new_tokens=6, constrain=constrain)
        prompt = Prompt(bridge.language.tokenizer)
        for row, generation in enumerate(found):
            written = [chosen[row] for _, chosen in seen if len(chosen) == 4]
            turn = Turn([*prompt.question("Report."), *written], [IGNORE] * len(prompt.question("Report.")) + written)
            with torch.inference_mode():
                logits, targets = bridge({name: column[row : row + 1] for name, column in values.items()}, prompt.opening, [[turn]])
            expected = logits.softmax(dim=-1).gather(1, targets[:, None])[:, 0].tolist()
            assert len(generation.probabilities) > 0
            assert list(generation.probabilities) == pytest.approx(expected[: len(generation.probabilities)], rel=1e-3)


def test_the_probability_of_a_token_is_its_share_of_all():
    scores = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 100.0, 0.0]], dtype=torch.bfloat16)
    assert token_probabilities(scores, [3, 2]) == pytest.approx([0.25, 1.0])


def test_the_end_token_adds_no_token_and_no_probability(bridge, values, monkeypatch):
    end = bridge.language.tokenizer.eos_token_id
    monkeypatch.setattr(generate_module, "greedy", lambda written, scores: [end] * len(written) if len(written[0]) == 2 else greedy(written, scores))
    found = generated(bridge, values, ["Report."] * 4, max_new_tokens=6)
    assert [(len(generation.tokens), len(generation.probabilities)) for generation in found] == [(2, 2)] * 4


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
