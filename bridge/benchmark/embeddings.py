"""``bridge evaluate embeddings``: what vectors of notes hold of a label, and whether two texts of one patient find each other."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from bridge.benchmark.dialogues import DIALOGUE, HEADER, SECTION, read_dialogues
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.task import Task, data_folder
from bridge.benchmark.text_pairs import WORDS, Pairs, limited, limited_pairs, put_retrieval, read_pairs
from bridge.data.build import VECTORS
from bridge.data.cohort import SPLITS, Cohort
from bridge.evaluate.probe import Rows, Score, Target, majority, probe, probe_scores, target_of, vector_rows, word_rows
from bridge.evaluate.reader import reading_language
from bridge.evaluate.retrieval import paired_difference
from bridge.language.llm import LLM
from bridge.language.note_files import Modality, note_cohort, read_notes
from bridge.language.notes import Embedded, embed_notes, note_bank
from bridge.language.textbank import TextBank
from encoders.base import load_class

MAJORITY = "majority"

PROBE = (
    "A linear model (logistic regression for classes, ridge regression for numbers) is fitted on the training rows, its penalty is the best one of five on "
    "validation, and it is scored on test: once on the vectors, once on TF-IDF of the same texts. majority is the commonest training class, or the mean. "
    "macro_f1 is over the classes of the test rows; concordance (numbers) is the share of pairs in their order, 0.5 is chance. "
    "Intervals: 95 % bootstrap over the groups of the test rows, seed {seed}."
)
DATA = (
    "MTS-Dialog (CC BY 4.0): conversations and note sections as published, both test sets together; {dropped} held-out pairs were dropped because training has "
    "their conversation. The sections are of encounters that the files do not name, so groups are single pairs, and an encounter may be in two splits."
)


class Samples(NamedTuple):
    """Vectors with what is known of their samples."""

    vectors: Float[np.ndarray, "samples width"]
    texts: list[str]
    obs: pd.DataFrame
    split: np.ndarray
    groups: np.ndarray


class Embeddings(Task):
    """A linear probe and retrieval on vectors of notes; on MTS-Dialog where no file of yours is named.

    Args:
        embeddings: Vectors as ``bridge embed`` writes them: a cohort (.h5ad), or a .parquet file with ``table`` and ``text``.
        labels: Columns that are told from the vectors.
        table: Table with the labels of a parquet file, and perhaps columns ``split`` and ``group``.
        text: Column of the notes, for TF-IDF; the cohort's first text column by default.
        modality: Modality of the cohort.
        pairs: File of text pairs (.csv, .tsv, .parquet, .jsonl) for retrieval; with a column ``split`` its test rows are queries.
        query: Column of the pairs.
        target: Column of the pairs.
        llm: The LLM that reads the pairs, or MTS-Dialog.
        bundle: A bundle whose tuned LLM reads them.
        trust: Modules outside the packages whose classes may load.
        layers: Layers of the LLM; the one at two fifths of the depth when None.
        pooling: Mean over tokens, or the last token.
        chunk_tokens: A longer text is read in chunks of so many tokens.
        overlap: Tokens that a chunk shares with the one before.
        limit: At most so many samples of each split, drawn with the seed; 0 for all.
        resamples: Of the bootstrap.
    """

    title: ClassVar[str] = "What vectors of notes hold"

    def __init__(
        self,
        embeddings: str | None = None,
        labels: list[str] | None = None,
        table: str | None = None,
        text: str | None = None,
        modality: str = "text",
        pairs: str | None = None,
        query: str | None = None,
        target: str | None = None,
        llm: LLM | None = None,
        bundle: str | None = None,
        trust: list[str] | None = None,
        layers: list[int] | None = None,
        pooling: Literal["mean", "last"] = "mean",
        chunk_tokens: int = 512,
        overlap: int = 64,
        limit: int = 0,
        resamples: int = 1000,
    ):
        _require_together("embeddings", embeddings, {"labels": labels})
        _require_together("pairs", pairs, {"query": query, "target": target})
        self.embeddings, self.labels, self.table, self.text, self.modality = embeddings, list(labels or ()), table, text, modality
        self.pairs, self.columns = pairs, (query or "", target or "")
        self.llm, self.bundle, self.trust, self.layers, self.pooling = llm, bundle, trust or (), layers or (), pooling
        self.chunk_tokens, self.overlap, self.limit, self.resamples = chunk_tokens, overlap, limit, resamples

    def run(self, record: Record) -> None:
        if self.embeddings:
            self._probe_file(record)
        if self.pairs:
            pairs = limited_pairs(read_pairs(Path(self.pairs), *self.columns), self.limit, record.seed)
            put_retrieval(record, pairs, self._bank(), self.overlap, resamples=self.resamples)
        if not (self.embeddings or self.pairs):
            self._dialogues(record)

    def _probe_file(self, record: Record) -> None:
        path = Path(self.embeddings or "")
        samples = of_cohort(Cohort.read(path) if path.suffix == ".h5ad" else self._of_parquet(path, record.seed), self.modality, self.text)
        record.words("Data", f"{path}: {len(samples.texts)} samples, vectors of width {samples.vectors.shape[1]}.")
        record.words("Probe", PROBE.format(seed=record.seed))
        for label in self.labels:
            put_probe(record, label, samples, str(path), limit=self.limit, resamples=self.resamples)

    def _of_parquet(self, path: Path, seed: int) -> Cohort:
        """A cohort of a parquet file and the table beside it."""
        missing = next((name for name, value in {"table": self.table, "text": self.text}.items() if not value), None)
        if missing:
            raise ValueError(f"embeddings, field {missing}: found none, expected one beside {path}, which holds vectors alone")
        samples = read_notes(Path(self.table), [self.text, *self.labels])
        encoder = load_class(VECTORS).for_source(path, modality=self.modality)
        vectors = _in_order(encoder.read(path), samples.ids, path, samples.file)
        found = Modality(self.text, encoder, Embedded(vectors, np.isfinite(vectors).all(axis=1).astype(np.int64)))
        given = {name: name if name in samples.columns else None for name in ("group", "split")}
        return note_cohort(samples, [found], seed=seed, **given)

    def _dialogues(self, record: Record) -> None:
        frame, dropped = read_dialogues(data_folder("medical/mts_dialog"))
        record.words("Data", DATA.format(dropped=dropped))
        frame = frame.iloc[limited(frame["split"].to_numpy(), self.limit, record.seed)]
        bank, split = self._bank(), frame["split"].to_numpy(dtype=object)
        vectors = embed_notes(bank, frame[DIALOGUE].tolist(), self.overlap).vectors
        samples = Samples(vectors, frame[DIALOGUE].tolist(), frame, split, np.arange(len(frame)))
        record.words("Probe", PROBE.format(seed=record.seed))
        put_probe(record, HEADER, samples, "MTS-Dialog", resamples=self.resamples)
        pairs = Pairs((DIALOGUE, frame[DIALOGUE].tolist()), (SECTION, frame[SECTION].tolist()), split)
        put_retrieval(record, pairs, bank, self.overlap, resamples=self.resamples)

    def _bank(self) -> TextBank:
        return note_bank(reading_language(self.llm, self.bundle, self.trust), self.layers, self.pooling, self.chunk_tokens)


def of_cohort(cohort: Cohort, modality: str, text: str | None = None) -> Samples:
    """Vectors as they are, texts, columns, splits and groups of a cohort.

    Raises:
        ValueError: it has no such modality, or no text column.
    """
    cohort.card(modality)  # or it says which there are
    column = text or next(iter(cohort.texts), None)
    if column is None or column not in cohort.table.obs:
        raise ValueError(f"{cohort.source}, field text: no text column {column or ''!r} for TF-IDF; found {list(cohort.table.obs.columns)}")
    obs = cohort.table.obs
    return Samples(cohort.raw(modality), cohort.text(column), obs, obs["split"].to_numpy(dtype=object), cohort.groups)


def put_probe(record: Record, label: str, samples: Samples, source: str, *, limit: int = 0, resamples: int = 1000) -> None:
    """Scores of the probe on vectors and on TF-IDF, and of the majority.

    Raises:
        ValueError: there is no such label, or a split is empty.
    """
    if label not in samples.obs:
        raise ValueError(f"{source}, field labels: no column {label!r}; found {list(samples.obs.columns)}")
    target = target_of(samples.obs[label])
    usable = target.known & np.isfinite(samples.vectors).all(axis=1) & np.array([bool(text) for text in samples.texts])
    drawn = limited(np.where(usable, samples.split, ""), limit, record.seed)
    rows = Rows(*(drawn[samples.split[drawn] == name] for name in SPLITS))
    said = _said(samples, target, rows)
    groups = samples.groups[rows.test]
    for method, answers in said.items():
        scores = probe_scores(answers, target, rows.test, groups, resamples=resamples, seed=record.seed)
        _put(record, scores, method, label, len(rows.test))
    record.words("Probe", _summary(label, target, rows, said, groups, record.seed, int((~usable).sum())))


def _said(samples: Samples, target: Target, rows: Rows) -> dict[str, np.ndarray]:
    """What each method says of the test rows."""
    vectors = vector_rows(np.where(np.isfinite(samples.vectors), samples.vectors, 0.0), rows.train) if len(rows.train) else samples.vectors
    words = word_rows(samples.texts, rows.train) if len(rows.train) else vectors
    return {OURS: probe(vectors, target, rows), WORDS: probe(words, target, rows), MAJORITY: majority(target, rows)}


def _put(record: Record, scores: list[Score], method: str, direction: str, n: int) -> None:
    for score in scores:
        record.row(score.metric, method, score.value, low=score.low, high=score.high, n=n, direction=direction)


def _summary(label: str, target: Target, rows: Rows, said: dict[str, np.ndarray], groups: np.ndarray, seed: int, left_out: int) -> str:
    """How many rows there were, and how the vectors compare with TF-IDF on the same ones."""
    sizes = ", ".join(f"{name} {len(each)}" for name, each in rows._asdict().items())
    counted = f"{label}: {sizes} samples; {left_out} lack a label, a text or a vector."
    if not target.classes:
        return counted
    truth = target.values[rows.test]
    right = {name: (answers == truth).astype(float) for name, answers in said.items()}
    difference, low, high = paired_difference(right[OURS], right[WORDS], groups, seed=seed)
    interval = f" (95 % {low:+.3f} to {high:+.3f}, {len(set(groups.tolist()))} groups)" if low is not None else ""
    return f"{counted} {len(set(truth.tolist()))} classes in test. Accuracy on vectors less accuracy on TF-IDF: {difference:+.3f}{interval}."


def _in_order(raw, ids: list[str], path: Path, table: str) -> Float[np.ndarray, "samples width"]:
    """Vectors in the order of a table, NaN where it has none."""
    rows = {each: row for row, each in enumerate(ids)}
    unknown = next((each for each in raw.ids if each not in rows), None)
    if unknown is not None:
        raise ValueError(f"{path}: id {unknown!r} is not in {table}; expected a row of the table for each vector")
    vectors = np.full((len(ids), raw.values.shape[1]), np.nan, np.float32)
    vectors[[rows[each] for each in raw.ids]] = raw.values
    return vectors


def _require_together(name: str, given: object, needed: dict[str, object]) -> None:
    missing = [field for field, value in needed.items() if given and not value]
    alone = [field for field, value in needed.items() if value and not given]
    if missing or alone:
        field = (missing or alone)[0]
        raise ValueError(f"embeddings, field {field}: {'found none' if missing else f'found no {name} beside it'}, expected {name} with {' and '.join(needed)}")
