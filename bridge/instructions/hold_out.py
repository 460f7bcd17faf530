"""What is kept out of training on purpose, so that transfer to it can be measured."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence

from bridge.data.cohort import Cohort
from bridge.instructions.item import FAMILIES, Instruction


@dataclasses.dataclass
class HoldOut:
    """Whole families, genes, or samples of a site.

    Args:
        families: Task families, by name.
        genes: Symbols; an instruction that names one anywhere is kept out.
        column: Column of the cohort's obs, for example ``site``.
        values: Its values whose samples are kept out.
    """

    families: Sequence[str] = ()
    genes: Sequence[str] = ()
    column: str = ""
    values: Sequence[str] = ()

    def __post_init__(self) -> None:
        unknown = [family for family in self.families if family not in FAMILIES]
        if unknown:
            raise ValueError(f"hold out, field families: found {unknown[0]!r}, expected some of {', '.join(FAMILIES)}")
        if bool(self.column) != bool(self.values):
            raise ValueError(f"hold out: found column {self.column!r} with values {list(self.values)}, expected both or neither")

    def keeps_out(self, item: Instruction, samples: frozenset[str] = frozenset()) -> bool:
        """Whether an instruction is kept out of training; ``samples`` are those of the held-out sites."""
        return item.family in self.families or item.sample in samples or self._names_gene(item)

    def samples(self, cohort: Cohort | None) -> frozenset[str]:
        """Samples of the held-out sites.

        Raises:
            ValueError: there is no cohort, no such column, or no sample of a value.
        """
        if not self.column:
            return frozenset()
        if cohort is None or self.column not in cohort.table.obs:
            found = [] if cohort is None else list(cohort.table.obs.columns)
            raise ValueError(f"hold out, field column: there is no {self.column!r}; found {found}, expected a column of the cohort (--data.cohort)")
        column = cohort.table.obs[self.column].astype(str)
        missing = [value for value in self.values if not (column == str(value)).any()]
        if missing:
            raise ValueError(f"{cohort.source}, obs column {self.column!r}: no sample has {missing[0]!r}; found {sorted(set(column))[:8]}")
        return frozenset(column.index[column.isin([str(value) for value in self.values])].astype(str))

    def _names_gene(self, item: Instruction) -> bool:
        return bool(self.genes) and bool(self._pattern.search(f"{item.group} {item.question} {item.answer}"))

    @property
    def _pattern(self) -> re.Pattern[str]:
        return _words(tuple(self.genes))


def split_off(items: Iterable[Instruction], hold_out: HoldOut, cohort: Cohort | None = None) -> tuple[list[Instruction], list[Instruction]]:
    """Instructions to train on, and those kept out of it.

    Raises:
        ValueError: nothing is left, or nothing was kept out although something should be.
    """
    samples, kept, out = hold_out.samples(cohort), [], []
    for item in items:
        (out if hold_out.keeps_out(item, samples) else kept).append(item)
    asked = [*hold_out.families, *hold_out.genes, *hold_out.values]
    if not kept or (asked and not out):
        raise ValueError(f"hold out: {len(out)} of {len(kept) + len(out)} instructions name {', '.join(map(str, asked))}; expected some, and some that do not")
    return kept, out


def _words(genes: tuple[str, ...]) -> re.Pattern[str]:
    """Any of these symbols as a word of its own; Python keeps compiled patterns."""
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, genes))})(?![\w-])")
