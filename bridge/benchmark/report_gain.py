"""What the prefix adds to reports: grounded gain over the blind twin, paired differences, and likelihood against controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from bridge.benchmark.report_scores import Facts, put_mean
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.table import number
from bridge.evaluate.gain import grounded_gain, nll_shares
from bridge.evaluate.retrieval import paired_difference

GAIN, WORTH, LIKELIHOOD = "Grounded gain", "What stage 1 and the prefix are worth", "Likelihood of the true report"

EXPLAINED = (
    "G = (P_true - P_blind) / (1 - P_blind) over the samples on which both reports can be judged: the share of what the blind twin gets wrong that the input "
    "puts right. 1 is all of it, 0 none. A gain below 0 stands as it is in this table, and as 0 among the rows, which hold 0..1."
)
SHARES = (
    "Share of samples whose true report is more likely (lower NLL per token) with their own prefix than with another: Wilson intervals, sign test, samples of "
    "a group averaged first. token_probability: mean over samples of exp(-NLL)."
)


def put_gains(record: Record, facts: Mapping[str, Sequence[Facts]], blind: str, groups: np.ndarray) -> None:
    """Grounded gain of every method over the blind twin, per input; rows, a table, and a verdict on the bridge.

    Args:
        record: Of the run.
        facts: Method to the facts of its reports, all of the same samples.
        blind: Which of the methods is the twin.
        groups: Group of each sample.
    """
    lines = []
    for method in (name for name in facts if name != blind):
        for each, twin in zip(facts[method], facts[blind], strict=True):
            found = grounded_gain(each.precision, twin.precision, groups, seed=record.seed)
            clipped = {name: _inside(found[key]) for name, key in (("value", "gain"), ("low", "low"), ("high", "high"))}
            record.row("grounded_gain", method, clipped.pop("value"), n=found["n"], direction=each.modality, **clipped)
            lines.append((method, each.modality, str(found["n"]), number(found["p_true"]), number(found["p_blind"]), *_written(found)))
            if method == OURS:
                record.words("Verdict", _verdict(each, found))
    record.words(GAIN, EXPLAINED)
    record.table(GAIN, ("method", "input", "n", "P", "P blind", "G", "95 % interval"), lines)


def put_differences(record: Record, facts: Mapping[str, Sequence[Facts]], ours: str, groups: np.ndarray) -> None:
    """The bridge less every other method on the same samples, as a table; those on which either says nothing are left out."""
    lines = []
    for method in (name for name in facts if name != ours):
        for each, other in zip(facts[ours], facts[method], strict=True):
            both = np.isfinite(each.precision) & np.isfinite(other.precision)
            difference, low, high = paired_difference(each.precision[both], other.precision[both], groups[both], seed=record.seed)
            lines.append((f"{ours} less {method}", f"{each.kind} precision", str(int(both.sum())), _signed(difference), _range(low, high)))
    record.table(WORTH, ("methods", "metric", "n", "difference", "95 % interval, paired over groups"), lines)


def put_likelihoods(
    record: Record,
    truth: Float[np.ndarray, " samples"],
    controls: Mapping[str, Float[np.ndarray, " _"]],
    modalities: Sequence[str],
    groups: np.ndarray,
) -> None:
    """How often, and by how much, the true report is more likely with its own prefix than with each control.

    Args:
        record: Of the run.
        truth: NLL per token of each true report with its own prefix.
        controls: Name to the same under a control; ``gene_shuffled`` changes the gene's part alone.
        modalities: Of the bridge.
        groups: Group of each sample.
    """
    shares = nll_shares(truth, controls, groups)
    put_mean(record, "token_probability", OURS, np.exp(-truth), groups, direction="both")
    for name, found in shares.items():
        direction, method = next(((modality, name.removeprefix(f"{modality}_")) for modality in modalities if name.startswith(f"{modality}_")), ("both", name))
        record.row("nll_share", method, found["share"], n=found["n"], direction=direction, low=found["low"], high=found["high"], p=found["p"])
        put_mean(record, "token_probability", method, np.exp(-controls[name]), groups, direction=direction)
    record.row("nll_share", "chance", 0.5, n=len(truth), direction="both")
    record.words(LIKELIHOOD, SHARES)
    lines = [
        (name, str(each["n"]), number(each["nll_true"]), number(each["nll_control"]), number(each["share"]), number(each["p"])) for name, each in shares.items()
    ]
    record.table(LIKELIHOOD, ("control", "n", "NLL, own prefix", "NLL, control", "share of samples with the lower NLL", "p"), lines)


def _verdict(facts: Facts, found: Mapping) -> str:
    """Is the input read? In words, with the figures."""
    low, high = found["low"], found["high"]
    read = "undecided" if low is None else "yes" if low > 0 else "no, it does worse than the blind twin" if high is not None and high < 0 else "not shown"
    return (
        f"{facts.modality}: the report reads this input: {read}. {facts.kind.capitalize()} precision {number(found['p_true'])}, of the blind twin "
        f"{number(found['p_blind'])}; grounded gain {' ('.join(_written(found))}), n = {found['n']}."
    )


def _written(found: Mapping) -> tuple[str, str]:
    return _signed(found["gain"]), _range(found["low"], found["high"])


def _signed(value: float | None) -> str:
    return number(None) if value is None else f"{value:+.3f}"


def _range(low: float | None, high: float | None) -> str:
    return "interval undefined" if low is None or high is None else f"{low:+.3f} to {high:+.3f}"


def _inside(value: float | None) -> float | None:
    return None if value is None else min(1.0, max(0.0, value))
