"""Continual pretraining: the LLM goes on reading a weighted mixture of domains, and what it forgets is measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import lightning
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bridge.corpora.mixture import MixtureData
from bridge.data.batch import Batch, Turn
from bridge.language.llm import LLM, Lora, base_model, load_llm
from bridge.language.quantise import is_quantised
from bridge.model import SemanticBridge
from bridge.train.adapter import continued, with_lora
from bridge.train.optimise import cosine_schedule, require_trained
from bridge.train.stage import Stage
from bridge.train.whole import save_llm

LOSS_AT_ONCE = 2048  # tokens whose logits are in memory together


class Pretrain(Stage):
    """Next-token prediction on packed documents.

    The settings of the optimiser are Me-LLaMA's (arXiv:2402.12749): AdamW with betas .9 and .95, weight decay 1e-5, and a cosine with
    a warm-up of 5 %; its learning rate of 8e-6 is for full weights, an adapter wants more.

    Args:
        start: Bundle with an adapter that goes on learning, without any modality.
        llm: The LLM; the one of ``start`` where that is given.
        lora: The adapter.
        full: Train every weight instead; an LLM folder is then written, not a bundle.
        learning_rate: Peak.
        betas: Of AdamW.
        weight_decay: Of AdamW.
        warmup: Share of the steps in which the learning rate rises.
        general: Domain that stands for what was known before.
        forgetting: How much the perplexity on it may rise, as a share; more is a warning, in the bundle's metrics too.
        bad_step_limit: Steps with a loss or gradient that is not finite that are skipped before the run stops.
    """

    def __init__(
        self,
        start: str | None = None,
        llm: LLM | None = None,
        *,
        lora: Lora | None = None,
        full: bool = False,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 1e-5,
        warmup: float = 0.05,
        general: str = "general",
        forgetting: float = 0.05,
        bad_step_limit: int = 10,
    ):
        super().__init__(bad_step_limit)
        if full and (lora or start):
            raise ValueError("pretrain, field full: found true beside an adapter (lora or start), expected one or the other")
        self.full, self.general, self.forgetting = full, general, forgetting
        self.optimiser = {"lr": learning_rate, "betas": tuple(betas), "weight_decay": weight_decay}
        self.warmup = warmup
        llm = llm or LLM()
        self.bridge = continued(start) if start else SemanticBridge.text_only(load_llm(llm), llm.template)
        if self.bridge.projectors:
            raise ValueError(f"pretrain, field start: found a bundle of {', '.join(self.bridge.projectors)}, expected one without any modality")
        self._train_all() if full else with_lora(self.bridge, lora)
        self.perplexity: dict[str, dict[str, float]] = {}

    def prepare_data(self) -> None:
        """Tokenise once on each machine."""
        self.trainer.datamodule.tokenise(self.bridge.language.tokenizer)

    def setup(self, stage: str) -> None:
        self.trainer.datamodule.tokenise(self.bridge.language.tokenizer)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Read, and predict the next token of every document."""
        states, targets = self.bridge.states(batch.values, batch.opening, batch.turns)
        loss = token_loss(base_model(self.bridge.llm).lm_head, states, targets)
        self.log("tokens", float(len(targets)), batch_size=len(batch))
        self.log("loss", loss.detach() / len(targets), prog_bar=True, batch_size=len(batch))
        return self.per_token(loss, len(targets))

    def on_fit_start(self) -> None:
        require_trained(self, self.bridge.llm)
        if "before" not in self.perplexity:
            self.perplexity["before"] = self.perplexities()

    def on_train_end(self) -> None:
        """Log the perplexity of every domain before and after, and whether the general text is known as well as it was."""
        self.perplexity["after"] = self.perplexities()
        for when, domains in self.perplexity.items():
            self.trainer.callback_metrics.update({f"perplexity/{domain}/{when}": torch.tensor(value) for domain, value in domains.items()})
        if self.forgot is not None:
            self.trainer.callback_metrics["forgetting"] = torch.tensor(self.forgot)

    @property
    def forgot(self) -> float | None:
        """By what share the perplexity on general text has risen; None where there is none."""
        before, after = (self.perplexity.get(when, {}).get(self.general) for when in ("before", "after"))
        return None if before is None or after is None else after / before - 1

    def told(self) -> list[str]:
        """What the run has to say at its end: a line per domain, and what was forgotten."""
        before, after = self.perplexity["before"], self.perplexity["after"]
        lines = [f"perplexity, {domain}: {first:.2f} before, {after[domain]:.2f} after ({after[domain] / first - 1:+.1%})" for domain, first in before.items()]
        if self.forgot is None:
            return [*lines, f"forgetting: not measured, there is no held-out text of {self.general!r}"]
        verdict = "within" if self.forgot <= self.forgetting else "beyond"
        advice = "" if self.forgot <= self.forgetting else f"; give {self.general!r} a higher weight (--data.weights), or lower the learning rate"
        return [*lines, f"forgetting: perplexity on {self.general} text {self.forgot:+.1%}, {verdict} the bound of {self.forgetting:+.1%}{advice}"]

    def write(self, bridge: SemanticBridge, out: Path, metrics: dict) -> None:
        """A bundle, or of full weights an LLM folder."""
        if self.full:
            save_llm(bridge.language, out, metrics)
        else:
            super().write(bridge, out, metrics)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["perplexity"] = self.perplexity

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        super().on_load_checkpoint(checkpoint)
        self.perplexity = checkpoint["perplexity"]

    def configure_optimizers(self) -> dict:
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return cosine_schedule(torch.optim.AdamW(trained, **self.optimiser), self.trainer.estimated_stepping_batches, warmup=self.warmup)

    def row_tokens(self, data: lightning.LightningDataModule) -> tuple[int, int]:
        """Tokens of a step, all of which are learned."""
        tokens = data.batch_size * data.row_tokens
        return tokens, min(tokens, LOSS_AT_ONCE)

    def perplexities(self) -> dict[str, float]:
        """Perplexity of every domain that has held-out text; all cards read all of it."""
        data: MixtureData = self.trainer.datamodule
        found = {domain: perplexity(self.bridge, data.held_out_rows(domain), data.row_tokens) for domain in data.held_out}
        return {domain: value for domain, value in found.items() if value is not None}

    def _train_all(self) -> None:
        if is_quantised(base_model(self.bridge.llm)):
            raise ValueError("pretrain, field full: four-bit weights do not learn; leave out quantise, or train an adapter")
        self.bridge.llm.float().requires_grad_(True)  # AdamW in bfloat16 would round its small steps away


