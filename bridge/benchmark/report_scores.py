"""Facts of one set of generated reports as rows: precision, contradiction, omission and silence, for maps and for listed facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bridge.benchmark.results import Record
from bridge.data.cohort import Cohort
from bridge.evaluate.audit import permutation_p, wilson
from bridge.evaluate.facts import Scores, phenotype_scores, region_scores
from bridge.evaluate.retrieval import bootstrap_interval
from bridge.language import grammar
from bridge.language.questions import ITEMS
from bridge.language.subject import NAMED, RegionValues, fact_vocabulary, region_names, subjects
from bridge.report.claims.parse import claims_in
from bridge.report.schema import Direction

ENDS = {grammar.HIGHEST: Direction.HIGHER, grammar.LOWEST: Direction.LOWER}


class Facts(NamedTuple):
    """One kind of fact in a set of reports.

    Args:
        modality: The input that can tell it.
        kind: ``region`` or ``phenotype``; with the modality before it where several inputs have the kind.
        scores: Texts against truths.
        omission: Per text the share of what a full report names that it does not; NaN where there is nothing to name.
        chance: Precision of naming things at random.
    """

    modality: str
    kind: str
    scores: Scores
    omission: Float[np.ndarray, " texts"]
    chance: float | None

    @property
    def precision(self) -> Float[np.ndarray, " texts"]:
        """Share of what each text names that is true of its own sample."""
        return np.diagonal(self.scores.share)

    @property
    def shuffled(self) -> Float[np.ndarray, " texts"]:
        """The same against the truth of the other samples, which is what the text of a shuffled prefix would score."""
        others = np.where(np.eye(len(self.scores.share), dtype=bool), np.nan, self.scores.share)
        known = np.isfinite(others)
        return np.divide(np.nansum(others, axis=1), known.sum(axis=1), out=np.full(len(others), np.nan), where=known.any(axis=1))


def facts_of(cohort: Cohort, rows: Int[np.ndarray, " texts"], texts: Sequence[str]) -> list[Facts]:
    """Every kind of fact that the cohort can tell, text i against sample ``rows[i]``."""
    maps, owners = region_names(cohort), sorted(set(cohort.facts.values()))
    found = [_regions(cohort, rows, texts, modality, _kind("region", modality, maps)) for modality in maps]
    return found + [_phenotypes(cohort, rows, texts, modality, _kind("phenotype", modality, owners)) for modality in owners]


def put_facts(
    record: Record, direction: str, method: str, facts: Sequence[Facts], groups: np.ndarray, *, given: Collection[str] | None = None, tested: bool = True
) -> None:
    """Rows of one set of reports; intervals over groups, that of silence is Wilson's.

    Of an input that was not given a report should say nothing: there the share of silent ones is the only row.

    Args:
        record: Of the run.
        direction: Which inputs were given.
        method: What wrote the reports.
        facts: From :func:`facts_of`.
        groups: Group of each sample.
        given: Modalities that were given; all of them when None.
        tested: Add the p of the permutation test, right truths against other samples'; not for constant texts.
    """
    for each in facts:
        if given is None or each.modality in given:
            p = permutation_p(each.scores.share, groups, seed=record.seed)["p"] if tested else None
            put_mean(record, f"{each.kind}_precision", method, each.precision, groups, direction=direction, p=p)
            put_mean(record, f"{each.kind}_contradiction_rate", method, each.scores.contradiction, groups, direction=direction)
            put_mean(record, f"{each.kind}_omission", method, each.omission, groups, direction=direction)
        silent, n = int(np.isnan(each.precision).sum()), len(each.precision)
        low, high = wilson(silent, n)
        record.row(f"{each.kind}_silent", method, silent / n if n else None, n=n, direction=direction, low=low, high=high)


def put_mean(
    record: Record, metric: str, method: str, values: Float[np.ndarray, " texts"], groups: np.ndarray, *, direction: str, p: float | None = None
) -> None:
    """A row with the mean of what is defined and its interval over groups; None where nothing is."""
    known = np.isfinite(values)
    low, high = bootstrap_interval(values[known], groups[known], seed=record.seed)
    record.row(metric, method, float(values[known].mean()) if known.any() else None, n=int(known.sum()), direction=direction, low=low, high=high, p=p)


def claims_per_report(cohort: Cohort, texts: Sequence[str]) -> float | None:
    """Mean number of statements that a check could use."""
    maps, vocabulary = region_names(cohort), fact_vocabulary(cohort)
    counts = [sum(claim.direction is not Direction.NONE for claim in claims_in(text, maps, vocabulary)) for text in texts]
    return float(np.mean(counts)) if counts else None


def constant_answer(cohort: Cohort) -> str:
    """The best report that looks at nothing: what is named most often in the training split."""
    train, maps = subjects(cohort, cohort.rows("train")), region_names(cohort)
    parts = []
    for modality in maps:
        for end in ENDS:
            named = Counter(name for subject in train if modality in subject.present for name in subject.regions[modality].extremes(end))
            parts += [grammar.extreme(end, [name for name, _ in named.most_common(NAMED)])] if named else []
    parts += [grammar.known(column, items[:1]) for column, items in fact_vocabulary(cohort).items() if items]
    return grammar.sentence(parts) if parts else ""


def _kind(name: str, modality: str, among: Collection[str]) -> str:
    return name if len(among) == 1 else f"{modality}_{name}"


def _regions(cohort: Cohort, rows: np.ndarray, texts: Sequence[str], modality: str, kind: str) -> Facts:
    names = region_names(cohort)[modality]
    maps = [subject.regions[modality] for subject in subjects(cohort, rows)]
    said = [{(claim.direction, claim.entity) for claim in claims_in(text, {modality: names}, {}) if claim.than is None} for text in texts]
    expected = [{(direction, name) for end, direction in ENDS.items() for name in each.extremes(end)} for each in maps]
    scores = region_scores(texts, cohort.values(modality)[rows], names)
    return Facts(modality, kind, scores, _omission(expected, said), _mean([_region_chance(each) for each in maps]))


def _region_chance(regions: RegionValues) -> float | None:
    return regions.named / regions.measured if regions.named else None


def _phenotypes(cohort: Cohort, rows: np.ndarray, texts: Sequence[str], modality: str, kind: str) -> Facts:
    vocabulary = {column: items for column, items in fact_vocabulary(cohort).items() if cohort.facts[column] == modality}
    maps = region_names(cohort)
    facts = {column: cohort.fact(column) for column in vocabulary}
    known = [{column: facts[column][row] for column in facts} for row in rows]
    said = [{(claim.attribute, claim.entity) for claim in claims_in(text, maps, vocabulary) if claim.direction is Direction.PRESENT} for text in texts]
    expected = [{(column, item) for column, items in vocabulary.items() for item in [i for i in items if i in sample[column]][:ITEMS]} for sample in known]
    scores = phenotype_scores(texts, known, vocabulary, [name for names in maps.values() for name in names])
    return Facts(modality, kind, scores, _omission(expected, said), _mean([_phenotype_chance(sample, vocabulary) for sample in known]))


def _phenotype_chance(sample: dict[str, tuple[str, ...]], vocabulary: dict[str, tuple[str, ...]]) -> float | None:
    """Of all items of the columns that the sample tells, the share it lists."""
    told = [column for column in vocabulary if sample[column]]
    items = sum(len(vocabulary[column]) for column in told)
    return sum(len(set(sample[column]) & set(vocabulary[column])) for column in told) / items if items else None


def _omission(expected: Sequence[set], said: Sequence[set]) -> Float[np.ndarray, " texts"]:
    return np.array([1 - len(full & named) / len(full) if full else np.nan for full, named in zip(expected, said, strict=True)])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
