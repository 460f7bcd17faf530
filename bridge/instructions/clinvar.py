"""Variants of ClinVar: their significance, their conditions, and how the two are related by a record.

Format: ``variant_summary.txt`` of ClinVar, tab-separated, one row per allele and assembly; Landrum et al. 2018, doi:10.1093/nar/gkx1153.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bridge.corpora.files import tab_rows
from bridge.corpora.variants import SUMMARY, UNKNOWN
from bridge.data.gene_names import family
from bridge.instructions.facts import LONGEST_NAME
from bridge.instructions.item import Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import World

COLUMNS = SUMMARY | {"condition_ids": ("PhenotypeIDS",)}
SIGNIFICANCE = ("pathogenic", "likely pathogenic", "uncertain significance", "likely benign", "benign")
FOR, AGAINST, UNCERTAIN, NO_RELATION = RELATIONS = ("pathogenic for", "benign for", "uncertain for", "no relation")
LICENCE = "ClinVar, public domain (US government work)"

_CHANGE = re.compile(r":(c\.[^\s()]{3,20}(?: \(p\.[^\s()]{3,20}\))?)")


class Variant(NamedTuple):
    """An allele with one classification.

    Args:
        id: ClinVar's number of the allele.
        gene: Symbol.
        change: On transcript and protein, as 'c.1178G>A (p.Arg393His)'.
        significance: One of ``SIGNIFICANCE``.
        conditions: Names of the conditions it was classified for.
        disorders: Their OMIM ids, as 'OMIM:607208'.
    """

    id: str
    gene: str
    change: str
    significance: str
    conditions: tuple[str, ...]
    disorders: tuple[str, ...]

    @property
    def said(self) -> str:
        """'SCN1A c.1178G>A (p.Arg393His)'."""
        return f"{self.gene} {self.change}"


_OF_CLINVAR = {"source": "clinvar", "licence": LICENCE}
SIGNIFICANCE_OPEN = Task(
    "clinvar-significance",
    "question answering",
    (
        "{record}\nWhat is the clinical significance of {variant}?",
        "Read the records.\n{record}\nHow is {variant} classified?",
        "{record}\nFrom the records, give the classification of {variant}.",
        "Variants: {record}\nWhich significance is reported for {variant}?",
        "{record}\nHow was {variant} judged, by its record?",
        "Look up {variant} below and give its significance.\n{record}",
    ),
    **_OF_CLINVAR,
)
CONDITION_OPEN = Task(
    "clinvar-condition",
    "gene disease",
    (
        "{record}\nFor which condition was a variant in {gene} classified?",
        "Read the records.\n{record}\nName the condition reported with {gene}.",
        "{record}\nWhat condition goes with the variant in {gene}?",
        "Variants: {record}\nWhich condition is recorded for {gene}?",
        "{record}\nThe variant in {gene} was reported for what, by its record?",
        "Find {gene} in the records and give its condition.\n{record}",
    ),
    **_OF_CLINVAR,
)
RELATION = Task(
    "clinvar-relation",
    "relation extraction",
    (
        "{record}\nWhat is the relation between [{variant}] and [{condition}]?",
        "Read the records.\n{record}\nHow are [{variant}] and [{condition}] related?",
        "{record}\nName the relation of [{variant}] to [{condition}].",
        "Variants: {record}\nWhich relation holds between [{variant}] and [{condition}]?",
        "{record}\nWhat is reported of [{variant}] together with [{condition}]?",
        "Classify the relation between [{variant}] and [{condition}] in these records.\n{record}",
    ),
    **_OF_CLINVAR,
)


def read_variants(path: str | Path) -> Iterator[Variant]:
    """Alleles of ``variant_summary.txt`` (or .gz) with one gene, one of the five classes, a short name and a named condition.

    Raises:
        ValueError: the file lacks a column, or is damaged.
    """
    seen: set[str] = set()
    for row in tab_rows(Path(path), COLUMNS):
        variant = _variant(row) if row["allele"] not in seen else None
        if variant:
            seen.add(variant.id)
            yield variant


def _variant(row: dict[str, str]) -> Variant | None:
    change, significance, gene = _CHANGE.search(row["name"]), row["significance"].lower(), row["gene"]
    named = [name for name in re.split(r"[|;]", row["conditions"]) if name.lower() not in UNKNOWN and len(name) <= LONGEST_NAME]
    if not change or significance not in SIGNIFICANCE or not named or not re.fullmatch(r"\w[\w-]*", gene):
        return None
    disorders = tuple(dict.fromkeys(re.findall(r"OMIM:\d+", row["condition_ids"])))
    return Variant(row["allele"], gene, change[1], significance, tuple(named), disorders)


def of_split(world: World, variants: list[Variant]) -> list[Variant]:
    """Variants whose gene is of this split, and none of whose conditions is of another."""
    ours = (variant for variant in variants if world.sides.gene(variant.gene) == world.split)
    return [variant for variant in ours if all(world.sides.disorders.get(each, world.split) == world.split for each in variant.disorders)]


class ClinVar:
    """Makers of items on the variants of one split.

    Args:
        variants: From :func:`of_split`.
    """

    def __init__(self, variants: list[Variant]):
        self.variants = variants
        self.by_class = {name: [each for each in variants if each.significance == name] for name in SIGNIFICANCE}

    def significance(self, world: World, draw: Draw) -> Instruction | None:
        """The class of one of two variants that are classified differently; every class is as frequent."""
        classes = [name for name in SIGNIFICANCE if self.by_class[name]]
        if len(classes) < 2:
            return None
        asked, other = (draw.one(self.by_class[name]) for name in draw.some(classes, 2))
        if asked.said == other.said:
            return None
        return SIGNIFICANCE_OPEN.put(draw, _group(world, asked), asked.significance, SIGNIFICANCE, record=_record(draw, [asked, other]), variant=asked.said)

    def condition(self, world: World, draw: Draw) -> Instruction | None:
        """The condition of one of three genes."""
        shown = draw.some(self.variants, 3)
        if len(shown) < 3 or len({each.gene for each in shown}) < 3 or len({each.conditions[0] for each in shown}) < 3:
            return None
        names = [each.conditions[0] for each in shown]
        return CONDITION_OPEN.put(draw, _group(world, shown[0]), names[0], names, record=_record(draw, shown), gene=shown[0].gene)

    def relation(self, world: World, draw: Draw) -> Instruction | None:
        """The relation of a variant and a condition of two records; every relation is as frequent."""
        label = draw.one(RELATIONS)
        classes = {FOR: SIGNIFICANCE[:2], AGAINST: SIGNIFICANCE[3:], UNCERTAIN: SIGNIFICANCE[2:3], NO_RELATION: SIGNIFICANCE}[label]
        candidates = [each for name in classes for each in self.by_class[name]]
        if not candidates:
            return None
        asked, other = draw.one(candidates), draw.one(self.variants)
        if asked.said == other.said or asked.conditions[0] == other.conditions[0]:
            return None
        condition = (other if label == NO_RELATION else asked).conditions[0]
        slots = {"record": _record(draw, [asked, other]), "variant": asked.said, "condition": condition}
        return RELATION.put(draw, _group(world, asked), label, RELATIONS, **slots)


def _record(draw: Draw, variants: list[Variant]) -> str:
    return " ".join(f"{each.said}: {each.significance}, {each.conditions[0]}." for each in draw.shuffled(variants))


def _group(world: World, variant: Variant) -> str:
    return world.sides.groups[family(variant.gene)]
