"""The adapter inside the weights while an LLM writes: a step of decoding is so small that the adapter's own products are a good part of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from peft.tuners.lora import Linear
from torch import nn


@contextlib.contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """The LLM with its active adapters merged, and afterwards with the very weights it had before: subtracting would leave others.

    Takes a copy of the adapted weights. Layers over quantised weights are left as they are: merging would round them.

    Args:
        model: The LLM; without an adapter nothing is done.

    Raises:
        ValueError: a merged weight would be NaN or infinite.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, Linear) and not layer.merged and not layer.disable_adapters]
    before = [(parameter, parameter.data) for layer in layers for parameter in layer.get_base_layer().parameters()]
    try:
        with torch.inference_mode(False), torch.no_grad():
            for layer in layers:
                layer.merge(safe_merge=True)  # into a copy: what is held here stays as it is
        yield
    finally:
        for parameter, weight in before:
            parameter.data = weight
        for layer in layers:
            layer.merged_adapters.clear()
