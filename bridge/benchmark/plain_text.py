"""The baseline to beat: the same inputs written as words into the prompt of the same LLM, tuned with the same budget and no prefix."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from bridge.benchmark.default import made_once, part_settings, tune_arguments
from bridge.bundle import save
from bridge.data.batch import Batch
from bridge.data.cohort import Cohort
from bridge.data.module import CohortData
from bridge.evaluate.controls import given_values
from bridge.language import grammar
from bridge.language.questions import REPORT_ASK, Asked
from bridge.language.subject import RegionValues, subjects
from bridge.model import SemanticBridge
from bridge.report.generation.generate import generate
from bridge.train.record import write_settings
from bridge.train.run import StageCLI
from bridge.train.tune import Tune

#: Regions written at either end of a map; all of them would not fit beside a question on a small machine.
ENDS = 8

#: Modality whose values have no names to the observation column that says in words what the vector was made from.
WORDS = {"gene": "molecular_name"}

#: A written map takes more room than a prefix.
MAX_TOKENS = 768


class Written:
    """What the inputs of each sample are, as text.

    Args:
        cohort: Maps with region names are written by their highest and lowest regions with standardised values; another
            modality by its column of :data:`WORDS`, and not at all where the cohort has no such column.
    """

    def __init__(self, cohort: Cohort):
        self.modalities, self.subjects = cohort.modalities, subjects(cohort)
        found = {modality: column for modality, column in WORDS.items() if column in cohort.table.obs}
        self.words = {modality: cohort.text(column) for modality, column in found.items()}

    def __call__(self, row: int | np.integer, given: Collection[str]) -> str:
        """The given inputs of one sample."""
        subject = self.subjects[row]
        shown = [modality for modality in self.modalities if modality in given and modality in subject.present]
        return " ".join(filter(None, (self._part(modality, row) for modality in shown)))

    def _part(self, modality: str, row: int | np.integer) -> str:
        regions = self.subjects[row].regions.get(modality)
        if regions is not None:
            return f"{grammar.capitalised(grammar.map_label(modality))}, standardised values: {_ends(regions)}."
        words = self.words[modality][row] if modality in self.words else ""
        return f"{grammar.capitalised(grammar.label(modality))}: {words}." if words else ""


class TuneOnText(Tune):
    """Stage 2 in which a question is preceded by the inputs in words, and the prefix is empty."""

    @functools.cached_property
    def written(self) -> Written:
        """Of the cohort."""
        return Written(self.cohort)

    def on_before_batch_transfer(self, batch: Batch, dataloader_index: int) -> Batch:
        batch = super().on_before_batch_transfer(batch, dataloader_index)
        batch.values = {modality: torch.full_like(column, torch.nan) for modality, column in batch.values.items()}
        return batch

    def _ask(self, row: int, shown: frozenset[str], seed: list[int]) -> list[Asked]:
        return [asked._replace(question=_with(self.written(row, shown), asked.question)) for asked in super()._ask(row, shown, seed)]


def tuned_on_text(bundle: Path, cohort: Path, **budget) -> Path:
    """The baseline's bundle, made once; ``budget`` as for :func:`bridge.benchmark.default.tune_arguments`, projectors among it."""
    arguments = [*tune_arguments(cohort, **budget), "--out", str(bundle)]
    made_once(bundle, part_settings(cohort, **budget), lambda: tune_on_text(arguments))
    return bundle


def tune_on_text(arguments: Sequence[str]) -> Path:
    """Train the baseline from the arguments of ``bridge tune`` and write its bundle."""
    more = ["--model.blind", "true", "--model.max_tokens", str(MAX_TOKENS), "--trainer.enable_checkpointing", "false"]
    settings = {"run": False, "seed_everything_default": 0, "save_config_callback": None}
    cli = StageCLI(TuneOnText, CohortData, args=[*arguments, *more], parser_kwargs={"prog": "bridge plain-text"}, **settings)
    write_settings(cli.settings, cli.record())
    cli.trainer.fit(cli.model, cli.datamodule)
    return save(cli.model.whole(), cli.out)


def plain_texts(bridge: SemanticBridge, cohort: Cohort, rows: Iterable[int | np.integer], *, max_new_tokens: int = 120) -> list[str]:
    """Reports of the baseline, from all inputs of each sample in words."""
    rows, written = list(rows), Written(cohort)
    asked = [_with(written(row, bridge.projectors), REPORT_ASK[0]) for row in rows]
    values = given_values(bridge, cohort, np.array(rows), ())
    return generate(bridge, values, asked, max_new_tokens=max_new_tokens, show_progress=True)


def _with(written: str, question: str) -> str:
    return f"{written}\n{question}" if written else question


def _ends(regions: RegionValues) -> str:
    """``highest left insula 2.1, ...; lowest ...``, the most extreme first."""
    order = regions.ordered()
    count = min(ENDS, len(order) // 2)
    ends = {grammar.HIGHEST: order[:count], grammar.LOWEST: order[::-1][:count]}
    return "; ".join(f"{end} " + ", ".join(f"{regions.names[place]} {regions.values[place]:.1f}" for place in places) for end, places in ends.items())
