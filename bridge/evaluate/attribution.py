"""What does each claim rest on? Regions and gene sets are taken away one at a time, and the claim's likelihood is read again.

A region taken away is missing (NaN), as in a sample that lacks it. A model that never saw a region missing may answer
to its absence as such; the regions that a claim does not name, taken away in the same manner, are the control.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from rich.progress import track
from torch import Tensor

from bridge.data.batch import IGNORE, Turn
from bridge.data.cohort import Cohort
from bridge.evaluate.gene_sets import feature_sets
from bridge.evaluate.likelihood import report_examples, token_nll, true_reports
from bridge.evaluate.retrieval import bootstrap_interval, ranks
from bridge.language.subject import Subject, subjects
from bridge.model import SemanticBridge
from bridge.report.generation.confidence import pieces
from bridge.report.schema import Claim, Direction
from bridge.report.verify import Reference, check, claims_in


@dataclasses.dataclass(frozen=True, eq=False)
class Attribution:
    """Claims about one modality, and what each loses when a set of its features is taken away.

    Args:
        modality: The modality.
        sets: Set to its features; none for an input without names, taken away as a whole.
        claims: The claims, checked against the measurement.
        samples: Sample id of each claim.
        groups: Group of each claim's sample.
        change: Log-likelihood of the claim under the full input less that without the set, nats; above 0 the set
            speaks for the claim. NaN where the sample has no value of the set.
        left_out: Claims whose words were not found in their text.
    """

    modality: str
    sets: dict[str, tuple[str, ...]]
    claims: tuple[Claim, ...]
    samples: tuple[str, ...]
    groups: Shaped[np.ndarray, " claims"]
    change: Float[np.ndarray, "claims sets"]
    left_out: int = 0

    @property
    def own(self) -> Bool[np.ndarray, "claims sets"]:
        """Whether a set holds the very feature that a claim names."""
        named = [[claim.attribute is None and claim.entity in members for members in self.sets.values()] for claim in self.claims]
        return np.array(named, dtype=bool).reshape(len(self.claims), len(self.sets))


def attribute(
    bridge: SemanticBridge,
    cohort: Cohort,
    rows: Int[np.ndarray, " samples"],
    modality: str,
    *,
    texts: Sequence[str] | None = None,
    sets: Mapping[str, Sequence[str]] | None = None,
    batch_size: int = 16,
) -> Attribution:
    """Change of every claim's likelihood when sets of features are taken away, one at a time.

    One pass of the model reads all claims of a text under one input, so a sample costs 1 + sets answers.

    Args:
        bridge: A bundle that writes reports.
        cohort: Cohort of the samples.
        rows: Samples; those that lack the modality are left out.
        modality: What is taken away.
        texts: Report of each sample; the true reports when None.
        sets: Set to features, see :func:`bridge.evaluate.gene_sets.feature_sets`.
        batch_size: Inputs in one pass.

    Raises:
        ValueError: the bundle does not read the modality, or it has no named features for the sets.
    """
    if modality not in bridge.projectors:
        raise ValueError(f"attribution: this bundle reads {list(bridge.projectors)}, not {modality!r}; name one of them")
    members = feature_sets(cohort.card(modality).names, modality, sets)
    columns, reference = _columns(cohort, modality, members), Reference.from_dict(bridge.reference["training"])
    texts = true_reports(cohort, rows) if texts is None else texts
    told: list[_Told] = []
    found = 0
    for row, subject, text in zip(track(rows, f"Attribution of {modality}", transient=True), subjects(cohort, rows), texts, strict=True):
        claims = _claims(text, subject, modality, reference)
        placed = {number: span for number, span in enumerate(mentions(text.strip(), claims)) if span}
        change = _changes(bridge, _values(bridge, cohort, row), modality, columns, text.strip(), list(placed.values()), batch_size)
        told += [_Told(claims[number], subject.id, str(cohort.groups[row]), line) for number, line in zip(placed, change, strict=True)]
        found += len(claims)
    return _attribution(modality, members, told, found - len(told))


def mentions(text: str, claims: Sequence[Claim]) -> list[tuple[int, int] | None]:
    """Where in the text each claim names its entity (a comparison: both), searched onward from the claim before; None if nowhere."""
    found: list[tuple[int, int] | None] = []
    place = 0
    for claim in claims:
        name = claim.mention or claim.entity
        first = _word(name, text, place) or _word(name, text, 0)
        last = _word(claim.than, text, first.end()) if first and claim.than else first
        found.append((first.start(), last.end()) if first and last else None)
        place = last.end() if last else place
    return found


def token_span(added: Sequence[str], start: int, end: int) -> slice:
    """Which tokens hold letters start to end of the text, given what each token adds to it."""
    ends = np.cumsum([len(piece) for piece in added])
    return slice(int(np.searchsorted(ends, start, side="right")), int(np.searchsorted(ends, end)) + 1)


def attribution_rows(attribution: Attribution, *, resamples: int = 1000, seed: int = 0) -> list[dict]:
    """Does a claim about a region rest on that region? Figures as the arguments of a benchmark record's ``row``.

    For each claim all sets are ordered by what the claim loses without them. ``own_first``: share of claims for which
    the set with the feature they name comes first; ``own_percentile``: mean share of the other sets that come after it.
    Both beside chance; None where fewer than two sets were taken away.

    Args:
        attribution: From :func:`attribute`.
        resamples: Bootstrap resamples over groups.
        seed: Seed of the bootstrap.
    """
    own = attribution.own
    named = (own.sum(axis=1) == 1) if len(attribution.sets) > 1 else np.zeros(len(own), dtype=bool)
    change = np.where(np.isfinite(attribution.change), attribution.change, -np.inf)[named]
    place = ranks(change, own[named].argmax(axis=1)) if named.any() else np.array([])
    others = max(1, len(attribution.sets) - 1)
    shares = {"own_first": (place == 1).astype(float), "own_percentile": (others + 1 - place) / others}
    chances = {"own_first": 1 / len(attribution.sets), "own_percentile": 0.5}
    rows = []
    for metric, each in shares.items():
        low, high = bootstrap_interval(each, attribution.groups[named], resamples=resamples, seed=seed)
        known = {"metric": metric, "direction": attribution.modality, "n": len(place), "candidates": len(attribution.sets)}
        rows.append(known | {"method": "bridge", "value": float(each.mean()) if len(each) else None, "low": low, "high": high})
        rows.append(known | {"method": "chance", "value": chances[metric] if len(each) else None})
    return rows


class _Told(NamedTuple):
    """One claim of one sample, and what it loses with each set."""

    claim: Claim
    sample: str
    group: str
    change: Float[np.ndarray, " sets"]


def _attribution(modality: str, members: dict[str, tuple[str, ...]], told: Sequence[_Told], left_out: int) -> Attribution:
    change = np.array([each.change for each in told], dtype=float).reshape(len(told), len(members))
    claims, samples = tuple(each.claim for each in told), tuple(each.sample for each in told)
    return Attribution(modality, members, claims, samples, np.array([each.group for each in told], dtype=str), change, left_out)


def _claims(text: str, subject: Subject, modality: str, reference: Reference) -> list[Claim]:
    """What a text asserts about one modality that the sample has, checked."""
    if modality not in subject.present:
        return []
    claims = check(claims_in(text, reference.regions, reference.facts, reference.aliases), subject, reference)
    return [claim for claim in claims if claim.modality == modality and claim.direction is not Direction.NONE]


def _changes(
    bridge: SemanticBridge,
    values: dict[str, Float[Tensor, "1 _"]],
    modality: str,
    columns: Mapping[str, Int[np.ndarray, " _"]],
    text: str,
    spans: Sequence[tuple[int, int]],
    batch_size: int,
) -> Float[np.ndarray, "claims sets"]:
    """What each claim of one sample loses with each set, NaN for a set of which the sample has no value."""
    change = np.full((len(spans), len(columns)), np.nan)
    measured = np.isfinite(values[modality][0].numpy())
    taken = [number for number, column in enumerate(columns.values()) if measured[column].any()]
    if not (len(spans) and taken):
        return change
    example = report_examples(bridge, [text])[0]
    answer = [label for label in example[1] if label != IGNORE][:-1]
    added = pieces(partial(bridge.language.tokenizer.decode, skip_special_tokens=True), answer, text)
    tokens = [token_span(added, *span) for span in spans]
    inputs = [np.array([], dtype=np.int64), *(column for number, column in enumerate(columns.values()) if number in set(taken))]
    losses = _ablated_nll(bridge, values, modality, inputs, example, batch_size)
    full, *without = np.array([[nll[each].sum() for each in tokens] for nll in losses])
    change[:, taken] = (np.array(without) - full).T
    return change


def _ablated_nll(
    bridge: SemanticBridge, values: dict[str, Tensor], modality: str, inputs: list[np.ndarray], example: Turn, batch_size: int
) -> Iterator[np.ndarray]:
    """Loss of every answer token when these columns are missing; inputs are made a batch at a time."""
    for start in range(0, len(inputs), batch_size):
        part = inputs[start : start + batch_size]
        given = {name: column.repeat(len(part), 1) for name, column in values.items()}
        for row, missing in enumerate(part):
            given[modality][row, missing] = torch.nan
        yield from token_nll(bridge, given, [example] * len(part), batch_size=batch_size)


def _columns(cohort: Cohort, modality: str, sets: Mapping[str, tuple[str, ...]]) -> dict[str, Int[np.ndarray, " _"]]:
    """Columns of the modality's values that belong to each set; all of them for an input without names."""
    names, width = cohort.card(modality).names, cohort.values(modality).shape[1]
    if not names:
        return {name: np.arange(width) for name in sets}
    if width % len(names):
        raise ValueError(
            f"{cohort.source}, obsm[{modality!r}]: found {width} columns for {len(names)} names, expected as many for each; attribution needs that"
        )
    of = {name: np.arange(width).reshape(len(names), -1)[place] for place, name in enumerate(names)}
    return {name: np.concatenate([of[feature] for feature in features]) for name, features in sets.items()}


def _values(bridge: SemanticBridge, cohort: Cohort, row: int | np.integer) -> dict[str, Tensor]:
    return {modality: torch.from_numpy(cohort.values(modality)[[row]]) for modality in bridge.projectors}


def _word(name: str, text: str, place: int) -> re.Match | None:
    words = r"\s+".join(map(re.escape, name.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE).search(text, place) if words else None
