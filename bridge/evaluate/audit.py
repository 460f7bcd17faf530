"""Does a text depend on its input? Own truth against other samples' truth, and real against changed prefixes.

In every function fewer than two samples give None, which means undefined.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import binomtest

from bridge.evaluate.retrieval import CONFIDENCE, bootstrap_interval


def permutation_p(
    scores: Float[np.ndarray, "texts truths"], groups: Sequence | np.ndarray | None = None, *, resamples: int = 10_000, seed: int = 0
) -> dict[str, float | int | None]:
    """Texts scored against their own truth and against the truth of the other samples.

    ``real`` is the mean of the diagonal, ``shuffled`` the mean over texts of what each scores against the other
    truths, ``difference`` real minus shuffled with its 95 % bootstrap interval over groups (``low``, ``high``), ``p``
    the share of random assignments of truths to texts that score at least as well as the right one, one-sided, the
    right one counted. A text that does not depend on its input has a difference of about 0 however well it scores.
    Source: Phipson and Smyth, SAGMB 2010, equation 2 (why 1 is added above and below).

    Args:
        scores: Score of text i against truth j; NaN where text i states nothing that truth j can tell. A sample whose
            own score is NaN, or whose text no other truth can tell, is left out and counted in ``left_out``.
        groups: Group of each sample, for the interval.
        resamples: Random assignments, and bootstrap resamples.
        seed: Seed of both.

    Raises:
        ValueError: the matrix is not square, or a score is infinite.
    """
    scores, kept = _comparable(scores)
    n, left_out = len(scores), len(kept) - len(scores)
    if n < 2:
        return {"n": n, "left_out": left_out} | dict.fromkeys(("real", "shuffled", "difference", "low", "high", "p"))
    own, others = np.diagonal(scores), np.nanmean(np.where(np.eye(n, dtype=bool), np.nan, scores), axis=1)
    low, high = bootstrap_interval(own - others, None if groups is None else np.asarray(groups)[kept], resamples=resamples, seed=seed)
    real, shuffled = float(own.mean()), float(others.mean())
    p = _share_as_good(scores, resamples, seed)
    return {"n": n, "left_out": left_out, "real": real, "shuffled": shuffled, "difference": real - shuffled, "low": low, "high": high, "p": p}


def share_better(
    nll_true: Float[np.ndarray, " samples"], nll_other: Float[np.ndarray, " _"], groups: Sequence | np.ndarray | None = None
) -> dict[str, float | int | None]:
    """Share of samples whose text is more likely (lower NLL) under their own input than under another.

    ``n``, ``share``, ``low``, ``high`` (Wilson), ``ties`` (equal NLL: not better; left out of the test), ``p`` (sign test).
    Samples of a group are averaged first, so that what is counted is independent; ``n`` is then the number of groups.

    Args:
        nll_true: Negative log-likelihood of the text given the real prefix, nats per token or per text.
        nll_other: The same given a zeroed, shuffled or swapped prefix.
        groups: Group of each sample.

    Raises:
        ValueError: the two are not of the same samples, or not finite.
    """
    gain = _checked_gain(nll_true, nll_other)
    if groups is not None and len(gain):
        codes = np.unique(np.asarray(groups), return_inverse=True)[1]
        gain = np.bincount(codes, weights=gain) / np.bincount(codes)
    n, better, ties = len(gain), int((gain > 0).sum()), int((gain == 0).sum())
    low, high = wilson(better, n)
    share = better / n if n >= 2 else None
    return {"n": n, "share": share, "low": low, "high": high, "ties": ties, "p": sign_test(better, n - ties)}


def wilson(successes: int, n: int) -> tuple[float | None, float | None]:
    """95 % interval of a share of independent samples. Source: Wilson, JASA 1927."""
    _check_count(successes, n)
    if n < 2:
        return None, None
    interval = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def sign_test(successes: int, n: int) -> float | None:
    """One-sided exact p of at least this many successes where either sign is as likely; leave ties out of n.

    Source: Dixon and Mood, JASA 1946.
    """
    _check_count(successes, n)
    return float(binomtest(successes, n, 0.5, alternative="greater").pvalue) if n >= 2 else None


def _share_as_good(scores: np.ndarray, resamples: int, seed: int) -> float:
    random, rows = np.random.default_rng(seed), np.arange(len(scores))
    orders = (random.permutation(len(scores)) for _ in range(resamples))
    reached = np.array([_defined_mean(scores[rows, order]) for order in orders])
    # The same numbers summed in another order differ in the last digits: such an assignment is as good, not worse.
    as_good = int((reached >= _defined_mean(scores[rows, rows]) - 1e-12 * (1 + np.nanmax(np.abs(scores)))).sum())
    return (1 + as_good) / (1 + resamples)


def _defined_mean(scores: np.ndarray) -> float:
    """Mean without NaN; an assignment in which nothing is defined counts as good, which can only raise p."""
    defined = scores[~np.isnan(scores)]
    return defined.mean() if len(defined) else np.inf


def _comparable(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the samples that have an own score and another, and which samples these are."""
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise ValueError(f"audit scores: found shape {scores.shape}, expected [texts, truths] with as many texts as truths, text i made from sample i")
    if np.isinf(scores).any():
        raise ValueError(f"audit scores: {int(np.isinf(scores).sum())} are infinite, expected numbers, or NaN where undefined; check how texts are scored")
    kept = np.isfinite(np.diagonal(scores))
    while True:
        inside = np.isfinite(scores) & kept & ~np.eye(len(scores), dtype=bool)
        comparable = kept & inside.any(axis=1)
        if (comparable == kept).all():
            return scores[np.ix_(kept, kept)], kept
        kept = comparable


def _checked_gain(nll_true: np.ndarray, nll_other: np.ndarray) -> np.ndarray:
    nll_true, nll_other = np.asarray(nll_true, dtype=float), np.asarray(nll_other, dtype=float)
    if nll_true.ndim != 1 or nll_true.shape != nll_other.shape:
        raise ValueError(f"audit NLL: found shapes {nll_true.shape} and {nll_other.shape}, expected one number per sample in both")
    gain = nll_other - nll_true
    if not np.isfinite(gain).all():
        raise ValueError(f"audit NLL: {int((~np.isfinite(gain)).sum())} of {len(gain)} samples are not finite; find out why before comparing")
    return gain


def _check_count(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"share: found {successes} successes of {n}, expected 0 to {n}")
