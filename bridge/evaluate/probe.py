"""What vectors hold of a label: a linear model on the training rows, its penalty chosen on validation, scored on test."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from bridge.evaluate.bootstrap import interval_of
from bridge.evaluate.concordance import concordance, pooled
from bridge.evaluate.retrieval import bootstrap_interval, ranks, retrieval_scores

#: Inverse penalties, the strongest first; features of every kind have rows of about length 1.
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)

Features = Float[np.ndarray, "samples features"] | sparse.csr_matrix | sparse.csr_array


class Rows(NamedTuple):
    """Row numbers of each split."""

    train: Int[np.ndarray, " _"]
    validation: Int[np.ndarray, " _"]
    test: Int[np.ndarray, " _"]


class Score(NamedTuple):
    """A figure with its 95 % interval over groups; None where undefined."""

    metric: str
    value: float | None
    low: float | None
    high: float | None


class Target(NamedTuple):
    """What is told: classes as text, or numbers."""

    values: Shaped[np.ndarray, " samples"]
    known: Bool[np.ndarray, " samples"]
    classes: bool


def target_of(column: pd.Series) -> Target:
    """A label: numbers of more than two values stay numbers, everything else are classes; a sample without one is not known."""
    known = column.notna().to_numpy() & (column.astype(str).str.strip() != "").to_numpy()
    number = pd.api.types.is_numeric_dtype(column) and column[known].nunique() > 2
    return Target(column.astype(float).to_numpy() if number else column.astype(str).to_numpy(dtype=object), known, not number)


def probe(features: Features, target: Target, rows: Rows) -> Shaped[np.ndarray, " test"]:
    """What a linear model says of the test rows: logistic regression for classes, ridge regression for numbers.

    Of the penalties, the one with the most right validation rows (least squared error of numbers) is taken, the stronger of equals.

    Args:
        features: As from :func:`vector_rows` or :func:`word_rows`.
        target: What is told, known for all rows.
        rows: Of the splits.

    Raises:
        ValueError: a split is empty, or training has one class alone.
    """
    _require_rows(target, rows)
    fitted = [_fit(features[rows.train], target, rows.train, strength) for strength in STRENGTHS]
    loss = [_loss(model.predict(features[rows.validation]), target, rows.validation) for model in fitted]
    return fitted[int(np.argmin(loss))].predict(features[rows.test])


def majority(target: Target, rows: Rows) -> Shaped[np.ndarray, " test"]:
    """The commonest class of the training rows, or their mean."""
    train = target.values[rows.train]
    names, counts = np.unique(train.astype(str), return_counts=True) if target.classes else (np.array([train.astype(float).mean()]), np.array([1]))
    return np.full(len(rows.test), names[np.argmax(counts)], dtype=object if target.classes else float)


def probe_scores(
    said: Shaped[np.ndarray, " test"], target: Target, test: Int[np.ndarray, " test"], groups: Sequence | np.ndarray, *, resamples: int = 1000, seed: int = 0
) -> list[Score]:
    """Accuracy and macro F1 of classes, concordance (0.5 is chance) of numbers, whole groups drawn for the intervals.

    Args:
        said: What was said of the test rows.
        target: The truth of all rows.
        test: Test rows.
        groups: Group of each test row.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    truth = target.values[test]
    if not target.classes:
        counts = concordance(said.astype(float), truth.astype(float), groups)
        return [Score("concordance", *pooled(counts, resamples=resamples, seed=seed))]
    right = (said == truth).astype(float)
    codes = np.unique(np.concatenate([truth, said]).astype(str), return_inverse=True)[1]
    pair = codes[: len(truth)], codes[len(truth) :]

    def f1(drawn: Int[np.ndarray, " _"]) -> float | None:
        return macro_f1(pair[0][drawn], pair[1][drawn])

    low, high = interval_of(f1, groups, resamples=resamples, seed=seed)
    return [
        Score("accuracy", float(right.mean()), *bootstrap_interval(right, groups, resamples=resamples, seed=seed)),
        Score("macro_f1", macro_f1(*pair), low, high),
    ]


def macro_f1(truth: Int[np.ndarray, " samples"], said: Int[np.ndarray, " samples"]) -> float | None:
    """Mean F1 of the classes that occur in the truth, given as numbers; None without samples."""
    size = int(max(truth.max(initial=-1), said.max(initial=-1))) + 1
    there, told, right = (np.bincount(each, minlength=size) for each in (truth, said, truth[truth == said]))
    occurs = there > 0
    return float((2 * right[occurs] / (there + told)[occurs]).mean()) if occurs.any() else None


def pair_scores(
    similarity: Float[np.ndarray, "queries candidates"],
    target: Int[np.ndarray, " queries"],
    groups: Sequence | np.ndarray,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Score]:
    """R@1, R@5, R@10 and mean reciprocal rank of each query's own candidate, with intervals over groups of queries."""
    found = retrieval_scores(similarity, groups, resamples=resamples, seed=seed, target=target)
    recalls = [Score(f"r{k}", found[f"r{k}"], found[f"r{k}_low"], found[f"r{k}_high"]) for k in (1, 5, 10)]
    interval = bootstrap_interval(1 / ranks(similarity, target), groups, resamples=resamples, seed=seed)
    return [*recalls, Score("mrr", found["mrr"], *interval)]


def vector_rows(vectors: Float[np.ndarray, "samples width"], train: Int[np.ndarray, " _"]) -> Float[np.ndarray, "samples width"]:
    """Vectors with mean 0 and scale 1 on the training rows, divided by the root of their width, so that rows are about 1 long."""
    mean, scale = vectors[train].mean(axis=0, dtype=np.float64), vectors[train].std(axis=0, dtype=np.float64)
    return (vectors - mean) / np.where(scale > 1e-8, scale, 1.0) / np.sqrt(vectors.shape[1])


def word_rows(texts: Sequence[str], train: Int[np.ndarray, " _"]) -> sparse.csr_matrix | sparse.csr_array:
    """TF-IDF (sublinear counts) of texts, each of length 1, fitted on the training texts."""
    words = TfidfVectorizer(sublinear_tf=True).fit([texts[row] for row in train])
    return words.transform(texts)


def _fit(features: Features, target: Target, train: np.ndarray, strength: float) -> LogisticRegression | Ridge:
    model = LogisticRegression(C=strength, max_iter=2000) if target.classes else Ridge(alpha=1 / strength)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # validation decides among what was reached
        return model.fit(features, target.values[train])


def _loss(said: np.ndarray, target: Target, rows: np.ndarray) -> float:
    truth = target.values[rows]
    return float(np.mean(said != truth) if target.classes else np.mean((said - truth) ** 2))


def _require_rows(target: Target, rows: Rows) -> None:
    empty = [name for name, each in rows._asdict().items() if not len(each)]
    if empty:
        raise ValueError(f"probe: no sample with a vector and a label is in {empty[0]}, expected some in each split; name another label, or split anew")
    if target.classes and len(set(target.values[rows.train])) < 2:
        raise ValueError(f"probe: all training samples are {target.values[rows.train][0]!r}, expected two classes or more")
