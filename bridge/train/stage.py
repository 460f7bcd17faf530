"""What both stages share: checkpoints without the LLM, skipped bad steps, exact resumption, and sharding over cards."""

from __future__ import annotations

from pathlib import Path

import lightning
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from bridge.bundle import save
from bridge.data.batch import Batch
from bridge.language.llm import fingerprint
from bridge.model import SemanticBridge
from bridge.train.sharding import gather, shard


class Stage(lightning.LightningModule):
    """A training stage around a bridge.

    A step whose loss or gradient is not finite changes nothing: it is skipped and counted with its samples, never
    replaced by a loss of 0. On several cards it is skipped on all of them.

    Args:
        bad_step_limit: How many steps may be skipped before the run stops.
    """

    bridge: SemanticBridge

    def __init__(self, bad_step_limit: int = 10):
        super().__init__()
        self.strict_loading = False  # the frozen LLM is not in a checkpoint
        self.bad_step_limit, self.bad_steps = bad_step_limit, []
        self.step_ids, self.step_finite, self.step_tokens = [], True, 0
        self.resumed, self.random_states = False, {}
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
        save(bridge, out, metrics)

    def told(self) -> list[str]:
        """What the run has to say at its end, line by line."""
        return []

    def row_tokens(self, data: lightning.LightningDataModule) -> tuple[int, int] | None:
        """Tokens of the longest step of such data, and how many of them are learned; None where the LLM is frozen or alone on the text side."""
        return None

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        self.step_ids += batch.ids
        set_random_states(self.random_states)
        self.random_states = {}

    def per_token(self, total: Float[Tensor, ""], tokens: int) -> Float[Tensor, ""]:
        """What a step returns of a loss summed over tokens: with :meth:`on_before_optimizer_step` the gradient is that of the mean over
        all tokens of the step, however they are spread over its batches and cards (a mean of means would favour short answers).
        A batch without any token teaches nothing and spoils its step."""
        self.step_tokens += tokens
        self.step_finite &= tokens > 0
        return total * self.trainer.accumulate_grad_batches  # by which Lightning divides

    def on_before_backward(self, loss: Tensor) -> None:
        self.step_finite &= bool(torch.isfinite(loss))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Without gradients the optimiser leaves weights and moments as they are."""
        self._divide_by_tokens()
        ids, usable = self.step_ids, self.step_finite and finite_gradients(self)
        self.step_ids, self.step_finite, self.step_tokens = [], True, 0
        if not self.trainer.strategy.reduce_boolean_decision(usable):
            optimizer.zero_grad()
            self._count_bad_step(ids)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        # Tied weights have two names; both must go.
        frozen = {name for name, parameter in self.named_parameters(remove_duplicate=False) if not parameter.requires_grad}
        checkpoint["state_dict"] = {name: tensor for name, tensor in checkpoint["state_dict"].items() if name not in frozen}
        checkpoint["random_states"] = random_states()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        if "state_dict" in checkpoint:  # where the model is sharded its weights are in place already
            require_all_trained(self, checkpoint["state_dict"])
        self.resumed, self.random_states = True, checkpoint["random_states"]  # set when the first batch is here: whatever comes before may draw

    def _divide_by_tokens(self) -> None:
        """Gradients stand at the mean over cards of sums over tokens."""
        if not self.step_tokens:
            return
        tokens = self.trainer.strategy.reduce(torch.tensor(float(self.step_tokens), device=self.device), reduce_op="mean")
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad /= float(tokens)

    def _count_bad_step(self, ids: list[str]) -> None:
        self.bad_steps.append(ids)
        self.log("bad_steps", float(len(self.bad_steps)), batch_size=len(ids))
        if len(self.bad_steps) > self.bad_step_limit:
            raise ValueError(
                f"{type(self).__name__.lower()}: {len(self.bad_steps)} steps whose loss or gradient is not finite, expected at most {self.bad_step_limit}; "
                f"last samples: {', '.join(ids[:5])}; check their values, or lower the learning rate"
            )


def require_all_trained(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Refuse a checkpoint that lacks a trained weight: what is not strict about the LLM is strict about the rest."""
    missing = sorted({name for name, parameter in module.named_parameters() if parameter.requires_grad} - set(weights))
    if missing:
        raise ValueError(f"checkpoint: trained weight {missing[0]!r} is missing ({len(missing)} in all); expected the checkpoint of this configuration")


def finite_gradients(module: nn.Module) -> bool:
    """Whether every gradient on this rank can be used."""
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    local = [gradient.to_local() if isinstance(gradient, DTensor) else gradient for gradient in gradients]
    return not local or bool(torch.isfinite(nn.utils.get_total_norm(local)))


def random_states() -> dict[str, Tensor]:
    """Where torch's random generators stand, from which dropout goes on."""
    return {"cpu": torch.get_rng_state()} | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_states(states: dict[str, Tensor]) -> None:
    """Inverse of :func:`random_states`, for those that are given."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
