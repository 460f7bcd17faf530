"""How much of the imaging phenotypes of cases the table of regions speaks of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bridge.cases.case import Case
from bridge.cases.imaging import DIRECT, INHERITED, NOWHERE, ROOT, ImagingMap

MICROCEPHALY = "HP:0000252"  # below the root, but a circumference of the head that needs no image


class Covered(NamedTuple):
    """Cases, annotations or terms of a kind, and how many of them have a region.

    Args:
        of: What is counted.
        total: How many there are.
        direct: With a region by a row of their own; of cases, by at least one term.
        inherited: With a region through an ancestor alone.
        nowhere: Without one.
    """

    of: str
    total: int
    direct: int
    inherited: int
    nowhere: int

    @property
    def share(self) -> float | None:
        """With a region; None of nothing."""
        return (self.direct + self.inherited) / self.total if self.total else None

    def cells(self) -> tuple[str, str, str, str, str]:
        """What a table shows."""
        return (self.of, str(self.total), *("" if not self.total else f"{part / self.total:.3f}" for part in (self.direct, self.inherited, self.nowhere)))


HEADER = ("imaging phenotypes", "number", DIRECT, INHERITED, NOWHERE)


def coverage(cases: Sequence[Case], imaging: ImagingMap) -> tuple[Covered, ...]:
    """Shares of cases, of their annotations (phenotypes found), and of the distinct terms.

    Microcephaly and the terms below it stand below 'Abnormal brain morphology' too; every count is given without them as well.
    """
    root, head = imaging.ontology.names.get(ROOT, ROOT), imaging.ontology.names.get(MICROCEPHALY, "Microcephaly")
    found = [[term for term in case.present if imaging.is_imaging(term)] for case in cases]
    without = [[term for term in terms if not imaging.ontology.is_under(term, MICROCEPHALY)] for terms in found]
    flagged = [terms for terms, case in zip(found, cases, strict=True) if case.imaged]
    counted = [_cases("cases that their source counts as imaged", flagged, imaging)] if flagged else []
    for told, some in ((f"below '{root}'", found), (f"below '{root}' but for '{head}'", without)):
        counted.append(_cases(f"cases with a term {told}", list(filter(None, some)), imaging))
        counted.append(_terms(f"annotations {told}", [term for terms in some for term in terms], imaging))
        counted.append(_terms(f"distinct terms {told}", sorted({term for terms in some for term in terms}), imaging))
    return tuple(counted)


def in_words(covered: Iterable[Covered]) -> str:
    """A line each."""
    rows = [HEADER, *(each.cells() for each in covered)]
    widths = [max(len(str(row[place])) for row in rows) for place in range(len(HEADER))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _cases(of: str, cases: Sequence[Sequence[str]], imaging: ImagingMap) -> Covered:
    """A case counts by the best of its terms."""
    return _counted(of, [min((imaging.find(term).how for term in terms), key=(DIRECT, INHERITED, NOWHERE).index, default=NOWHERE) for terms in cases])


def _terms(of: str, terms: Sequence[str], imaging: ImagingMap) -> Covered:
    return _counted(of, [imaging.find(term).how for term in terms])


def _counted(of: str, ways: Sequence[str]) -> Covered:
    count = Counter(ways)
    return Covered(of, len(ways), count[DIRECT], count[INHERITED], count[NOWHERE])
