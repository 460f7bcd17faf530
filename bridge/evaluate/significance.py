"""Wilcoxon tests over many sets with false-discovery control, only where there are samples enough for any of them to count."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import false_discovery_control, wilcoxon

from bridge.evaluate.retrieval import bootstrap_interval

LEVEL = 0.05


def attainable_p(n: int, tests: int) -> float:
    """The smallest p that a two-sided Wilcoxon signed-rank test of n differences can give a lone finding among so many tests.

    All n differences on one side have p = 2 ** (1 - n); Benjamini and Hochberg multiply the smallest of m by m.
    """
    return min(1.0, max(1, tests) * 2.0 ** (1 - n))


def fewest_samples(tests: int, level: float = LEVEL) -> int:
    """How many samples :func:`attainable_p` needs to come below the level."""
    return next(n for n in range(1, 1100) if attainable_p(n, tests) < level)


def signed_rank(changes: Float[np.ndarray, "samples tests"], tests: int | None = None) -> tuple[list[float | None], list[float | None]]:
    """p of each column and its q; None where the column has too few samples for a q below 0.05, whatever they are.

    Samples without a value (NaN) or without any change (0) are left out of a column (Wilcoxon's own rule).
    Source: Wilcoxon, Biometrics Bulletin 1945; Benjamini and Hochberg, JRSS B 1995.

    Args:
        changes: One row per independent sample.
        tests: How many tests are made in all; the columns when not given.
    """
    tests = tests or changes.shape[1]
    columns = [column[np.isfinite(column) & (column != 0)] for column in changes.T]
    p = [float(wilcoxon(column).pvalue) if attainable_p(len(column), tests) < LEVEL else None for column in columns]
    told = [number for number, value in enumerate(p) if value is not None]
    q: list[float | None] = [None] * len(p)
    if told:
        for number, value in zip(told, false_discovery_control([p[number] for number in told]), strict=True):
            q[number] = float(value)
    return p, q


def effects(changes: Float[np.ndarray, "rows sets"], groups: np.ndarray, names: list[str], *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Mean change per set with its 95 % interval, p and q; rows of a group are averaged first, so that a group counts once.

    Columns: ``set``, ``n`` (groups with a value), ``effect``, ``low``, ``high``, ``p``, ``q``; None where undefined.

    Args:
        changes: Change of each row (a claim) under each set, NaN where the set was not measured.
        groups: Group of each row.
        names: Name of each set.
        resamples: Bootstrap resamples.
        seed: Seed of the bootstrap.
    """
    averaged = group_means(changes, groups)
    p, q = signed_rank(averaged)
    rows = []
    for column, name in enumerate(names):
        values = averaged[np.isfinite(averaged[:, column]), column]
        low, high = bootstrap_interval(values, resamples=resamples, seed=seed)
        rows.append({"set": name, "n": len(values), "effect": float(values.mean()) if len(values) else None, "low": low, "high": high})
    numbers = pd.DataFrame(rows, columns=["set", "n", "effect", "low", "high"]).assign(p=p, q=q)
    return numbers.astype(dict.fromkeys(("effect", "low", "high", "p", "q"), "Float64"))


def group_means(changes: Float[np.ndarray, "rows sets"], groups: np.ndarray) -> Float[np.ndarray, "groups sets"]:
    """Mean of the rows of each group, NaN where none of them has a value."""
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    known = np.isfinite(changes)
    sums, counts = np.zeros((len(names), changes.shape[1])), np.zeros((len(names), changes.shape[1]))
    np.add.at(sums, codes, np.where(known, changes, 0.0))
    np.add.at(counts, codes, known)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
