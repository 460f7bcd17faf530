"""A gallery from a trained bridge and its cohort: candidates of the training split alone, probabilities fitted on the validation split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bridge.data.cohort import Cohort
from bridge.language.textbank import TextBank
from bridge.model import SemanticBridge
from bridge.retrieve.embed import cohort_sides, text_bank, text_vectors
from bridge.retrieve.gallery import Candidates, Gallery, Pairs, Plane, View, candidates, space_digest
from bridge.retrieve.hubs import hubness
from bridge.retrieve.items import Items, common_items, members, present
from bridge.retrieve.likely import FEWEST_SAMPLES, fit_odds, standing
from bridge.retrieve.lists import Known, known_lists, sample_labels
from bridge.retrieve.relate import evenly, own_rank, pairs_of, plane_of, side_pairs
from bridge.retrieve.schema import CandidateKind

#: Training queries that a candidate is compared with.
MOST_QUERIES = 4096
#: Pairs of a validation sample and an item that probabilities are fitted on.
MOST_FITTED = 2_000_000
#: What a sample is called where its id is nobody's business.
ANONYMOUS = "training sample"
#: Letters of a text that are shown.
LABEL = 160


class Split(NamedTuple):
    """Rows of a split with their vectors; NaN where a sample lacks a side or a text."""

    rows: Int[np.ndarray, " samples"]
    vectors: dict[str, np.ndarray]


class Looked(NamedTuple):
    """A list as one side sees it: scale, offset and, where they are calibrated, prior of its candidates, and the loss of the fit."""

    listed: Candidates
    view: tuple[np.ndarray, ...]
    loss: float = np.inf


def collect(
    bridge: SemanticBridge, cohort: Cohort, columns: Sequence[str] | None = None, texts: Mapping[str, Tensor] | None = None, named: bool | None = None
) -> Gallery:
    """The gallery of a bridge with a shared space.

    Args:
        bridge: The bridge, trained.
        cohort: The cohort it was trained on.
        columns: Text columns that are searched; all of the cohort by default.
        texts: Text column to text vectors ``[samples, width]`` where they are at hand; else the text tower reads the texts, or its cache has them.
        named: Keep ids of the samples and the beginnings of their texts. By default only where the samples are genes: those of persons stay at home.

    Raises:
        ValueError: the cohort's lists are not as declared.
    """
    columns = [column for column in cohort.texts if columns is None or column in columns]
    training = bridge.training
    bridge.eval()
    for part in (bridge.encoders, bridge.projectors, bridge.space):  # what was divided over cards has been put together on the CPU
        part.to(bridge.space.text_mean.device)
    bank = text_bank(bridge) if texts is None and columns else None
    train, validation = (_embedded(bridge, cohort, split, columns, texts or bank) for split in ("train", "validation"))
    bridge.train(training)
    builder = _Builder(cohort, train, validation, [side for side in train.vectors if side not in columns], columns, named)
    for side in builder.sides:
        builder.add(side)
    return Gallery(space_digest(bridge), builder.lists, builder.views, builder.pairs(), builder.planes, columns)


class _Builder:
    """Lists and views as they come; a list that two sides share is kept once."""

    def __init__(self, cohort: Cohort, train: Split, validation: Split, sides: Sequence[str], columns: Sequence[str], named: bool | None = None):
        self.cohort, self.train, self.validation, self.sides, self.columns = cohort, train, validation, sides, columns
        self.known, self.release = known_lists(cohort), cohort.about["notes"].get("hpo_release", "")
        self.lists: list[Candidates] = []
        self.views: list[View] = []
        self.planes: list[Plane] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._labelled = sample_labels(cohort)
        self.named = self._labelled[0] is CandidateKind.GENE if named is None else named
        self._names = cohort.ids if self.named else [f"{ANONYMOUS} {number}" for number in range(1, len(cohort.ids) + 1)]
        self._items: dict[tuple[str, str], Items] = {}

    def add(self, side: str) -> None:
        """Everything that one side searches: samples, what they are known for, texts."""
        queries = self._queries(side)
        if len(queries) < 2:
            return
        own = self._samples(side)
        self._put(side, (own.kind, side), Looked(own, _corrected(own.vectors, queries)))
        self.planes += [plane_of(side, self._numbers[own.kind, side], own.vectors)] if len(own.ids) > 2 else []
        for known in self.known:
            self._add_known(side, known)
        if self.named and (column := self._best_column(side)):
            listed = self._texts(column)
            self._put(side, (listed.kind, column), Looked(listed, _corrected(listed.vectors, queries)))

    def pairs(self) -> list[Pairs]:
        """Cosines of every two sides that share no modality."""
        groups = self.cohort.groups[self.validation.rows]
        found = [pairs_of(pair, *(self.validation.vectors[side] for side in pair), groups) for pair in side_pairs(self.sides)]
        return [pairs for pairs in found if len(pairs.true) and len(pairs.mismatched)]

    def _put(self, side: str, key: tuple[str, str], looked: Looked) -> None:
        if key not in self._numbers:
            self._numbers[key] = len(self.lists)
            self.lists.append(looked.listed)
        self.views.append(View(side, self._numbers[key], *(each.astype(np.float32) for each in looked.view)))

    def _samples(self, side: str) -> Candidates:
        has, (kind, labels) = present(self.train.vectors[side]), self._labelled
        labels = labels if self.named else [""] * len(labels)
        rows, names, source = self.train.rows[has], self._names, f"training samples of {self._name}, by {side}"
        return candidates(kind, [names[row] for row in rows], [labels[row] for row in rows], source, self.train.vectors[side][has])

    def _texts(self, column: str) -> Candidates:
        has, strings = present(self.train.vectors[column]), self.cohort.text(column)
        rows, release = self.train.rows[has], f"; HPO release {self.release}" if self.release else ""
        labels, source = [strings[row][:LABEL] for row in rows], f"column {column} of the training samples of {self._name}{release}"
        return candidates(CandidateKind.TEXT, [self._names[row] for row in rows], labels, source, self.train.vectors[column][has])

    def _add_known(self, side: str, known: Known) -> None:
        """Items stand where the training samples' texts, or the samples themselves, stand: whichever the validation split finds more likely."""
        found = {base: self._looked(side, known, base) for base in (*self.columns, side)}
        found = {base: looked for base, looked in found.items() if looked is not None}
        if found:
            base = min(found, key=lambda base: found[base].loss)
            self._put(side, (known.kind, base), found[base])

    def _looked(self, side: str, known: Known, base: str) -> Looked | None:
        if (known.kind, base) not in self._items:
            self._items[known.kind, base] = common_items(known, self.train.rows, self.train.vectors[base])
        (listed, share), queries = self._items[known.kind, base], self._queries(side)
        if not len(listed.ids):
            return None
        training = standing(queries @ listed.vectors.T, share)
        held = evenly(np.flatnonzero(present(self.validation.vectors[side])), max(FEWEST_SAMPLES, MOST_FITTED // len(listed.ids)))
        cosines = self.validation.vectors[side][held].astype(np.float32) @ listed.vectors.T
        fitted = fit_odds(cosines, members(known, self.validation.rows[held], listed.ids).toarray() > 0, training)
        if fitted is None:
            return Looked(listed, _corrected(listed.vectors, queries))
        return Looked(listed, (*fitted.affine(training), fitted.prior(training)), fitted.loss)

    def _queries(self, side: str) -> Float[np.ndarray, "queries dim"]:
        """Training samples as the side sees them."""
        vectors = self.train.vectors[side]
        return vectors[evenly(np.flatnonzero(present(vectors)), MOST_QUERIES)].astype(np.float32)

    def _best_column(self, side: str) -> str | None:
        """The text column whose own text of a validation sample ranks best; None where no column does better than chance."""
        ranks = {column: own_rank(self.validation.vectors[side], self.validation.vectors[column]) for column in self.columns}
        better = {column: rank for column, rank in ranks.items() if rank is not None and rank > 0.5 and present(self.train.vectors[column]).any()}
        return max(better, key=better.get) if better else None

    @property
    def _name(self) -> str:
        return Path(self.cohort.source).name


def _embedded(bridge: SemanticBridge, cohort: Cohort, split: str, columns: Sequence[str], texts: Mapping[str, Tensor] | TextBank | None) -> Split:
    """Sides and texts of one split; those of the test split are never asked for."""
    if split == "test":
        raise ValueError("gallery: found the test split, expected train or validation; nothing of it may be in a gallery")
    rows = cohort.rows(split)
    vectors = cohort_sides(bridge, cohort, rows)
    for column in columns:
        strings = cohort.text(column)
        read = torch.from_numpy(texts.embed([strings[row] for row in rows])) if isinstance(texts, TextBank) else texts[column][rows]
        vectors[column] = text_vectors(bridge, read, column)
    return Split(rows, vectors)


def _corrected(vectors: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset of the cosine less half of what a candidate has with its nearest training queries."""
    return np.ones(len(vectors)), -0.5 * hubness(queries, vectors)
