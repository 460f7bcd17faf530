"""Are the facts in generated texts true of their sample, and of no other? Score matrices for the audit.

Every text is scored against the truth of every sample. The diagonal is the precision; the rest is the same texts
against other samples' truth, which is what a text that ignores its input would score. Each text is parsed once, and
everything after that is products of boolean matrices.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from bridge.language.subject import NAMED
from bridge.report.claims.lexicon import key
from bridge.report.claims.parse import claims_in
from bridge.report.schema import Claim, Direction, Verdict

_ENDS = (Direction.HIGHER, Direction.LOWER)


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """Texts against truths; text i was written about sample i.

    Args:
        share: Share of what text i names that is true of sample j; NaN where it names nothing that the truth of j tells.
        named: How many different known things each text names.
        contradiction: Share of what text i names that its own sample contradicts; NaN as above.
        outside: Share of what text i names that the input has no name for, such as a region of another atlas; NaN as above.
        expected: How many known things a text should name at least.
    """

    share: Float[np.ndarray, "texts truths"]
    named: Int[np.ndarray, " texts"]
    contradiction: Float[np.ndarray, " texts"]
    outside: Float[np.ndarray, " texts"]
    expected: int


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """What each sample tells of each thing a text may name.

    Args:
        things: Things in the order of the columns: (direction or fact column, name).
        right: True of the sample.
        wrong: Contradicted by the sample.
        told: The sample tells anything of this kind; where it does not, naming it is neither right nor wrong.
    """

    things: list[tuple[str, str]]
    right: Bool[np.ndarray, "truths things"]
    wrong: Bool[np.ndarray, "truths things"]
    told: dict[str, Bool[np.ndarray, " truths"]]


def region_scores(texts: Sequence[str], values: Float[np.ndarray, "truths regions"], names: Sequence[str], k: int = NAMED) -> Scores:
    """Named regions that are among the true k highest (lowest, as the text says) of all measured regions.

    A name the atlas does not have counts as named and wrong. Equal values share a rank. Contradicted means outside
    the highest (lowest) third, as in ``bridge.report.verify``. Comparisons are not scored.

    Args:
        texts: Raw generations, before any gate.
        values: Values the ranks are taken from, NaN where not measured; row i is the truth of text i.
        names: Region names.
        k: How many regions at either end are right; n // 2 where fewer than 2 k are measured.
    """
    parsed = [claims_in(text, {"map": names}, {}) for text in texts]
    claims = [[(claim.direction.value, claim) for claim in found if claim.direction in _ENDS and claim.than is None] for found in parsed]
    return _scores(claims, _map_truth(np.asarray(values), names, k), expected=k)


def phenotype_scores(
    texts: Sequence[str], facts: Sequence[Mapping[str, Sequence[str]]], vocabulary: Mapping[str, Sequence[str]], names: Sequence[str] = ()
) -> Scores:
    """Named facts (organ systems, inheritance) that are listed for the sample.

    A fact column without items for a sample is unknown there: what a text says of it is not counted against that
    sample. An item outside the vocabulary counts as named and wrong. What a text denies is not named.

    Args:
        texts: Raw generations, before any gate.
        facts: Fact column to known items, per sample; entry i is the truth of text i.
        vocabulary: Fact column to all its items.
        names: Region names, so that "left frontal eye field" does not name the eye.
    """
    parsed = [claims_in(text, {"map": names} if names else {}, vocabulary) for text in texts]
    claims = [[(claim.attribute, claim) for claim in found if claim.direction is Direction.PRESENT] for found in parsed]
    return _scores(claims, _fact_truth(facts, vocabulary), expected=1)


def summary(scores: Scores) -> dict[str, float | int | None]:
    """The figures of a report audit; None is "undefined" (nothing to average).

    ``precision`` is the mean share against the text's own sample, ``shuffled`` against all others. Both leave out
    texts that name nothing, which are counted in ``silent``; ``n`` is how many are left.
    """
    own = np.diagonal(scores.share)
    other = scores.share[~np.eye(len(own), dtype=bool)]
    return {
        "n": int(np.isfinite(own).sum()),
        "silent": int(np.isnan(own).sum()),
        "fewer_than_expected": int((scores.named < scores.expected).sum()),
        "precision": _mean(own),
        "shuffled": _mean(other),
        "named_per_report": _mean(scores.named),
        "contradiction_rate": _mean(scores.contradiction),
        "not_in_input_rate": _mean(scores.outside),
    }


def _map_truth(values: Float[np.ndarray, "truths regions"], names: Sequence[str], k: int) -> Truth:
    measured = np.isfinite(values)
    count = measured.sum(axis=1, keepdims=True)
    contrast = np.where(measured, values, -np.inf).max(axis=1) > np.where(measured, values, np.inf).min(axis=1)
    beyond = np.concatenate([_beyond(values), _beyond(-values)], axis=1)
    ends = np.tile(measured & contrast[:, None], 2)
    right = ends & (beyond < np.minimum(k, count // 2))
    wrong = ends & ~right & (beyond >= -(-count // 3))
    things = [(direction.value, name) for direction in _ENDS for name in names]
    return Truth(things, right, wrong, {direction.value: contrast for direction in _ENDS})


def _beyond(values: Float[np.ndarray, "truths regions"]) -> Int[np.ndarray, "truths regions"]:
    """How many measured regions of the same row are strictly higher."""
    return np.array([(row[None, :] > row[:, None]).sum(axis=1) for row in values], dtype=int).reshape(values.shape)


def _fact_truth(facts: Sequence[Mapping[str, Sequence[str]]], vocabulary: Mapping[str, Sequence[str]]) -> Truth:
    things = [(column, item) for column, items in vocabulary.items() for item in items]
    told = {column: np.array([bool(sample.get(column)) for sample in facts], dtype=bool) for column in vocabulary}
    listed = [{(column, key(item)) for column, items in sample.items() for item in items} for sample in facts]
    right = np.array([[(column, key(item)) in sample for sample in listed] for column, item in things], dtype=bool)
    can_tell = np.array([told[column] for column, _ in things], dtype=bool)
    shape = len(things), len(facts)
    return Truth(things, right.reshape(shape).T, (can_tell & ~right).reshape(shape).T, told)


def _scores(claims: Sequence[Sequence[tuple[str, Claim]]], truth: Truth, expected: int) -> Scores:
    """Shares from the claims of each text, every claim with the group (direction or fact column) it belongs to."""
    if len(claims) != len(truth.right):
        raise ValueError(f"report facts: {len(claims)} texts, {len(truth.right)} truths; expected one truth per text, in the same order")
    said, others = _named(claims, truth)
    told = np.array([truth.told[group] for group, _ in truth.things], dtype=float).reshape(len(truth.things), -1)
    named = said @ told + sum(others[group][:, None] * known[None, :] for group, known in truth.told.items())
    outside = sum(others[group] * known for group, known in truth.told.items())
    own = np.diagonal(named)
    share = _share(said @ truth.right.T.astype(float), named)
    wrong = (said * truth.wrong).sum(axis=1)
    return Scores(share, said.sum(axis=1).astype(int), _share(wrong, own), _share(outside, own), expected)


def _named(claims: Sequence[Sequence[tuple[str, Claim]]], truth: Truth) -> tuple[Float[np.ndarray, "texts things"], dict[str, Float[np.ndarray, " texts"]]]:
    """Which known things each text names, and how many others of each group."""
    columns = {thing: column for column, thing in enumerate(truth.things)}
    said = np.zeros((len(claims), len(columns)))
    others = {group: np.zeros(len(claims)) for group in truth.told}
    for row, found in enumerate(claims):
        for group, claim in found:
            if claim.verdict is Verdict.NOT_IN_INPUT:
                others[group][row] += 1
            else:
                said[row, columns[group, claim.entity]] = 1
    return said, others


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None
