"""What stage 2 and instruction tuning share: an LLM with an adapter learns to answer, with soft tokens in front of the question or without."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bridge.data.batch import Batch
from bridge.language.llm import Lora
from bridge.language.prompts import Prompt
from bridge.model import SemanticBridge
from bridge.train.adapter import with_lora
from bridge.train.optimise import cosine_schedule, require_trained
from bridge.train.stage import Stage

OURS = ("projectors", "tags", "encoders")  # what learns beside the adapter


class AnswerStage(Stage):
    """Answers are learned, questions are not.

    Args:
        bridge: The model; it is given the adapter here.
        lora: The adapter.
        learning_rate: Peak for the adapter.
        projector_learning_rate: Peak for projectors and tags.
        weight_decay: Of AdamW.
        bad_step_limit: See :class:`Stage`.
    """

    def __init__(
        self,
        bridge: SemanticBridge,
        lora: Lora | None,
        *,
        learning_rate: float,
        projector_learning_rate: float,
        weight_decay: float,
        bad_step_limit: int,
    ):
        super().__init__(bad_step_limit)
        self.bridge, self.rates, self.weight_decay = bridge, (learning_rate, projector_learning_rate), weight_decay
        with_lora(bridge, lora)

    @property
    def prompt(self) -> Prompt:
        """How questions are put."""
        return self.bridge.prompt

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Ask, answer from the prefix, compare with the true answer."""
        logits, targets = self.bridge(batch.values, batch.opening, batch.turns)
        loss = F.cross_entropy(logits.float(), targets, reduction="sum")
        self.log("answer_tokens", float(len(targets)), batch_size=len(batch))
        self.log("loss", loss.detach() / len(targets), prog_bar=True, batch_size=len(batch))
        return self.per_token(loss, len(targets))

    def validation_step(self, batch: Batch, index: int) -> None:
        logits, targets = self.bridge(batch.values, batch.opening, batch.turns)
        self.log("validation/loss", F.cross_entropy(logits.float(), targets), prog_bar=True, batch_size=len(batch), sync_dist=True)

    def on_fit_start(self) -> None:
        trained = [] if self.bridge.blind or not self.bridge.projectors else [self.bridge.projectors]
        require_trained(self, self.bridge.llm, *trained)

    def configure_optimizers(self) -> dict:
        adapter = [parameter for parameter in self.bridge.llm.parameters() if parameter.requires_grad]
        rest = [parameter for name, parameter in self.bridge.named_parameters() if parameter.requires_grad and name.startswith(OURS)]
        groups = [{"params": parameters, "lr": rate} for parameters, rate in zip((adapter, rest), self.rates, strict=True) if parameters]
        return cosine_schedule(torch.optim.AdamW(groups, weight_decay=self.weight_decay), self.trainer.estimated_stepping_batches)
