"""Samples that nothing can be learned from: infinite values, or values of an absurd size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bridge.data.cohort import Cohort

#: How many times the size of a typical sample is absurd: a code for missing values, another unit, an overflow.
ABSURD = 1000.0

LOOKED_AT = 1024  # training samples of which the typical size is that of the middle one


def typical_sizes(cohort: Cohort) -> dict[str, float]:
    """Size of a typical training sample of each modality; none of a modality that no sample has."""
    rows = cohort.rows("train")[:LOOKED_AT]
    sizes = {modality: _sizes(torch.from_numpy(cohort.values(modality, rows))) for modality in cohort.modalities}
    found = {modality: each[torch.isfinite(each)] for modality, each in sizes.items()}
    return {modality: float(each.median()) for modality, each in found.items() if len(each)}


def unfit(values: Mapping[str, Float[Tensor, "batch _"]], typical: Mapping[str, float]) -> dict[int, str]:
    """Row to what is wrong with it.

    Args:
        values: Modality to values of a batch, NaN where missing.
        typical: What :func:`typical_sizes` gave.
    """
    found = {}
    for modality, table in values.items():
        infinite, sizes = torch.isinf(table).any(dim=1), _sizes(table)
        absurd = sizes > ABSURD * typical.get(modality, np.inf)
        found |= {row: f"{modality} of an absurd size ({float(sizes[row]):.3g}, typical {typical[modality]:.3g})" for row in _numbers(absurd & ~infinite)}
        found |= dict.fromkeys(_numbers(infinite), f"{modality} with infinite values")
    return found


def fit_samples(cohort: Cohort) -> Cohort:
    """A cohort without its unfit samples; one whose values stay on disk is given back as it is."""
    if cohort.stored:
        return cohort
    values = {modality: torch.from_numpy(cohort.values(modality)) for modality in cohort.modalities}
    bad = unfit(values, typical_sizes(cohort))
    return Cohort(cohort.table[[row not in bad for row in range(cohort.table.n_obs)]].copy(), cohort.source) if bad else cohort


def _sizes(table: Float[Tensor, "batch _"]) -> Float[Tensor, " batch"]:
    """Root mean square of what is not missing, in double precision lest squares overflow."""
    return table.double().square().nanmean(dim=1).sqrt()


def _numbers(marked: Tensor) -> list[int]:
    return marked.nonzero().flatten().tolist()
