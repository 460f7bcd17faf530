"""``bridge evaluate attribution``: which regions, and which gene sets, the claims of a bundle's reports rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from bridge.benchmark.default import SHARED, default_bundle
from bridge.benchmark.page import VERDICT
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.table import UNDEFINED, number
from bridge.benchmark.task import Task
from bridge.bundle import load
from bridge.data.cohort import Cohort
from bridge.evaluate.attribution import Attribution, attribute, attribution_rows
from bridge.evaluate.attribution_figure import effect_dots
from bridge.evaluate.attribution_files import Written, write_attribution
from bridge.evaluate.controls import given_values
from bridge.evaluate.figures import brain_map
from bridge.evaluate.gene_sets import read_gmt
from bridge.evaluate.held_out import sampled
from bridge.language.questions import REPORT_ASK
from bridge.report.generation.generate import generate
from encoders.base import Encoder

SHOWN = 10  # sets in the table of the strongest
COLUMNS = {"set": "set", "claims that name it": "named_n", "their effect": "named_effect"}
COLUMNS |= {"effect on all claims": "effect", "95 % interval": "interval", "groups": "n", "p": "p", "q": "q"}

PROTOCOL = (
    "{n} held-out samples of the split test, drawn with seed {seed}; the bundle writes a report of each (greedy, at most {tokens} tokens, raw text). "
    "Regions, or gene sets, are taken away one at a time, which is to mark them missing; an input without names is taken away as a whole. Effect: "
    "log-likelihood of the tokens in which a claim names its entity, under the full input less that without the set, in nats; above 0 the set speaks "
    "for the claim. A model may answer to the absence as such, so the sets that a claim does not name, taken away in the same manner, are the control. "
    "own_first: share of claims that lose most without the set they name; own_percentile: mean share of the other sets without which a claim loses less. "
    "Intervals: 95 % bootstrap over groups; p: Wilcoxon over groups; q: Benjamini and Hochberg. Beside this page: every claim under every set in "
    "attribution_claims.parquet, every set in attribution_MODALITY.parquet."
)


class Attributed(Task):
    """What each claim of held-out reports loses when a region or a gene set is taken away.

    Args:
        bundle: A bundle of both stages, such as a demo's; by default one is trained on the default data, and kept.
        cohort: The cohort it was trained on; given with ``bundle``.
        gene_sets: GMT file; its sets take the place of single features where a modality has those genes.
        genes: Size of the default data.
        steps: Steps of stage 2, where no bundle is given.
        limit: Held-out samples, each read again as often as there are sets; 83 regions need 12 groups of samples for significance.
        max_new_tokens: Longest report.
    """

    title: ClassVar[str] = "What the claims of reports rest on"

    def __init__(
        self,
        bundle: str | None = None,
        cohort: str | None = None,
        gene_sets: str | None = None,
        genes: int = 1000,
        steps: int = 40,
        limit: int = 14,
        max_new_tokens: int = 120,
    ):
        if (bundle is None) != (cohort is None):
            raise ValueError(
                "attribution, fields bundle and cohort: found one of them, expected both or neither; give the cohort that the bundle was trained on"
            )
        if gene_sets and bundle is None:
            raise ValueError("attribution, field gene_sets: the default data have no named genes; give a bundle and a cohort that have them")
        self.given = None if bundle is None else (Path(bundle), Path(cohort))
        self.gene_sets = read_gmt(gene_sets) if gene_sets else None
        self.genes, self.steps, self.limit, self.max_new_tokens = genes, steps, limit, max_new_tokens

    def run(self, record: Record) -> None:
        bundle, place = self.given or default_bundle(record.out.parent / SHARED, seed=record.seed, genes=self.genes, steps=self.steps)
        cohort, bridge = Cohort.read(place), load(bundle)
        sets = chosen_sets(cohort, tuple(bridge.projectors), self.gene_sets)
        rows = sampled(cohort.rows("test"), self.limit, record.seed)
        record.words("Protocol", PROTOCOL.format(n=len(rows), seed=record.seed, tokens=self.max_new_tokens))
        values = given_values(bridge, cohort, rows, tuple(bridge.projectors))
        texts = generate(bridge, values, [REPORT_ASK[0]] * len(rows), max_new_tokens=self.max_new_tokens, show_progress=True)
        found = {modality: attribute(bridge, cohort, rows, modality, texts=texts, sets=chosen) for modality, chosen in sets.items()}
        for modality, written in write_attribution(found, bridge, cohort, record.out, seed=record.seed).items():
            put_attribution(record, found[modality], written, bridge.encoders[modality])


def chosen_sets(cohort: Cohort, modalities: Sequence[str], sets: Mapping[str, Sequence[str]] | None = None) -> dict[str, Mapping[str, Sequence[str]] | None]:
    """Modality to the gene sets, where it has any of their genes; to None, which is every feature by itself, elsewhere.

    Raises:
        ValueError: no modality has any of the genes.
    """
    names = {modality: cohort.card(modality).names for modality in modalities}
    genes = {gene for members in (sets or {}).values() for gene in members}
    chosen = {modality: sets if genes & set(features) else None for modality, features in names.items()}
    if sets is not None and not any(chosen.values()):
        named = [modality for modality, features in names.items() if features]
        raise ValueError(
            f"attribution, field gene_sets: no modality has a gene of its {len(sets)} sets; named features are in {named or 'none'}, an embedding has none"
        )
    return chosen


def put_attribution(record: Record, attribution: Attribution, written: Written, encoder: Encoder) -> None:
    """Rows, words, table and figures of one modality.

    Args:
        record: Of the run.
        attribution: What was found.
        written: What was written of it.
        encoder: Of the modality, for its label image.
    """
    heading = f"Claims about {attribution.modality}"
    rows = attribution_rows(attribution, seed=record.seed)
    for row in rows:
        record.row(**row)
    record.words(VERDICT, verdict(attribution.modality, rows, written.table))
    record.words(heading, written.words)
    record.table(heading, tuple(COLUMNS), strongest(written.table))
    if len(attribution.sets) > 1 and written.table["effect"].notna().any():
        drawn = {"n": len(np.unique(attribution.groups)), "seed": record.seed}
        effect_dots(written.table, record.figure(heading, f"effects_{attribution.modality}"), title=heading, **drawn)
    if written.mapped:
        path = record.figure(heading, f"map_{attribution.modality}")
        brain_map(written.effect, encoder.names, encoder.atlas, path, "Effect of each region on all claims", labels=encoder.indices or None, unit="nats")


def verdict(modality: str, rows: Sequence[Mapping], table: pd.DataFrame) -> str:
    """Whether claims rest on what they name, or, of an input taken away as a whole, on it at all."""
    own = next(row for row in rows if row["metric"] == "own_percentile" and row["method"] == OURS)
    if own["candidates"] == 1:
        (whole,) = _lines(table)
        said = f"it loses {number(whole['effect'])} nats ({_interval(whole)}; {whole['n']} groups) without this input"
        return _judged(f"a claim about {modality} rests on {modality}", said, whole["low"], 0.0)
    share = UNDEFINED if own["value"] is None else f"{own['value']:.1%}"
    interval = UNDEFINED if own["low"] is None else f"{own['low']:.1%} to {own['high']:.1%}"
    said = f"it loses less without {share} of the other sets ({interval}; chance 50 %, {own['n']} claims)"
    return _judged(f"a claim about {modality} rests more on what it names than on the rest", said, own["low"], 0.5)


def strongest(table: pd.DataFrame, most: int = SHOWN) -> list[tuple[str, ...]]:
    """Lines of the sets whose own claims lose most without them; of all sets by their effect where no claim names one."""
    named = table["named_effect"].notna()
    known = table[named].sort_values("named_effect", ascending=False) if named.any() else table.sort_values("effect", ascending=False)
    return [tuple(_cell((line | {"interval": _interval(line)})[name]) for name in COLUMNS.values()) for line in _lines(known.head(most))]


def _lines(table: pd.DataFrame) -> list[dict]:
    """Rows of a table, None where undefined."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _judged(claim: str, said: str, low: float | None, chance: float) -> str:
    """Yes where the interval lies above chance."""
    answer = UNDEFINED if low is None else "yes" if low > chance else "not shown"
    return f"That {claim}: {answer}; {said}."


def _interval(line: Mapping) -> str:
    return UNDEFINED if line["low"] is None else f"{number(line['low'])} to {number(line['high'])}"


def _cell(value: str | int | float | None) -> str:
    return number(value) if value is None or isinstance(value, float) else str(value)
