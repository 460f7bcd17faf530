"""Stage 2: the LLM with LoRA and the projectors learn together to answer from the prefix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bridge.bundle import load
from bridge.data.batch import Batch, pad
from bridge.data.cohort import Cohort
from bridge.language.llm import LLM, Lora, add_lora, load_llm
from bridge.language.prompts import Prompt
from bridge.language.questions import questions_for, sample_questions, subjects
from bridge.model import ProjectorFactory, SemanticBridge
from bridge.report.gate import training_reference
from bridge.train.optimise import KeepsTrainedWeights, cosine_schedule, finite, require_trained


class Tune(KeepsTrainedWeights, lightning.LightningModule):
    """Joint fine-tuning on questions about a sample's gene and brain side.

    Args:
        cohort: Given by the data module.
        projectors: Modality to projector, for a run without stage 1; widths are given by the code.
        start: Bundle of stage 1 whose projectors, tags and shared space are taken.
        llm: The LLM; the one of ``start`` where that is given.
        lora: The adapter, in float32 whatever the LLM's dtype.
        learning_rate: Peak for the adapter.
        projector_learning_rate: Peak for projectors and tags.
        weight_decay: Of AdamW.
        modality_dropout: Chance that a modality of a sample that has several is hidden for a step.
        max_tokens: Longest question and answer; a longer one is an error.
        bad_step_limit: Steps with a non-finite loss that are skipped before the run stops.
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
        learning_rate: float = 5e-4,
        projector_learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        modality_dropout: float = 0.3,
        max_tokens: int = 512,
        bad_step_limit: int = 10,
        trust: Sequence[str] = (),
    ):
        super().__init__()
        self.cohort, self.max_tokens, self.modality_dropout, self.bad_step_limit = cohort, max_tokens, modality_dropout, bad_step_limit
        self.rates, self.weight_decay = {"adapter": learning_rate, "projectors": projector_learning_rate}, weight_decay
        language = load_llm(llm := llm or LLM())
        self.bridge = _start(language, cohort, projectors, start, tuple(trust))
        self.bridge.wear(add_lora(self.bridge.language, lora or Lora()))
        self.prompt = Prompt(language.tokenizer, llm.template)
        self.bridge.template = llm.template
        self.subjects, self.questions = subjects(cohort), questions_for(cohort)
        self.bad_steps: list[list[str]] = []

    def training_step(self, batch: Batch, index: int) -> Tensor | None:
        """Ask, answer from the prefix, compare with the true answer."""
        logits, targets = self.bridge.answer_logits(batch.values, batch.input_ids, batch.mask, batch.labels)
        loss = F.cross_entropy(logits.float(), targets)
        self.log("answer_tokens", float(len(targets)), batch_size=len(batch))
        self.log("loss", loss, prog_bar=True, batch_size=len(batch))
        return loss if finite(loss) else self._skip(batch)

    def validation_step(self, batch: Batch, index: int) -> None:
        logits, targets = self.bridge.answer_logits(batch.values, batch.input_ids, batch.mask, batch.labels)
        self.log("validation/loss", F.cross_entropy(logits.float(), targets), prog_bar=True, batch_size=len(batch))

    def on_before_batch_transfer(self, batch: Batch, dataloader_index: int) -> Batch:
        """Choose what is hidden and what is asked, as a pure function of (seed, epoch, row)."""
        epoch = self.current_epoch if self.training else 0
        examples = []
        for position, row in enumerate(batch.rows.tolist()):
            seed = [epoch, row, int(self.training)]
            present = self._keep(batch, position, np.random.default_rng(seed))
            asked = sample_questions(self.subjects[row], self.questions, present, seed, count=1)
            if not asked:
                raise ValueError(
                    f"{self.cohort.source}, sample {batch.ids[position]!r}: nothing can be asked of {sorted(present)}; "
                    "expected region names, facts or a text; leave the sample out or add a text column"
                )
            examples.append(self.prompt.example(asked[0].question, asked[0].answer, length=self.max_tokens))
        batch.input_ids, batch.mask = pad([ids for ids, _ in examples], self.prompt.tokenizer.pad_token_id)
        batch.labels, _ = pad([labels for _, labels in examples], -100)
        return batch

    def on_fit_start(self) -> None:
        require_trained(self, self.bridge.llm, self.bridge.projectors)
        self.bridge.reference = training_reference(self.bridge, self.cohort)

    def configure_optimizers(self) -> dict:
        adapter = [parameter for parameter in self.bridge.llm.parameters() if parameter.requires_grad]
        ours = ("projectors", "tags", "encoders")
        rest = [parameter for name, parameter in self.bridge.named_parameters() if parameter.requires_grad and name.startswith(ours)]
        groups = [{"params": adapter, "lr": self.rates["adapter"]}, {"params": rest, "lr": self.rates["projectors"]}]
        optimiser = torch.optim.AdamW(groups, weight_decay=self.weight_decay)
        return cosine_schedule(optimiser, self.trainer.estimated_stepping_batches)

    def _keep(self, batch: Batch, position: int, random: np.random.Generator) -> frozenset[str]:
        """The modalities shown of one sample; at least one stays."""
        present = [modality for modality in self.bridge.projectors if torch.isfinite(batch.values[modality][position]).any()]
        hide = self.training and len(present) > 1 and random.random() < self.modality_dropout
        hidden = {present[random.integers(len(present))]} if hide else set()
        for modality in hidden:
            batch.values[modality][position] = torch.nan
        return frozenset(present) - hidden

    def _skip(self, batch: Batch) -> None:
        """A bad step is skipped and counted with its samples, never replaced by a loss of 0."""
        self.bad_steps.append(batch.ids)
        self.log("bad_steps", float(len(self.bad_steps)), batch_size=len(batch))
        if len(self.bad_steps) > self.bad_step_limit:
            raise ValueError(
                f"tune: {len(self.bad_steps)} steps with a non-finite loss, expected at most {self.bad_step_limit}; "
                f"last samples: {', '.join(batch.ids[:5])}; check their values, or lower the learning rate"
            )


def _start(language, cohort: Cohort, projectors: dict | None, start: str | None, trust: tuple[str, ...]) -> SemanticBridge:
    """Stage 1's bridge, or a new one."""
    if start:
        return _keep_shared_space(load(start, language=language, trust=trust))
    if not projectors:
        raise ValueError("tune, field projectors: found none and no 'start'; give the bundle of stage 1 (--model.start) or projectors")
    return SemanticBridge.compose(language, cohort, projectors, trust)


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
