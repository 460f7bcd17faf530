"""Reports of the same samples by several methods: judged alike, then shown side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Int

from bridge.benchmark.ladder_figure import ladder_bars
from bridge.benchmark.report_scores import Facts, claims_per_report, facts_of, put_facts, put_mean
from bridge.benchmark.results import Record, Row
from bridge.benchmark.table import number
from bridge.data.cohort import Cohort
from bridge.evaluate.page import write_json

HEADER = "reports by", "inputs", "precision", "95 % interval", "p", "contradicted", "omitted", "silent", "claims per report"
SCORES = "contradiction_rate", "omission", "silent"


class ReportSets:
    """Collects the reports of each method about the same samples.

    Args:
        record: Of the run.
        cohort: The cohort.
        rows: The samples, in the order of all reports.
    """

    def __init__(self, record: Record, cohort: Cohort, rows: Int[np.ndarray, " samples"]):
        self.record, self.cohort, self.rows, self.groups = record, cohort, rows, cohort.groups[rows]
        self.texts: dict[str, list[str]] = {"ids": [cohort.ids[row] for row in rows]}
        self.claims: dict[tuple[str, str], float | None] = {}
        self.kinds: list[str] = []

    def judge(
        self, direction: str, method: str, texts: Sequence[str], *, given: Collection[str] | None = None, tested: bool = True, controls: bool = False
    ) -> list[Facts]:
        """Score one set of reports, keep its texts, and write them at once.

        Args:
            direction: Which inputs were given.
            method: What wrote the reports.
            texts: One per sample.
            given: Modalities that were given; all of them when None.
            tested: Whether a permutation p means anything: not for constant texts.
            controls: Add the same texts against other samples' truth, and chance.
        """
        facts = facts_of(self.cohort, self.rows, texts)
        put_facts(self.record, direction, method, facts, self.groups, given=given, tested=tested)
        for each in facts if controls else ():
            put_mean(self.record, f"{each.kind}_precision", "shuffled", each.shuffled, self.groups, direction=direction)
            self.record.row(f"{each.kind}_precision", "chance", each.chance, n=len(self.rows), direction=direction)
        self.kinds = [each.kind for each in facts]
        self.claims[method, direction] = claims_per_report(self.cohort, texts)
        self.texts[f"{method}, given {direction}"] = list(texts)
        write_json(self.record.out / "texts.json", self.texts)
        return facts

    def close(self) -> None:
        """A table and a figure per kind of fact."""
        for kind in self.kinds:
            rows = [row for row in self.record.rows if row.metric == f"{kind}_precision"]
            heading = f"Facts: {kind}s"
            self.record.table(heading, HEADER, [self._line(kind, row) for row in rows])
            ladder_bars(rows, self.record.figure(heading, f"{kind}_precision"), metric=f"{kind}_precision")

    def _line(self, kind: str, row: Row) -> tuple[str, ...]:
        """One method's figures as text."""
        others = [self._cell(f"{kind}_{score}", row) for score in SCORES]
        claims = self.claims.get((row.method, row.direction))
        interval = "" if row.low is None or row.high is None else f"{number(row.low)} to {number(row.high)}"
        p = "" if row.p is None else number(row.p)
        return row.method, row.direction, number(row.value), interval, p, *others, "" if claims is None else f"{claims:.1f}"

    def _cell(self, metric: str, beside: Row) -> str:
        """Another metric of the same reports; blank where it was not scored."""
        found = [row for row in self.record.rows if (row.metric, row.method, row.direction) == (metric, beside.method, beside.direction)]
        return number(found[0].value) if found else ""
