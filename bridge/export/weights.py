"""The LLM with its adapter inside the weights, written shard by shard."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from peft.tuners.lora import Linear
from safetensors.torch import save_file
from torch import Tensor, nn

from bridge.language.llm import base_model

SHARD = 5 * 10**9  # bytes
HELD = (torch.float32, torch.bfloat16, torch.float16)


def write_merged(model: nn.Module, folder: Path, dtype: torch.dtype, shard: int = SHARD) -> None:
    """Write weights as sharded safetensors: what transformers and vLLM load.

    Merged in float32 and rounded once. One shard is in memory beside the LLM as it is loaded: a 70B model in bfloat16 needs 140 GB for itself
    (280 GB in float32), 5 GB to write and 140 GB of disk; a 13B model 26 (52), 5 and 26 GB.

    Args:
        model: The LLM with its active adapters; no weight of it is changed.
        folder: Where to write.
        dtype: Of the written weights.
        shard: Bytes of a file at most.

    Raises:
        ValueError: a weight is quantised, an adapter is not plain LoRA, or a weight would be NaN or infinite.
    """
    stored, layers = _stored(model), _adapted(model)
    _require_mergeable(stored, layers)
    shards = _shards({name: tensor.numel() * dtype.itemsize for name, tensor in stored.items()}, shard)
    for file, names in shards.items():
        save_file({name: _merged(name, stored[name], layers, dtype) for name in names}, folder / file, metadata={"format": "pt"})
    if len(shards) > 1:
        total = sum(tensor.numel() for tensor in stored.values()) * dtype.itemsize
        index = {"metadata": {"total_size": total}, "weight_map": {name: file for file, names in shards.items() for name in names}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")


def _shards(sizes: dict[str, int], limit: int) -> dict[str, list[str]]:
    """File to the weights in it, by the file names that transformers and vLLM look for; a weight above the limit has a file of its own."""
    shards: list[list[str]] = [[]]
    for name, size in sizes.items():
        if shards[-1] and sum(sizes[each] for each in shards[-1]) + size > limit:
            shards.append([])
        shards[-1].append(name)
    if len(shards) == 1:
        return {"model.safetensors": shards[0]}
    return {f"model-{number:05d}-of-{len(shards):05d}.safetensors": names for number, names in enumerate(shards, 1)}


def _stored(model: nn.Module) -> dict[str, Tensor]:
    """Base weights by the names they have without an adapter; a language head that is the embedding table is written once, as that."""
    base = base_model(model)
    tied = base.config.tie_word_embeddings
    weights = {name.replace(".base_layer", ""): tensor for name, tensor in base.state_dict().items() if "lora_" not in name}
    return {name: tensor for name, tensor in weights.items() if not (tied and name == "lm_head.weight")}


def _adapted(model: nn.Module) -> dict[str, Linear]:
    """Name of a weight to the layer that adapts it."""
    return {f"{name}.weight": layer for name, layer in base_model(model).named_modules() if isinstance(layer, Linear)}


def _require_mergeable(stored: dict[str, Tensor], layers: dict[str, Linear]) -> None:
    for name, tensor in stored.items():
        if tensor.dtype not in HELD:
            raise ValueError(f"LLM, weight {name!r}: found {tensor.dtype}, expected one of {HELD}; load the base LLM unquantised: merging would round it")
    for name, layer in layers.items():
        if any(adapter in layer.lora_variant or layer.lora_bias[adapter] for adapter in layer.lora_A):
            raise ValueError(f"LLM, weight {name!r}: found an adapter that is not plain LoRA, expected one as written by: bridge tune")


def _merged(name: str, weight: Tensor, layers: dict[str, Linear], dtype: torch.dtype) -> Tensor:
    """One weight as the server will hold it."""
    total = weight.detach().cpu()
    for delta in _deltas(layers.get(name)):
        total = total.float() + delta.detach().float().cpu()
    total = total.to(dtype).contiguous()
    if not torch.isfinite(total).all():
        raise ValueError(f"LLM, weight {name!r}: NaN or infinite as {dtype} with the adapter merged, expected finite; the adapter or the base LLM is damaged")
    return total


def _deltas(layer: Linear | None) -> Iterable[Tensor]:
    """What each active adapter adds; nothing where it is in the weight already."""
    if layer is None or layer.disable_adapters or layer.merged:
        return ()
    return (layer.get_delta_weight(name) for name in layer.active_adapters if name in layer.lora_A)
