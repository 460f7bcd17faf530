"""``bridge evaluate subjects``: age and sex of people from region features, with sites left out; or any labels of any cohort."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from bridge.benchmark.label_correlation import PERMUTATIONS
from bridge.benchmark.labels import Scorer, label_benchmark
from bridge.benchmark.plain_labels import WRITTEN, PlainText
from bridge.benchmark.predictors import Label, label_of
from bridge.benchmark.results import Record
from bridge.benchmark.task import Task, data_folder
from bridge.benchmark.zero_shot import Alignment, sentences, zero_shot
from bridge.data.cohort import Cohort
from bridge.language.llm import LLM, load_llm
from bridge.settings import quiet_libraries
from encoders.base import load_class

FILE = "fcon1000.csv"
LABELS, GROUP, TEMPLATE = ("sex", "age"), "site", "A {sex} of {age:.0f} years."

#: Codes of the column ``sex``: the heads of those coded 1 are the larger ones (1.60 against 1.41 litres on average).
SEX = {0: "woman", 1: "man"}

PROTOCOL = (
    "{n} samples of {groups} {group}s, {features} features{left_out}. Whole {group}s are left out ({folds} folds, seed {seed}); penalties and neighbours "
    "are chosen by folds of {group}s inside the training rows. bridge: stage 1 aligns the features with a sentence such as '{example}', then each held-out "
    "sample is compared with the sentences of the training samples; no classifier is trained. cca: all labels regressed on the canonical variates "
    "of the features and of all labels together, which come near a ridge regression of all labels with one penalty. Its p: {permutations} times the labels "
    "are dealt out again inside each {group} and all is fitted and scored anew. {plain} Intervals: 95 % bootstrap over {group}s. auroc and "
    "concordance are the share of pairs in the order of the label; within_groups counts only pairs of one {group}, which telling {group}s apart cannot order."
)
PLAIN = (
    "plain text: the {written} features of a sample that lie farthest from the training mean are written into the prompt of the LLM as it comes, and a label "
    "is the mean of the answers, each as heavy as the LLM finds it likely (both classes, or quantiles of the training label); on {drawn} held-out samples "
    "drawn with the seed, and a step to or from it is taken on these alone."
)
NO_PLAIN = "plain text is left out: {reason}."
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
        plain: Held-out samples that the data as plain text are scored on, drawn with the seed; 0 leaves that rung out.
        permutations: Orders of the labels drawn for the p of CCA; 0 for none.
        bridge: Stage 1 of our method; its LLM reads the plain text too.
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
        plain: int = 100,
        permutations: int = PERMUTATIONS,
        bridge: Alignment | None = None,
    ):
        if cohort is not None and not labels:
            raise ValueError("subjects, field labels: found none for a cohort of your own, expected columns of its obs; for example --labels [age]")
        self.cohort, self.labels, self.group = cohort, list(labels or LABELS), group or GROUP
        self.modality, self.folds, self.tolerance, self.limit = modality, folds, tolerance, limit
        self.plain, self.permutations = plain, permutations
        self.template = template if template is not None else ("" if cohort else TEMPLATE)
        self.bridge = bridge or Alignment()

    def run(self, record: Record) -> None:
        found = people(data_folder("subject_level") / FILE) if self.cohort is None else measured(self.cohort, self.modality)
        rows, left_out = self._rows(found.obs, found.values, record.seed)
        values, obs = found.values[rows], found.obs.iloc[rows]
        labels = [label_of(obs[name], self.cohort or FILE) for name in self.labels]
        groups = obs[self.group].astype(str).to_numpy()
        texts = sentences(labels, self.template)
        record.words("Data", DATA_WORDS if self.cohort is None else self.cohort)
        record.words("Protocol", self._protocol(found, groups, texts, left_out, record.seed))

        def ours(train: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
            return zero_shot(values, labels, texts, train, test, alignment=self.bridge, seed=record.seed)

        more = {"folds": self.folds, "tolerance": self.tolerance, "drawn": self.plain, "permutations": self.permutations}
        label_benchmark(record, values, labels, groups, group=self.group, bridge=ours, plain=self._asked(values, found.names, labels), **more)

    def _asked(self, values: np.ndarray, names: Sequence[str], labels: Sequence[Label]) -> Scorer | None:
        """The data as plain text; None where that rung is left out."""
        if not self.plain or not names:
            return None
        quiet_libraries()
        llm = self.bridge.llm or LLM()
        return PlainText(load_llm(llm), values, names, labels, llm.template)

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

    def _protocol(self, found: Measured, groups: np.ndarray, texts: Sequence[str], left_out: int, seed: int) -> str:
        lacking = f"; {left_out} more lack features, a label or the {self.group} and are left out" if left_out else ""
        sizes = {"n": len(groups), "groups": len(set(groups.tolist())), "features": found.values.shape[1], "left_out": lacking}
        settings = {"group": self.group, "folds": self.folds, "seed": seed, "permutations": self.permutations, "example": texts[0]}
        return PROTOCOL.format(**sizes, **settings, plain=self._plain_words(found.names, len(groups)))

    def _plain_words(self, names: Sequence[str], samples: int) -> str:
        if not self.plain or not names:
            return NO_PLAIN.format(reason="it was not asked for" if names else "the features have no names to write")
        return PLAIN.format(written=min(WRITTEN, len(names)), drawn=min(self.plain, samples))


class Measured(NamedTuple):
    """Samples as measured; features without names cannot be written out as text."""

    values: np.ndarray
    names: tuple[str, ...]
    obs: pd.DataFrame


def people(file: Path) -> Measured:
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
    return Measured(values, encoder.names, obs.loc[ids, ["age", "sex", "site"]].assign(sex=lambda table: table["sex"].map(SEX)))


def measured(path: str, modality: str) -> Measured:
    """Features as measured and ``obs`` of a cohort; its split is not used, since groups are left out in turn."""
    cohort = Cohort.read(path)
    if modality not in cohort.modalities:
        raise ValueError(f"{path}: no modality {modality!r}; expected one of {cohort.modalities}")
    values, names = cohort.raw(modality).astype(np.float64), cohort.card(modality).names
    return Measured(values, names if len(names) == values.shape[1] else (), cohort.table.obs)
