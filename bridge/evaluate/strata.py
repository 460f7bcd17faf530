"""Retrieval inside strata (one site, one year, one chromosome): what is left of a score when a confound cannot help.

A gallery of one stratum is smaller than the whole one, and that alone raises recall. So the same queries are also
scored against galleries of the same sizes drawn from all candidates; only what differs from that is the confound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.stats import hypergeom

from bridge.evaluate.retrieval import bootstrap_interval, paired_difference, ranks

#: A numeric column with more values than this is cut at quantiles.
MOST_STRATA = 30

#: Code of a sample whose stratum is not known.
UNKNOWN = -1


def within_strata(
    similarity: Float[np.ndarray, "samples samples"],
    strata: Sequence | np.ndarray | pd.Series,
    groups: Sequence | np.ndarray | None = None,
    k: int = 10,
    *,
    bins: int = 5,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Recall at k inside strata, beside the pooled recall and the recall in galleries of the same sizes; query i belongs to candidate i.

    All figures are of the same queries: those in strata of more than k samples. Each figure has ``_low`` and ``_high``,
    its 95 % interval over groups.
    ``pooled``: against all candidates. ``matched``: against the right candidate and as many others, drawn from all, as
    the stratum has; the exact mean over all such draws. ``within``: against the candidates of the query's stratum.
    ``confound_share``: matched minus within, paired; above 0 where the pooled score feeds on what the stratum tells,
    below 0 where a stratum is easier to search than a mixture.
    ``chance_pooled`` and ``chance`` (within and matched): k / candidates, averaged over queries.
    Counts: ``n`` queries, ``strata``, ``candidates`` (mean size of a gallery inside a stratum), ``candidates_smallest``,
    ``candidates_largest``, ``candidates_pooled``; ``left_out_strata`` of k samples or fewer with their
    ``left_out`` samples, and ``unknown`` samples without a stratum (they stay candidates of the pooled galleries).
    None means undefined: no stratum is large enough, or fewer than two groups for an interval.

    Args:
        similarity: Higher is more alike; NaN is not allowed.
        strata: Stratum of each sample, as for :func:`strata_of`.
        groups: Group of each sample; whole groups are drawn in the bootstrap.
        k: Cut-off.
        bins: As for :func:`strata_of`.
        resamples: Bootstrap resamples; 0 leaves the intervals out.
        seed: Of the bootstrap.

    Raises:
        ValueError: the matrix is not square, has NaN, or strata or groups are not one per sample.
    """
    codes = strata_of(strata, bins)
    _check(similarity, codes, k)
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    kept = (codes >= 0) & (sizes[codes] > k)
    place = _counts(codes, sizes, kept, k)
    chosen = np.flatnonzero(kept)
    hits = {
        "pooled": (ranks(similarity)[chosen] <= k).astype(float),
        "matched": _hits_in_draws(similarity, chosen, sizes[codes[chosen]], k),
        "within": _hits_inside(similarity, codes, chosen, k),
    }
    of_groups = None if groups is None else np.asarray(groups)[chosen]
    return place | _figures(hits, of_groups if len(chosen) else None, resamples, seed)


def strata_of(values: Sequence | np.ndarray | pd.Series, bins: int = 5) -> Int[np.ndarray, " samples"]:
    """Stratum number of each sample, -1 where it is not known (missing or empty).

    Every value is a stratum of its own; a numeric column of more than 30 different values is cut at its quantiles.

    Args:
        values: One per sample: names, numbers, or numbers written as text.
        bins: Parts of a numeric column, of about equal size; fewer where values are equal.
    """
    column = pd.Series(np.asarray(values))
    known = column.notna() & (column.astype(str).str.strip() != "")
    numbers = pd.to_numeric(column[known], errors="coerce")
    if numbers.notna().all() and numbers.nunique() > MOST_STRATA:
        found = pd.qcut(numbers, bins, labels=False, duplicates="drop").to_numpy()
    else:
        found = pd.factorize(column[known].astype(str).str.strip())[0]
    codes = np.full(len(column), UNKNOWN)
    codes[known.to_numpy()] = found
    return codes


def _counts(codes: Int[np.ndarray, " samples"], sizes: Int[np.ndarray, " strata"], kept: Bool[np.ndarray, " samples"], k: int) -> dict[str, float | int | None]:
    galleries = sizes[codes[kept]]
    small = sizes[(sizes > 0) & (sizes <= k)]
    counts = {"n": int(kept.sum()), "strata": int((sizes > k).sum()), "left_out_strata": len(small), "left_out": int(small.sum())}
    counts |= {"unknown": int((codes < 0).sum()), "k": k, "candidates_pooled": len(codes)}
    if not len(galleries):
        return counts | dict.fromkeys(("candidates", "candidates_smallest", "candidates_largest", "chance", "chance_pooled"))
    counts |= {"candidates": float(galleries.mean()), "candidates_smallest": int(galleries.min()), "candidates_largest": int(galleries.max())}
    return counts | {"chance": float((k / galleries).mean()), "chance_pooled": k / len(codes)}


def _hits_inside(similarity: np.ndarray, codes: Int[np.ndarray, " samples"], chosen: Int[np.ndarray, " queries"], k: int) -> Float[np.ndarray, " queries"]:
    hits = np.zeros(len(codes))
    for code in np.unique(codes[chosen]):
        inside = np.flatnonzero(codes == code)
        hits[inside] = ranks(similarity[np.ix_(inside, inside)]) <= k
    return hits[chosen]


def _hits_in_draws(similarity: np.ndarray, chosen: Int[np.ndarray, " queries"], sizes: Int[np.ndarray, " queries"], k: int) -> Float[np.ndarray, " queries"]:
    """Chance that the right candidate is in the first k of a gallery of ``sizes`` drawn without replacement from all candidates.

    Of the others drawn, X are better and Y equal; the rank X + 1 + Y / 2 is at most k, so X and Y are counted by the
    hypergeometric distribution instead of being drawn.
    """
    right = similarity[chosen, chosen][:, None]
    better, equal = (similarity[chosen] > right).sum(axis=1), (similarity[chosen] == right).sum(axis=1) - 1
    others, drawn, hits = similarity.shape[1] - 1, sizes - 1, np.zeros(len(chosen))
    for ahead in range(k):
        rest = np.clip(drawn - ahead, 0, others - better)  # outside these bounds the share is 0
        share = hypergeom.pmf(ahead, others, better, drawn)
        hits += share * hypergeom.cdf(2 * (k - 1 - ahead), np.maximum(others - better, 1), equal, rest)
    return np.clip(hits, 0.0, 1.0)


def _figures(hits: dict[str, np.ndarray], groups: np.ndarray | None, resamples: int, seed: int) -> dict[str, float | None]:
    figures = {}
    for name, found in hits.items():
        low, high = bootstrap_interval(found, groups, resamples=resamples, seed=seed)
        figures |= {name: float(found.mean()) if len(found) else None, f"{name}_low": low, f"{name}_high": high}
    share, low, high = paired_difference(hits["matched"], hits["within"], groups, resamples=resamples, seed=seed)
    return figures | {"confound_share": share, "confound_share_low": low, "confound_share_high": high}


def _check(similarity: np.ndarray, codes: np.ndarray, k: int) -> None:
    if similarity.shape != (len(codes), len(codes)):
        raise ValueError(f"strata: found {len(codes)} strata for a similarity of {similarity.shape}, expected one per sample of a square matrix")
    if k < 1:
        raise ValueError(f"strata, field k: found {k}, expected at least 1")
