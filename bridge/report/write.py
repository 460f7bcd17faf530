"""From a bundle and any subset of inputs to a typed report; read top to bottom, this is what an analyst runs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bridge.bundle import Reader
from bridge.data.cohort import apply_normalisation
from bridge.data.decode import REPORT, Limits, decoded, holed
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import RegionValues, Subject
from bridge.model import SemanticBridge
from bridge.report.checked import beside_note, checked_report
from bridge.report.companion import Companion
from bridge.report.context import with_context
from bridge.report.gate import require_usable
from bridge.report.generation.generate import generated
from bridge.report.given import InputFile, Patient
from bridge.report.origin import provenance
from bridge.report.reference import Reference
from bridge.report.schema import Report
from bridge.retrieve.schema import CandidateKind


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
    inputs: Iterable[InputFile] = (),
    patient: Patient | None = None,
    own: Mapping[CandidateKind, frozenset[str]] | None = None,
    each_token: Callable[[], object] = lambda: None,
) -> Report:
    """Gate, generate, take the claims apart, check each against the measurement, and add what lies near.

    Args:
        bridge: A loaded bundle.
        subject: The sample as measured.
        values: Modality to its normalised values ``[features]``.
        note: Clinical note, given to the LLM as quoted data in a text of its own, of which only what speaks of no measurement is kept.
        max_new_tokens: Longest report.
        constrain: Write only regions and genes that the bundle or the companion knows.
        companion: Raw facts of the sample to check the report against, beside what the model was given.
        source: The bundle's folder, for the record.
        inputs: The files that the values were read from, for the record.
        patient: The patient's record, where the sample is one; shown, never given to the LLM.
        own: Candidates that the sample's own lists hold, to mark them among those retrieved.
        each_token: Called before each token; an error of it ends the writing.

    Raises:
        ValueError: the prefix is not finite, zero, or far outside the training norms.
    """
    batch = tensors(bridge, values)
    require_usable(bridge, batch)
    reference = Reference.from_dict(bridge.reference["training"])
    known, beside = (subject, reference) if companion is None else companion.beside(subject, reference)
    settings = {"max_new_tokens": max_new_tokens, "constrain": constrain, "known": beside, "each_token": each_token}
    (written,) = generated(bridge, batch, [REPORT_ASK[0]], **settings)  # no note in sight: none can change what is said of a measurement
    made = provenance(bridge, source, inputs)
    report = checked_report(written, subject, reference, against=(known, beside), modalities=bridge.projectors, provenance=made)
    if note.strip():
        (read,) = generated(bridge, batch, [REPORT_ASK[0]], note=note, **settings)
        report = beside_note(report, read, beside)
    return with_context(bridge, report, subject, values, patient=patient, own=own)


def report_of_nothing(bridge: SemanticBridge, sample: str, patient: Patient | None, *, source: str = "", inputs: Iterable[InputFile] = ()) -> Report:
    """The report where there is no input that the model can read: it writes nothing, and the patient's record stands alone."""
    made, missing = provenance(bridge, source, inputs), tuple(sorted(bridge.projectors))
    return Report(
        id=sample, missing=missing, unknown=("No input was given that this bundle reads: the model wrote nothing.",), patient=patient, provenance=made
    )


def tensors(bridge: SemanticBridge, values: dict[str, np.ndarray]) -> dict[str, Float[Tensor, "samples _"]]:
    """Values of one sample ``[features]``, or of several ``[samples, features]``, as the model takes them."""
    return {modality: torch.from_numpy(np.atleast_2d(rows)).float().to(bridge.llm.device) for modality, rows in values.items()}


def read_input(
    bridge: SemanticBridge | Reader, modality: str, source: Path, sample: str | None = None, limits: Limits = REPORT, heed: Callable[[], object] = lambda: None
) -> tuple[np.ndarray, np.ndarray]:
    """Raw and normalised values of one sample from a file, read by the modality's own encoder in a limited child process.

    Args:
        bridge: A loaded bundle, or the part of it that reads.
        modality: Which of its modalities the file is of.
        source: The file.
        sample: Id of the sample, where the file holds several.
        limits: Of the child, see :mod:`bridge.data.decode`; a service gives stricter ones.
        heed: Called while the child works; an error of it ends the child.

    Raises:
        ValueError: the bundle has no such modality, the file does not fit its encoder, or the file holds several samples and none is named.
    """
    if modality not in bridge.encoders:
        raise ValueError(f"input {modality!r}: this bundle reads {list(bridge.encoders)}; expected one of them")
    raw = decoded(bridge.encoders[modality], source, limits, heed)
    if sample is None and len(raw.ids) != 1:
        raise ValueError(f"{source}: holds {len(raw.ids)} samples, expected one; name it with --sample, for example {raw.ids[0]!r}")
    if sample is not None and sample not in raw.ids:
        nearest = difflib.get_close_matches(sample, raw.ids, n=3, cutoff=0)
        whose = f"; if it is of {sample!r}, say so: '{source}{',' if '#' in str(source) else '#'}sample={sample}'" if len(raw.ids) == 1 else ""
        raise ValueError(f"{source}: no sample {sample!r}; of {len(raw.ids)} the nearest are {', '.join(map(repr, nearest))}{whose}")
    place = raw.ids.index(sample) if sample is not None else 0
    row = raw.values[place]
    if np.isnan(row).all() or holed(bridge.encoders[modality], row[None])[0]:
        found = f"found {int(np.isnan(row).sum())} of {len(row)} values missing"
        raise ValueError(f"{source}, sample {raw.ids[place]!r}: {found}, expected whole vectors; give another file, or leave {modality} out")
    return row, apply_normalisation(row, bridge.cards[modality].normalisation)


def subject_of(bridge: SemanticBridge | Reader, sample: str, inputs: dict[str, tuple[np.ndarray, np.ndarray]]) -> Subject:
    """A subject from files: its maps as measured; nothing else is known of it."""
    reference = Reference.from_dict(bridge.reference["training"])
    regions = {
        modality: RegionValues(names, inputs[modality][1], inputs[modality][0], bridge.cards[modality].units)
        for modality, names in reference.regions.items()
        if modality in inputs
    }
    return Subject(sample, regions, {}, dict(reference.fact_modality), {}, frozenset(inputs))
