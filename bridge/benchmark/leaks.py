"""``bridge evaluate leaks``: what makes, or may make, scores on a cohort too good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bridge.benchmark.default import SHARED, default_cohort
from bridge.benchmark.results import Record
from bridge.benchmark.task import Task
from bridge.data.cohort import Cohort
from bridge.evaluate.finding import Finding
from bridge.evaluate.leaks import CHECKS, scan_cohort


class Leaks(Task):
    """The leak scanner on a cohort.

    Args:
        cohort: A cohort (.h5ad) of your own; the default data when None.
        columns: Columns of ``obs`` whose values may not be in two splits, such as site or publication.
        labels: Columns of ``obs`` that are predicted.
        genes: Size of the default data.
    """

    title: ClassVar[str] = "Leaks of a cohort"

    def __init__(self, cohort: str | None = None, columns: list[str] | None = None, labels: list[str] | None = None, genes: int = 1000):
        self.cohort, self.columns, self.labels, self.genes = cohort, list(columns or ()), list(labels or ()), genes

    def run(self, record: Record) -> None:
        path = self.cohort or default_cohort(record.out.parent / SHARED, seed=record.seed, genes=self.genes)
        cohort = Cohort.read(path)
        findings = scan_cohort(cohort, record.out, record.seed, columns=self.columns, labels=self.labels)
        record.words("Verdict", verdict(findings))
        record.words("Data", f"{path}: {len(cohort.ids)} samples; looked for: {'; '.join(CHECKS)}.")
        rows = [("severe" if found.severe else "to know", found.check, found.where, found.found, found.why) for found in findings]
        if rows:
            record.table("Findings", ("", "check", "where", "found", "why"), rows)
        record.row("severe_leak", "scan", float(any(found.severe for found in findings)), n=len(cohort.ids), split="all", direction="any check")


def verdict(findings: Sequence[Finding]) -> str:
    """Whether scores on the cohort can be trusted, in words."""
    severe = [f"{found.check} ({found.where})" for found in findings if found.severe]
    if severe:
        return f"scores on this cohort are not to be trusted before this is put right: {'; '.join(severe)}."
    return f"no severe leak was found; {len(findings)} things to know are listed." if findings else "nothing was found."
