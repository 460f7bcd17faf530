"""Stage 2: the LLM with LoRA and the projectors learn together to answer from the prefix."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import lightning
import numpy as np
import torch
from jaxtyping import Int

from bridge.bundle import load
from bridge.data.batch import Batch
from bridge.data.cohort import Cohort
from bridge.data.cohort_file import CohortFile
from bridge.language.llm import LLM, Lora, load_llm
from bridge.language.prompts import Prompt
from bridge.language.questions import Asked, Question, questions_for, sample_questions, subjects
from bridge.language.subject import Subject
from bridge.model import ProjectorFactory, SemanticBridge
from bridge.report.gate import training_reference
from bridge.retrieve.gallery import Gallery
from bridge.train.answer import AnswerStage
from bridge.train.searchable import Kept, gallery_of, is_divided

LOOKED_AT = 64  # samples whose questions are counted for the estimate of memory


class Tune(AnswerStage):
    """Joint fine-tuning on questions about a sample's gene and brain side.

    Args:
        cohort: Given by the data module.
        projectors: Modality to projector, for a run without stage 1; widths are given by the code.
        start: Bundle of stage 1 whose projectors, tags and shared space are taken.
        llm: The LLM; the one of ``start`` where that is given.
        lora: The adapter, in float32 whatever the LLM's dtype.
        blind: Train the blind twin: of every input it is told that it is there, by its tag, and nothing else. (Soft tokens of
            zeros would do as well, but no gradient comes back finite through them: RMSNorm scales it by a few hundred a layer.)
        report_text: Text column that is the report to learn; by default a report is composed from regions and facts where there are some.
        learning_rate: Peak for the adapter.
        projector_learning_rate: Peak for projectors and tags.
        weight_decay: Of AdamW.
        modality_dropout: Chance that a modality of a sample that has several is hidden for a step.
        questions: Questions about a sample in one step; they share its soft tokens, so a further one costs its own tokens alone.
        max_tokens: Longest question and answer; a longer one is an error.
        gallery: Keep what a sample is compared with in the bundle, see ``bridge align --help``; there is some where there is a shared space.
        bad_step_limit: Steps with a loss or gradient that is not finite that are skipped before the run stops.
        trust: Modules outside the packages whose encoder classes may load.
    """

    def __init__(
        self,
        cohort: Cohort,
        projectors: dict[str, ProjectorFactory] | None = None,
        *,
        start: str | None = None,
        llm: LLM | None = None,
        lora: Lora | None = None,
        blind: bool = False,
        report_text: str | None = None,
        learning_rate: float = 5e-4,
        projector_learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        modality_dropout: float = 0.3,
        questions: int = 1,
        max_tokens: int = 512,
        gallery: Kept = "auto",
        bad_step_limit: int = 10,
        trust: Sequence[str] = (),
    ):
        if questions < 1:
            raise ValueError(f"tune, field questions: found {questions}, expected at least 1")
        bridge = bridge_to_tune(llm or LLM(), cohort, projectors, start, tuple(trust))
        bridge.blind = blind
        if blind:
            _freeze(bridge)
        rates = {"learning_rate": learning_rate, "projector_learning_rate": projector_learning_rate, "weight_decay": weight_decay}
        super().__init__(bridge, lora, bad_step_limit=bad_step_limit, **rates)
        self.cohort, self.max_tokens, self.modality_dropout, self.asked_at_once = cohort, max_tokens, modality_dropout, questions
        self.searchable = gallery
        self.subjects, self.questions = subjects(cohort), questions_for(cohort, report_text)

    def setup(self, stage: str) -> None:
        """Leave out samples about which nothing can be asked: a gene alone, say, in a cohort that has no facts and no texts."""
        silent = [row for row, subject in enumerate(self.subjects) if not self._ask(row, subject.present & set(self.bridge.projectors), seed=[0])]
        if silent:
            example = self.subjects[silent[0]].id
            warnings.warn(f"tune: {len(silent)} samples are left out, nothing can be asked about them; for example {example!r}", stacklevel=2)
        self.trainer.datamodule.leave_out(silent)

    def on_before_batch_transfer(self, batch: Batch, dataloader_index: int) -> Batch:
        """Choose what is hidden and what is asked, as a pure function of (seed, epoch, row)."""
        batch = super().on_before_batch_transfer(batch, dataloader_index)
        epoch = self.current_epoch if self.training else 0
        batch.opening, batch.turns = self.prompt.opening, []
        for position, row in enumerate(batch.rows.tolist()):
            seed = [self.trainer.datamodule.seed, epoch, row, int(self.training)]
            measured = frozenset(modality for modality in self.bridge.projectors if torch.isfinite(batch.values[modality][position]).any())
            shown = self._shown(measured, np.random.default_rng(seed))
            shown, asked = next((each, asked) for each in (shown, measured) if (asked := self._ask(row, each, seed)))
            for modality in measured - shown:
                batch.values[modality][position] = torch.nan
            batch.turns.append([self.prompt.example(each.question, each.answer, length=self.max_tokens) for each in asked])
        return batch

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self.bridge.reference, self.bridge.trained_on = training_reference(self.bridge, self.cohort), CohortFile.of(self.cohort)

    def gallery(self, bridge: SemanticBridge) -> Gallery | None:
        """Made again, for this may be another cohort than that of stage 1; on divided weights, which cannot read texts here, stage 1's."""
        if self.searchable == "none" or bridge.space is None:
            return None
        found = super().gallery(bridge)
        return found if found and is_divided(bridge) else gallery_of(bridge, self.cohort, found and found.columns, kept=self.searchable)

    def row_tokens(self, data: lightning.LightningDataModule) -> tuple[int, int]:
        """Of the longest questions among the first samples."""
        asked, answered = turn_tokens(self.prompt, self.subjects, self.questions, self.asked_at_once).max(axis=0, initial=1)
        before = len(self.prompt.opening) + sum(1 + projector.k for projector in self.bridge.projectors.values())
        return data.batch_size * (before + int(asked)), data.batch_size * int(answered)

    def _ask(self, row: int, shown: frozenset[str], seed: list[int]) -> list[Asked]:
        return sample_questions(self.subjects[row], self.questions, shown, seed, count=self.asked_at_once)

    def _shown(self, measured: frozenset[str], random: np.random.Generator) -> frozenset[str]:
        """The modalities shown of one sample; one of several may be hidden."""
        hide = self.training and len(measured) > 1 and random.random() < self.modality_dropout
        return measured - {sorted(measured)[random.integers(len(measured))]} if hide else measured


