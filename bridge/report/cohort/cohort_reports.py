"""Reports of a whole cohort into a folder, a file or two per sample; a run that was killed goes on where it was.

Samples are written in groups whose members never change, and a group of which a report is missing is generated as a
whole again: what stands in a report does not depend on where a run was stopped, not even by the rounding of a batch.
"""

from __future__ import annotations

import csv
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.data.cohort import Cohort
from bridge.data.whole import whole_file
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import Subject, subjects
from bridge.model import SemanticBridge
from bridge.report.checked import checked_report
from bridge.report.cohort.report_files import file_name, kept_report, put_report
from bridge.report.cohort.run_folder import only_process, require_same_run
from bridge.report.context import with_context
from bridge.report.gate import require_usable
from bridge.report.generation.confidence import Generation
from bridge.report.generation.generate import generated
from bridge.report.origin import cohort_inputs, provenance
from bridge.report.reference import Reference
from bridge.report.render import to_html, to_markdown
from bridge.report.schema import Report
from bridge.report.write import tensors
from bridge.retrieve.lists import Known, known_lists

REPORTS, FAILURES = "reports", "failures.csv"
#: Samples that are generated together, and of these side by side. Part of what a run is: other numbers round otherwise.
GROUP, SIDE_BY_SIDE = 48, 16


class Settings(NamedTuple):
    """What the reports of a run depend on beside bundle and cohort."""

    form: str = "html"
    max_new_tokens: int = 160
    constrain: bool = False
    use: tuple[str, ...] = ()


class Done(NamedTuple):
    """What a run left.

    Args:
        written: Reports that this process wrote.
        kept: Reports that were there.
        failures: Sample to the reason why it has none.
    """

    written: int
    kept: int
    failures: dict[str, str]


