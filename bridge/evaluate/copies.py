"""Texts that stand in two splits, whole or in long runs of the same words, beside how often unrelated texts are alike anyway."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import fisher_exact

#: Words of a run; of fewer, sentences of one form share many.
RUN = 8
#: A text with this share of its runs in texts of another group is a copy of them.
COPIED = 0.8


def same_texts(texts: Sequence[str], splits: Sequence[str] | np.ndarray, groups: Int[np.ndarray, " texts"]) -> Bool[np.ndarray, " texts"]:
    """Held-out texts that are also in another split; training texts that are also in another group of the training split.

    Upper and lower case, signs and spaces make no difference; an empty text is never a copy.
    """
    keys = [" ".join(words(text)) for text in texts]
    splits = np.asarray(splits).astype(str)
    places: dict[str, set[tuple[str, int]]] = {}
    for key, split, group in zip(keys, splits, groups.tolist(), strict=True):
        places.setdefault(key, set()).add((split, group))
    rows = zip(keys, splits, groups.tolist(), strict=True)
    return np.array([bool(key) and _elsewhere(places[key], split, group) for key, split, group in rows], dtype=bool)


def run_overlap(texts: Sequence[str], train: Bool[np.ndarray, " texts"], groups: Int[np.ndarray, " texts"], length: int = RUN) -> Float[np.ndarray, " texts"]:
    """Share of each text's runs of words that are in training texts of another group; NaN for a text shorter than a run.

    Args:
        texts: Held-out and training texts.
        train: Which are of the training split.
        groups: Group of each text.
        length: Words of a run.
    """
    runs, rows = _runs(texts, length)
    known, lowest, highest = _owners(runs[train[rows]], groups[rows[train[rows]]])
    if not len(known):
        return np.where(np.bincount(rows, minlength=len(texts)) > 0, 0.0, np.nan)
    place = np.searchsorted(known, runs).clip(max=len(known) - 1)
    found = (known[place] == runs) & ((lowest[place] != highest[place]) | (lowest[place] != groups[rows]))
    total = np.bincount(rows, minlength=len(texts))
    return np.divide(np.bincount(rows, weights=found, minlength=len(texts)), total, out=np.full(len(texts), np.nan), where=total > 0)


def excess_p(copied: Bool[np.ndarray, " texts"], train: Bool[np.ndarray, " texts"]) -> float:
    """One-sided p of as many held-out copies if they were as frequent as between training texts of different groups.

    Texts of one form repeat each other by chance; a leak is what goes beyond that. Source: Fisher, JRSS 1935 (exact test).
    """
    counts = [[int(copied[rows].sum()), int((~copied[rows]).sum())] for rows in (~train, train)]
    return float(fisher_exact(counts, alternative="greater").pvalue)


def words(text: str) -> list[str]:
    """Words in lower case without signs."""
    return re.findall(r"\w+", text.casefold())


def _elsewhere(places: set[tuple[str, int]], split: str, group: int) -> bool:
    if split == "train":
        return any(other == split and of != group for other, of in places)
    return any(other != split for other, _ in places)


def _runs(texts: Sequence[str], length: int) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit key of every run of words, and the row of the text it is in; unlike runs have one key with probability 2**-64."""
    numbers: dict[str, int] = {}
    factors = np.random.default_rng(0).integers(0, 2**64, size=length, dtype=np.uint64)
    keys, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for row, text in enumerate(texts):
        codes = np.array([numbers.setdefault(word, len(numbers) + 1) for word in words(text)], dtype=np.uint64)
        if len(codes) >= length:
            keys.append(np.lib.stride_tricks.sliding_window_view(codes, length) @ factors)
            rows.append(np.full(len(keys[-1]), row))
    return np.concatenate(keys), np.concatenate(rows)


def _owners(runs: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Different runs in rising order, and the lowest and the highest group that has each."""
    order = np.lexsort((groups, runs))
    runs, groups = runs[order], groups[order]
    starts = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]]) if len(runs) else np.empty(0, np.int64)
    ends = np.r_[starts[1:], len(runs)][: len(starts)] - 1
    return runs[starts], groups[starts], groups[ends]
