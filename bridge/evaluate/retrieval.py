"""How well one side finds its partner on the other: ranks, recall, intervals over groups, differences of two models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from bridge.retrieve.hubs import hubness

CONFIDENCE = 0.95


def ranks(similarity: Float[np.ndarray, "queries candidates"], target: Int[np.ndarray, " _"] | None = None) -> Float[np.ndarray, " queries"]:
    """Rank of the right candidate of each query; 1 is best, ties get the mean of the ranks they share.

    The mean rank keeps a model that scores all candidates alike at chance, wherever its right candidate stands.

    Args:
        similarity: Higher is more alike; infinities are allowed, NaN is not.
        target: Column of the right candidate of each query; without it query i belongs to candidate i.

    Raises:
        ValueError: NaN, not a matrix, or a target that is no column.
    """
    similarity = _checked_similarity(similarity)
    target = np.arange(len(similarity)) if target is None else np.asarray(target)
    _check_target(target, similarity.shape)
    right = similarity[np.arange(len(similarity)), target][:, None]
    better, equal = (similarity > right).sum(axis=1), (similarity == right).sum(axis=1)
    return better + (equal + 1) / 2


def retrieval_scores(
    similarity: Float[np.ndarray, "queries candidates"],
    groups: Sequence | np.ndarray | None = None,
    ks: Sequence[int] = (1, 5, 10),
    resamples: int = 1000,
    seed: int = 0,
    *,
    target: Int[np.ndarray, " queries"] | None = None,
) -> dict[str, float | int | None]:
    """Recall at k, median rank, mean reciprocal rank and mean percentile, with intervals and chance.

    Keys: ``n`` (queries), ``candidates``, ``median_rank`` (1 is best), ``mrr``, ``mean_percentile`` (share of the
    other candidates that rank lower; 0.5 is chance), and for each k ``r{k}``, ``r{k}_low``, ``r{k}_high``,
    ``chance_r{k}`` = k / candidates; all but the counts and the median rank lie in 0..1. None means undefined:
    no query, fewer candidates than k, or fewer than two groups for an interval.
    The interval is of these queries against these candidates: the number of candidates stays as it is.

    Args:
        groups: Group of each query; whole groups are drawn in the bootstrap. Without it every query is its own group.
        ks: Cut-offs.
        resamples: Bootstrap resamples; 0 leaves the intervals out.
        seed: Seed of the bootstrap.
        target: As in :func:`ranks`.
    """
    position = ranks(similarity, target)
    n, candidates = len(position), np.shape(similarity)[1]
    scores = {"n": n, "candidates": candidates} | _rank_summary(position, candidates)
    for k in ks:
        hits = (position <= k).astype(float) if candidates >= k else position[:0]
        low, high = bootstrap_interval(hits, groups if len(hits) else None, resamples=resamples, seed=seed)
        scores |= {f"r{k}": _mean(hits), f"r{k}_low": low, f"r{k}_high": high}
        scores[f"chance_r{k}"] = k / candidates if len(hits) else None
    return scores


def embedding_retrieval(
    query: Float[np.ndarray, "samples dim"], candidates: Float[np.ndarray, "samples dim"], groups: Sequence | np.ndarray | None = None, **options
) -> dict[str, float | int | None]:
    """:func:`retrieval_scores` of the cosine between two sets of embeddings in one space, row i with row i."""
    return retrieval_scores(cosine_similarity(query, candidates), groups, **options)


def cosine_similarity(query: Float[np.ndarray, "queries dim"], candidates: Float[np.ndarray, "candidates dim"]) -> Float[np.ndarray, "queries candidates"]:
    """Cosine of every query with every candidate; a zero vector is equally far (0) from everything."""
    return _unit_rows(query) @ _unit_rows(candidates).T


def without_hubs(
    similarity: Float[np.ndarray, "queries candidates"],
    bank: Float[np.ndarray, "training dim"],
    candidates: Float[np.ndarray, "candidates dim"],
    neighbours: int = 100,
) -> Float[np.ndarray, "queries candidates"]:
    """Similarity less what each candidate has with its nearest training queries, so that hubs are not near to everything.

    See :func:`bridge.retrieve.hubs.hubness`.

    Args:
        similarity: Cosine of held-out queries and candidates.
        bank: Unit vectors of training queries.
        candidates: Unit vectors of the candidates.
        neighbours: Nearest training queries that are averaged; all where there are fewer.
    """
    return 2 * similarity - hubness(bank, candidates, neighbours)


def bootstrap_interval(
    values: Float[np.ndarray, " samples"], groups: Sequence | np.ndarray | None = None, *, resamples: int = 1000, seed: int = 0
) -> tuple[float | None, float | None]:
    """95 % percentile interval of the mean, whole groups drawn with replacement; (None, None) below two groups or without resamples.

    Samples of a group are not independent, so the group is the unit that is drawn.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; Field and Welsh, JRSS B 2007 (clusters).
    """
    sums, sizes = _group_totals(np.asarray(values, dtype=float), groups)
    if len(sums) < 2 or resamples < 1:
        return None, None
    draws = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
    means = (draws @ sums) / (draws @ sizes)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def paired_difference(
    hits_a: Float[np.ndarray, " samples"],
    hits_b: Float[np.ndarray, " _"],
    groups: Sequence | np.ndarray | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float | None, float | None, float | None]:
    """Mean of a minus mean of b on the same samples, with its 95 % interval over groups: (difference, low, high).

    Both models are judged on the same drawn groups, so what is hard for both does not widen the interval.

    Raises:
        ValueError: a and b are not of the same samples.
    """
    hits_a, hits_b = np.asarray(hits_a, dtype=float), np.asarray(hits_b, dtype=float)
    if hits_a.shape != hits_b.shape:
        raise ValueError(f"paired difference: found {hits_a.shape} and {hits_b.shape} scores; score both models on the same samples")
    difference = hits_a - hits_b
    return _mean(difference), *bootstrap_interval(difference, groups, resamples=resamples, seed=seed)


def _rank_summary(position: np.ndarray, candidates: int) -> dict[str, float | None]:
    median = float(np.median(position)) if len(position) else None
    percentile = _mean((candidates - position) / (candidates - 1)) if candidates > 1 else None
    return {"median_rank": median, "mrr": _mean(1 / position), "mean_percentile": percentile}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _group_totals(values: np.ndarray, groups: Sequence | np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if np.isnan(values).any():
        raise ValueError(f"bootstrap: {int(np.isnan(values).sum())} of {len(values)} scores are NaN, expected numbers; leave undefined samples out")
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"bootstrap, field groups: found {len(groups)} groups for {len(values)} samples; give one group per sample")
    codes = np.unique(groups, return_inverse=True)[1]
    return np.bincount(codes, weights=values), np.bincount(codes)


def _unit_rows(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=float)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def _checked_similarity(similarity: np.ndarray) -> np.ndarray:
    similarity = np.asarray(similarity)
    if similarity.ndim != 2:
        raise ValueError(f"similarity: found shape {similarity.shape}, expected [queries, candidates]")
    if np.isnan(similarity).any():
        rows = int(np.isnan(similarity).any(axis=1).sum())
        raise ValueError(f"similarity: NaN in {rows} of {len(similarity)} queries, expected numbers; leave samples without the modality out")
    return similarity


def _check_target(target: np.ndarray, shape: tuple[int, int]) -> None:
    if target.shape != (shape[0],) or (len(target) and not 0 <= target.min() <= target.max() < shape[1]):
        raise ValueError(
            f"retrieval target: found {target.shape[0]} targets up to {target.max(initial=0)} for {shape[0]} queries and {shape[1]} candidates; "
            "give the column of the right candidate of each query"
        )
