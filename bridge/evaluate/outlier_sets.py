"""Inputs unlike those of training, made from real ones: features shuffled or out of order, noise, another atlas, a modality absent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree

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


def label_images(bridge: SemanticBridge) -> dict[str, Int[np.ndarray, "_ _ _"]]:
    """Modality to the label image of its atlas, region i as i + 1 and 0 outside; of modalities whose image is here."""
    images = {}
    for modality in bridge.projectors:
        encoder = bridge.encoders[modality]
        if (atlas := getattr(encoder, "atlas", "")) and Path(atlas).is_file():
            codes = np.rint(np.asarray(nibabel.load(atlas).dataobj)).astype(int)
            indices = np.asarray(encoder.indices or np.unique(codes[codes > 0]))
            places = np.zeros(max(codes.max(), indices.max()) + 1, dtype=int)
            places[indices] = np.arange(1, len(indices) + 1)
            images[modality] = places[np.maximum(codes, 0)]
    return images


def outlier_sets(
    train: Inputs, test: Inputs, *, images: Mapping[str, Int[np.ndarray, "_ _ _"]] | None = None, seed: int = 0
) -> dict[str, dict[str, np.ndarray]]:
    """One out-of-distribution set per way and modality; one modality is changed, the others stay as measured.

    Names: ``MODALITY shuffled``, ``MODALITY other order``, ``MODALITY noise``, ``MODALITY other atlas`` (of those with
    an image), and ``MODALITY absent`` where there is another one. Row i is made from test sample i.

    Args:
        train: Inputs of the training rows, for the mean and variance of the noise.
        test: Inputs that are changed.
        images: Modality to label image, from :func:`label_images`.
        seed: Of every draw.
    """
    changed: dict[str, dict[str, np.ndarray]] = {}
    for modality, values in test.items():
        made = {"shuffled": shuffled_features(values, seed), "other order": other_order(values, seed), "noise": noise(values, train[modality], seed)}
        made |= {"other atlas": other_atlas(values, images[modality], seed)} if modality in (images or {}) else {}
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


def other_order(values: Float[np.ndarray, "samples features"], seed: int = 0) -> Float[np.ndarray, "samples features"]:
    """The features in another order, the same for all samples: a table whose columns were mixed up."""
    count = values.shape[1]
    order = np.random.default_rng(seed).permutation(count)
    other = np.empty(count, dtype=np.int64)
    other[order] = np.roll(order, 1)  # one cycle through all features: none keeps its place
    return values[:, other]


def other_atlas(values: Float[np.ndarray, "samples regions"], labels: Int[np.ndarray, "x y z"], seed: int = 0) -> Float[np.ndarray, "samples regions"]:
    """The same maps measured with another atlas and read as if it were this one: as many regions of its own, over the same voxels.

    The other atlas is made of voxels drawn at random, each with all the voxels that are nearest to it; one of its regions
    has the mean of the known values under it, NaN where there is none.

    Args:
        values: Value per region.
        labels: Label image, 0 outside; region i has the label i + 1.
        seed: Of the draw.
    """
    voxels, count = np.argwhere(labels > 0), values.shape[1]
    centres = voxels[np.random.default_rng(seed).integers(len(voxels), size=count)]
    overlap = np.zeros((count, count))
    np.add.at(overlap, (KDTree(centres).query(voxels)[1], labels[labels > 0] - 1), 1)
    known = np.isfinite(values)
    weight = known @ overlap.T
    return np.divide(np.where(known, values, 0.0) @ overlap.T, weight, out=np.full(weight.shape, np.nan), where=weight > 0)


def absent_modality(inputs: Inputs, modality: str) -> dict[str, np.ndarray]:
    """The same samples without one modality."""
    return {**inputs, modality: np.full_like(inputs[modality], np.nan)}
