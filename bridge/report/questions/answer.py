"""An answer to a question on one sample: what stands with its evidence, or why the input does not tell."""

from __future__ import annotations

from pydantic import Field

from bridge.data.typed import Typed
from bridge.report.schema import Claim, Evidence, Provenance

NOT_IN_INPUT = "Not in the input"


class Answer(Typed):
    """The answer to one question. ``said`` is the raw generation, kept for scoring; only ``claims`` and ``named`` are the answer."""

    sample: str
    question: str
    claims: tuple[Claim, ...] = Field((), description="What the model said and the check let stand")
    named: tuple[Evidence, ...] = Field((), description="Measured values of the regions and genes that the question names")
    struck: tuple[Claim, ...] = ()
    unknown: tuple[str, ...] = Field((), description="Parts of the question that the input does not tell")
    not_in_input: str = Field("", description="Why the input cannot answer; '' where it can")
    said: str = ""
    provenance: Provenance = Provenance()

    @property
    def text(self) -> str:
        """The answer in words: statements that stand, or that it is not in the input."""
        if self.not_in_input:
            return f"{NOT_IN_INPUT}: {self.not_in_input}."
        return " ".join(f"{claim.statement[:1].upper()}{claim.statement[1:].rstrip('.')}." for claim in self.claims)
