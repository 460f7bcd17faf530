"""The models that a benchmark in words asks: a bundle's, a bare LLM, and the LLM a bundle was made of."""

from __future__ import annotations

from pathlib import Path

import torch

from bridge.benchmark.results import OURS
from bridge.bundle import WEIGHTS, load
from bridge.language.llm import load_llm
from bridge.medical.answer import Answerer, BundleAnswerer
from bridge.medical.comparators import EndpointAnswerer, RecordedAnswers
from bridge.medical.journal import NAME, Journal
from bridge.model import SemanticBridge

BASE = "base"


def opened(path: str, name: str = OURS) -> BundleAnswerer:
    """The model of a bundle folder, or a bare LLM by its folder or name."""
    return BundleAnswerer(load(path), name) if (Path(path) / WEIGHTS).is_file() else _alone(path, "auto", name)


def base_of(answerer: BundleAnswerer) -> BundleAnswerer:
    """The bare LLM that a bundle was made of, asked in the same prompt form."""
    return _alone(answerer.bridge.language.name, answerer.bridge.template, BASE)


def _alone(path: str, template: str, name: str) -> BundleAnswerer:
    bridge = SemanticBridge.text_only(load_llm(path), template)
    return BundleAnswerer(bridge.to("cuda" if torch.cuda.is_available() else "cpu").eval(), name)


def kept(answerer: BundleAnswerer | EndpointAnswerer | RecordedAnswers, folder: Path) -> Answerer:
    """The same, with its answers written down in a run's folder: a stopped run goes on there."""
    if isinstance(answerer, RecordedAnswers):
        return answerer
    if isinstance(answerer, BundleAnswerer):
        answerer.show_progress = False  # there is one bar for all
    return Journal(answerer, answerer.identity, folder / NAME)
