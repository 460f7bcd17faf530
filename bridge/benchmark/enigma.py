"""``bridge evaluate enigma``: reports on published case-control maps, every region, side, direction and size held against the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float

from bridge.benchmark.default import SHARED, default_bundle
from bridge.benchmark.effect_maps import EffectMap, as_training_map, effect_maps
from bridge.benchmark.map_claims import assignment_p, between_disorders, judged_claims, lines, named_in, unmeasured
from bridge.benchmark.report_scores import constant_answer
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.task import Task, data_folder
from bridge.bundle import load
from bridge.data.cohort import Cohort
from bridge.evaluate.facts import region_scores
from bridge.evaluate.figures import brain_map
from bridge.evaluate.retrieval import bootstrap_interval, paired_difference
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import NAMED, region_names
from bridge.model import SemanticBridge
from bridge.report.generation.generate import generate

ZEROED, OTHERS, CONSTANT = f"{OURS} (zeroed)", f"{OURS} (other disorders)", "constant answer"
DIRECTION = "brain map"

DATA = "Effect sizes (Cohen's d, cases minus controls) per region, published by the ENIGMA working groups, from the ENIGMA toolbox (BSD-3-Clause)."
PROTOCOL = (
    "{maps} maps of {disorders} disorders ({names}). Each is turned into normal scores of its ranks, with the mean and spread of a training map; the bridge "
    "writes a report from the brain prefix alone (greedy, at most {tokens} tokens), and raw text is judged. It was trained on other maps (gene expression "
    "in the default data), so this is a transfer test; 'highest' is the largest d, which in a map of reductions is the least reduced region. "
    "region_precision: named regions among the true {named} highest (lowest). contradiction_rate: named regions outside that third of the map. "
    "not_in_input_rate: named regions that the table has no value for. side: the named side is the more extreme one of the two. direction: above "
    "(below) the median of the map. sign: d above (below) 0. size: pairs of named regions in the order in which the report names them. "
    "silent: reports that name no region of the atlas. "
    "Intervals: 95 % bootstrap over disorders, and {disorders} of them are few: they say how much the disorders differ, no more. "
    "p: of all assignments of disorders' maps to disorders' reports, the share that is as good; with {disorders} disorders it cannot be below {least:.3f}."
)


class Enigma(Task):
    """Reports on maps of effect sizes.

    Args:
        bundle: A bundle of both stages with a map of Desikan-Killiany regions; by default one is trained on the default data, and kept.
        cohort: The cohort it was trained on; given with ``bundle``.
        modality: The modality that holds the map.
        genes: Size of the default data.
        steps: Steps of stage 2, where no bundle is given.
        max_new_tokens: Longest report.
    """

    title: ClassVar[str] = "Reports on published case-control maps"

    def __init__(
        self, bundle: str | None = None, cohort: str | None = None, modality: str = "brain", genes: int = 1000, steps: int = 40, max_new_tokens: int = 120
    ):
        if (bundle is None) != (cohort is None):
            raise ValueError("enigma, fields bundle and cohort: found one of them, expected both or neither; give the cohort that the bundle was trained on")
        self.given = None if bundle is None else (Path(bundle), Path(cohort))
        self.modality, self.genes, self.steps, self.max_new_tokens = modality, genes, steps, max_new_tokens

    def run(self, record: Record) -> None:
        maps, notes = effect_maps(data_folder("enigma"))
        bundle, place = self.given or default_bundle(record.out.parent / SHARED, seed=record.seed, genes=self.genes, steps=self.steps)
        cohort, bridge = Cohort.read(place), load(bundle)
        names = self._names(cohort, bridge, bundle)
        record.words("Data", " ".join([DATA, *notes]))
        record.words("Protocol", self._protocol(maps))
        values = np.stack([each.values(names) for each in maps])
        shown = training_maps(values, cohort.values(self.modality)[cohort.rows("train")])
        reports = self._written(bridge, shown, zeroed=False)
        zeroed = self._written(bridge, shown[:1], zeroed=True) * len(maps)
        disorders = np.array([each.disorder for each in maps])
        constant = constant_answer(cohort)
        for method, texts in ((CONSTANT, [constant] * len(maps)), (ZEROED, zeroed), (OURS, reports)):
            put_reports(record, method, texts, values, names, disorders)
        put_controls(record, reports, constant, values, names, disorders)
        self._show(record, maps, reports, values, names)
        self._draw(record, maps, values, names, cohort)

    def _names(self, cohort: Cohort, bridge: SemanticBridge, bundle: Path) -> tuple[str, ...]:
        known = region_names(cohort)
        if self.modality not in known or self.modality not in bridge.projectors:
            raise ValueError(
                f"{bundle}, field modality: found {self.modality!r}, expected one with named regions, one of {sorted(set(known) & set(bridge.projectors))}"
            )
        return known[self.modality]

    def _protocol(self, maps: Sequence[EffectMap]) -> str:
        names = sorted({each.disorder for each in maps})
        least = 1 / math.factorial(len(names))
        return PROTOCOL.format(maps=len(maps), disorders=len(names), names=", ".join(names), tokens=self.max_new_tokens, named=NAMED, least=least)

    def _written(self, bridge: SemanticBridge, shown: np.ndarray, *, zeroed: bool) -> list[str]:
        """Reports from the brain prefix alone."""
        values = {self.modality: torch.from_numpy(shown).float()}
        return generate(bridge, values, [REPORT_ASK[0]] * len(shown), max_new_tokens=self.max_new_tokens, zeroed=zeroed, show_progress=True)

    def _show(self, record: Record, maps: Sequence[EffectMap], reports: Sequence[str], values: np.ndarray, names: Sequence[str]) -> None:
        """Per map every region that is named, with its numbers."""
        header = ("map", "region named", "as", "d", "95 % interval", "FDR p", "rank from that end", "verdict")
        for disorder in dict.fromkeys(each.disorder for each in maps):
            chosen = [row for row, each in enumerate(maps) if each.disorder == disorder]
            record.table(f"Regions named: {disorder}", header, [line for row in chosen for line in lines(maps[row], reports[row], values[row], names)])

    def _draw(self, record: Record, maps: Sequence[EffectMap], values: np.ndarray, names: Sequence[str], cohort: Cohort) -> None:
        """The map with most regions of each disorder."""
        encoder = cohort.encoder(self.modality)
        atlas, labels = getattr(encoder, "atlas", ""), getattr(encoder, "indices", None)
        if not (atlas and Path(atlas).is_file()):
            record.words("Maps", f"No maps are drawn: the cohort's modality {self.modality!r} names no label image that is here.")
            return
        for disorder in dict.fromkeys(each.disorder for each in maps):
            row = max((row for row, each in enumerate(maps) if each.disorder == disorder), key=lambda row: np.isfinite(values[row]).sum())
            path = record.figure("Maps", f"map_{disorder.replace(' ', '_').replace('.', '-')}")
            brain_map(values[row], list(names), atlas, path, maps[row].name, labels=labels, unit="Cohen's d, cases minus controls")


def training_maps(values: Float[np.ndarray, "maps regions"], training: Float[np.ndarray, "samples regions"]) -> Float[np.ndarray, "maps regions"]:
    """Maps in the units of normalised training maps: the same ranks, with the mean and the spread that a training map has on average."""
    training = training[np.isfinite(training).any(axis=1)]
    mean, spread = float(np.nanmean(training)), float(np.nanstd(training, axis=1).mean())
    return np.stack([as_training_map(row, mean, spread) for row in values])


def put_reports(
    record: Record, method: str, texts: Sequence[str], values: Float[np.ndarray, "maps regions"], names: Sequence[str], disorders: np.ndarray
) -> None:
    """Rows of one set of reports, text i on map i; a report that names nothing is left out of shares and counted as silent."""
    scores = region_scores(texts, values, names)
    found = {"region_precision": np.diagonal(scores.share), "contradiction_rate": scores.contradiction, "not_in_input_rate": unmeasured(texts, values, names)}
    judged = [judged_claims(named_in(text, names), row, names) for text, row in zip(texts, values, strict=True)]
    found |= {metric: np.array([each[metric] for each in judged], dtype=float) for metric in ("side", "direction", "sign", "size")}
    for metric, each in found.items():
        _row(record, metric, method, each, disorders)
    _row(record, "silent", method, (scores.named == 0).astype(float), disorders)


def put_controls(
    record: Record, texts: Sequence[str], constant: str, values: Float[np.ndarray, "maps regions"], names: Sequence[str], disorders: np.ndarray
) -> None:
    """The same reports against the maps of other disorders, chance, and what they say beside the constant answer."""
    share = region_scores(texts, values, names).share
    p = assignment_p(between_disorders(share, disorders), record.seed)
    others = np.where(disorders[:, None] == disorders[None, :], np.nan, share)
    known = np.isfinite(others).any(axis=1)
    elsewhere = np.full(len(texts), np.nan)
    elsewhere[known] = np.nanmean(others[known], axis=1)
    _row(record, "region_precision", OTHERS, elsewhere, disorders, p=p)
    measured = np.isfinite(values).sum(axis=1)
    _row(record, "region_precision", "chance", np.minimum(NAMED, measured // 2) / measured, disorders)
    always = np.diagonal(region_scores([constant] * len(texts), values, names).share)
    record.words("Verdict", _verdict(np.diagonal(share), elsewhere, always, disorders, p, record.seed))


def _row(record: Record, metric: str, method: str, each: np.ndarray, disorders: np.ndarray, p: float | None = None) -> None:
    known = np.isfinite(each)
    low, high = bootstrap_interval(each[known], disorders[known], seed=record.seed) if known.any() else (None, None)
    record.row(metric, method, float(each[known].mean()) if known.any() else None, n=int(known.sum()), direction=DIRECTION, low=low, high=high, p=p)


def _verdict(own: np.ndarray, elsewhere: np.ndarray, always: np.ndarray, disorders: np.ndarray, p: float | None, seed: int) -> str:
    both = np.isfinite(own) & np.isfinite(elsewhere)
    if not both.any() or p is None:
        return "Whether reports depend on the map is undefined: too few of them name a region."
    told = (
        f"Of the regions named, {own[both].mean():.1%} are right for the map the report is on and {elsewhere[both].mean():.1%} for the maps of other disorders "
        f"({int(both.sum())} reports, {len(set(disorders.tolist()))} disorders, p = {p:.3f}): "
        f"reports {'depend' if p < 0.05 else 'are not shown to depend'} on the map."
    )
    both &= np.isfinite(always)
    difference, low, high = paired_difference(own[both], always[both], disorders[both], seed=seed)
    if low is None:
        return told
    justified = "yes" if low > 0 else "no"
    return f"{told} Bridge justified on this data: {justified}; {difference:+.3f} ({low:+.3f} to {high:+.3f}) against the constant answer."
