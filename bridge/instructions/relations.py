"""Relation extraction: how a disorder or a gene and a phenotype are related by a passage, or which pairs it holds."""

from __future__ import annotations

from typing import NamedTuple

from bridge.instructions.facts import Disorder
from bridge.instructions.item import NOTHING, SEPARATOR, Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import Maker, World
from bridge.language.grammar import listing

FAMILY = "relation extraction"
HAS, EXCLUDED, NO_RELATION = "has finding", "finding excluded", "no relation"

PAIR_WORDINGS = (
    "{passage}\nWhat is the relation between [{first}] and [{second}]?",
    "Read the passage.\n{passage}\nHow are [{first}] and [{second}] related?",
    "{passage}\nName the relation of [{first}] to [{second}].",
    "Passage: {passage}\nWhich relation holds between [{first}] and [{second}]?",
    "{passage}\nWhat does the passage say of [{first}] together with [{second}]?",
    "Classify the relation between [{first}] and [{second}] in this passage.\n{passage}",
)
DISORDER_PAIR = Task("disorder-phenotype", FAMILY, PAIR_WORDINGS)
GENE_PAIR = Task("gene-phenotype", FAMILY, PAIR_WORDINGS)
PAIRS = Task(
    "gene-phenotype-pairs",
    FAMILY,
    (
        "{passage}\nList the findings of each gene as pairs 'gene - finding'.",
        "Read the passage.\n{passage}\nWhich gene goes with which finding? Write pairs 'gene - finding'.",
        "{passage}\nExtract all pairs of a gene and a finding, written 'gene - finding'.",
        "Passage: {passage}\nGive every stated pair in the form 'gene - finding'.",
        "{passage}\nWrite down, as 'gene - finding', what is linked to each gene.",
        "Turn the passage into pairs of the form 'gene - finding'.\n{passage}",
    ),
    judged="items",
)


class Statement(NamedTuple):
    """What a passage says of one disorder."""

    disorder: Disorder
    present: tuple[str, ...]
    excluded: tuple[str, ...]


def disorder_pair(world: World, draw: Draw) -> Instruction | None:
    """The relation of a disorder and a phenotype."""
    return _pair(world, draw, DISORDER_PAIR, world.excluding, world.described, lambda each: each.name)


def gene_pair(world: World, draw: Draw) -> Instruction | None:
    """The relation of a gene and a phenotype."""
    return _pair(world, draw, GENE_PAIR, world.excluding_of_gene, world.described_of_gene, lambda each: each.genes[0])


def pairs(world: World, draw: Draw) -> Instruction | None:
    """All gene-phenotype pairs of a passage; one in ten speaks of the genes without findings."""
    chosen = draw.some(world.described_of_gene, 2)
    if len(chosen) < 2 or chosen[0].genes == chosen[1].genes:
        return None
    count = 0 if draw.chance(0.1) else 2
    found = [(each.genes[0], world.said(draw.some(world.findings(each), count))) for each in chosen]
    sentences = [
        f"Patients with variants in {gene} had {listing(words)}." if words else f"No patient with variants in {gene} was described." for gene, words in found
    ]
    answer = SEPARATOR.join(f"{gene} - {word}" for gene, words in found for word in words) or NOTHING
    return PAIRS.put(draw, world.group(chosen[0]), answer, passage=" ".join(sentences))


def _pair(world: World, draw: Draw, task: Task, excluding: list[Disorder], described: list[Disorder], called) -> Instruction | None:
    """A passage on two disorders and a marked pair; each of the three relations is as frequent."""
    if not excluding or len(described) < 2:
        return None
    label = draw.one((HAS, EXCLUDED, NO_RELATION))
    # What is not found is said of either disorder, so that the form of the passage does not tell the label.
    first = _stated(world, draw, draw.one(excluding))
    second = _stated(world, draw, draw.one(described))
    asked, other = (first, second) if label == EXCLUDED or draw.chance(0.5) else (second, first)
    words = {HAS: asked.present, EXCLUDED: asked.excluded, NO_RELATION: (*other.present, *other.excluded)}[label]
    said = [word for each in (first, second) for word in (*each.present, *each.excluded)]
    if called(first.disorder) == called(second.disorder) or not words or len(set(said)) < len(said):
        return None
    passage = " ".join(_sentence(each, called(each.disorder)) for each in draw.shuffled([first, second]))
    return task.put(
        draw, world.group(asked.disorder), label, (HAS, EXCLUDED, NO_RELATION), passage=passage, first=called(asked.disorder), second=draw.one(words)
    )


def _stated(world: World, draw: Draw, disorder: Disorder) -> Statement:
    excluded = world.said(draw.some(world.facts.sayable(disorder.excluded), 1))
    return Statement(disorder, tuple(world.said(draw.some(world.findings(disorder), 2))), tuple(excluded))


def _sentence(statement: Statement, name: str) -> str:
    rest = f", but not {listing(statement.excluded)}" if statement.excluded else ""
    return f"Patients with {name} had {listing(statement.present)}{rest}." if name == statement.disorder.name else _of_gene(statement, name, rest)


def _of_gene(statement: Statement, gene: str, rest: str) -> str:
    return f"Variants in {gene} were seen in patients with {listing(statement.present)}{rest}."


MAKERS: tuple[Maker, ...] = (disorder_pair, gene_pair, pairs)
