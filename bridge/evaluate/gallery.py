"""What a gallery's probabilities are worth on samples it has not seen: hits beside chance and beside what is common, and calibration."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit

from bridge.data.cohort import Cohort
from bridge.evaluate.bootstrap import interval_of
from bridge.evaluate.calibration import brier, calibration_error, error_floor, reliability
from bridge.evaluate.discrimination import auroc
from bridge.evaluate.judged import Judged
from bridge.evaluate.retrieval import bootstrap_interval, paired_difference
from bridge.model import SemanticBridge
from bridge.retrieve.embed import cohort_sides
from bridge.retrieve.gallery import View
from bridge.retrieve.items import members, present
from bridge.retrieve.lists import known_lists

#: Candidates that a report shows of a list.
SHOWN = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Searched:
    """One calibrated list, searched for every sample of a split.

    Args:
        chance: Probability of each candidate.
        prior: The same before anything was known of the sample.
        own: Which candidates are the sample's own.
        groups: Group of each sample.
    """

    chance: Float[np.ndarray, "samples candidates"]
    prior: Float[np.ndarray, "samples candidates"]
    own: Bool[np.ndarray, "samples candidates"]
    groups: Int[np.ndarray, " samples"]


def gallery_scores(bridge: SemanticBridge, cohort: Cohort, *, split: str = "test", resamples: int = 200, seed: int = 0) -> list[dict]:
    """Figures of every list that gives probabilities, as rows.

    Keys: ``query``, ``kind``, ``n`` (samples), ``candidates``; of the ``with_own`` samples that have one of the candidates
    ``hit1`` and ``hit10`` (an own one among so many), each with its interval, ``chance_`` (drawn blindly) and ``common_`` (the most
    common first); over all pairs of sample and candidate ``brier``, ``brier_prior`` (probabilities before anything was known) and
    ``brier_gain`` (prior less ours, above 0 is better), ``ece`` and ``ece_floor`` (bins of equal width); ``shown_``: of the five that a
    report shows, their mean probability, the share that is right and the calibration error; ``reliability``: bins of all pairs.
    ``_low`` and ``_high`` are 95 % intervals over groups.

    Args:
        bridge: A bundle with a gallery.
        cohort: The cohort it was trained on.
        split: Split that is scored.
        resamples: Of the bootstrap.
        seed: Of the bootstrap and of the floor.
    """
    rows = cohort.rows(split)
    sides, known = cohort_sides(bridge, cohort, rows), {each.kind: each for each in known_lists(cohort)}
    table = []
    for view in bridge.gallery.views:
        listed = bridge.gallery.lists[view.candidates]
        if view.prior is None or listed.kind not in known:
            continue
        has = np.flatnonzero(present(sides[view.side]))
        own = members(known[listed.kind], rows[has], listed.ids).toarray() > 0
        prior = np.broadcast_to(view.prior.astype(float), own.shape)
        searched = Searched(_chances(view, sides[view.side][has] @ listed.vectors.T), prior, own, cohort.groups[rows[has]])
        about = {"query": view.side, "kind": listed.kind.value, "split": split, "n": len(has), "candidates": len(listed.ids)}
        table.append(about | _hits(searched, seed) | _calibration(searched, resamples, seed) | _shown(searched, resamples, seed))
    return table


def agreement_scores(bridge: SemanticBridge, cohort: Cohort, *, split: str = "test", resamples: int = 200, seed: int = 0) -> list[dict]:
    """How well the cosine of two sides tells pairs of one sample from mismatched ones: area under the ROC curve, 0.5 is chance."""
    rows = cohort.rows(split)
    sides, table = cohort_sides(bridge, cohort, rows), []
    for pairs in bridge.gallery.pairs:
        both = np.logical_and(*(present(sides[side]) for side in pairs.between))
        cosines, groups = sides[pairs.between[0]][both] @ sides[pairs.between[1]][both].T, cohort.groups[rows][both]

        def area(some: np.ndarray, cosines: np.ndarray = cosines, groups: np.ndarray = groups) -> float | None:
            table = cosines[np.ix_(some, some)]
            return auroc(np.diagonal(table), table[groups[some][:, None] != groups[some][None, :]])

        low, high = interval_of(area, groups, resamples=resamples, seed=seed)
        table.append({"between": list(pairs.between), "n": int(both.sum()), "auroc": area(np.arange(both.sum())), "low": low, "high": high})
    return table


def _chances(view: View, cosines: np.ndarray) -> np.ndarray:
    return expit(view.scale * cosines + view.offset)


def _hits(searched: Searched, seed: int) -> dict:
    has = searched.own.any(axis=1)
    own, groups, found = searched.own[has], searched.groups[has], {"with_own": int(has.sum())}
    for k in (1, 10):
        hits, common = _any_own(searched.chance[has], own, k), _any_own(searched.prior[has], own, k)
        low, high = bootstrap_interval(hits, groups, seed=seed)
        found |= {f"hit{k}": _mean(hits), f"hit{k}_low": low, f"hit{k}_high": high, f"common_hit{k}": _mean(common)}
        found[f"chance_hit{k}"] = _mean(_blindly(own.sum(axis=1), own.shape[1], k))
    return found


def _calibration(searched: Searched, resamples: int, seed: int) -> dict:
    ours, before = (np.square(chance - searched.own).mean(axis=1) for chance in (searched.chance, searched.prior))
    low, high = bootstrap_interval(ours, searched.groups, seed=seed)
    gain, gain_low, gain_high = paired_difference(before, ours, searched.groups, seed=seed)
    found = {"brier": brier(_claims(searched)), "brier_low": low, "brier_high": high, "brier_prior": _mean(before)}
    found |= {"brier_gain": gain, "brier_gain_low": gain_low, "brier_gain_high": gain_high}
    low, high = interval_of(lambda some: _error(_claims(searched, some)), searched.groups, resamples=resamples, seed=seed)
    found |= {"ece": _error(_claims(searched)), "ece_low": low, "ece_high": high}
    found["ece_floor"] = error_floor(_claims(searched), equal="width", draws=20, seed=seed)
    return found | {"reliability": [each._asdict() for each in reliability(_claims(searched), equal="width")]}


def _shown(searched: Searched, resamples: int, seed: int) -> dict:
    """Of the candidates that a reader sees."""
    top = np.argsort(-searched.chance, axis=1, kind="stable")[:, :SHOWN]
    shown = dataclasses.replace(searched, **{name: np.take_along_axis(getattr(searched, name), top, axis=1) for name in ("chance", "prior", "own")})
    low, high = interval_of(lambda some: _error(_claims(shown, some)), shown.groups, resamples=resamples, seed=seed)
    right_low, right_high = bootstrap_interval(shown.own.mean(axis=1), shown.groups, seed=seed)
    right = {"shown_right": float(shown.own.mean()), "shown_right_low": right_low, "shown_right_high": right_high}
    return right | {"shown_probability": float(shown.chance.mean()), "shown_ece": _error(_claims(shown)), "shown_ece_low": low, "shown_ece_high": high}


def _claims(searched: Searched, some: np.ndarray | slice = slice(None)) -> Judged:
    own = searched.own[some]
    return Judged(searched.chance[some].ravel(), own.ravel(), np.repeat(searched.groups[some], own.shape[1]))


def _error(claims: Judged) -> float | None:
    return calibration_error(claims, equal="width")


def _any_own(scores: np.ndarray, own: np.ndarray, k: int) -> np.ndarray:
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(own, top, axis=1).any(axis=1).astype(float)


def _blindly(own: np.ndarray, candidates: int, k: int) -> np.ndarray:
    """Chance that at least one of k candidates drawn without looking is an own one."""
    drawn = np.arange(min(k, candidates))
    return 1 - np.prod(np.clip(1 - own[:, None] / (candidates - drawn), 0, 1), axis=1)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
