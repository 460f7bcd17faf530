"""How far a report may be trusted: are its confidences right, and would an input unlike those of training be noticed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bridge.benchmark.results import OURS, Record
from bridge.data.cohort import Cohort
from bridge.evaluate.calibration import calibration_rows
from bridge.evaluate.claims import CheckedReport, claim_metrics
from bridge.evaluate.curves import reliability_diagram, risk_coverage_curve, roc_curves
from bridge.evaluate.judged import Judged, judged
from bridge.evaluate.outlier_sets import label_images, outlier_sets, projector_inputs
from bridge.evaluate.outliers import MahalanobisApart, NeighboursApart, ood_table
from bridge.language.subject import subjects
from bridge.model import SemanticBridge
from bridge.report.generation.confidence import Generation, claim_confidence
from bridge.report.schema import Direction, Verdict
from bridge.report.verify import Reference, check, claims_in

CALIBRATION, OUTLIERS, CLAIMS = "Calibration of claims", "Inputs unlike those of training", "Claims"

#: Figures of checked claims that are shares.
SHARES = ("precision", "contradiction_rate", "not_in_input_rate", "omission", "laterality_errors")

#: Verdicts that make a claim right or wrong; a claim with another one cannot be checked.
CORRECT = {Verdict.SUPPORTED: True, Verdict.NEAR: False, Verdict.CONTRADICTED: False, Verdict.NOT_IN_INPUT: False}

EXPLAINED = (
    "Confidence of a claim: mean probability of the tokens that name its entity. Right: supported by the measurement (three highest or lowest of a map, listed "
    "fact); all else that can be checked is wrong, near misses too. Calibrator, constant and threshold come from the validation split."
)
STRANGE = (
    "AUROC of telling changed inputs from the test split's own, by what the projectors are given; every detector is fitted on the training split alone. "
    "Shuffled: each sample's own values in an order of its own. Other order: one wrong order for all samples. Noise: mean and variance of each feature kept. "
    "Other atlas: the same maps as means over as many other regions of the same voxels, read as if they were this atlas's."
)


def put_calibration(
    record: Record,
    bridge: SemanticBridge,
    cohort: Cohort,
    rows: Mapping[str, np.ndarray],
    written: Mapping[str, Sequence[Generation]],
    *,
    resamples: int = 1000,
) -> None:
    """Calibration and abstention of the claims of generated reports.

    Args:
        record: Of the run.
        bridge: What wrote them.
        cohort: The cohort.
        rows: ``validation`` and ``test`` to the samples.
        written: The same to one generation per sample.
        resamples: Bootstrap resamples.
    """
    claims = {split: _judged(bridge, cohort, rows[split], written[split]) for split in ("validation", "test")}
    record.words(CALIBRATION, f"{EXPLAINED} {len(claims['validation'])} claims of the validation split, {len(claims['test'])} of the test split.")
    for row in calibration_rows(claims["validation"], claims["test"], resamples=resamples, seed=record.seed):
        record.row(**row)
    if len(claims["test"]):
        reliability_diagram(claims, record.figure(CALIBRATION, "reliability"), seed=record.seed)
        risk_coverage_curve(claims, record.figure(CALIBRATION, "risk_coverage"), seed=record.seed)


def put_claims(record: Record, bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, written: Sequence[Generation]) -> None:
    """What the checker says of the reports: how much they claim, how much holds, what they leave out, sides, invented comparisons.

    Args:
        record: Of the run.
        bridge: What wrote them.
        cohort: The cohort.
        rows: The samples.
        written: One generation per sample.
    """
    reports = _checked(bridge, cohort, rows, written)
    found = claim_metrics(reports)
    for metric in SHARES:
        record.row(metric, OURS, found[metric], n=found["judged"], direction="checked claims")
    counts = [(name.replace("_", " "), "undefined" if value is None else f"{value:.3g}") for name, value in found.items()]
    record.table(CLAIMS, ("of the reports from both inputs", ""), counts)


def put_outliers(record: Record, bridge: SemanticBridge, cohort: Cohort, *, resamples: int = 1000) -> None:
    """Whether detectors on the projectors' input notice what is unlike training."""
    rows = {split: cohort.rows(split) for split in ("train", "test")}
    train, test = (projector_inputs(bridge, cohort, some) for some in rows.values())
    strange = outlier_sets(train, test, images=label_images(bridge), seed=record.seed)
    groups = {"groups": cohort.groups[rows["test"]], "train_groups": cohort.groups[rows["train"]]}
    record.words(OUTLIERS, STRANGE)
    for row in ood_table(train, test, strange, resamples=resamples, seed=record.seed, **groups):
        record.row(**row)
    for kind in (MahalanobisApart, NeighboursApart):
        detector = kind.fit(train)
        usual, drawn = detector.scores(test), {"n": len(rows["test"]), "seed": record.seed}
        scores = {name: (detector.scores(inputs), usual) for name, inputs in strange.items()}
        roc_curves(scores, record.figure(OUTLIERS, f"roc_{kind.name}"), title=f"Detector {kind.name}", **drawn)


def _checked(bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, written: Sequence[Generation]) -> list[CheckedReport]:
    """The claims of each text with their verdicts."""
    reference = Reference.from_dict(bridge.reference["training"])
    texts = [claims_in(generation.text, reference.regions, reference.facts, reference.aliases) for generation in written]
    return [CheckedReport(check(claims, subject, reference), subject, reference) for claims, subject in zip(texts, subjects(cohort, rows), strict=True)]


def _judged(bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, written: Sequence[Generation]) -> Judged:
    """Every claim that can be checked: its confidence, whether it is right, and the group of its sample."""
    confidence, correct, groups = [], [], []
    for report, group, generation in zip(_checked(bridge, cohort, rows, written), cohort.groups[rows], written, strict=True):
        for claim in (each for each in report.claims if each.verdict in CORRECT and each.direction is not Direction.NONE):
            confidence.append(claim_confidence(claim, generation))
            correct.append(CORRECT[claim.verdict])
            groups.append(group)
    return judged(confidence, np.array(correct, dtype=bool), np.array(groups))
