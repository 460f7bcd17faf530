"""A bridge with an untrained shared space over the tiny cohort, and its gallery."""

import pytest
import torch

from bridge.project.space import SharedSpace
from bridge.retrieve.collect import collect


@pytest.fixture
def searched(make_bridge):
    """Gene, brain and both together beside the text of one layer."""
    bridge = make_bridge()
    torch.manual_seed(1)
    bridge.space = SharedSpace(["gene", "brain"], bridge.language.width, bridge.language.width, dim=16, joint=["gene+brain"]).eval()
    bridge.text = {"layers": [1], "pooling": "mean"}
    return bridge


@pytest.fixture
def gallery(searched, tiny_cohort, monkeypatch):
    """With probabilities, though the tiny cohort has only eight validation samples."""
    monkeypatch.setattr("bridge.retrieve.likely.FEWEST_SAMPLES", 4)
    monkeypatch.setattr("bridge.retrieve.likely.FEWEST_OWN", 4)
    searched.gallery = collect(searched, tiny_cohort, named=True)
    return searched.gallery


@pytest.fixture
def sample(tiny_cohort):
    """``sample(row)``: normalised values of one sample."""
    return lambda row: {modality: tiny_cohort.values(modality)[row] for modality in tiny_cohort.modalities}
