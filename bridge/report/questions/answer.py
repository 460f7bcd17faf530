"""An answer to a question on one sample: what stands with its evidence, or why the input does not tell."""

from __future__ import annotations

from pydantic import Field

from bridge.data.typed import Typed
from bridge.report.schema import Claim, Evidence, Provenance

NOT_IN_INPUT = "Not in the input"
UNANSWERED = "No answer that stands"


class Answer(Typed):
    """The answer to one question. ``said`` is the raw generation, kept for scoring; only ``claims`` and ``named`` are the answer."""

    sample: str
    question: str
    claims: tuple[Claim, ...] = Field((), description="What the model said and the check let stand")
    named: tuple[Evidence, ...] = Field((), description="What was measured, or is listed, of what the question asks for, whatever the model said")
    struck: tuple[Claim, ...] = ()
    unknown: tuple[str, ...] = Field((), description="Parts of the question that the input does not tell")
    not_in_input: str = Field("", description="Why the input cannot answer; '' where it can")
    unanswered: str = Field("", description="Why nothing that the model said stands, of a question that the input may answer; '' where something does")
    said: str = ""
    provenance: Provenance = Provenance()

    @property
    def why_not(self) -> str:
        """Why there is no answer of the model, as a sentence; '' where there is one."""
        if self.not_in_input:
            return f"{NOT_IN_INPUT}: {self.not_in_input}."
        return f"{UNANSWERED}: {self.unanswered}." if self.unanswered else ""

    @property
    def text(self) -> str:
        """The answer in words: statements that stand, or why there is none."""
        if self.why_not:
            return self.why_not
        return " ".join(f"{claim.statement[:1].upper()}{claim.statement[1:].rstrip('.')}." for claim in self.claims)
