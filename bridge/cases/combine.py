"""Several rankers as one: reciprocal ranks added, or weights fitted on training cases; which of them is chosen on validation cases."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize

from bridge.cases.case import Case
from bridge.cases.rank import BY_TERMS, CONSTANT, RANKERS, Evidence, Rankers, positions, targets_of

FUSION, FITTED = "reciprocal-rank fusion", "fitted combination"
LINKED = "linked to the gene"
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
NEAREST, DRAWN = 20, 40  # candidates a case is fitted against: the best of each ranker, and random ones
BLOCK = 250

#: Evidence to a score per case and candidate.
Model = Callable[[Evidence], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Combination:
    """Weights of features; the score of a candidate is their weighted sum.

    Args:
        features: Their names, see :func:`features`.
        weights: One each.
    """

    features: tuple[str, ...]
    weights: Float[np.ndarray, " features"]

    def scores(self, evidence: Evidence) -> Float[np.ndarray, "cases candidates"]:
        """Log-odds of each candidate, up to a constant per case."""
        found = features(evidence)
        return sum(weight * found[name] for name, weight in zip(self.features, self.weights, strict=True))


def features(evidence: Evidence) -> dict[str, Float[np.ndarray, "cases candidates"]]:
    """Every ranker standardised over the candidates of a case, its reciprocal rank, and the gene's links where it is given.

    How much is annotated of a candidate is no feature: a disease whose annotations were taken out would stand out by having none.
    By its terms such a disease is as likely as one of middling score: nothing is known for it or against it.
    """
    found, annotated = {}, evidence.annotated
    for name, scores in evidence.scores.items():
        known = scores[:, annotated] if name in BY_TERMS else scores
        middle, spread = known.mean(axis=1, keepdims=True), known.std(axis=1, keepdims=True)
        standard = (scores - middle) / np.where(spread > 0, spread, 1.0)
        found[name] = np.where(annotated, standard, 0.0) if name in BY_TERMS else standard
        found[f"{name}, rank"] = CONSTANT * evidence.reciprocal[name]
    return found if evidence.linked is None else found | {LINKED: evidence.linked.toarray()}


def models(found: Choices, *, gene: bool) -> dict[str, list[Model]]:
    """Every way to rank, by its name: one of its kind, of the fitted combination one per penalty, with and without the cases of whose disease nothing is left.

    Args:
        found: What the combination is fitted to.
        gene: Fit the weight of the gene's links too.
    """
    ways: dict[str, list[Model]] = {name: [functools.partial(Evidence.ranked, ranker=name)] for name in RANKERS}
    shown = found if gene else found.only([name for name in found.names if name != LINKED])
    return ways | {FUSION: [fused], FITTED: [fit(part, penalty).scores for part in (shown, shown.with_known()) for penalty in PENALTIES]}


def chosen(ways: Mapping[str, Sequence[Model]], evidence: Evidence, targets: Sequence[int | None]) -> dict[str, tuple[Model, float]]:
    """Of each kind the model with the largest mean reciprocal rank on validation cases, and that figure."""
    found = {}
    for name, some in ways.items():
        figures = [reciprocal_rank(model(evidence), targets) for model in some]
        best = int(np.argmax(figures))
        found[name] = (some[best], figures[best])
    return found


def fused(evidence: Evidence) -> Float[np.ndarray, "cases candidates"]:
    """Sum over rankers of 1 / (60 + rank), the gene's diseases first where it is given. Source: Cormack et al., SIGIR 2009."""
    return evidence.ordered(sum(evidence.reciprocal.values()))


@dataclasses.dataclass(frozen=True)
class Choices:
    """Lists of candidates, of which the first is right.

    Args:
        names: Of the features, those of the gene last.
        rows: Candidates of all lists, one list after the other.
        starts: Row at which each list starts.
        weights: Of each list.
        annotated: Whether anything is known of the right one of each list.
    """

    names: tuple[str, ...]
    rows: Float[np.ndarray, "rows features"]
    starts: Int[np.ndarray, " lists"]
    weights: Float[np.ndarray, " lists"]
    annotated: Bool[np.ndarray, " lists"]

    def only(self, names: Sequence[str]) -> Choices:
        """With these features alone."""
        return dataclasses.replace(self, names=tuple(names), rows=self.rows[:, [self.names.index(name) for name in names]])

    def with_known(self) -> Choices:
        """The same, where lists of whose right one nothing is known count for nothing; as it is where that is all of them."""
        return dataclasses.replace(self, weights=self.weights * self.annotated) if self.annotated.any() else self


