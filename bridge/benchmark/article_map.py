"""``article-map``: the text of a neuroimaging article and the map of its peaks find each other."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bridge.benchmark import data
from bridge.benchmark.alignment import ENSEMBLE, Found, both_ways, compare, control, shuffled_pairs, trained, within
from bridge.benchmark.ladder import Rung, climb
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.task import Task, data_folder
from bridge.data.cohort import Cohort, apply_normalisation
from bridge.model import SemanticBridge
from bridge.retrieve.embed import shared_embeddings, text_bank


class ArticleMap(Task):
    """Articles and maps of their peaks, 1,000 held-out candidates; titles of other articles as a transfer test.

    Args:
        align: What differs from ``configs/align.yaml``.
        seeds: Bridges of the ensemble, with the run's seed and the next ones.
        limit: Candidates of the transfer test, drawn once.
        shuffled: Train once more on shuffled pairs, the control.
    """

    title: ClassVar[str] = "Article text and brain map"

    def __init__(self, align: dict | None = None, seeds: int = 1, limit: int = 1000, shuffled: bool = True):
        self.align, self.seeds, self.limit, self.shuffled = align or {}, seeds, limit, shuffled

    def run(self, record: Record) -> None:
        articles = data.article_map(data_folder("article_brain_map"))
        record.words("Data", "12,459 neuroimaging articles (NeuroQuery data, BSD-3-Clause), published split; titles: Neurosynth v7 (ODbL).")
        bridges = [trained(record, articles, self.align, seed=record.seed + number, name=f"seed{record.seed + number}") for number in range(self.seeds)]
        within(record, articles, compare(record, articles, bridges), "n_peaks")
        titles = data.title_map(data_folder("title_brain_map"))
        transfer(record, articles, titles, bridges, self.limit)
        if self.shuffled:
            control(record, articles, trained(record, shuffled_pairs(articles, record.seed), self.align, seed=record.seed, name="shuffled"))


def transfer(record: Record, articles: Cohort, titles: Cohort, bridges: list[SemanticBridge], limit: int) -> None:
    """Titles and maps that come from another collection: nothing is fitted on them."""
    known = set(articles.ids)
    rows = np.array([row for row, name in enumerate(titles.ids) if name not in known and titles.text("article")[row]])
    rows = np.sort(np.random.default_rng(record.seed).choice(rows, min(limit, len(rows)), replace=False))
    values = apply_normalisation(titles.raw("brain")[rows], articles.card("brain").normalisation)
    strings = [titles.text("article")[row] for row in rows]
    found = [_similarities(bridge, articles, values, strings) for bridge in bridges]
    directions = "brain->title", "title->brain"
    for place, direction in enumerate(directions):
        rungs = [Rung(OURS, found[0][place])]
        if len(found) > 1:
            rungs.append(Rung(ENSEMBLE, np.mean([each[place] for each in found], axis=0)))
        climb(record, direction, rungs, split="transfer", verdict=False)
    within(record, titles, {direction: Found(rows, similarity) for direction, similarity in zip(directions, found[0], strict=True)}, "year", split="transfer")


def _similarities(bridge: SemanticBridge, articles: Cohort, values: np.ndarray, strings: list[str]) -> tuple[np.ndarray, np.ndarray]:
    with torch.inference_mode():
        brain = bridge.embed({"brain": torch.from_numpy(values).to(bridge.llm.device)})["brain"][0]
        vectors = torch.from_numpy(text_bank(bridge).embed(strings)).to(bridge.llm.device)
        text = bridge.space.embed_text(vectors, "article")
    brain, text = brain.double().cpu().numpy(), text.double().cpu().numpy()
    train = shared_embeddings(bridge, articles, articles.rows("train"), ["article"])
    return both_ways(brain, text, train["brain"], train["article"])
