"""The shared space: unit vectors, texts standardised by the training texts, and settings that build it again."""

import pytest
import torch

from bridge.project.space import SharedSpace


@pytest.fixture
def space():
    torch.manual_seed(0)
    return SharedSpace(["gene", "brain"], width=12, text_width=20, dim=6).eval()


@pytest.mark.parametrize("hidden", [0, 16])
def test_everything_becomes_a_unit_vector_and_zero_stays_finite(hidden):
    space = SharedSpace(["gene"], 12, 20, dim=6, hidden=hidden).eval()
    for found in (space.embed("gene", torch.randn(5, 12)), space.embed_text(torch.randn(5, 20))):
        torch.testing.assert_close(found.norm(dim=1), torch.ones(5))
    assert torch.isfinite(space.embed("gene", torch.zeros(2, 12))).all()
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
    assert torch.equal(again.embed("brain", summary), space.embed("brain", summary))


def test_each_modality_has_a_head_of_its_own(space):
    summary = torch.randn(3, 12)
    assert not torch.allclose(space.embed("gene", summary), space.embed("brain", summary))
