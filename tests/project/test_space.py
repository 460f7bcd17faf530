"""The shared space: unit vectors, texts standardised by the training texts, and settings that build it again."""

import pytest
import torch

from bridge.project.space import SharedSpace


@pytest.fixture
def space():
    torch.manual_seed(0)
    return SharedSpace(["gene", "brain"], width=12, text_width=20, dim=6).eval()


def side(space, modality, summary, tokens=None):
    return space.embed({modality: summary}, {modality: torch.zeros(len(summary), 1) if tokens is None else tokens})


@pytest.mark.parametrize("hidden", [0, 16])
def test_everything_becomes_a_unit_vector_and_zero_stays_finite(hidden):
    space = SharedSpace(["gene"], 12, 20, dim=6, hidden=hidden).eval()
    for found in (side(space, "gene", torch.randn(5, 12)), space.embed_text(torch.randn(5, 20))):
        torch.testing.assert_close(found.norm(dim=1), torch.ones(5))
    assert torch.isfinite(side(space, "gene", torch.zeros(2, 12))).all()
    assert torch.isfinite(space.embed_text(torch.zeros(2, 20))).all()


def test_texts_are_standardised_by_the_training_texts(space):
    training = 3 + torch.randn(200, 20) * torch.logspace(-2, 3, 20)
    space.fit_text(training)
    standard = (training - space.text_mean) / space.text_deviation
    torch.testing.assert_close(standard.mean(dim=0), torch.zeros(20), rtol=0, atol=1e-4)
    torch.testing.assert_close(standard.std(dim=0), torch.ones(20), rtol=1e-2, atol=0)


def test_the_units_of_a_text_feature_do_not_matter(space):
    training, other = torch.randn(50, 20), SharedSpace(**space.settings).eval()
    other.load_state_dict(space.state_dict())
    space.fit_text(training)
    other.fit_text(training * 1000)
    torch.testing.assert_close(other.embed_text(training[:4] * 1000), space.embed_text(training[:4]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("texts", [1, 5])
def test_a_feature_that_does_not_vary_in_training_is_not_blown_up(space, texts):
    space.fit_text(torch.ones(texts, 20))
    assert space.text_deviation.tolist() == [1.0] * 20
    assert torch.isfinite(space.embed_text(torch.randn(3, 20))).all()


def test_the_settings_build_the_space_again(space):
    again = SharedSpace(**space.settings).eval()
    again.load_state_dict(space.state_dict(), strict=True)
    summary = torch.randn(3, 12)
    assert torch.equal(side(again, "brain", summary), side(space, "brain", summary))


def test_each_modality_has_a_head_of_its_own(space):
    summary = torch.randn(3, 12)
    assert not torch.allclose(side(space, "gene", summary), side(space, "brain", summary))


@pytest.fixture
def with_linear_part():
    torch.manual_seed(0)
    linear = {"blocks": [["gene", "clinical"], ["brain", "anatomy"]], "components": 3, "features": {"gene": 4, "brain": 5}}
    space = SharedSpace(["gene", "brain"], 12, 20, dim=6, linear=linear, joint=["gene+brain"]).eval()
    with torch.no_grad():
        space.linear.maps["gene"][:3], space.linear.maps["brain"][3:] = torch.randn(3, 4), torch.randn(3, 5)
        space.linear.text_map.normal_()
    return space


def test_a_cosine_is_the_weighted_mean_of_the_cosines_of_the_two_parts(with_linear_part):
    space, summary, tokens, texts = with_linear_part, torch.randn(4, 12), torch.randn(4, 4), torch.randn(4, 20)
    space.linear.share.fill_(0.3)
    gene, text = side(space, "gene", summary, tokens), space.embed_text(texts, "clinical")
    torch.testing.assert_close(gene.norm(dim=1), torch.ones(4))
    trained = torch.cosine_similarity(space.heads["gene"](summary), space.text_head(texts))
    linear = torch.cosine_similarity(tokens @ space.linear.maps["gene"][:3].T, texts @ space.linear.text_map[:3].T)
    torch.testing.assert_close((gene * text).sum(dim=1), 0.7 * trained + 0.3 * linear)


def test_the_block_of_one_text_column_says_nothing_of_another(with_linear_part):
    space, texts = with_linear_part, torch.randn(4, 20)
    assert space.embed_text(texts, "clinical")[:, 6 + 3 :].abs().max() == 0
    assert space.embed_text(texts, "anatomy")[:, 6 : 6 + 3].abs().max() == 0
    assert (space.embed_text(texts)[:, 6:] != 0).all()


def test_a_side_of_two_modalities_is_the_sum_of_both(with_linear_part):
    space = with_linear_part
    summaries, tokens = {"gene": torch.randn(2, 12), "brain": torch.randn(2, 12)}, {"gene": torch.randn(2, 4), "brain": torch.randn(2, 5)}
    found = space.embed(summaries, tokens)
    trained = space.heads["gene"](summaries["gene"]) + space.heads["brain"](summaries["brain"])
    torch.testing.assert_close(space.trained_part(found), torch.nn.functional.normalize(trained, dim=-1))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_no_gradient_reaches_the_linear_part(with_linear_part):
    with_linear_part.train().embed_text(torch.randn(4, 20)).sum().backward()
    assert with_linear_part.linear.text_map.grad is None
