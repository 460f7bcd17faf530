"""Answers against the truth: a score per item, and the figures of a whole set with intervals over its groups."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from bridge.evaluate.bootstrap import interval_of
from bridge.evaluate.retrieval import bootstrap_interval, paired_difference
from bridge.evaluate.significance import group_means, signed_rank
from bridge.instructions.item import Instruction
from bridge.medical.parse import normal, parsed, truth

ROUGE = ("rouge1", "rouge2", "rougeL")
#: Figures of a set that are no mean over its items.
WHOLE = ("macro_f1", "micro_f1", "relation_f1", "f1")


class Scored(NamedTuple):
    """An answer and what it is worth.

    Args:
        item: What was asked.
        answer: What was answered.
        said: What that says, see :func:`bridge.medical.parse.parsed`; None where it says nothing that was asked for.
        means: Figures of this item whose mean over items is a figure of the set, each in 0..1.
    """

    item: Instruction
    answer: str
    said: frozenset[str] | None
    means: dict[str, float]

    @property
    def score(self) -> float:
        """The item's own score: right or wrong for a choice, F1 of a set, token F1 of an answer in words, ROUGE-L of a summary."""
        return next(iter(self.means.values()))

    def line(self) -> dict[str, Any]:
        """As it is written, without the name of whoever the text is about."""
        digest = hashlib.sha256(self.item.question.encode()).hexdigest()[:16]
        said = None if self.said is None else sorted(self.said)
        return {"id": self.item.id, "question": digest, "answer": self.answer, "parsed": said, "correct": self.score == 1.0, "score": round(self.score, 6)}


