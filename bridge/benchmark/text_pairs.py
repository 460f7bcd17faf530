"""Whether two texts of one patient find each other: a section of a note and the conversation it was written of, or any pairs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from bridge.benchmark.results import OURS, Record
from bridge.data.cohort import SPLITS
from bridge.evaluate.probe import pair_scores, vector_rows, word_rows
from bridge.evaluate.retrieval import cosine_similarity
from bridge.language.note_files import read_notes
from bridge.language.notes import embed_notes
from bridge.language.textbank import TextBank

WORDS, CHANCE = "tf-idf", "chance"

RETRIEVAL = (
    "Cosine of a query with every different text of the other side; nothing is learned but each side's mean and scale, on {train} training rows. tf-idf is the "
    "cosine of TF-IDF vectors fitted on {words}. A text that stands in several pairs is one candidate, and right for each of them; "
    "where several candidates are right for one query, each pair counts its own alone. Intervals: 95 % bootstrap over different target texts, seed {seed}."
)


class Pairs(NamedTuple):
    """Texts of two sides, row by row, and the split of each row ('test' for all where nothing says)."""

    query: tuple[str, list[str]]
    target: tuple[str, list[str]]
    split: np.ndarray


class Side(NamedTuple):
    """One side of a retrieval: its texts, and their features by each method."""

    name: str
    texts: list[str]
    features: dict[str, np.ndarray]


def read_pairs(path: Path, query: str, target: str) -> Pairs:
    """Pairs of a file; those that lack a side are left out."""
    columns = read_notes(path, [query, target]).columns
    whole = columns[columns[[query, target]].fillna("").astype(str).apply(lambda side: side.str.strip() != "").all(axis=1)]
    split = whole["split"].astype(str).to_numpy(dtype=object) if "split" in whole else np.full(len(whole), "test", dtype=object)
    if "test" not in split:
        raise ValueError(f"{path}: no pair with both {query!r} and {target!r} is in the split 'test', expected some")
    return Pairs((query, whole[query].astype(str).tolist()), (target, whole[target].astype(str).tolist()), split)


def limited(split: np.ndarray, limit: int, seed: int) -> Int[np.ndarray, " rows"]:
    """At most so many rows of each split, drawn with the seed; all for 0."""
    random = np.random.default_rng(seed)
    parts = [np.flatnonzero(split == name) for name in SPLITS]
    return np.sort(np.concatenate([random.choice(rows, limit, replace=False) if 0 < limit < len(rows) else rows for rows in parts]))


def limited_pairs(pairs: Pairs, limit: int, seed: int) -> Pairs:
    """The same for pairs."""
    rows = limited(pairs.split, limit, seed)
    sides = [(name, [texts[row] for row in rows]) for name, texts in pairs[:2]]
    return Pairs(*sides, pairs.split[rows])


def put_retrieval(record: Record, pairs: Pairs, bank: TextBank, overlap: int, *, resamples: int = 1000) -> None:
    """Scores of both directions, with TF-IDF and chance beside them."""
    train, test = (np.flatnonzero(pairs.split == name) for name in ("train", "test"))
    used = np.concatenate([train, test])
    fitted = np.arange(len(train)) if len(train) else np.arange(len(used))
    texts = [[side[row] for row in used] for _, side in pairs[:2]]
    words = word_rows(texts[0] + texts[1], np.concatenate([fitted, fitted + len(used)]))
    sides = []
    for number, (name, _) in enumerate(pairs[:2]):
        vectors = embed_notes(bank, texts[number], overlap).vectors
        centred = vector_rows(vectors, fitted) if len(train) else vectors
        counts = words[number * len(used) : (number + 1) * len(used)][len(train) :].toarray()
        sides.append(Side(name, texts[number][len(train) :], {OURS: centred[len(train) :], WORDS: counts}))
    for one, other in (sides, sides[::-1]):
        _put_direction(record, one, other, sides[1].texts, resamples)
    fitted_on = "the training texts of both sides" if len(train) else "the texts themselves, as there are no training rows"
    record.words("Retrieval", RETRIEVAL.format(train=len(train) or "no", words=fitted_on, seed=record.seed))


def _put_direction(record: Record, query: Side, candidates: Side, grouped_by: list[str], resamples: int) -> None:
    different, first, target = np.unique(candidates.texts, return_index=True, return_inverse=True)
    place = {"direction": f"{query.name}->{candidates.name}", "candidates": len(different), "n": len(target)}
    for method, features in query.features.items():
        similarity = cosine_similarity(features, candidates.features[method][first])
        for score in pair_scores(similarity, target, grouped_by, resamples=resamples, seed=record.seed):
            record.row(score.metric, method, score.value, low=score.low, high=score.high, **place)
    for k in (1, 5, 10):
        record.row(f"r{k}", CHANCE, k / len(different) if k <= len(different) else None, **place)
    record.row("mrr", CHANCE, float((1 / np.arange(1, len(different) + 1)).mean()), **place)
