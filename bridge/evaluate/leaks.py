"""``bridge evaluate leaks``: does a cohort tell its answers by another way than its measurements?"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from bridge.data.cohort import Cohort
from bridge.data.spelling import loose
from bridge.data.splits import LEAST_FEATURES, PARTICIPANT_COLUMNS, twins
from bridge.evaluate.copies import COPIED, RUN, excess_p, run_overlap, same_texts
from bridge.evaluate.finding import ALPHA, Finding, listed, table
from bridge.evaluate.label_leaks import told_labels
from bridge.evaluate.page import write_json
from bridge.evaluate.prompt_leaks import told_in_prompts

#: Columns that name whoever may not be in two splits, beside the participants.
FAMILY_COLUMNS = ("family", "family_id", "pedigree", "pedigree_id")
#: What is looked for.
CHECKS = (
    "groups, participants and families shared between splits",
    "one sample under two ids",
    "near-duplicate values between splits",
    "texts that are the same or copied between splits",
    "labels told by what is missing, by files or by the length of texts",
    "targets inside prompts",
)
#: Cosines of one block of samples take at most this many numbers.
BLOCK_SIZE = 2**25


def scan(cohort: Cohort, *, columns: Sequence[str] = (), labels: Sequence[str] = (), seed: int = 0) -> list[Finding]:
    """Every leak found in a cohort, severe ones first; none of them severe in a clean one.

    Args:
        cohort: Any cohort.
        columns: Columns of ``obs`` whose values may not be in two splits (site, publication), beside the group and
            those that by their name are participants or families.
        labels: Columns of ``obs`` that are predicted. Other columns of few values are tested too but never severe:
            that the site can be told from what is missing is a confound to know of, not a leak.
        seed: Of samples, folds and permutations.

    Raises:
        ValueError: no such column.
    """
    unknown = [name for name in (*columns, *labels) if name not in cohort.table.obs]
    if unknown:
        raise ValueError(f"{cohort.source}: no column {unknown[0]!r} in obs, expected some of {list(cohort.table.obs.columns)}")
    found = [*_shared_values(cohort, columns), *_alike_ids(cohort), *_alike_values(cohort), *_copied_texts(cohort)]
    found += [*told_labels(cohort, labels, seed=seed), *told_in_prompts(cohort, seed=seed)]
    return sorted(found, key=lambda finding: not finding.severe)


def scan_cohort(cohort: Cohort, out: Path, seed: int = 0, *, columns: Sequence[str] = (), labels: Sequence[str] = ()) -> list[Finding]:
    """:func:`scan`, printed as a table and written to ``leaks.json``."""
    findings = scan(cohort, columns=columns, labels=labels, seed=seed)
    fields = [dataclasses.asdict(finding) for finding in findings]
    write_json(Path(out) / "leaks.json", {"cohort": cohort.source, "samples": len(cohort.ids), "seed": seed, "checks": CHECKS, "findings": fields})
    print(table(findings), flush=True)
    return findings


def _shared_values(cohort: Cohort, columns: Sequence[str]) -> Iterator[Finding]:
    named = (*PARTICIPANT_COLUMNS, *FAMILY_COLUMNS)
    for column in dict.fromkeys(["group", *(name for name in cohort.table.obs.columns if str(name).lower() in named), *columns]):
        shared = _in_two_splits(cohort, [loose(text) for text in cohort.text(column)])
        if shared:
            found = f"{len(shared)} in more than one split: {listed(shared)}"
            yield Finding("shared between splits", f"obs[{column!r}]", found, "what is learned of one sample is scored on another of the same origin", True)


def _alike_ids(cohort: Cohort) -> Iterator[Finding]:
    """Ids that are one id in several spellings, or sessions of one participant (BIDS names)."""
    shared = _in_two_splits(cohort, [loose(re.sub(r"^(sub-[^_]+)_.*$", r"\1", name.strip())) for name in cohort.ids])
    if shared:
        found = f"{len(shared)} in more than one split in other spellings or sessions: {listed(shared)}"
        yield Finding("one sample in two splits", "sample ids", found, "the same sample is learned and scored", True)


def _in_two_splits(cohort: Cohort, keys: list[str]) -> list[str]:
    """Values found in more than one split, empty ones left out."""
    splits = pd.Series(cohort.table.obs["split"].astype(str).to_numpy()).groupby(np.array(keys, dtype=object)).nunique()
    return [key for key in splits.index[splits > 1] if key]


def _alike_values(cohort: Cohort) -> Iterator[Finding]:
    ids, splits = cohort.ids, cohort.table.obs["split"].astype(str).tolist()
    held = len(ids) - len(cohort.rows("train"))
    for modality in cohort.modalities:
        pairs = [f"{ids[row]} ({splits[row]}) and {ids[other]} ({splits[other]})" for row, other in _near_twins(cohort, modality)]
        if pairs:
            found = f"{len(pairs)} of {held} held-out samples have cosine > 0.999 with one in another split: {listed(pairs)}"
            yield Finding("near-duplicate values", f"obsm[{modality!r}]", found, "what is learned of one is scored on the other", True)


def _near_twins(cohort: Cohort, modality: str) -> list[tuple[int, int]]:
    """:func:`bridge.data.splits.twins` with enough values measured in both: with one value in common every cosine is 1 or -1."""
    measured = np.isfinite(cohort.raw(modality))
    if not measured[cohort.rows("train")].any():
        return []
    block = int(np.clip(BLOCK_SIZE // len(cohort.ids), 16, 512))
    return [(row, other) for row, other in twins(cohort, modality, block=block) if (measured[row] & measured[other]).sum() >= LEAST_FEATURES]


def _copied_texts(cohort: Cohort) -> Iterator[Finding]:
    splits, groups = cohort.table.obs["split"].astype(str).to_numpy(), cohort.groups
    train = splits == "train"
    for column in cohort.texts:
        texts = cohort.text(column)
        same = same_texts(texts, splits, groups)
        near = (run_overlap(texts, train, groups) >= COPIED) & ~same
        some = np.array([bool(text.strip()) for text in texts])
        yield from _copies(cohort, column, "same text in two splits", same, some)
        yield from _copies(cohort, column, f"text copied from training texts in runs of {RUN} words", near, some)


def _copies(cohort: Cohort, column: str, check: str, copied: Bool[np.ndarray, " samples"], some: Bool[np.ndarray, " samples"]) -> Iterator[Finding]:
    train = (cohort.table.obs["split"] == "train").to_numpy()
    held, base = copied[~train & some], copied[train & some]
    if not held.any():
        return
    p = excess_p(copied[some], train[some])
    # Where no training text repeats one of another group, texts of this cohort are not alike by chance: one copy is one too many.
    severe = p < ALPHA or not base.any()
    examples = listed([cohort.ids[row] for row in np.flatnonzero(copied & ~train)])
    found = f"{int(held.sum())} of {len(held)} held-out texts ({examples}); between training texts of different groups {int(base.sum())} of {len(base)}"
    why = "a learned text is scored as if it were new" if severe else "no more than between unrelated texts of this form"
    yield Finding(check, f"obs[{column!r}]", f"{found}, p of the excess {p:.2g}", why, severe)
