"""One sample as measured: its maps region by region, the facts known of it, its texts, and what is present."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from bridge.data.cohort import Cohort
from bridge.language import grammar

NAMED = 3  # regions named as highest, and as lowest


@dataclasses.dataclass(frozen=True, eq=False)
class RegionValues:
    """One map: a value per named region.

    Args:
        names: Region names in the order of the values.
        values: Normalised values, the ones the model is given and the questions are about; NaN where missing.
        raw: The same values as measured, in ``units``; equal to ``values`` where nothing was normalised.
        units: Units of ``raw``.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, " regions"]
    raw: Float[np.ndarray, " regions"] | None = None
    units: str = ""

    @property
    def measured(self) -> int:
        """Regions with a value."""
        return int(np.isfinite(self.values).sum())

    @property
    def named(self) -> int:
        """Regions named at either end: three, fewer where both ends would share a region, none of a map without contrast."""
        values = self.values[np.isfinite(self.values)]
        return min(NAMED, len(values) // 2) if len(values) and values.max() > values.min() else 0

    def ordered(self) -> np.ndarray:
        """Region numbers from the highest value to the lowest, unmeasured ones left out, ties in atlas order."""
        order = np.argsort(-self.values, kind="stable")
        return order[: self.measured]

    def extremes(self, direction: str) -> tuple[str, ...]:
        """Names of the highest (lowest) regions, the most extreme first."""
        order = self.ordered() if direction == grammar.HIGHEST else self.ordered()[::-1]
        return tuple(self.names[number] for number in order[: self.named])

    def rank(self, name: str, direction: str = grammar.HIGHEST) -> int | None:
        """1 for the highest (lowest) region, the same rank for equal values, None where it is not measured."""
        value = self.values[self.names.index(name)]
        beyond = self.values > value if direction == grammar.HIGHEST else self.values < value
        return int(beyond.sum()) + 1 if np.isfinite(value) else None


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """Everything about one sample that a question may be about.

    Args:
        id: Sample id.
        regions: Modality to its map, for modalities whose tokens are named regions with one value each.
        facts: Fact column to the items known for the sample, empty where nothing is known.
        fact_modality: Fact column to the modality that can tell it.
        texts: Text column to text, '' where there is none.
        present: Modalities the sample has.
        lists_of: Fact column to whose list it is, where that is not the sample's own: of a patient the lists of the gene.
    """

    id: str
    regions: dict[str, RegionValues]
    facts: dict[str, tuple[str, ...]]
    fact_modality: dict[str, str]
    texts: dict[str, str]
    present: frozenset[str]
    lists_of: dict[str, str] = dataclasses.field(default_factory=dict)

    def given(self, present: Iterable[str]) -> Subject:
        """The same sample when only these modalities are handed to the model."""
        return dataclasses.replace(self, present=self.present & frozenset(present))


def region_names(cohort: Cohort) -> dict[str, tuple[str, ...]]:
    """Modalities whose tokens are named and hold one value each; several values per region have no single order."""
    cards = {modality: cohort.card(modality) for modality in cohort.modalities}
    return {modality: card.names for modality, card in cards.items() if card.names and card.dim == 1}


def fact_vocabulary(cohort: Cohort) -> dict[str, tuple[str, ...]]:
    """Fact column to its items in the training split, the most common first (ties by name)."""
    train = cohort.rows("train")
    vocabulary = {}
    for column in cohort.facts:
        facts = cohort.fact(column)
        counts = Counter(item for row in train for item in facts[row])
        vocabulary[column] = tuple(sorted(counts, key=lambda item, counts=counts: (-counts[item], item)))
    return vocabulary


def subjects(cohort: Cohort, rows: Iterable[int | np.integer] | None = None) -> list[Subject]:
    """The samples in these rows, in this order; every sample when None."""
    chosen = [int(row) for row in (cohort.rows("all") if rows is None else rows)]
    maps = {modality: _maps(cohort, modality, names, chosen) for modality, names in region_names(cohort).items()}
    measured = {modality: np.isfinite(cohort.raw(modality, chosen)).any(axis=1) for modality in cohort.modalities}
    facts = {column: cohort.fact(column) for column in cohort.facts}
    texts = {column: cohort.text(column) for column in cohort.texts}
    ids = cohort.ids
    return [
        Subject(
            id=ids[row],
            regions={modality: every[place] for modality, every in maps.items()},
            facts={column: items[row] for column, items in facts.items()},
            fact_modality=dict(cohort.facts),
            texts={column: text[row] for column, text in texts.items()},
            present=frozenset(modality for modality, has in measured.items() if has[place]),
        )
        for place, row in enumerate(chosen)
    ]


def _maps(cohort: Cohort, modality: str, names: tuple[str, ...], rows: Sequence[int]) -> list[RegionValues]:
    values, raw, units = cohort.values(modality, rows), cohort.raw(modality, rows), cohort.card(modality).units
    if values.shape[1] != len(names):
        raise ValueError(f"{cohort.source}, obsm[{modality!r}]: found {values.shape[1]} columns, expected one for each of {len(names)} names in its card")
    return [RegionValues(names, *pair, units) for pair in zip(values, raw, strict=True)]