def choices(rankers: Rankers, cases: Sequence[Case], seed: int = 0) -> Choices:
    """What a combination is fitted to; every gene weighs the same.

    Args:
        rankers: Over knowledge without the publications of these cases, as it will be without those of the cases it is asked about.
        cases: Of training; those whose disease is no candidate are left out.
        seed: Of the random candidates.

    Raises:
        ValueError: no case is left.
    """
    targets = targets_of(cases, rankers.profiles)
    known = [(case, target) for case, target in zip(cases, targets, strict=True) if target is not None]
    if not known:
        raise ValueError(f"combination: found {len(cases)} training cases and no disease of theirs among the candidates; give more cases")
    share = Counter(case.unit for case, _ in known)
    names, lists, random = (), [], np.random.default_rng(seed)
    for start in range(0, len(known), BLOCK):
        part = known[start : start + BLOCK]
        shown = [case for case, _ in part]
        evidence = rankers.with_gene(rankers.evidence(shown), shown)
        every = features(evidence)
        names = tuple(every)
        against = [_against(evidence, row, target, random) for row, (_, target) in enumerate(part)]
        lists += [np.stack([each[row, columns] for each in every.values()], axis=1) for row, columns in enumerate(against)]
    weights = np.array([1 / share[case.unit] for case, _ in known])
    starts = np.concatenate([[0], np.cumsum([len(each) for each in lists])[:-1]])
    annotated = np.diff(rankers.profiles.direct.indptr)[[target for _, target in known]] > 0
    return Choices(names, np.concatenate(lists), starts, weights, annotated)


def fit(found: Choices, penalty: float) -> Combination:
    """Weights that make the true disease likeliest in its list (a softmax over each), with a quadratic penalty.

    No weight is below 0: a high score is never held against a candidate, or a disease whose annotations were taken out
    would be found by what it lacks. Source: the listwise loss of Cao et al., ICML 2007 (ListNet, top one).
    """
    sizes = np.diff(np.append(found.starts, len(found.rows)))
    share = found.weights / found.weights.sum()
    spread = np.repeat(share, sizes)
    right = share @ found.rows[found.starts]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        odds = found.rows @ weights
        odds -= np.repeat(np.maximum.reduceat(odds, found.starts), sizes)
        likely = np.exp(odds)
        total = np.add.reduceat(likely, found.starts)
        value = penalty * weights @ weights - share @ (odds[found.starts] - np.log(total))
        return float(value), 2 * penalty * weights - right + (spread * likely / np.repeat(total, sizes)) @ found.rows

    count = len(found.names)
    solved = minimize(loss, np.zeros(count), jac=True, method="L-BFGS-B", bounds=[(0, None)] * count, options={"maxiter": 200})
    return Combination(found.names, solved.x)


def reciprocal_rank(scores: Float[np.ndarray, "cases candidates"], targets: Sequence[int | None]) -> float:
    """Mean of 1 / rank, 0 for a disease that is no candidate."""
    return float(np.mean(1 / positions(scores, targets)))


def _against(evidence: Evidence, row: int, target: int, random: np.random.Generator) -> Int[np.ndarray, " candidates"]:
    """The true disease first, then those it is told from, each once."""
    count = next(iter(evidence.scores.values())).shape[1]
    nearest = [np.argpartition(-scores[row], NEAREST)[:NEAREST] for scores in evidence.scores.values() if count > NEAREST]
    linked = evidence.linked.indices[evidence.linked.indptr[row] : evidence.linked.indptr[row + 1]]
    drawn = random.integers(count, size=DRAWN)
    others = np.unique(np.concatenate([*nearest, linked, drawn]))
    return np.concatenate([[target], others[others != target]]).astype(int)