def token_loss(head: nn.Module, states: Float[Tensor, "tokens width"], targets: Int[Tensor, " tokens"]) -> Float[Tensor, ""]:
    """Cross-entropy summed over tokens; logits are made again in the backward pass, a part of the row at a time."""

    def part(some: Tensor, wanted: Tensor) -> Tensor:
        return F.cross_entropy(head(some).float(), wanted, reduction="sum")

    parts = zip(states.split(LOSS_AT_ONCE), targets.split(LOSS_AT_ONCE), strict=True)
    return torch.stack([checkpoint(part, some, wanted, use_reentrant=False) for some, wanted in parts]).sum()


@torch.no_grad()
def perplexity(bridge: SemanticBridge, rows: Iterable[list[Turn]], row_tokens: int = 1024) -> float | None:
    """Perplexity per token of held-out documents; None where there is nothing to predict.

    Args:
        bridge: The model; dropout is off meanwhile.
        rows: Documents.
        row_tokens: Tokens of documents that are read together.
    """
    total, count, training = 0.0, 0, bridge.training
    bridge.eval()
    for turns in _together(rows, row_tokens):
        states, targets = bridge.states({}, [], [turns])
        if len(targets):
            total, count = total + float(token_loss(base_model(bridge.llm).lm_head, states, targets)), count + len(targets)
    bridge.train(training)
    return math.exp(total / count) if count else None


def _together(rows: Iterable[list[Turn]], size: int) -> Iterable[list[Turn]]:
    held: list[Turn] = []
    for row in rows:
        if held and sum(len(turn.ids) for turn in (*held, *row)) > size:
            yield held
            held = []
        held = [*held, *row]
    if held:
        yield held
