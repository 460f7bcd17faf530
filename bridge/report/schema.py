"""The typed report: every statement is a claim that points at the measurement it rests on."""

from __future__ import annotations

import enum
from typing import Any

from pydantic import Field

from bridge.data.typed import Typed
from bridge.report.given import InputFile, Measured, Patient
from bridge.retrieve.schema import Agreement, Position, Retrieved


class Kind(enum.StrEnum):
    """What sort of statement a claim is.

    ``extreme`` ("highest in the A") is judged by rank within the sample, ``comparison`` ("A is higher than B") by the
    two values, ``level`` ("A is increased", "z = 2.3") against the training reference, ``fact`` by the list of the
    sample, ``prior`` compares with an earlier examination, which no input ever holds; ``input`` says that an input was
    not given, and is kept only where it was; ``prose`` is the rest.
    """

    EXTREME = "extreme"
    COMPARISON = "comparison"
    LEVEL = "level"
    FACT = "fact"
    PRIOR = "prior"
    INPUT = "input"
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


class Evidence(Typed):
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


class Claim(Typed):
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


class Section(Typed):
    """Claims about one input that were not struck."""

    title: str
    modality: str
    claims: tuple[Claim, ...] = ()


class Provenance(Typed):
    """What made the report."""

    bundle: str = ""
    bundle_sha256: str = Field("", description="Digest of the bundle's files")
    llm: str = Field("", description="Name and fingerprint of the base LLM")
    cards: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Modality to the card of its encoder")
    inputs: tuple[InputFile, ...] = ()
    seed: int | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    notices: tuple[str, ...] = Field((), description="Terms and acknowledgements that travel with every report")
    licences: tuple[str, ...] = Field((), description="Terms of what the report shows: sources of the inputs, releases that were searched, the LLM's output")


class Change(enum.StrEnum):
    """What became of a claim when the inputs were changed."""

    APPEARED = "appeared"
    DISAPPEARED = "disappeared"
    CHANGED = "changed"


class ClaimChange(Typed):
    """One claim before and after; of two claims about one thing, the verdict, the direction or the stated quantity differs."""

    change: Change
    before: Claim | None = Field(None, description="From the inputs as they are; None where it appeared")
    after: Claim | None = Field(None, description="From the changed inputs; None where it disappeared")


class Assumed(Typed):
    """One value that a what-if replaced."""

    modality: str
    feature: str
    z_before: float | None = Field(None, description="Standard deviations from the training mean, as measured; None where not measured")
    z: float = Field(description="The same, as assumed")


class WhatIf(Typed):
    """How the report on changed inputs differs from that on the inputs as they are. The report that holds it is the one on the changed inputs."""

    assumed: tuple[Assumed, ...] = ()
    without: tuple[str, ...] = Field((), description="Inputs that were left out")
    changes: tuple[ClaimChange, ...] = Field((), description="Claims that differ, struck ones among them; none where the report stays as it was")
    unchanged: int = Field(0, description="Claims that are the same in both")
    text_before: str = Field("", description="Raw generation on the inputs as they are")


class Report(Typed):
    """A report on one sample.

    ``text`` is the raw generation, kept for scoring; only claims that were not struck are the report. Where ``what_if``
    is set the report is of inputs that were changed, and nothing in it may be read as measured of the sample as it is.
    """

    id: str
    given: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    text: str = ""
    struck: tuple[Claim, ...] = ()
    unknown: tuple[str, ...] = Field((), description="What the input does not tell")
    measured: tuple[Measured, ...] = ()
    agreement: tuple[Agreement, ...] = Field((), description="How the sides of the sample relate in the shared space")
    retrieved: tuple[Retrieved, ...] = Field((), description="What literature and ontologies say of what lies near; never measured of the sample")
    position: Position | None = None
    patient: Patient | None = None
    what_if: WhatIf | None = Field(None, description="Set where the inputs were changed for the question what if")
    provenance: Provenance = Provenance()


def report_schema() -> dict[str, Any]:
    """JSON schema of a report, for whoever reads the files."""
    return Report.model_json_schema()
