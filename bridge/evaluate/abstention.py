"""What is gained by saying less: risk among the claims that are kept, over how many are kept, and where to stop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bridge.evaluate.judged import Judged
from bridge.evaluate.retrieval import bootstrap_interval

#: A threshold is chosen only where it keeps at least this many claims: the risk of a handful says nothing.
FEWEST = 20


class RiskCoverage(NamedTuple):
    """One point per distinct confidence, from the highest down: all claims with at least this confidence are kept."""

    coverage: Float[np.ndarray, " thresholds"]
    risk: Float[np.ndarray, " thresholds"]
    threshold: Float[np.ndarray, " thresholds"]


def risk_coverage(claims: Judged) -> RiskCoverage:
    """Share of wrong claims among those kept, over the share kept; claims of one confidence are kept or withheld together.

    Source: El-Yaniv and Wiener, JMLR 2010; Geifman and El-Yaniv, NeurIPS 2017.
    """
    levels, place, counts = np.unique(-claims.confidence, return_inverse=True, return_counts=True)
    wrong, kept = np.bincount(place, weights=~claims.correct, minlength=len(levels)).cumsum(), counts.cumsum()
    return RiskCoverage(kept / max(1, len(claims)), wrong / kept, -levels)


def area_under_risk_coverage(claims: Judged) -> float | None:
    """Mean risk over the coverages 1/n, 2/n ... 1; lower is better, a confidence without information gives the error rate.

    Claims of one confidence stand in a random order; the mean over all such orders is taken, so the order in which
    they are given does not count. None without claims. Source: Geifman, Uziel and El-Yaniv, ICLR 2019.
    """
    if not len(claims):
        return None
    curve = risk_coverage(claims)
    kept = curve.coverage * len(claims)
    count = np.arange(1, len(claims) + 1)
    wrong = np.interp(count, np.concatenate([[0.0], kept]), np.concatenate([[0.0], curve.risk * kept]))
    return float((wrong / count).mean())


def best_area(claims: Judged) -> float | None:
    """The smallest area these claims allow: every right claim stands before every wrong one."""
    return area_under_risk_coverage(Judged(claims.correct.astype(float), claims.correct, claims.groups))


def abstention_threshold(validation: Judged, risk: float = 0.1, fewest: int = FEWEST) -> float | None:
    """The lowest confidence at which the claims kept are wrong at most this often; None where no threshold reaches it.

    It is chosen on validation claims alone; the risk on other claims is to be measured with :func:`selective`.

    Args:
        validation: Claims of the validation split.
        risk: Accepted share of wrong claims among those kept, 0..1.
        fewest: Claims a threshold must keep.
    """
    curve = risk_coverage(validation)
    good = np.flatnonzero((curve.risk <= risk) & (np.rint(curve.coverage * len(validation)) >= fewest))
    return float(curve.threshold[good[-1]]) if len(good) else None


def selective(claims: Judged, threshold: float | None, *, resamples: int = 1000, seed: int = 0) -> dict[str, float | int | None]:
    """Coverage and risk when claims below a threshold are withheld, with 95 % intervals over groups.

    Keys: ``n``, ``kept``, ``coverage``, ``coverage_low``, ``coverage_high``, ``risk``, ``low``, ``high`` (of the risk).
    None means undefined: no claims, none kept, or fewer than two groups for an interval.

    Args:
        claims: Claims on which nothing was chosen.
        threshold: From :func:`abstention_threshold`; None withholds all.
        resamples: Bootstrap resamples.
        seed: Seed of the bootstrap.
    """
    kept = np.zeros(len(claims), dtype=bool) if threshold is None else claims.confidence >= threshold
    told = claims.take(kept)
    interval = {"resamples": resamples, "seed": seed}
    coverage = bootstrap_interval(kept.astype(float), claims.groups, **interval)
    low, high = bootstrap_interval((~told.correct).astype(float), told.groups, **interval)
    found = {"n": len(claims), "kept": len(told), "coverage": float(kept.mean()) if len(claims) else None}
    risk = float((~told.correct).mean()) if len(told) else None
    return found | {"coverage_low": coverage[0], "coverage_high": coverage[1], "risk": risk, "low": low, "high": high}
