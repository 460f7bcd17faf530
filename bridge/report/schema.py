"""The typed report: every statement is a claim that points at the measurement it rests on."""

from __future__ import annotations

import enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Kind(enum.StrEnum):
    """What sort of statement a claim is.

    ``extreme`` ("highest in the A") is judged by rank within the sample, ``comparison`` ("A is higher than B") by the
    two values, ``level`` ("A is increased", "z = 2.3") against the training reference, ``fact`` by the list of the
    sample, ``prior`` compares with an earlier examination, which no input ever holds; ``prose`` is the rest.
    """

    EXTREME = "extreme"
    COMPARISON = "comparison"
    LEVEL = "level"
    FACT = "fact"
    PRIOR = "prior"
    PROSE = "prose"


class Direction(enum.StrEnum):
    """What a claim says of its entity; ``none`` is a statement that asserts nothing a check could use.

    ``higher`` and ``lower`` compare values of one sample, ``increased``, ``decreased`` and ``within range`` a value
    with the training reference.
    """

    HIGHER = "higher"
    LOWER = "lower"
    INCREASED = "increased"
    DECREASED = "decreased"
    WITHIN = "within range"
    PRESENT = "present"
    ABSENT = "absent"
    NONE = "none"


class Source(enum.StrEnum):
    """What a claim rests on: a value of the input, a list looked up for the sample, or the model alone."""

    MEASURED = "measured"
    RETRIEVED = "retrieved"
    INFERENCE = "model inference"


class Verdict(enum.StrEnum):
    """What the check against the input found; see ``bridge.report.verify`` for the exact rules."""

    SUPPORTED = "supported"
    NEAR = "near"
    CONTRADICTED = "contradicted"
    NOT_IN_INPUT = "not in input"
    UNCHECKABLE = "uncheckable"


class Model(BaseModel):
    """Closed and immutable: an unknown field is an error, and so is NaN (unknown is None)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Evidence(Model):
    """The measured value, or the list, that a claim was checked against."""

    modality: str
    feature: str = Field(description="Region, or fact column")
    sample: str = Field(description="Sample id or file the value was read from")
    value: float | None = Field(None, description="As measured, in units")
    units: str = ""
    z: float | None = Field(None, description="Standard deviations from the training mean of the same feature")
    rank: int | None = Field(None, description="1 is the highest; by the normalised value, which is what the model is given")
    of: int | None = Field(None, description="How many features of the map were measured")
    listed: tuple[str, ...] = Field((), description="Items known for the sample")


class Claim(Model):
    """One statement of the model."""

    entity: str = Field(
        description="Region, gene or item as the input names it, a region of both sides without its side; as written where the input has none; "
        "empty for free prose"
    )
    mention: str = Field("", description="The entity as the text writes it; empty where that is the entity")
    statement: str
    kind: Kind = Kind.PROSE
    direction: Direction = Direction.NONE
    denied: bool = Field(False, description="The text says that a level is not so: 'not reduced'")
    claimed: float | None = Field(None, description="The quantity that the text states, below zero where it says 'below'")
    unit: str = Field("", description="Of the claimed quantity: z, or as written")
    than: str | None = Field(None, description="The other region of a comparison")
    modality: str = Field("", description="The input that can tell it")
    attribute: str | None = Field(None, description="Fact column; None where the claim is about a map")
    magnitude: float | None = Field(None, description="Standard deviations from the training mean; None where not measured")
    source: Source = Source.INFERENCE
    evidence: tuple[Evidence, ...] = ()
    confidence: float | None = Field(None, ge=0, le=1)
    verdict: Verdict = Verdict.UNCHECKABLE


class Section(Model):
    """Claims about one input that were not struck."""

    title: str
    modality: str
    claims: tuple[Claim, ...] = ()


class Provenance(Model):
    """What made the report."""

    bundle: str = ""
    llm: str = Field("", description="Name and fingerprint of the base LLM")
    cards: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Modality to the card of its encoder")
    seed: int | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    notices: tuple[str, ...] = Field((), description="Terms and acknowledgements that travel with every report")


class Report(Model):
    """A report on one sample.

    ``text`` is the raw generation, kept for scoring; only claims that were not struck are the report.
    """

    id: str
    given: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    text: str = ""
    struck: tuple[Claim, ...] = ()
    unknown: tuple[str, ...] = Field((), description="What the input does not tell")
    provenance: Provenance = Provenance()


def report_schema() -> dict[str, Any]:
    """JSON schema of a report, for whoever reads the files."""
    return Report.model_json_schema()