class CohortReports:
    """The reports of some samples of a cohort.

    Args:
        bridge: A loaded bundle.
        cohort: Whose cards are those of the bundle.
        rows: Samples, in the order of the run.
        folder: Where the reports go.
        source: The bundle's folder, for the record.
        settings: What else they depend on.
    """

    def __init__(
        self, bridge: SemanticBridge, cohort: Cohort, rows: Iterable[int | np.integer], folder: Path, *, source: str = "", settings: Settings | None = None
    ):
        self.bridge, self.cohort, self.folder, self.settings = bridge, cohort, Path(folder), settings or Settings()
        self.rows = [int(row) for row in rows]
        self.reference = Reference.from_dict(bridge.reference["training"])
        self.made, self.inputs = provenance(bridge, source), cohort_inputs(cohort, bridge.projectors)
        self.failures: dict[str, str] = {}

    @property
    def samples(self) -> list[str]:
        """Ids in the order of the run."""
        ids = self.cohort.ids
        return [ids[row] for row in self.rows]

    def write(self) -> Done:
        """Write every report that is not there yet, and the list of samples that have none.

        Raises:
            ValueError: another process writes here, the folder is of another run, or holds something else.
        """
        with only_process(self.folder):
            require_same_run(self.folder, self.identity())
            before = sum(self._is_there(sample) for sample in self.samples)
            with _progress() as bar:
                task = bar.add_task("Reports", total=len(self.rows))
                for start in range(0, len(self.rows), GROUP):
                    self._group(self.rows[start : start + GROUP], lambda: bar.advance(task))
                    bar.update(task, completed=min(start + GROUP, len(self.rows)))
            after = sum(self._is_there(sample) for sample in self.samples)
            put_failures(self.folder / FAILURES, self.failures)
        return Done(after - before, before, dict(self.failures))

    def identity(self) -> dict[str, Any]:
        """What tells this run from all others, as JSON types."""
        samples = hashlib.sha256("\n".join(self.samples).encode()).hexdigest()
        about = {"bundle": self.made.bundle, "bundle_sha256": self.made.bundle_sha256, "cohort_sha256": self.inputs[0].sha256 if self.inputs else ""}
        about |= {"samples": len(self.rows), "samples_sha256": samples, "group": GROUP, "side_by_side": SIDE_BY_SIDE, "versions": self.made.versions}
        return about | self.settings._asdict() | {"use": list(self.settings.use)}

    def kept(self) -> Iterator[Report]:
        """The reports that are there, in the order of the run."""
        return (report for sample in self.samples if (report := kept_report(self.folder / REPORTS, sample)) is not None)

    def _is_there(self, sample: str) -> bool:
        return (self.folder / REPORTS / f"{file_name(sample)}.json").is_file()

    def _group(self, rows: list[int], ended: Callable[[], object]) -> None:
        """Write what is missing of one group; which samples it generates together does not depend on what is missing."""
        found = [self._used(subject) for subject in subjects(self.cohort, rows)]
        values = {modality: self.cohort.values(modality, rows) for modality in self.bridge.projectors}
        fit = [place for place, subject in enumerate(found) if self._fit(subject, self._own_values(subject, values, place))]
        waiting = [place for place in fit if not self._is_there(found[place].id)]
        if not waiting:
            return
        table = {modality: _hidden(column, [modality in subject.present for subject in found])[fit] for modality, column in values.items()}
        settings = {"max_new_tokens": self.settings.max_new_tokens, "constrain": self.settings.constrain, "batch_size": SIDE_BY_SIDE, "ended": ended}
        texts = generated(self.bridge, tensors(self.bridge, table), [REPORT_ASK[0]] * len(fit), **settings)
        for place, written in zip(fit, texts, strict=True):
            if place in waiting:
                self._put(rows[place], found[place], self._own_values(found[place], values, place), written)

    def _used(self, subject: Subject) -> Subject:
        return subject.given(self.settings.use or subject.present).given(self.bridge.projectors)

    def _own_values(self, subject: Subject, values: Mapping[str, np.ndarray], place: int) -> dict[str, np.ndarray]:
        return {modality: column[place] for modality, column in values.items() if modality in subject.present}

    def _fit(self, subject: Subject, values: dict[str, np.ndarray]) -> bool:
        """Whether the model may be given the sample; one that is unfit is told of, and is in no group."""
        try:
            if not values:
                raise ValueError(f"found none of {list(self.bridge.projectors)}, expected at least one input of the bundle")
            require_usable(self.bridge, tensors(self.bridge, {modality: row[None] for modality, row in values.items()}))
        except ValueError as error:
            self.failures[subject.id] = str(error)
            return False
        return True

    def _put(self, row: int, subject: Subject, values: dict[str, np.ndarray], written: Generation) -> None:
        """Check and write one report; whatever goes wrong with it is the end of none but this one."""
        try:
            made = self.made.model_copy(update={"inputs": tuple(file for file in self.inputs if file.modality in values)})
            report = checked_report(written, subject, self.reference, modalities=self.bridge.projectors, provenance=made)
            report = with_context(self.bridge, report, subject, values, own={known.kind: frozenset(known.items[row]) for known in self._lists} or None)
            put_report(self.folder / REPORTS, report, self._forms)
        except OSError:  # a full disk is the end of all
            raise
        except Exception as error:
            self.failures[subject.id] = f"{type(error).__name__}: {error}"

    @functools.cached_property
    def _lists(self) -> list[Known]:
        return known_lists(self.cohort)

    @functools.cached_property
    def _forms(self) -> dict[str, Callable[[Report], str]]:
        forms = {"html": {".html": functools.partial(to_html, atlas=self.bridge.atlases)}, "markdown": {".md": to_markdown}, "json": {}}
        return forms[self.settings.form]


def put_failures(path: Path, failures: Mapping[str, str]) -> None:
    """A table of the samples without a report and why."""
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sample", "reason"])
        rows.writerows(failures.items())


def _hidden(column: np.ndarray, present: Sequence[bool]) -> np.ndarray:
    """The values of samples that are handed to the model, NaN for the others."""
    return np.where(np.asarray(present)[:, None], column, np.nan)


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
