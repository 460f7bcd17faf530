"""What stands in for a prefix in a control: nothing, noise of the same norms, or the mean of the training split."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bridge.data.cohort import Cohort
from bridge.model import SemanticBridge
from bridge.project.prefix import Prefix, zeroed
from bridge.report.generation.generate import generate

NOISE_DRAWS = 4

Change = Callable[[Prefix], Prefix]


def controlled(bridge: SemanticBridge, change: Change) -> SemanticBridge:
    """The same bridge, every weight shared, whose prefix is changed before the LLM reads it."""
    changed = copy.copy(bridge)
    changed.prefix = lambda values: change(bridge.prefix(values))
    return changed


def noisy(prefix: Prefix, random: np.random.Generator) -> Prefix:
    """A random direction in place of every soft token, as long as the token was."""
    noise = torch.from_numpy(random.standard_normal(prefix.values.shape)).to(prefix.values)
    real, drawn = (torch.linalg.vector_norm(each, dim=-1, keepdim=True) for each in (prefix.values, noise))
    return Prefix(noise * (real / drawn), prefix.mask)


def mean_prefix(bridge: SemanticBridge, cohort: Cohort, given: tuple[str, ...], batch_size: int = 128) -> Prefix:
    """One prefix: at every place the mean soft token of the training samples that have one there.

    Args:
        bridge: A loaded bundle.
        cohort: The cohort it was trained on.
        given: Modalities that are shown.
        batch_size: Samples projected together.
    """
    values = given_values(bridge, cohort, cohort.rows("train"), given)
    total, count = torch.zeros(()), torch.zeros(())
    with torch.inference_mode():
        for start in range(0, len(cohort.rows("train")), batch_size):
            places = bridge.prefix({modality: column[start : start + batch_size].to(bridge.llm.device) for modality, column in values.items()})
            weight = places.mask.unsqueeze(-1).to(places.values.dtype)
            total, count = total + (places.values * weight).sum(dim=0, keepdim=True), count + weight.sum(dim=0, keepdim=True)
    return Prefix(total / count.clamp(min=1.0), count.squeeze(-1) > 0)


def always(prefix: Prefix) -> Change:
    """The same prefix for every sample."""
    return lambda real: Prefix(prefix.values.expand(len(real.mask), -1, -1), prefix.mask.expand(len(real.mask), -1))


def constant_texts(
    bridge: SemanticBridge, values: dict[str, Tensor], question: str, mean: Prefix, *, seed: int = 0, max_new_tokens: int = 120
) -> dict[str, list[str]]:
    """What the bridge writes from prefixes that know nothing of the sample: ``zeroed``, ``mean``, and ``noise`` (four draws).

    Args:
        bridge: A loaded bundle.
        values: One sample, whose prefix gives length and norms.
        question: What is asked.
        mean: From :func:`mean_prefix`.
        seed: Of the noise.
        max_new_tokens: Longest text.
    """
    count, random = 2 + NOISE_DRAWS, np.random.default_rng(seed)

    def change(real: Prefix) -> Prefix:
        draws = noisy(Prefix(real.values[2:], real.mask[2:]), random)
        return _stacked(zeroed(Prefix(real.values[:1], real.mask[:1])), mean, draws)

    rows = {modality: column[:1].repeat(count, 1) for modality, column in values.items()}
    texts = generate(controlled(bridge, change), rows, [question] * count, max_new_tokens=max_new_tokens)
    return {"zeroed": texts[:1], "mean": texts[1:2], "noise": texts[2:]}


def given_values(bridge: SemanticBridge, cohort: Cohort, rows: Int[np.ndarray, " rows"], given: tuple[str, ...]) -> dict[str, Tensor]:
    """Values of the given modalities; the others are absent."""
    values = {modality: torch.from_numpy(cohort.values(modality)[rows]) for modality in bridge.projectors}
    return {modality: column if modality in given else torch.full_like(column, torch.nan) for modality, column in values.items()}


def derangement(n: int, random: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Another sample for each sample: a random order moved on by one."""
    order = random.permutation(n)
    other = np.empty(n, dtype=np.int64)
    other[order] = np.roll(order, 1)
    return other


def _stacked(*prefixes: Prefix) -> Prefix:
    """Prefixes of unlike length in one batch; what is added at the end is masked."""
    longest = max(prefix.mask.shape[1] for prefix in prefixes)
    missing = [longest - prefix.mask.shape[1] for prefix in prefixes]
    values = [torch.nn.functional.pad(prefix.values, (0, 0, 0, more)) for prefix, more in zip(prefixes, missing, strict=True)]
    masks = [torch.nn.functional.pad(prefix.mask, (0, more)) for prefix, more in zip(prefixes, missing, strict=True)]
    return Prefix(torch.cat(values), torch.cat(masks))
