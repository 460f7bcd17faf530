"""The baseline ladder: every method scores the same queries against the same candidates; neighbours are compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bridge.benchmark.ladder_figure import ladder_bars
from bridge.benchmark.results import OURS, Record
from bridge.evaluate.retrieval import paired_difference, ranks, retrieval_scores

KS = 1, 5, 10, 100
PERMUTATIONS = 2000


class Rung(NamedTuple):
    """One method's similarities of test queries (rows) and candidates (columns), sample i with sample i."""

    method: str
    similarity: Float[np.ndarray, "queries candidates"]


def climb(
    record: Record, direction: str, rungs: Sequence[Rung], groups: np.ndarray | None = None, *, k: int = 10, split: str = "test", verdict: bool = True
) -> None:
    """Put a ladder into the record: every rung's scores, the step to the rung below it, and what it means for the bridge.

    The permutation p of a rung is the share of random assignments of candidates to queries whose recall is at least as
    high, the right one counted.

    Args:
        record: Of the run.
        direction: ``query->candidates``.
        rungs: From the lowest to the bridge; a method that cannot be made for these data is left out by the caller.
        groups: Group of each query; whole groups are drawn in the bootstrap.
        k: Cut-off of the comparison.
        split: Split that is scored.
        verdict: Say whether the bridge is justified; not for transfer tests or controls.
    """
    hits = {}
    for method, similarity in rungs:
        scores = retrieval_scores(similarity, groups, ks=KS, seed=record.seed)
        hits[method] = (ranks(similarity) <= k).astype(float)
        _rows(record, direction, method, scores, permutation_p(similarity, k=k, seed=record.seed), split)
    queries, candidates = rungs[0].similarity.shape
    record.row(f"r{k}", "chance", k / candidates if candidates >= k else None, n=queries, direction=direction, candidates=candidates, split=split)
    heading = f"Ladder: {direction}" if split == "test" else f"Ladder: {direction}, {split}"
    record.table(heading, ("step", f"difference in R@{k}", "95 % interval, paired over groups"), _steps(hits, groups, record.seed))
    rows = [row for row in record.rows if row.direction == direction and row.split == split and row.metric == f"r{k}"]
    ladder_bars(rows, record.figure(heading, f"ladder_{direction.replace('->', '_')}_{split}"), metric=f"r{k}")
    if verdict and any(method.startswith(OURS) for method in hits):
        record.words("Verdict", justified(direction, hits, groups, k=k, seed=record.seed))


def justified(direction: str, hits: Mapping[str, Float[np.ndarray, " queries"]], groups: np.ndarray | None, *, k: int = 10, seed: int = 0) -> str:
    """Is the bridge worth its place on these data? In words, against its best baseline, with the interval."""
    baselines = {method: found for method, found in hits.items() if not method.startswith(OURS)}
    best = max(baselines, key=lambda method: baselines[method].mean())
    ours = max((method for method in hits if method.startswith(OURS)), key=lambda method: hits[method].mean())
    difference, low, high = paired_difference(hits[ours], baselines[best], groups, seed=seed)
    measured = f"{ours} {hits[ours].mean():.3f}, best baseline ({best}) {baselines[best].mean():.3f}: R@{k} differs by {difference:+.3f}"
    interval = "interval undefined" if low is None else f"95 % {low:+.3f} to {high:+.3f}"
    return f"{direction}: bridge justified on this data: {_verdict(low, high)} {measured} ({interval}, n = {len(hits[ours])})."


def permutation_p(similarity: Float[np.ndarray, "queries candidates"], *, k: int = 10, seed: int = 0) -> float | None:
    """p of the held-out recall at k under random assignments of candidates to queries; None below three queries.

    Source: Phipson and Smyth, SAGMB 2010 (why 1 is added above and below).
    """
    n = len(similarity)
    if n < 3 or similarity.shape[1] < k:
        return None
    order = np.sort(similarity, axis=1)[:, ::-1]
    among = similarity >= order[:, k - 1 : k]
    random, rows = np.random.default_rng(seed), np.arange(n)
    right = among[rows, rows].sum()
    as_good = sum(among[rows, random.permutation(n)].sum() >= right for _ in range(PERMUTATIONS))
    return float((1 + as_good) / (1 + PERMUTATIONS))


def _rows(record: Record, direction: str, method: str, scores: dict, p: float | None, split: str) -> None:
    place = {"n": scores["n"], "candidates": scores["candidates"], "direction": direction, "split": split}
    for k in KS:
        record.row(f"r{k}", method, scores[f"r{k}"], low=scores[f"r{k}_low"], high=scores[f"r{k}_high"], p=p if k == 10 else None, **place)
    record.row("mean_percentile", method, scores["mean_percentile"], **place)
    record.row("mrr", method, scores["mrr"], **place)


def _steps(hits: Mapping[str, np.ndarray], groups: np.ndarray | None, seed: int) -> list[tuple[str, str, str]]:
    """Each rung less the one below it, on the same samples."""
    steps = []
    for below, method in zip(list(hits), list(hits)[1:], strict=False):
        difference, low, high = paired_difference(hits[method], hits[below], groups, seed=seed)
        interval = "undefined" if low is None else f"{low:+.3f} to {high:+.3f}"
        steps.append((f"{method} over {below}", f"{difference:+.3f}", interval))
    return steps


def _verdict(low: float | None, high: float | None) -> str:
    if low is None:
        return "undecided."
    return "yes." if low > 0 else "no, it is worse." if high < 0 else "no, not by more than chance."
