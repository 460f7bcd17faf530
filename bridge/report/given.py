"""What a report was given: the measurements themselves, the files they came from, a patient's record."""

from __future__ import annotations

from pydantic import Field

from bridge.data.typed import Typed


class InputFile(Typed):
    """A file that was read."""

    modality: str
    name: str = Field(description="File name without its folder")
    sha256: str


class Measured(Typed):
    """One modality of the sample. Names, values and z-scores are in one order; of vectors whose columns have no names there are none."""

    modality: str
    names: tuple[str, ...] = ()
    values: tuple[float | None, ...] = Field((), description="As measured, None where missing")
    z: tuple[float | None, ...] = Field((), description="Standard deviations from the training mean of the same feature")
    units: str = ""
    atlas: str = ""
    width: int = Field(description="Features in all, named or not")
    norm: float | None = Field(None, description="Root mean square after normalisation; the training split's is 1 per feature where z-scored")
    changed: tuple[str, ...] = Field((), description="Features that a what-if replaced")


class MappedFinding(Typed):
    """An imaging phenotype and the regions it speaks of."""

    term: str = Field(description="HPO id")
    name: str
    regions: tuple[str, ...] = ()
    direction: str = Field("", description="lower, higher or abnormal; '' where the mapping has no region for the term")


class RankedDisorder(Typed):
    """A disorder with what speaks for it and against it."""

    id: str
    name: str
    rank: int
    score: float
    supports: tuple[str, ...] = Field((), description="Findings of the patient that the disorder explains")
    opposes: tuple[str, ...] = Field((), description="Findings that it does not explain, and its frequent features that were looked for and not found")


class Patient(Typed):
    """A patient's record as far as the report uses it."""

    present: tuple[str, ...] = Field((), description="Phenotypes found, as 'name (HP:...)'")
    excluded: tuple[str, ...] = Field((), description="Phenotypes looked for and not found")
    gene: str = ""
    variants: tuple[str, ...] = ()
    imaging: tuple[MappedFinding, ...] = ()
    measured_brain: bool = Field(False, description="The brain side is the patient's own image or table, not the mapped findings")
    disorders: tuple[RankedDisorder, ...] = ()
    candidates: int = Field(0, description="Disorders that were ranked")
    gene_used: bool = Field(False, description="The ranking used the gene")
    source: str = Field("", description="Knowledge the ranking rests on, with release")
