"""What a report was given, in numbers: every modality of the sample with its values and their place in the training reference."""

from __future__ import annotations

import numpy as np
import torch

from bridge.language.subject import RegionValues, Subject
from bridge.model import SemanticBridge
from bridge.report.gate import root_mean_square
from bridge.report.given import Measured
from bridge.report.reference import Reference


def measured(bridge: SemanticBridge, subject: Subject, values: dict[str, np.ndarray]) -> tuple[Measured, ...]:
    """One entry per modality that was handed to the model, in the order of the prefix.

    Args:
        bridge: A loaded bundle.
        subject: The sample as measured.
        values: Modality to its normalised values ``[features]``.
    """
    reference = Reference.from_dict(bridge.reference["training"])
    return tuple(
        _measured(bridge, reference, subject.regions.get(modality), modality, values[modality]) for modality in bridge.projectors if modality in values
    )


def _measured(bridge: SemanticBridge, reference: Reference, named: RegionValues | None, modality: str, row: np.ndarray) -> Measured:
    card = bridge.cards[modality]
    about = {"modality": modality, "units": card.units, "atlas": card.atlas, "width": np.atleast_2d(row).shape[1], "norm": norm(bridge, modality, row)}
    if named is None:
        return Measured(**about)
    raw = named.values if named.raw is None else named.raw
    known = named.names == reference.regions.get(modality)
    z = reference.z_scores(modality, raw) if known else np.full(len(raw), np.nan)
    return Measured(**about, names=named.names, values=_told(raw), z=_told(z))


def norm(bridge: SemanticBridge, modality: str, row: np.ndarray) -> float | None:
    """Root mean square of a sample's normalised values, as the gate compares it with training; None where there is none."""
    with torch.inference_mode():
        found = float(root_mean_square(bridge.encoders[modality](torch.from_numpy(np.atleast_2d(row)).float().to(bridge.llm.device))))
    return found if np.isfinite(found) else None


def _told(numbers: np.ndarray) -> tuple[float | None, ...]:
    return tuple(float(number) if np.isfinite(number) else None for number in numbers)
