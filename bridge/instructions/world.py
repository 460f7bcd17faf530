"""What the makers of items draw from: the disorders, genes and terms of one side of the split."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bridge.data.cohort import SPLITS, split_by_group
from bridge.instructions.facts import Disorder, Facts, Finding
from bridge.instructions.item import Instruction
from bridge.instructions.sides import Sides
from bridge.instructions.task import Draw

FINDINGS = 4  # of a disorder that is described by its findings: fewer say too little


class Patient(NamedTuple):
    """A patient with a diagnosis, by terms."""

    disorder: Disorder
    present: tuple[str, ...]
    absent: tuple[str, ...]


class World:
    """Everything of one split that an item may name.

    Args:
        facts: Disorders and genes of the release.
        sides: The split of each.
        split: The split.
        seed: Of the split of terms.
        patients: Published patients whose disorder is in the split.
    """

    def __init__(self, facts: Facts, sides: Sides, split: str, seed: int = 0, patients: Sequence[Patient] = ()):
        self.facts, self.sides, self.split, self.seed = facts, sides, split, seed
        self.patients = [patient for patient in patients if sides.disorders.get(patient.disorder.id) == split]
        self._findings: dict[str, list[Finding]] = {}

    @functools.cached_property
    def disorders(self) -> list[Disorder]:
        """Disorders, in order of id; of one name the first."""
        first = {each.name.lower(): each for each in reversed(self.facts.disorders.values()) if self.sides.disorders.get(each.id) == self.split}
        return [first[name] for name in reversed(first)]

    @functools.cached_property
    def described(self) -> list[Disorder]:
        """Disorders with at least four findings that can be said."""
        return [each for each in self.disorders if len(self.findings(each)) >= FINDINGS]

    @functools.cached_property
    def linked(self) -> list[Disorder]:
        """Disorders of exactly one gene, whose name does not hold it."""
        return [each for each in self.disorders if len(each.genes) == 1 and not each.tells_gene(each.genes[0])]

    @functools.cached_property
    def excluding(self) -> list[Disorder]:
        """Disorders with findings, and a phenotype that was looked for and not found."""
        return [each for each in self.disorders if len(self.findings(each)) >= 2 and self.facts.sayable(each.excluded)]

    @functools.cached_property
    def described_of_gene(self) -> list[Disorder]:
        """Disorders of exactly one gene with at least four findings that can be said."""
        return [each for each in self.described if len(each.genes) == 1]

    @functools.cached_property
    def excluding_of_gene(self) -> list[Disorder]:
        """Disorders of exactly one gene with findings, and a phenotype that was looked for and not found."""
        return [each for each in self.excluding if len(each.genes) == 1]

    @functools.cached_property
    def by_mode(self) -> dict[str, list[Disorder]]:
        """Main mode of inheritance to disorders."""
        return _by(self.facts.mode, self.disorders)

    @functools.cached_property
    def by_fine_mode(self) -> dict[str, list[Disorder]]:
        """Mode of inheritance, X-linked ones told apart, to disorders whose name does not tell it."""
        return _by(self.facts.fine_mode, [each for each in self.disorders if not each.tells_mode])

    @functools.cached_property
    def by_onset(self) -> dict[str, list[Disorder]]:
        """Onset to disorders."""
        return _by(self.facts.onset, self.disorders)

    @functools.cached_property
    def terms(self) -> list[str]:
        """Phenotypes that can be said and belong to this split where the question is about the term itself."""
        sayable = sorted(term for term in self.facts.ontology.names if self.facts.said(term))
        drawn = split_by_group(sayable, seed=self.seed)
        return [term for term, split in zip(sayable, drawn, strict=True) if split == self.split]

    @functools.cached_property
    def terms_by_system(self) -> dict[str, list[str]]:
        """Organ system to the phenotypes that belong to it alone."""
        return _by(self.facts.system, self.terms)

    @functools.cached_property
    def by_system(self) -> dict[str, list[Disorder]]:
        """Organ system to the disorders with at least three findings that belong to it alone."""
        found: dict[str, list[Disorder]] = defaultdict(list)
        for disorder in self.described:
            counts = Counter(self.facts.system(finding.term) for finding in self.findings(disorder))
            for system in sorted(name for name, count in counts.items() if name and count >= 3):
                found[system].append(disorder)
        return found

    @functools.cached_property
    def all_sayable(self) -> list[str]:
        """Every phenotype that can be said: wordings of phenotypes are shared between the splits."""
        return sorted(term for term in self.facts.ontology.names if self.facts.said(term))

    def findings(self, disorder: Disorder) -> list[Finding]:
        """Findings of a disorder that can be said, none of them above another one."""
        if disorder.id not in self._findings:
            self._findings[disorder.id] = self.facts.sayable(disorder.present)
        return self._findings[disorder.id]

    @functools.cached_property
    def _children(self) -> dict[str, list[str]]:
        children: dict[str, list[str]] = defaultdict(list)
        for term in sorted(self.facts.ontology.names):
            for parent in self.facts.ontology.parents.get(term, ()):
                children[parent].append(term)
        return children

    def below(self, term: str) -> list[str]:
        """The terms right below a term."""
        return self._children.get(term, [])

    def group(self, disorder: Disorder) -> str:
        """The group of a disorder."""
        return self.sides.groups[disorder.id]

    def said(self, findings: Sequence[Finding]) -> list[str]:
        """Findings in words."""
        return [self.facts.said(finding.term) for finding in findings]

    def unrelated(self, disorder: Disorder, term: str) -> bool:
        """Whether a phenotype is neither recorded of a disorder, nor above or below anything that is."""
        recorded = {finding.term for finding in (*disorder.present, *disorder.excluded)}
        ancestors = self.facts.ontology.ancestors
        return not any(term in ancestors(other) or other in ancestors(term) for other in recorded)


#: Makes one item; None where the draw led to none.
Maker = Callable[[World, Draw], Instruction | None]


def worlds(facts: Facts, sides: Sides, seed: int = 0, patients: Mapping[str, Sequence[Patient]] | None = None) -> dict[str, World]:
    """A world for each split, with the patients of the split."""
    return {split: World(facts, sides, split, seed, (patients or {}).get(split, ())) for split in SPLITS}


def _by(key: Callable, items: Sequence) -> dict[str, list]:
    found: dict[str, list] = defaultdict(list)
    for item in items:
        if (name := key(item)) is not None:
            found[name].append(item)
    return {name: found[name] for name in sorted(found)}
