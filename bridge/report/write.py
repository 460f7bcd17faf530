"""From a bundle and any subset of inputs to a typed report; read top to bottom, this is what an analyst runs."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from transformers import LogitsProcessorList

from bridge.data.batch import pad
from bridge.data.cohort import apply_normalisation
from bridge.language.prompts import Prompt
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import RegionValues, Subject
from bridge.model import SemanticBridge
from bridge.project.prefix import Prefix
from bridge.report.companion import Companion
from bridge.report.confidence import Generation, TokenProbabilities, claim_confidence, pieces
from bridge.report.constrain import KnownNames
from bridge.report.gate import require_usable
from bridge.report.schema import Provenance, Report
from bridge.report.verify import Reference, check, claims_in, not_known, sections, struck


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
    claims = check(claims_in(written.text, beside.regions, beside.facts), known, beside)
    claims = [claim.model_copy(update={"confidence": claim_confidence(claim, written)}) for claim in claims]
    return Report(
        id=subject.id,
        given=tuple(sorted(subject.present)) + (("note",) if note.strip() else ()),
        missing=tuple(sorted(set(bridge.projectors) - subject.present)),
        sections=sections(claims),
        text=written.text,
        struck=struck(claims),
        unknown=not_known(claims, subject, reference),
        provenance=provenance(bridge, source),
    )


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


def generate(bridge: SemanticBridge, values: dict[str, Tensor], questions: Sequence[str], **settings: Any) -> list[str]:
    """The texts alone of :func:`generated`."""
    return [generation.text for generation in generated(bridge, values, questions, **settings)]


def generated(
    bridge: SemanticBridge,
    values: dict[str, Tensor],
    questions: Sequence[str],
    *,
    note: str = "",
    max_new_tokens: int = 160,
    batch_size: int = 32,
    zeroed: bool = False,
    constrain: bool = False,
    known: Reference | None = None,
    show_progress: bool = False,
) -> list[Generation]:
    """Greedy answers with the model's probability of every token, one per sample.

    Args:
        bridge: A loaded bundle.
        values: Modality to normalised values ``[samples, features]``.
        questions: One per sample.
        note: Clinical note, given to the LLM as quoted data.
        max_new_tokens: Longest answer.
        batch_size: Answers written side by side.
        zeroed: Let a prefix of zeros through, for the audit only.
        constrain: Write only names of regions and genes that are known.
        known: Holds the names that are known; the bundle's own training reference by default.
        show_progress: Show a bar.
    """
    prompt = Prompt(bridge.language.tokenizer, bridge.template)
    known = known or Reference.from_dict(bridge.reference["training"])
    names = KnownNames(prompt.tokenizer, known.regions, known.facts) if constrain else None
    starts = range(0, len(questions), batch_size)
    answers: list[Generation] = []
    for start in track(starts, "Writing", disable=not show_progress):
        part = slice(start, start + batch_size)
        rows = {modality: table[part].to(bridge.llm.device) for modality, table in values.items()}
        answers += _answer(bridge, prompt, rows, [prompt.question(question, note) for question in questions[part]], max_new_tokens, zeroed, names)
    return answers


@torch.inference_mode()
def _answer(
    bridge: SemanticBridge,
    prompt: Prompt,
    values: dict[str, Tensor],
    asked: list[list[int]],
    max_new_tokens: int,
    zeroed: bool,
    names: KnownNames | None,
) -> list[Generation]:
    ids, mask = pad(asked, prompt.tokenizer.pad_token_id, side="left")
    prefix = bridge.prefix(values)
    prefix = Prefix(torch.zeros_like(prefix.values), prefix.mask) if zeroed else prefix
    inputs = bridge.inputs(prefix, ids.to(bridge.llm.device), mask.to(bridge.llm.device))
    inputs.pop("position_ids")  # generate counts them from the mask, in the same way
    stop = {"eos_token_id": prompt.tokenizer.eos_token_id, "pad_token_id": prompt.tokenizer.pad_token_id}
    noted = TokenProbabilities()
    greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "logits_processor": LogitsProcessorList(filter(None, [noted, names]))}
    written = bridge.llm.generate(**inputs, max_new_tokens=max_new_tokens, **greedy, **stop)
    return [_generation(prompt, *row, names) for row in zip(written.tolist(), noted.of(written).tolist(), strict=True)]


def _generation(prompt: Prompt, ids: list[int], probabilities: list[float], names: KnownNames | None) -> Generation:
    """One row of a batch without the end token and what pads the row after it."""
    end = prompt.tokenizer.eos_token_id
    ids = ids[: ids.index(end)] if end in ids else ids
    ids = ids if names is None else names.finished(ids)
    text, decode = prompt.decode(ids), functools.partial(prompt.tokenizer.decode, skip_special_tokens=True)
    return Generation(text, pieces(decode, ids, text), tuple(probabilities[: len(ids)]))


def provenance(bridge: SemanticBridge, source: str = "") -> Provenance:
    """What made a report: LLM, cards, versions and the notices that travel with it."""
    versions = {package: importlib.metadata.version(package) for package in ("torch", "transformers", "peft")}
    cards = {modality: card.to_dict() | {"normalisation": None, "names": []} for modality, card in bridge.cards.items()}
    return Provenance(bundle=source, llm=bridge.language.name, cards=cards, versions=versions, notices=tuple(bridge.reference.get("notices", ())))
