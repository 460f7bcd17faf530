"""Random generators as part of a checkpoint: a run that was stopped draws on where it stood."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def random_states() -> dict[str, Any]:
    """Where the generators of torch, numpy and Python stand, in types that load without running code."""
    table = np.random.get_state(legacy=False)
    numpy_state = table | {"state": {"key": table["state"]["key"].tolist(), "pos": int(table["state"]["pos"])}}
    states = {"cpu": torch.get_rng_state(), "numpy": numpy_state, "python": random.getstate()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_states(states: dict[str, Any]) -> None:
    """Inverse of :func:`random_states`, for those that are given."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"].cpu())
    if "numpy" in states:
        kept = states["numpy"]["state"]
        np.random.set_state(states["numpy"] | {"state": {"key": np.array(kept["key"], dtype=np.uint32), "pos": kept["pos"]}})
    if "python" in states:
        version, numbers, gauss = states["python"]
        random.setstate((version, tuple(numbers), gauss))
