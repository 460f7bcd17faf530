"""Inputs unlike those of training, made from real ones: shuffled features, noise, another atlas, a modality absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from bridge.data.cohort import Cohort
from bridge.model import SemanticBridge

#: Modality to one row per sample: its encoder tokens one after another, NaN where missing.
Inputs = Mapping[str, Float[np.ndarray, "_ _"]]


@torch.inference_mode()
def projector_inputs(
    bridge: SemanticBridge, cohort: Cohort, rows: Int[np.ndarray, " samples"], *, batch_size: int = 256
) -> dict[str, Float[np.ndarray, "samples _"]]:
    """What the projectors are given for these samples: encoder tokens of the normalised values, flattened, absent tokens NaN."""
    inputs = {}
    for modality in bridge.projectors:
        values = torch.from_numpy(cohort.values(modality)[rows])
        parts = []
        for batch in values.split(batch_size):
            tokens = bridge.encoders[modality](batch.to(bridge.llm.device))
            parts.append(torch.where(tokens.mask.unsqueeze(-1), tokens.values.double(), torch.nan).flatten(1).cpu().numpy())
        inputs[modality] = np.concatenate(parts) if parts else np.empty((0, values.shape[1]))
    return inputs


def outlier_sets(train: Inputs, test: Inputs, *, maps: Sequence[str] = ("brain",), seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """One out-of-distribution set per way and modality; one modality is changed, the others stay as measured.

    Names: ``MODALITY shuffled``, ``MODALITY noise``, ``MODALITY other atlas`` (of those in ``maps``), and
    ``MODALITY absent`` where there is another one. Row i is made from test sample i.

    Args:
        train: Inputs of the training rows, for the mean and variance of the noise.
        test: Inputs that are changed.
        maps: Modalities whose features are regions.
        seed: Of every draw.
    """
    changed: dict[str, dict[str, np.ndarray]] = {}
    for modality, values in test.items():
        made = {"shuffled": shuffled_features(values, seed), "noise": noise(values, train[modality], seed)}
        made |= {"other atlas": other_atlas(values, seed)} if modality in maps else {}
        changed |= {f"{modality} {name}": {**test, modality: other} for name, other in made.items()}
        if len(test) > 1:
            changed[f"{modality} absent"] = absent_modality(test, modality)
    return changed


def shuffled_features(values: Float[np.ndarray, "samples features"], seed: int = 0) -> Float[np.ndarray, "samples features"]:
    """Each sample's own values in a random order of their own (gene labels shuffled); what is missing stays missing."""
    missing = ~np.isfinite(values)
    order = np.where(missing, np.inf, np.random.default_rng(seed).random(values.shape)).argsort(axis=1)
    places = missing.argsort(axis=1, kind="stable")
    shuffled = np.full_like(values, np.nan)
    np.put_along_axis(shuffled, places, np.take_along_axis(values, order, axis=1), axis=1)
    return shuffled


def noise(
    values: Float[np.ndarray, "samples features"], reference: Float[np.ndarray, "reference features"], seed: int = 0
) -> Float[np.ndarray, "samples features"]:
    """Gaussian noise with the mean and variance that each feature has in the reference, features independent; gaps as in ``values``."""
    known = np.ma.masked_invalid(reference)
    mean, spread = known.mean(axis=0).filled(np.nan), known.std(axis=0).filled(np.nan)
    drawn = mean + spread * np.random.default_rng(seed).standard_normal(values.shape)
    return np.where(np.isfinite(values), drawn, np.nan)


def other_atlas(values: Float[np.ndarray, "samples regions"], seed: int = 0) -> Float[np.ndarray, "samples regions"]:
    """The regions in another order, the same for all samples: a table of another atlas read as if it were this one."""
    count = values.shape[1]
    order = np.random.default_rng(seed).permutation(count)
    other = np.empty(count, dtype=np.int64)
    other[order] = np.roll(order, 1)  # one cycle through all regions: none keeps its place
    return values[:, other]


def resampled_atlas(
    values: Float[np.ndarray, "samples regions"], labels: Int[np.ndarray, "x y z"], other: Int[np.ndarray, "x y z"]
) -> Float[np.ndarray, "samples regions"]:
    """The same maps averaged over the regions of another parcellation, put in the places of this one's regions.

    As many of the other's regions as this one has are taken, evenly over their labels (a region twice where it has
    fewer); a region is the mean of the known values under its voxels.

    Args:
        values: Value per region, regions in rising order of their labels.
        labels: Label image, 0 outside.
        other: The other parcellation on the same grid.

    Raises:
        ValueError: the grids differ, the labels are not one per region, or the two do not overlap.
    """
    own, places = np.unique(labels, return_inverse=True)
    theirs, foreign = np.unique(other, return_inverse=True)
    if labels.shape != other.shape or (own > 0).sum() != values.shape[1]:
        raise ValueError(
            f"other atlas: found grids {labels.shape} and {other.shape}, {int((own > 0).sum())} labels for {values.shape[1]} regions; "
            "expected one grid and one label per region"
        )
    overlap = np.zeros((len(theirs), len(own)))
    np.add.at(overlap, (foreign.ravel(), places.ravel()), 1)
    overlap = overlap[theirs > 0][:, own > 0]
    overlap = overlap[overlap.any(axis=1)]
    if not len(overlap):
        raise ValueError("other atlas: no region of it overlaps a region of this one, expected both in one space")
    chosen = overlap[np.linspace(0, len(overlap) - 1, values.shape[1]).round().astype(int)]
    known = np.isfinite(values)
    weight = known @ chosen.T
    return np.divide(np.where(known, values, 0.0) @ chosen.T, weight, out=np.full(weight.shape, np.nan), where=weight > 0)


def absent_modality(inputs: Inputs, modality: str) -> dict[str, np.ndarray]:
    """The same samples without one modality."""
    return {**inputs, modality: np.full_like(inputs[modality], np.nan)}
