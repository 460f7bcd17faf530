"""Which side of the split a gene and a disorder stand on: linked ones on the same, and a check of what was written."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bridge.data.cohort import SPLITS, split_by_group
from bridge.data.gene_names import family
from bridge.instructions.facts import Facts
from bridge.instructions.item import Instruction

MADE = ("hpo", "clinvar")  # sources whose texts are composed here
LEARNED, HELD_OUT = "training", "test"  # wordings: those of train and validation, and those of test


class Sides(NamedTuple):
    """The split of each gene family and disorder, and the group each belongs to.

    Args:
        families: Gene family to its split.
        disorders: Disorder to its split; one whose genes are in different splits has none.
        groups: Gene family or disorder to the connected part of the graph it is in.
    """

    families: dict[str, str]
    disorders: dict[str, str]
    groups: dict[str, str]

    def gene(self, symbol: str) -> str | None:
        """The split of a gene, None where nothing is known of it."""
        return self.families.get(family(symbol))


def draw_sides(facts: Facts, *, validation: float = 0.1, test: float = 0.2, seed: int = 0, pinned: Mapping[str, str] | None = None) -> Sides:
    """Split genes and disorders together.

    Genes of a family, a gene and its disorders, and disorders of one name are connected; a connected part is whole in one split, and the
    largest, in which most genes meet, is in train. Where a cohort has given splits to genes, its genes keep them: a part the cohort
    has cut through follows it family by family (train where the cohort has none), and a disorder with genes on two sides is left out.

    Args:
        facts: Genes and disorders.
        validation: Part of all disorders for validation.
        test: Part of all disorders for test.
        seed: Of the draw.
        pinned: Gene symbol to its split in a cohort.
    """
    groups = _connected(facts)
    parts = [groups[each] for each in facts.disorders]
    drawn = dict(zip(parts, split_by_group(parts, validation=validation, test=test, seed=seed), strict=True))
    given = _of_families(pinned or {})
    of_part: dict[str, set[str]] = defaultdict(set)
    for name, split in given.items():
        of_part[groups.get(name, name)].add(split)
    ruled = {part: next(iter(found)) if len(found) == 1 else "train" for part, found in of_part.items()}
    families = {name: given.get(name, ruled.get(groups[name], drawn[groups[name]])) for name in sorted({family(gene) for gene in facts.of_gene})}
    own = {each: _agreed(facts, each, families) for each in facts.disorders}
    sides = {each: ruled.get(groups[each], drawn[groups[each]]) if split is None else split for each, split in own.items()}
    cut = {part for part, found in of_part.items() if len(found) > 1}
    groups = {name: _finer(facts, name) if part in cut else part for name, part in groups.items()}
    return Sides(families, {each: split for each, split in sides.items() if split}, groups)


def names_by_split(facts: Facts, sides: Sides) -> dict[str, str]:
    """Every name of a gene or disorder to its split, for :func:`assert_split`; a disorder that is called like a phenotype is left out.

    A disorder without a split is '': no item may name it.
    """
    said = {facts.ontology.names[term].lower() for term in facts.ontology.names}
    said |= {name.lower() for names in facts.ontology.synonyms.values() for name in names}
    disorders = {each.name.lower(): sides.disorders.get(each.id, "") for each in facts.disorders.values() if each.name.lower() not in said}
    return disorders | {gene: sides.gene(gene) or "" for gene in facts.of_gene}


class Crossing:
    """Finds names of genes and disorders in a text that belong to another split.

    Args:
        names: From :func:`names_by_split`: symbols as they are written, disorders in small letters.
    """

    def __init__(self, names: Mapping[str, str]):
        self.known = {tuple(_words(name)): split for name, split in names.items()}
        lengths: dict[str, set[int]] = defaultdict(set)
        for words in self.known:
            lengths[words[0]].add(len(words))
        self.lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}  # by the first word, the longest first

    def find(self, item: Instruction) -> str | None:
        """The first name in an item that belongs to another split.

        At each word the longest name counts, so that 'ataxia 2' does not name 'ataxia'. A published text is as it is: it only must not name
        what is held out further than itself.
        """
        written, place = _words(f"{item.question} {item.answer}"), 0
        allowed = (item.split,) if item.source in MADE else ("", *SPLITS[: SPLITS.index(item.split) + 1])
        small = [word.lower() for word in written]
        while place < len(written):
            name = self._longest(written, small, place)
            if name and self.known[name] not in allowed:
                return " ".join(name)
            place += len(name) or 1
        return None

    def _longest(self, written: list[str], small: list[str], place: int) -> tuple[str, ...]:
        symbol = tuple(written[place : place + 1])
        for length in self.lengths.get(small[place], ()):
            name = tuple(small[place : place + length])
            if name in self.known:
                return name
        return symbol if symbol in self.known else ()


def assert_split(items: Iterable[Instruction], names: Mapping[str, str] | None = None) -> None:
    """Refuse items in which a group, a wording, a gene or a disorder stands on two sides.

    Args:
        items: All splits together.
        names: From :func:`names_by_split`; None leaves names in the text unchecked.

    Raises:
        ValueError: names the offender and the item.
    """
    groups: dict[str, str] = {}
    wordings: dict[str, str] = {}
    crossing = Crossing(names) if names else None
    for item in items:
        _require_one(groups, "group", item.unit, item.split, item)
        if item.template:
            _require_one(wordings, "template", item.template, HELD_OUT if item.split == "test" else LEARNED, item)
        found = crossing.find(item) if crossing else None
        if found:
            where = crossing.known[tuple(found.split(" "))] or "no split"
            raise ValueError(f"instruction {item.id!r} of {item.split}: names {found!r}, which is in {where}; expected only names of {item.split}")


def _require_one(seen: dict[str, str], field: str, value: str, side: str, item: Instruction) -> None:
    if seen.setdefault(value, side) != side:
        raise ValueError(f"instruction {item.id!r}, field {field}: {value!r} is in {seen[value]} and in {side}, expected one; split by {field}")


def _words(text: str) -> list[str]:
    return re.findall(r"[\w-]+|[^\w\s]", text)


def _of_families(pinned: Mapping[str, str]) -> dict[str, str]:
    """Split of each family; one that the cohort has in two splits is held out rather than learned."""
    order = {"train": 0, "validation": 1, "test": 2}
    found: dict[str, str] = {}
    for gene, split in sorted(pinned.items()):
        found[family(gene)] = max(found.get(family(gene), split), split, key=order.__getitem__)
    return found


def _agreed(facts: Facts, disorder: str, families: Mapping[str, str]) -> str | None:
    """The split of all genes of a disorder, '' where they disagree, None where it has none."""
    found = {families[family(gene)] for gene in facts.disorders[disorder].genes}
    if not found:
        return None
    return next(iter(found)) if len(found) == 1 else ""


def _finer(facts: Facts, name: str) -> str:
    """The group of a family or disorder in a part that a cohort has cut through."""
    genes = facts.disorders[name].genes if name in facts.disorders else (name,)
    return f"family {family(genes[0])}" if genes else name


def _connected(facts: Facts) -> dict[str, str]:
    """Each family and disorder to its connected part, called by its first member."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for disorder in facts.disorders.values():
        for other in (f"name {disorder.name.lower()}", *(f"family {family(gene)}" for gene in disorder.genes)):
            first, second = sorted((root(disorder.id), root(other)))
            parent[second] = first
    nodes = {each: each for each in facts.disorders} | {family(gene): f"family {family(gene)}" for gene in facts.of_gene}
    return {name: root(node) for name, node in nodes.items()}
