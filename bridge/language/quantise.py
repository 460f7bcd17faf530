"""NF4 (arXiv:2305.14314): a frozen LLM in four bits a weight, through the extra ``gpu``."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import BitsAndBytesConfig

EMBEDDINGS, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def nf4_settings(name: str) -> dict[str, Any]:
    """What ``from_pretrained`` takes for NF4: double quantisation, products in bfloat16, on the card of this process.

    Args:
        name: Of the LLM, for the error.

    Raises:
        ValueError: there is no CUDA card, or bitsandbytes is not installed.
    """
    if not torch.cuda.is_available():
        raise ValueError(f"LLM {name!r}, field quantise: found 'nf4' and no CUDA card, expected one; leave quantise out on a CPU")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ValueError(f"LLM {name!r}, field quantise: 'nf4' needs the package bitsandbytes; install it with: pip install 'neuro-omics-bridge[gpu]'")
    form = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": torch.bfloat16}
    return {"quantization_config": BitsAndBytesConfig(load_in_4bit=True, **form), "device_map": {"": int(os.environ.get("LOCAL_RANK", 0))}}


def is_quantised(model: nn.Module) -> bool:
    """Whether the weights of a LLM are stored in another form than numbers of their shape."""
    return bool(getattr(model, "is_quantized", False))


def stored_weights(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """Weights as they are in the files of a checkpoint, one at a time.

    Args:
        folder: Of the checkpoint, with safetensors or .bin files, whole or in shards.
        names: Of the weights; a head that is not stored is the embedding table.

    Raises:
        ValueError: a weight is in no file.
    """
    readers = _readers(folder)
    for name in names:
        found = readers.get(name) or (readers.get(EMBEDDINGS) if name == HEAD else None)
        if found is None:
            raise ValueError(f"{folder}: weight {name!r} is in none of its model*.safetensors or pytorch_model*.bin; expected a whole checkpoint")
        yield name, found()


def _readers(folder: Path) -> dict[str, Callable[[], Tensor]]:
    """Name of a weight to what reads it; nothing is read before."""
    readers: dict[str, Callable[[], Tensor]] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        file = safe_open(path, framework="pt")
        readers |= {name: functools.partial(file.get_tensor, name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    for path in () if readers else sorted(folder.glob("pytorch_model*.bin")):
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        readers |= {name: functools.partial(content.get, name) for name in content}
    return readers
