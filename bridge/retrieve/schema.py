"""What the shared space says of a sample: candidates near it, where it lies, how its sides agree."""

from __future__ import annotations

import enum

from pydantic import Field

from bridge.data.typed import Typed


class CandidateKind(enum.StrEnum):
    """What a candidate is."""

    GENE = "gene"
    SAMPLE = "sample"
    PHENOTYPE = "phenotype"
    DISORDER = "disorder"
    TEXT = "text"


class Candidate(Typed):
    """One candidate near the sample."""

    id: str = Field(description="Sample id, HPO term, OMIM or ORPHA number, or the row of a text")
    label: str = Field("", description="Name, or the beginning of a text")
    score: float = Field(description="Cosine in the shared space")
    probability: float | None = Field(
        None, ge=0, le=1, description="That the sample's record lists this very item, fitted on the validation split; None where not calibrated"
    )
    prior: float | None = Field(None, ge=0, le=1, description="The probability before anything is known of the sample; None where not calibrated")
    here: bool | None = Field(None, description="Whether the sample's own lists hold it, or an item that is a kind of it; None where nothing is known")


class Retrieved(Typed):
    """The nearest candidates of one kind to one side of the sample."""

    query: str = Field(description="Modality, or several joined by '+'")
    kind: CandidateKind
    items: tuple[Candidate, ...] = ()
    candidates: int = Field(description="How many were searched")
    exact: bool = Field(True, description="All were compared; else by an approximate index")
    source: str = Field("", description="Where the candidates come from, with release")


class Point(Typed):
    """A sample in the plane of the figure."""

    id: str
    label: str = ""
    x: float
    y: float
    near: bool = Field(False, description="Among the nearest of the sample")


class Position(Typed):
    """The sample among others in the shared space, seen in its first two principal components."""

    query: str
    x: float
    y: float
    others: tuple[Point, ...] = ()
    shown: float = Field(ge=0, le=1, description="Share of the variance that the plane shows")


class Agreement(Typed):
    """How near two sides of the same sample lie, beside true and mismatched pairs of the validation split."""

    between: tuple[str, str]
    cosine: float
    above_true: float = Field(ge=0, le=1, description="Share of true pairs whose cosine is lower")
    above_mismatched: float = Field(ge=0, le=1, description="Share of mismatched pairs whose cosine is lower")
    pairs: int = Field(description="True pairs compared with")
