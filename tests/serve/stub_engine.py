"""An engine without a model: it reads files as text, writes what it is told to, as slowly as it is told to, and fails when asked."""

from __future__ import annotations

import dataclasses
import time

from bridge.report.given import InputFile, Measured
from bridge.report.questions.answer import Answer
from bridge.report.schema import Claim, Direction, Evidence, Kind, Provenance, Report, Section, Source, Verdict
from bridge.serve.engine import About, Asked, Input
from bridge.serve.forms import written


@dataclasses.dataclass
class StubEngine:
    """Writes the same report for everything.

    Args:
        says: Every text that a model could have written or a file could hold.
        tokens: Tokens of a report or an answer.
        token_s: Seconds for each.
        fails: What to raise instead.
        bundle: Name of the bundle.
        examples: Ids of examples.
        refuses: The example whose input it refuses.
    """

    says: str = "The left hippocampus is reduced."
    tokens: int = 3
    token_s: float = 0.0
    fails: Exception | None = None
    bundle: str = "stub"
    examples: tuple[str, ...] = ("SCN1A", "HTT", "APOE")
    refuses: str = ""
    busy: int = 0
    seen: list[Asked] = dataclasses.field(default_factory=list)
    drawn: dict = dataclasses.field(default_factory=dict)

    @property
    def about(self):
        inputs = Input(modality="gene", about="384 numbers of a gene"), Input(modality="brain", about="83 regions of an atlas, z")
        return About(bundle=self.bundle, llm="stub-llm", inputs=inputs, examples=self.examples, notice="Research use only.")

    def write(self, asked, watch):
        self.seen.append(asked)
        for file in asked.files.values():
            watch.step(f"Reading {file.name}")
            file.path.read_bytes()
        self._work(watch, "Writing")
        if self.refuses and asked.example == self.refuses:
            raise ValueError("refused")
        name = asked.example or next(iter(asked.files.values())).name
        if (self.says, name) not in self.drawn:
            self.drawn[self.says, name] = written(self.report(name))
        return self.drawn[self.says, name], name

    def ask(self, sample, question, watch):
        self._work(watch, "Answering")
        told = {"said": self.says, "unknown": (self.says,), "struck": (self.claim(sample, Verdict.CONTRADICTED),)}
        return Answer(sample=sample, question=question, claims=(self.claim(sample),), named=self.claim(sample).evidence, **told)

    def _work(self, watch, step):
        self.busy += 1
        try:
            watch.step(step, of=self.tokens)
            for _ in range(self.tokens):
                time.sleep(self.token_s)
                watch.token()
            if self.fails is not None:
                raise self.fails
        finally:
            self.busy -= 1

    def claim(self, sample, verdict=Verdict.SUPPORTED):
        evidence = Evidence(modality="brain", feature="left hippocampus", sample=sample, value=0.31, units="a.u.", z=-2.4, rank=83, of=83)
        checked = {"source": Source.MEASURED, "verdict": verdict, "confidence": 0.81, "evidence": (evidence,), "magnitude": -2.4}
        return Claim(entity="left hippocampus", statement=self.says, kind=Kind.LEVEL, direction=Direction.DECREASED, modality="brain", **checked)

    def report(self, name):
        regions = ("left hippocampus", "right hippocampus", "left caudate")
        measured = Measured(modality="brain", names=regions, values=(0.31, 0.4, 0.6), z=(-2.4, -1.1, 0.3), units="a.u.", width=3)
        sections = (Section(title="Brain", modality="brain", claims=(self.claim(name),)), Section(title=self.says, modality="gene"))
        inputs = InputFile(modality="brain", name=name, sha256="0" * 64), InputFile(modality="gene", name=self.says, sha256="0" * 64)
        origin = Provenance(bundle=self.says, llm=self.says, inputs=inputs, notices=(self.says,), licences=(self.says,))
        said = {"text": self.says, "struck": (self.claim(name, Verdict.CONTRADICTED),), "unknown": (self.says,), "missing": ("gene", self.says)}
        return Report(id=name, given=("brain",), sections=sections, measured=(measured,), provenance=origin, **said)
