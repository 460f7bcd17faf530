"""``bridge evaluate subjects``: age and sex of people from region features, with sites left out; or any labels of any cohort."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from bridge.benchmark.labels import label_benchmark
from bridge.benchmark.predictors import label_of
from bridge.benchmark.results import Record
from bridge.benchmark.task import Task, data_folder
from bridge.benchmark.zero_shot import Alignment, sentences, zero_shot
from bridge.data.cohort import Cohort
from encoders.base import load_class

FILE = "fcon1000.csv"
LABELS, GROUP, TEMPLATE = ("sex", "age"), "site", "A {sex} of {age:.0f} years."

#: Codes of the column ``sex``: the heads of those coded 1 are the larger ones (1.60 against 1.41 litres on average).
SEX = {0: "woman", 1: "man"}

PROTOCOL = (
    "{n} samples of {groups} {group}s, {features} features{left_out}. Whole {group}s are left out ({folds} folds, seed {seed}); penalties and neighbours "
    "are chosen by folds of {group}s inside the training rows. bridge: stage 1 aligns the features with a sentence such as '{example}', then each held-out "
    "sample is compared with the sentences of the training samples; no classifier is trained. Intervals: 95 % bootstrap over {group}s. auroc and "
    "concordance are the share of pairs in the order of the label; within_groups counts only pairs of one {group}, which telling {group}s apart cannot order."
)
DATA_WORDS = "1,000 Functional Connectomes Project: FreeSurfer features, age, sex and site of healthy people (GPLv3 repository; terms of the source apply)."


class Subjects(Task):
    """Labels of samples from one modality, with whole groups left out.

    Args:
        cohort: A cohort (.h5ad) of your own; the 1,000 Functional Connectomes people when None.
        labels: Columns of ``obs``: two classes or numbers each; sex and age when None.
        group: Column of ``obs`` whose values are left out as a whole; ``site`` when None.
        modality: Modality whose values are the features.
        template: Sentence about a sample with ``{label}`` in it; ``A {sex} of {age:.0f} years.`` or a plain list when None.
        folds: Outer folds.
        tolerance: A number counts as hit within this, in its own units.
        limit: At most so many samples, drawn with the seed; 0 for all.
        bridge: Stage 1 of our method.
    """

    title: ClassVar[str] = "Age and sex with sites left out"

    def __init__(
        self,
        cohort: str | None = None,
        labels: list[str] | None = None,
        group: str | None = None,
        modality: str = "brain",
        template: str | None = None,
        folds: int = 5,
        tolerance: float = 5.0,
        limit: int = 0,
        bridge: Alignment | None = None,
    ):
        if cohort is not None and not labels:
            raise ValueError("subjects, field labels: found none for a cohort of your own, expected columns of its obs; for example --labels [age]")
        self.cohort, self.labels, self.group = cohort, list(labels or LABELS), group or GROUP
        self.modality, self.folds, self.tolerance, self.limit = modality, folds, tolerance, limit
        self.template = template if template is not None else ("" if cohort else TEMPLATE)
        self.bridge = bridge or Alignment()

    def run(self, record: Record) -> None:
        values, obs = people(data_folder("subject_level") / FILE) if self.cohort is None else measured(self.cohort, self.modality)
        rows, left_out = self._rows(obs, values, record.seed)
        values, obs = values[rows], obs.iloc[rows]
        labels = [label_of(obs[name], self.cohort or FILE) for name in self.labels]
        groups = obs[self.group].astype(str).to_numpy()
        texts = sentences(labels, self.template)
        record.words("Data", DATA_WORDS if self.cohort is None else self.cohort)
        record.words("Protocol", self._protocol(values, groups, texts, left_out, record.seed))

        def ours(train: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
            return zero_shot(values, labels, texts, train, test, alignment=self.bridge, seed=record.seed)

        label_benchmark(record, values, labels, groups, group=self.group, folds=self.folds, tolerance=self.tolerance, bridge=ours)

    def _rows(self, obs: pd.DataFrame, values: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
        """Samples with features, labels and group, and how many lack one."""
        missing = [name for name in (*self.labels, self.group) if name not in obs]
        if missing:
            raise ValueError(f"{self.cohort or FILE}: obs column {missing[0]!r} is missing; found {list(obs.columns)}")
        whole = obs[[*self.labels, self.group]].notna().all(axis=1).to_numpy() & np.isfinite(values).any(axis=1)
        rows = np.flatnonzero(whole)
        if self.limit and self.limit < len(rows):
            rows = np.sort(np.random.default_rng(seed).choice(rows, self.limit, replace=False))
        return rows, int((~whole).sum())

    def _protocol(self, values: np.ndarray, groups: np.ndarray, texts: Sequence[str], left_out: int, seed: int) -> str:
        lacking = f"; {left_out} more lack features, a label or the {self.group} and are left out" if left_out else ""
        found = {"n": len(values), "groups": len(set(groups.tolist())), "group": self.group, "features": values.shape[1], "left_out": lacking}
        return PROTOCOL.format(**found, folds=self.folds, seed=seed, example=texts[0])


def people(file: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Region features of the people, head size and whole-brain totals left out, and their age, sex and site.

    Raises:
        ValueError: the file or a column is missing, or sex is coded otherwise.
    """
    if not file.is_file():
        raise ValueError(f"{file}: no such file; the folder of the benchmark data is not whole")
    encoder = load_class("encoders.region_table.RegionTable").for_source(file)
    ids, values = encoder.read(file)
    obs = pd.read_csv(file, index_col=0)
    missing = [name for name in ("age", "sex", "site") if name not in obs]
    if missing:
        raise ValueError(f"{file}, field {missing[0]}: is missing, found {list(obs.columns[:5])} ...")
    unknown = sorted(set(obs["sex"]) - set(SEX), key=str)
    if unknown:
        raise ValueError(f"{file}, field sex: found {unknown[0]!r}, expected one of {list(SEX)}")
    return values, obs.loc[ids, ["age", "sex", "site"]].assign(sex=lambda table: table["sex"].map(SEX))


def measured(path: str, modality: str) -> tuple[np.ndarray, pd.DataFrame]:
    """Features as measured and ``obs`` of a cohort; its split is not used, since groups are left out in turn."""
    cohort = Cohort.read(path)
    if modality not in cohort.modalities:
        raise ValueError(f"{path}: no modality {modality!r}; expected one of {cohort.modalities}")
    return cohort.raw(modality).astype(np.float64), cohort.table.obs
