"""What the training split looks like: the measure against which a value of a new sample is high or low."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from bridge.data.cohort import Cohort
from bridge.language.subject import fact_vocabulary, region_names


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """What the training split looks like, kept beside a model so that a new input can be placed.

    Args:
        regions: Modality to region names.
        mean: Modality to the training mean of each region, in raw units; NaN where never measured.
        spread: Modality to the standard deviation of each region.
        facts: Fact column to its vocabulary, the most common first.
        fact_modality: Fact column to the modality that can tell it.
        aliases: Other names of genes to the symbols in use, from the cohort's notes; a text may name the genes of a companion table by them.
    """

    regions: dict[str, tuple[str, ...]]
    mean: dict[str, Float[np.ndarray, " regions"]]
    spread: dict[str, Float[np.ndarray, " regions"]]
    facts: dict[str, tuple[str, ...]]
    fact_modality: dict[str, str]
    aliases: dict[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, cohort: Cohort) -> Reference:
        """Fitted on the training split alone."""
        names, train = region_names(cohort), cohort.rows("train")
        mean, spread = {}, {}
        for modality in names:
            values = np.ma.masked_invalid(cohort.raw(modality)[train].astype(np.float64))
            mean[modality], spread[modality] = values.mean(axis=0).filled(np.nan), values.std(axis=0).filled(np.nan)
        return cls(names, mean, spread, fact_vocabulary(cohort), dict(cohort.facts), dict(cohort.about["notes"].get("gene_aliases", {})))

    def to_dict(self) -> dict:
        """Plain JSON types; NaN is None."""
        numbers = {name: {modality: _json(values) for modality, values in getattr(self, name).items()} for name in ("mean", "spread")}
        names = {name: {group: list(items) for group, items in getattr(self, name).items()} for name in ("regions", "facts")}
        return numbers | names | {"fact_modality": self.fact_modality, "aliases": self.aliases}

    @classmethod
    def from_dict(cls, fields: dict) -> Reference:
        """Inverse of :meth:`to_dict`; bundles of earlier versions hold no aliases."""
        try:
            numbers = {name: {modality: np.array(values, dtype=float) for modality, values in fields[name].items()} for name in ("mean", "spread")}
            names = {name: {group: tuple(map(_name, items)) for group, items in fields[name].items()} for name in ("regions", "facts")}
            return cls(**numbers, **names, fact_modality=dict(fields["fact_modality"]), aliases=dict(fields.get("aliases", {})))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"reference.json, field training: found {error}, expected what the training split looks like; write the bundle again") from error

    def z(self, modality: str, region: str, raw: float) -> float | None:
        """Standard deviations from the training mean of the same region, None where training does not tell."""
        if region not in self.regions.get(modality, ()):
            return None
        number = self.regions[modality].index(region)
        z = (raw - self.mean[modality][number]) / (self.spread[modality][number] or np.nan)
        return float(z) if np.isfinite(z) else None

    def z_scores(self, modality: str, raw: Float[np.ndarray, " regions"]) -> Float[np.ndarray, " regions"]:
        """The same for a whole map in the order of its names; NaN where training does not tell or the value is missing."""
        return (raw - self.mean[modality]) / np.where(self.spread[modality] > 0, self.spread[modality], np.nan)


def _name(item: object) -> str:
    if not isinstance(item, str):
        raise ValueError(f"the name {item!r}")
    return item


def _json(values: Float[np.ndarray, " regions"]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
