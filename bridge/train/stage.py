"""What all stages share: checkpoints without the LLM, skipped bad steps, exact resumption, and sharding over cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bridge.bundle import save
from bridge.data.batch import Batch
from bridge.data.unfit import typical_sizes
from bridge.language.llm import fingerprint
from bridge.model import SemanticBridge
from bridge.retrieve.gallery import Gallery
from bridge.train.finite import BadStep, FiniteGate, finite_gradients, say
from bridge.train.log import StepLog
from bridge.train.resume import random_states, set_random_states
from bridge.train.sharding import gather, shard


class Stage(lightning.LightningModule):
    """A training stage around a bridge.

    A step with a bad sample, or whose loss or gradient is not finite, changes nothing, neither weights nor moments nor the learning
    rate: it is skipped and counted with its samples, never replaced by a loss of 0. On several cards it is skipped on all of them.

    Args:
        bad_step_limit: How many steps may be skipped before the run stops.
    """

    bridge: SemanticBridge

    def __init__(self, bad_step_limit: int = 10):
        super().__init__()
        self.strict_loading = False  # the frozen LLM is not in a checkpoint
        self.gate, self.step_tokens = FiniteGate(bad_step_limit), 0
        self.resumed, self.random_states, self.place = False, {}, {}
        self.begun = False  # whether a batch of this process has been reached
        self.scalars: frozenset[str] = frozenset()

    def configure_model(self) -> None:
        """Divide the model over the cards where the strategy gives a device mesh (FSDP2)."""
        if self.device_mesh is not None:
            self.bridge.language.digest = fingerprint(self.bridge.language)  # a sample of every weight, while each is whole
            self.scalars |= shard(self, self.bridge.llm, self.device_mesh["data_parallel"])

    def whole(self) -> SemanticBridge:
        """The bridge with every trained weight on this rank; all ranks must ask for it together."""
        gather(self, self.scalars)
        return self.bridge

    def write(self, bridge: SemanticBridge, out: Path, metrics: dict) -> None:
        """Write what was learned."""
        bridge.gallery = self.gallery(bridge)
        save(bridge, out, metrics)

    def gallery(self, bridge: SemanticBridge) -> Gallery | None:
        """What a sample will be compared with: that of the bundle it started from, while its vectors still hold."""
        return bridge.gallery if bridge.gallery is not None and bridge.gallery.fits(bridge) else None

    def told(self) -> list[str]:
        """What the run has to say at its end, line by line."""
        return []

    def row_tokens(self, data: lightning.LightningDataModule) -> tuple[int, int] | None:
        """Tokens of the longest step of such data, and how many of them are learned; None where the LLM is frozen or alone on the text side."""
        return None

    def on_train_start(self) -> None:
        if self.place:  # Lightning itself forgets it in runs that are counted in epochs
            self.trainer.train_dataloader.load_state_dict(self.place)
        if getattr(self, "cohort", None) is not None:
            self.gate.typical = typical_sizes(self.cohort)

    def on_before_batch_transfer(self, batch: Batch, dataloader_index: int) -> Batch:
        """Samples pass the gate before anything is made of them."""
        if self.training:
            self.gate.take(batch)
        return batch

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        set_random_states(self.random_states)
        self.random_states, self.begun = {}, True

    def per_token(self, total: Float[Tensor, ""], tokens: int) -> Float[Tensor, ""]:
        """What a step returns of a loss summed over tokens: with :meth:`on_before_optimizer_step` the gradient is that of the mean over
        all tokens of the step, however they are spread over its batches and cards (a mean of means would favour short answers).
        A batch without any token teaches nothing and spoils its step."""
        self.step_tokens += tokens
        self.gate.require(tokens > 0, "no token to learn")
        return total * self.trainer.accumulate_grad_batches  # by which Lightning divides

    def on_before_backward(self, loss: Tensor) -> None:
        self.gate.require(bool(torch.isfinite(loss)), "a loss that is not finite")

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Without gradients the optimiser leaves weights and moments as they are."""
        self._divide_by_tokens()
        self.step_tokens = 0
        if self.gate.usable and not finite_gradients(self):
            self.gate.refuse("a gradient that is not finite", self.gate.taken)
        bad = self.gate.close(self.global_step, usable=self.trainer.strategy.reduce_boolean_decision(self.gate.usable))
        if bad:
            optimizer.zero_grad()
            self._report(bad)

    def lr_scheduler_step(self, scheduler: Any, metric: Any | None) -> None:
        """A skipped step is none for the schedule either."""
        if not self.gate.skipped:
            super().lr_scheduler_step(scheduler, metric)

    def log(self, name: str, value: Any, *arguments: Any, **settings: Any) -> None:
        """Log a value; nothing of a batch with stand-ins for bad samples."""
        if not self.training or self.gate.usable:
            super().log(name, value, *arguments, **settings)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        # Tied weights have two names; both must go.
        frozen = {name for name, parameter in self.named_parameters(remove_duplicate=False) if not parameter.requires_grad}
        checkpoint["state_dict"] = {name: tensor for name, tensor in checkpoint["state_dict"].items() if name not in frozen}
        checkpoint["random_states"] = random_states()
        checkpoint["place"] = self.trainer.train_dataloader.state_dict()
        checkpoint["bad_steps"] = [list(each) for each in self.gate.bad]

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        if "state_dict" in checkpoint:  # where the model is sharded its weights are in place already
            require_all_trained(self, checkpoint["state_dict"])
        gone = sorted({"loops", "optimizer_states"} - set(checkpoint))  # without them the library begins anew in silence
        if gone:
            raise ValueError(f"checkpoint: found no {gone[0]!r}, expected all that a run goes on from; begin again with --resume false")
        self.resumed, self.random_states = True, checkpoint["random_states"]  # set when the first batch is here: whatever comes before may draw
        self.place = checkpoint["place"]
        self.gate.bad = [BadStep(*each) for each in checkpoint["bad_steps"]]

    def _divide_by_tokens(self) -> None:
        """Gradients stand at the mean over cards of sums over tokens."""
        if not self.step_tokens:
            return
        tokens = self.trainer.strategy.reduce(torch.tensor(float(self.step_tokens), device=self.device), reduce_op="mean")
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad /= float(tokens)

    def _report(self, bad: BadStep) -> None:
        stage = type(self).__name__.lower()
        self.log("bad_steps", float(len(self.gate.bad)), batch_size=len(bad.ids))
        say(stage, bad, self.gate)
        for log in self.loggers:
            if isinstance(log, StepLog):
                log.write({"step": bad.step, "skipped": bad.reason, "samples": "; ".join(bad.ids)})
        self.gate.require_few(stage)


def require_all_trained(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Refuse a checkpoint that lacks a trained weight: what is not strict about the LLM is strict about the rest."""
    missing = sorted({name for name, parameter in module.named_parameters() if parameter.requires_grad} - set(weights))
    if missing:
        raise ValueError(f"checkpoint: trained weight {missing[0]!r} is missing ({len(missing)} in all); expected the checkpoint of this configuration")
