"""FSDP2: the LLM's layers and all that is trained, divided over the cards of a run and put together again for the bundle."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from bridge.language.llm import base_model
from bridge.language.quantise import is_quantised

#: Methods through which training enters a stage; the weights outside the layers are whole while one of them runs.
ENTRIES = ("training_step", "validation_step", "encode_texts", "perplexities")


def shard(stage: nn.Module, llm: nn.Module, mesh: DeviceMesh) -> frozenset[str]:
    """Divide a stage in place: one group per decoder layer, one for everything else (fully_shard, arXiv:2304.11277).

    Frozen bfloat16 weights and trainable float32 ones may share a layer: weights are divided one by one.

    Args:
        stage: The module that is trained, with the LLM somewhere inside it.
        llm: The LLM.
        mesh: One dimension, the cards.

    Returns:
        Names of the weights that were scalars, for :func:`gather`.

    Raises:
        ValueError: the LLM is quantised.
    """
    if is_quantised(base_model(llm)):
        raise ValueError("model.llm, field quantise: four-bit weights are not divided over cards; use configs/strategy/ddp.yaml or one_card.yaml")
    if isinstance(stage, FSDPModule):
        return frozenset()
    # A weight is divided along its first dimension, which a scalar does not have.
    scalars = {name: parameter for name, parameter in stage.named_parameters() if parameter.ndim == 0}
    for name, parameter in scalars.items():
        _put(stage, name, nn.Parameter(parameter.detach().reshape(1), parameter.requires_grad))
    for layer in base_model(llm).model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(stage, mesh=mesh)
    for entry in ENTRIES:
        if hasattr(stage, entry):
            register_fsdp_forward_method(stage, entry)
    return frozenset(scalars)


def gather(stage: nn.Module, scalars: Collection[str], frozen: str = "bridge.llm.") -> None:
    """Make every weight whole again on every rank, but for the frozen ones of the LLM; all ranks must call this together.

    Args:
        stage: What :func:`shard` divided, or a stage that was never divided.
        scalars: What :func:`shard` gave.
        frozen: How the names of weights begin that stay divided unless they are trained.
    """
    for module in stage.modules():
        if isinstance(module, FSDPModule):
            module.reshard()  # what the last step left whole would be divided again by the first state_dict()
    for name, parameter in list(stage.named_parameters()):
        if isinstance(parameter, DTensor) and (parameter.requires_grad or not name.startswith(frozen)):
            whole = parameter.detach().full_tensor().cpu()
            _put(stage, name, nn.Parameter(whole.reshape(()) if name in scalars else whole, parameter.requires_grad))


def _put(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
    owner, _, last = name.rpartition(".")
    setattr(module.get_submodule(owner), last, parameter)