def turn_tokens(prompt: Prompt, subjects: Sequence[Subject], questions: Sequence[Question], at_once: int = 1) -> Int[np.ndarray, "samples 2"]:
    """Tokens of questions and answers of a sample in one step, and how many of them are the answers'; of the first samples that have some."""
    asked = (sample_questions(subject, questions, subject.present, [0, row], count=at_once) for row, subject in enumerate(subjects))
    some = itertools.islice(filter(None, asked), LOOKED_AT)
    told = [[(len(prompt.question(each.question)), len(prompt.answer(each.answer))) for each in every] for every in some]
    return np.array([(sum(map(sum, turns)), sum(answer for _, answer in turns)) for turns in told], dtype=np.int64).reshape(-1, 2)


def bridge_to_tune(llm: LLM, cohort: Cohort, projectors: dict | None, start: str | None, trust: tuple[str, ...]) -> SemanticBridge:
    """The bridge of an earlier stage, or a new one."""
    language = load_llm(llm)
    if not start and not projectors:
        raise ValueError("tune, field projectors: found none and no 'start'; give the bundle of stage 1 (--model.start) or projectors")
    bridge = _keep_shared_space(load(start, language=language, trust=trust)) if start else SemanticBridge.compose(language, cohort, projectors, trust).train()
    bridge.template = llm.template
    return bridge


def _freeze(bridge: SemanticBridge) -> None:
    """No gradient reaches what a blind bridge does not read."""
    for part in (bridge.projectors, bridge.tags, bridge.encoders):
        part.requires_grad_(False)


def _keep_shared_space(bridge: SemanticBridge) -> SemanticBridge:
    """What the shared space reads stays as stage 1 left it, so that retrieval still holds after stage 2."""
    for modality, projector in bridge.projectors.items():
        for part in projector.aligned():
            part.requires_grad_(False)
        if bridge.space is not None and not projector.aligned():
            warnings.warn(
                f"tune: {type(projector).__name__} of {modality!r} has no part of its own for the shared space; evaluate retrieval again", stacklevel=2
            )
    if bridge.space is not None:
        bridge.space.requires_grad_(False)
    return bridge.train()
