"""From a bundle and any subset of inputs to a typed report; read top to bottom, this is what an analyst runs."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import torch

from bridge.data.cohort import apply_normalisation
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import RegionValues, Subject
from bridge.model import SemanticBridge
from bridge.report.checked import checked_report
from bridge.report.companion import Companion
from bridge.report.gate import require_usable
from bridge.report.generate import generated
from bridge.report.schema import Provenance, Report
from bridge.report.verify import Reference


def write_report(
    bridge: SemanticBridge,
    subject: Subject,
    values: dict[str, np.ndarray],
    *,
    note: str = "",
    max_new_tokens: int = 160,
    constrain: bool = False,
    companion: Companion | None = None,
    source: str = "",
) -> Report:
    """Gate, generate, take the claims apart, check each against the measurement.

    Args:
        bridge: A loaded bundle.
        subject: The sample as measured.
        values: Modality to its normalised values ``[features]``.
        note: Clinical note, given to the LLM as quoted data.
        max_new_tokens: Longest report.
        constrain: Write only regions and genes that the bundle or the companion knows.
        companion: Raw facts of the sample to check the report against, beside what the model was given.
        source: The bundle's folder, for the record.

    Raises:
        ValueError: the prefix is not finite, zero, or far outside the training norms.
    """
    batch = {modality: torch.from_numpy(np.atleast_2d(row)).float().to(bridge.llm.device) for modality, row in values.items()}
    require_usable(bridge, batch)
    reference = Reference.from_dict(bridge.reference["training"])
    known, beside = (subject, reference) if companion is None else companion.beside(subject, reference)
    (written,) = generated(bridge, batch, [REPORT_ASK[0]], note=note, max_new_tokens=max_new_tokens, constrain=constrain, known=beside)
    against = known, beside
    return checked_report(written, subject, reference, against=against, modalities=bridge.projectors, note=note, provenance=provenance(bridge, source))


def read_input(bridge: SemanticBridge, modality: str, source: Path, sample: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Raw and normalised values of one sample from a file, read by the modality's own encoder.

    Raises:
        ValueError: the bundle has no such modality, the file does not fit its encoder, or the file holds several samples and none is named.
    """
    if modality not in bridge.encoders:
        raise ValueError(f"input {modality!r}: this bundle reads {list(bridge.encoders)}")
    raw = bridge.encoders[modality].read(source)
    if sample is None and len(raw.ids) != 1:
        raise ValueError(f"{source}: holds {len(raw.ids)} samples, expected one; name it with --sample, for example {raw.ids[0]!r}")
    if sample is not None and sample not in raw.ids:
        raise ValueError(f"{source}: no sample {sample!r}; it has {', '.join(raw.ids[:3])}, ...")
    row = raw.values[raw.ids.index(sample) if sample is not None else 0]
    return row, apply_normalisation(row, bridge.cards[modality].normalisation)


def subject_of(bridge: SemanticBridge, sample: str, inputs: dict[str, tuple[np.ndarray, np.ndarray]]) -> Subject:
    """A subject from files: its maps as measured; nothing else is known of it."""
    reference = Reference.from_dict(bridge.reference["training"])
    regions = {
        modality: RegionValues(names, inputs[modality][1], inputs[modality][0], bridge.cards[modality].units)
        for modality, names in reference.regions.items()
        if modality in inputs
    }
    return Subject(sample, regions, {}, dict(reference.fact_modality), {}, frozenset(inputs))


def provenance(bridge: SemanticBridge, source: str = "") -> Provenance:
    """What made a report: LLM, cards, versions and the notices that travel with it."""
    versions = {package: importlib.metadata.version(package) for package in ("torch", "transformers", "peft")}
    cards = {modality: card.to_dict() | {"normalisation": None, "names": []} for modality, card in bridge.cards.items()}
    return Provenance(bundle=source, llm=bridge.language.name, cards=cards, versions=versions, notices=tuple(bridge.reference.get("notices", ())))
