"""Instruction tuning: the questions and answers of many task families, some of them about measured samples."""

from __future__ import annotations

from collections.abc import Sequence

import lightning

from bridge.data.batch import Batch
from bridge.data.cohort import Cohort
from bridge.data.cohort_file import CohortFile
from bridge.language.llm import LLM, Lora, load_llm
from bridge.model import ProjectorFactory, SemanticBridge
from bridge.report.gate import training_reference
from bridge.train.adapter import continued
from bridge.train.answer import AnswerStage
from bridge.train.tune import LOOKED_AT, bridge_to_tune


class Instruct(AnswerStage):
    """Joint tuning on instructions; one about a sample has its soft tokens in front, all others are words alone.

    Args:
        cohort: Given by the data module where there is one.
        projectors: Modality to projector, for a run on a cohort without ``start``.
        start: Bundle to go on from: of pretraining, or with projectors of stage 1 or 2.
        llm: The LLM; without a cohort the one of ``start`` where that is given.
        lora: The adapter, in float32 whatever the LLM's dtype.
        learning_rate: Peak for the adapter.
        projector_learning_rate: Peak for projectors and tags.
        weight_decay: Of AdamW.
        max_tokens: Longest question and answer; a longer one is an error.
        bad_step_limit: Steps with a loss or gradient that is not finite that are skipped before the run stops.
        trust: Modules outside the packages whose encoder classes may load.
    """

    def __init__(
        self,
        cohort: Cohort | None = None,
        projectors: dict[str, ProjectorFactory] | None = None,
        *,
        start: str | None = None,
        llm: LLM | None = None,
        lora: Lora | None = None,
        learning_rate: float = 5e-4,
        projector_learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        max_tokens: int = 1024,
        bad_step_limit: int = 10,
        trust: Sequence[str] = (),
    ):
        llm = llm or LLM()
        if cohort is not None:
            bridge = bridge_to_tune(llm, cohort, projectors, start, tuple(trust))
        else:
            bridge = continued(start, tuple(trust)) if start else SemanticBridge.text_only(load_llm(llm), llm.template).train()
        rates = {"learning_rate": learning_rate, "projector_learning_rate": projector_learning_rate, "weight_decay": weight_decay}
        super().__init__(bridge, lora, bad_step_limit=bad_step_limit, **rates)
        self.cohort, self.max_tokens = cohort, max_tokens

    def on_before_batch_transfer(self, batch: Batch, dataloader_index: int) -> Batch:
        """Put every instruction into its prompt."""
        batch = super().on_before_batch_transfer(batch, dataloader_index)
        items = [self.trainer.datamodule.items[row] for row in batch.rows.tolist()]
        batch.opening = self.prompt.opening
        batch.turns = [[self.prompt.example(item.question, item.answer, length=self.max_tokens)] for item in items]
        batch.values = {modality: values for modality, values in batch.values.items() if modality in self.bridge.projectors}
        return batch

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if self.cohort is not None:
            self.bridge.reference, self.bridge.trained_on = training_reference(self.bridge, self.cohort), CohortFile.of(self.cohort)

    def told(self) -> list[str]:
        """What was kept out of training, where something was."""
        out = self.trainer.datamodule.held_out
        families = ", ".join(sorted({item.family for item in out}))
        return [f"held out of training: {len(out)} instructions ({families}); score them with bridge evaluate instructions"] if out else []

    def row_tokens(self, data: lightning.LightningDataModule) -> tuple[int, int]:
        """Of the longest among the first instructions."""
        items = data.items[:LOOKED_AT]
        lengths = [(len(self.prompt.question(item.question)), len(self.prompt.answer(item.answer))) for item in items]
        asked, answered = (max(each) for each in zip(*lengths, strict=True))
        before = len(self.prompt.opening) + sum(1 + projector.k for projector in self.bridge.projectors.values())
        return data.batch_size * (before + asked + answered), data.batch_size * answered
