"""Questions on one sample: its inputs are read by the model once, and every answer goes through the check of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bridge.language import grammar
from bridge.language.subject import Subject
from bridge.model import SemanticBridge
from bridge.report.checked import checked_report
from bridge.report.companion import Companion
from bridge.report.gate import require_usable
from bridge.report.generation.decode import greedy, watched
from bridge.report.generation.generate import generation
from bridge.report.generation.prefix_cache import PrefixCache
from bridge.report.given import InputFile
from bridge.report.origin import provenance
from bridge.report.questions.answer import Answer
from bridge.report.questions.answerable import Asked, Scope
from bridge.report.reference import Reference
from bridge.report.schema import Claim, Direction, Evidence, Kind, Report, Source, Verdict
from bridge.report.verify import fact_evidence, region_evidence
from bridge.report.write import tensors

CANNOT_CHECK = "nothing that the model said in answer to it could be checked against the input"


class Session:
    """One sample under question.

    Args:
        bridge: A loaded bundle.
        subject: The sample as measured.
        values: Modality to its normalised values ``[features]``.
        note: Clinical note, given to the LLM as quoted data with every question.
        companion: Raw facts of the sample to check the answers against, beside what the model was given.
        max_new_tokens: Longest answer.
        source: The bundle's folder, for the record.
        inputs: The files that the values were read from, for the record.

    Raises:
        ValueError: the prefix is not finite, zero, or far outside the training norms.
    """

    def __init__(
        self,
        bridge: SemanticBridge,
        subject: Subject,
        values: dict[str, np.ndarray],
        *,
        note: str = "",
        companion: Companion | None = None,
        max_new_tokens: int = 160,
        source: str = "",
        inputs: Iterable[InputFile] = (),
    ):
        batch = tensors(bridge, values)
        require_usable(bridge, batch)
        self.bridge, self.subject, self.note, self.max_new_tokens = bridge, subject, note, max_new_tokens
        self.reference = Reference.from_dict(bridge.reference["training"])
        self.against = (subject, self.reference) if companion is None else companion.beside(subject, self.reference)
        self.made = provenance(bridge, source, inputs)
        cards = [bridge.cards[modality] for modality in values]
        self.scope = Scope(*self.against, [note, *(f"{card.units} {card.atlas}" for card in cards)])
        self.prefix = PrefixCache(bridge, batch)

    def ask(self, questions: Sequence[str], each_token: Callable[[], object] = lambda: None) -> list[Answer]:
        """Answers in the order of the questions; the model is asked only what the inputs can tell.

        Args:
            questions: In words; each is answered by itself, without those before it.
            each_token: Called before each token; an error of it ends the writing.
        """
        reasons = [self.scope.reason(question) for question in questions]
        open_ones = [question for question, reason in zip(questions, reasons, strict=True) if not reason]
        written = iter(self._written(open_ones, each_token))
        return [
            self._refused(question, reason) if reason else self._checked(question, next(written)) for question, reason in zip(questions, reasons, strict=True)
        ]

    def _written(self, questions: Sequence[str], each_token: Callable[[], object]) -> list[Report]:
        """What the model says to each question, taken apart and checked as a report is."""
        prompt = self.bridge.prompt
        asked = [prompt.question(question, self.note) for question in questions]
        answers = self.prefix.answers(asked, max_new_tokens=self.max_new_tokens, choose=watched(greedy, each_token)) if asked else []
        settings = {"against": self.against, "modalities": self.bridge.projectors, "provenance": self.made}
        return [checked_report(generation(prompt, answer, None), self.subject, self.reference, **settings) for answer in answers]

    def _checked(self, question: str, report: Report) -> Answer:
        asked = self.scope.asked(question)
        claims = tuple(claim for section in report.sections for claim in section.claims if _answers(claim, asked))
        reason = "" if any(map(_rests, claims)) else CANNOT_CHECK
        about = {"sample": self.subject.id, "question": question, "struck": report.struck, "said": report.text, "provenance": self.made}
        return Answer(
            **about,
            claims=() if reason else claims,
            named=self._measured(asked, all_of_it=bool(reason)),
            unknown=self.scope.open_parts(question),
            unanswered=reason,
        )

    def _refused(self, question: str, reason: str) -> Answer:
        return Answer(sample=self.subject.id, question=question, not_in_input=reason, provenance=self.made)

    def _measured(self, asked: Asked, *, all_of_it: bool) -> tuple[Evidence, ...]:
        """Values of what the question names; all of it, too: both ends of the maps that it asks for, and what is listed in its fact columns."""
        names, columns = self._named(asked), asked.columns
        if all_of_it:
            maps, columns = (self.reference.regions, self.reference.facts) if asked.whole and not columns else (asked.maps, columns)
            names = names or [(modality, name) for modality in sorted(maps) for name in self._ends(modality)]
        found = [region_evidence(modality, name, *self.against) for modality, name in names]
        found += [fact_evidence(column, *self.against) for column in sorted(columns) if all_of_it]
        return tuple(evidence for evidence in found if evidence is not None)

    def _named(self, asked: Asked) -> list[tuple[str, str]]:
        """Modality and name of each region and gene that is named, both sides of a region without one."""
        names = {}
        for mention in asked.mentions:
            sides = self.scope.lexicon.spoken.sides(mention.entity, mention.modality) or (mention.entity,)
            names |= {(mention.modality, name): None for name in sides}
        return list(names)

    def _ends(self, modality: str) -> tuple[str, ...]:
        """The highest and the lowest regions of a map."""
        regions = self.against[0].regions.get(modality)
        return () if regions is None else (*regions.extremes(grammar.HIGHEST), *reversed(regions.extremes(grammar.LOWEST)))


def _answers(claim: Claim, asked: Asked) -> bool:
    """Whether a claim can be checked and is about what was asked: a fact of a column, a value of a map, or anything where everything was asked for."""
    if asked.whole or claim.kind is Kind.PROSE:
        return claim.kind is not Kind.PROSE
    return claim.attribute in asked.columns if claim.attribute is not None else claim.modality in asked.maps


def _rests(claim: Claim) -> bool:
    """Whether a claim was confirmed, or is what the model infers of a fact from an input that was given and for which there is no list."""
    inferred = claim.kind is Kind.FACT and claim.source is Source.INFERENCE and claim.direction is not Direction.NONE
    return claim.verdict in (Verdict.SUPPORTED, Verdict.NEAR) or inferred