class Interval(NamedTuple):
    """A figure with its 95 % interval; None where undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def scored(item: Instruction, answer: str) -> Scored:
    """Judge one answer; one that says nothing that was asked for is wrong."""
    said, right = parsed(item, answer), truth(item)
    if item.judged == "text":
        return Scored(item, answer, said, summary_scores(item, answer) if item.family == "summarisation" else answer_scores(item, answer))
    if item.judged == "choice":
        return Scored(item, answer, said, {"accuracy": float(said == right), "unparsed": float(said is None)})
    return Scored(item, answer, said, {"item_f1": set_f1(said, right), "exact": float(said == right), "unparsed": float(said is None)})


def set_f1(said: frozenset[str] | None, right: frozenset[str]) -> float:
    """F1 of a set of labels or items; 1 where both are empty."""
    if said is None:
        return 0.0
    return 2 * len(said & right) / (len(said) + len(right)) if said or right else 1.0


def answer_scores(item: Instruction, answer: str) -> dict[str, float]:
    """F1 over words and exact match, against the accepted answer that fits best.

    Source: Rajpurkar et al., EMNLP 2016 (SQuAD), section 6.1; without its dropping of articles.
    """
    accepted = item.choices or (item.answer,)
    found = {"token_f1": max(_token_f1(answer, each) for each in accepted), "exact_match": float(normal(answer) in set(map(normal, accepted)))}
    return found | {"unparsed": float(not normal(answer))}


def summary_scores(item: Instruction, answer: str) -> dict[str, float]:
    """ROUGE-L, -1 and -2, F measures (Lin, 2004); 0 for an empty answer."""
    from torchmetrics.functional.text.rouge import rouge_score  # takes a second, and only summaries need it

    found = rouge_score(answer, item.answer, rouge_keys=ROUGE) if normal(answer) else {}
    return {key: float(found.get(f"{key}_fmeasure", 0.0)) for key in reversed(ROUGE)} | {"unparsed": float(not normal(answer))}


def figure(found: Sequence[Scored], metric: str, rows: Int[np.ndarray, " _"] | None = None, *, negative: str = "") -> float | None:
    """One figure of a set of answers, or of some rows of it; None where it is undefined.

    ``macro_f1`` is the mean over the classes that the truth of these items has; what is said of a class that none of them has
    only counts as wrong for the others. ``micro_f1`` and ``f1`` count every label or item once, ``relation_f1`` every choice but ``negative``.
    """
    if metric not in WHOLE:
        return _mean([one.means[metric] for one in (found if rows is None else (found[row] for row in rows))])
    return Counts(found, metric, negative)(np.arange(len(found)) if rows is None else rows)


class Counts:
    """Hits, claims and truths of every class and item, from which an F1 of any rows follows.

    Args:
        found: Judged answers.
        metric: One of ``WHOLE``.
        negative: Choice that is left out of ``relation_f1``.
    """

    def __init__(self, found: Sequence[Scored], metric: str, negative: str = ""):
        sets = [(one.said or frozenset(), truth(one.item)) for one in found]
        if metric == "macro_f1":
            classes = sorted({each for _, right in sets for each in right})
            self.table = np.array([[[each in said and each in right, each in said, each in right] for each in classes] for said, right in sets], dtype=np.int64)
            self.table = self.table.reshape(len(sets), len(classes), 3)
        else:
            left_out = {normal(negative)} if metric == "relation_f1" else set()
            pairs = [(said - left_out, right - left_out) for said, right in sets]
            self.table = np.array([[[len(said & right), len(said), len(right)]] for said, right in pairs], dtype=np.int64).reshape(len(sets), 1, 3)

    def __call__(self, rows: Int[np.ndarray, " _"]) -> float | None:
        """F1 of these rows."""
        hits, said, right = self.table[rows].sum(axis=0).T
        there = right > 0
        return float(np.mean(2 * hits[there] / (said + right)[there])) if there.any() else None


def interval(found: Sequence[Scored], metric: str, *, negative: str = "", resamples: int = 1000, seed: int = 0) -> Interval:
    """A figure of a set of answers with its interval, whole groups drawn."""
    groups = [one.item.unit for one in found]
    if metric in WHOLE:
        counts = Counts(found, metric, negative)
        return Interval(counts(np.arange(len(found))), *interval_of(counts, groups, resamples=resamples, seed=seed))
    values = np.array([one.means[metric] for one in found])
    return Interval(_mean(values.tolist()), *bootstrap_interval(values, groups, resamples=resamples, seed=seed)) if len(found) else Interval(None)


def difference(ours: Sequence[Scored], base: Sequence[Scored], metric: str, *, negative: str = "", resamples: int = 1000, seed: int = 0) -> Interval:
    """A figure of ours minus that of the base on the same drawn groups.

    Raises:
        ValueError: the two answered other items.
    """
    if [one.item.id for one in ours] != [one.item.id for one in base]:
        raise ValueError("paired comparison: ours and the base answered other items, expected the same ones in the same order")
    groups = [one.item.unit for one in ours]
    if metric not in WHOLE:
        values = [np.array([one.means[metric] for one in each]) for each in (ours, base)]
        return Interval(*paired_difference(*values, groups, resamples=resamples, seed=seed))
    both = Counts(ours, metric, negative), Counts(base, metric, negative)

    def statistic(rows: np.ndarray) -> float | None:
        a, b = (counts(rows) for counts in both)
        return None if a is None or b is None else a - b

    return Interval(statistic(np.arange(len(ours))), *interval_of(statistic, groups, resamples=resamples, seed=seed))


def paired_p(ours: Sequence[Scored], base: Sequence[Scored]) -> float | None:
    """p of a two-sided signed-rank test on the items' own scores, averaged over groups; None where there are too few that differ."""
    changes = np.array([[one.score - other.score] for one, other in zip(ours, base, strict=True)])
    return signed_rank(group_means(changes, np.array([one.item.unit for one in ours])))[0][0]


def _token_f1(answer: str, truth: str) -> float:
    said, right = (re.findall(r"\w+", normal(text)) for text in (answer, truth))
    shared = sum((Counter(said) & Counter(right)).values())
    return 2 * shared / (len(said) + len(right)) if said or right else 0.0


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
