"""Rows of ranked diagnoses: top-k and mean reciprocal rank of all and of neurological cases, with intervals over genes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from bridge.benchmark.results import Record
from bridge.cases.case import Case
from bridge.data.hpo import Ontology
from bridge.evaluate.retrieval import bootstrap_interval, paired_difference

TOP = (1, 3, 5, 10)
WITHHELD, GIVEN = "gene withheld", "gene given"
ALL, NEUROLOGICAL = "all", "neurological"

Ranks = Float[np.ndarray, " cases"]


class Asked(NamedTuple):
    """Cases that are ranked: the gene of each for the bootstrap, which are neurological, and the column of each diagnosis."""

    cases: list[Case]
    groups: np.ndarray
    neurological: Bool[np.ndarray, " cases"]
    targets: list[int]
    candidates: int

    def only(self, rows: Sequence[int] | np.ndarray) -> Asked:
        """Some of them."""
        rows = [int(row) for row in rows]
        return self._replace(
            cases=[self.cases[row] for row in rows], groups=self.groups[rows], neurological=self.neurological[rows], targets=[self.targets[row] for row in rows]
        )


def asked(cases: Sequence[Case], targets: Sequence[int | None], candidates: int, ontology: Ontology) -> Asked:
    """The cases whose diagnosis is a candidate; no ranker can find the others."""
    known = [(case, target) for case, target in zip(cases, targets, strict=True) if target is not None]
    kept = [case for case, _ in known]
    neurological = np.array([case.is_neurological(ontology) for case in kept], dtype=bool)
    return Asked(kept, np.array([case.unit for case in kept], dtype=object), neurological, [target for _, target in known], candidates)


def put_ranks(record: Record, method: str, ranks: Ranks, given: Asked, condition: str, split: str = "test") -> None:
    """Rows of one method under one condition, for all and for neurological cases."""
    for kind, chosen in ((ALL, np.ones(len(ranks), dtype=bool)), (NEUROLOGICAL, given.neurological)):
        place = {"direction": f"{condition}, {kind}", "candidates": given.candidates, "split": split}
        for metric, values in measures(ranks[chosen]).items():
            low, high = bootstrap_interval(values, given.groups[chosen], seed=record.seed) if len(values) else (None, None)
            record.row(metric, method, float(values.mean()) if len(values) else None, n=len(values), low=low, high=high, **place)


def measures(ranks: Ranks) -> dict[str, Ranks]:
    """Of each case whether the diagnosis is among the first k, and its reciprocal rank, 0 where it is not ranked at all."""
    return {f"top_{k}": (ranks <= k).astype(float) for k in TOP} | {"mrr": 1 / ranks}


def difference(first: Ranks, second: Ranks, given: Asked, seed: int) -> dict[str, tuple[float | None, float | None, float | None]]:
    """What the first method has more than the second on the same cases: top-1, top-10 and mean reciprocal rank, with intervals."""
    one, two = measures(first), measures(second)
    return {metric: paired_difference(one[metric], two[metric], given.groups, seed=seed) for metric in ("top_1", "top_10", "mrr")}


def difference_in_words(found: dict[str, tuple[float | None, float | None, float | None]]) -> str:
    """Differences with their intervals."""
    told = {metric: "undefined" if low is None else f"{value:+.3f} ({low:+.3f} to {high:+.3f})" for metric, (value, low, high) in found.items()}
    return ", ".join(f"{metric.replace('_', '-').replace('mrr', 'MRR')} {each}" for metric, each in told.items())
