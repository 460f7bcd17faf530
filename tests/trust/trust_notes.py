"""A clinical note is data: whatever it says, the claims about measurements, and what the checker found of them, stay the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from figure import Figure
from injections import INJECTIONS
from tiny_checkpoints import save_checkpoint
from tiny_study import make_cohort, save_bundle

from bridge.bundle import load
from bridge.language.subject import subjects
from bridge.report.schema import Kind, Report
from bridge.report.write import write_report

ROW = 30


def figures(fast: bool, folder: Path) -> list[Figure]:
    """Reports with a hostile note beside the report without one; special tokens of notes in the prompt."""
    bridge = load(save_bundle(folder / "bundle", save_checkpoint(folder / "llm", "chatml")))
    cohort = make_cohort()
    (subject,), values = subjects(cohort, [ROW]), {modality: cohort.values(modality)[ROW] for modality in cohort.modalities}
    notes = INJECTIONS[:: 10 if fast else 1]
    plain = write_report(bridge, subject, values, max_new_tokens=24)
    changed = [note for note in notes if _measured(write_report(bridge, subject, values, note=note, max_new_tokens=24)) != _measured(plain)]
    special = set(bridge.language.tokenizer.all_special_ids)
    alone = [number for number in bridge.prompt.question("Write the report.") if number in special]
    live = [note for note in notes if [number for number in bridge.prompt.question("Write the report.", note) if number in special] != alone]
    return [
        Figure(f"{len(notes)} hostile notes: reports whose claims about measurements changed", len(changed), 0, 0, "; ".join(map(repr, changed[:2]))),
        Figure(f"{len(notes)} hostile notes: prompts with a special token of the note", len(live), 0, 0),
    ]


def _measured(report: Report) -> tuple:
    """All claims that speak of an input, standing and struck, with the check's verdict and evidence."""
    standing = [claim for section in report.sections for claim in section.claims if claim.kind is not Kind.PROSE or claim.modality]
    values = [None if np.isnan(z or 0) else z for measured in report.measured for z in measured.z]
    return tuple(standing), report.struck, tuple(values)
