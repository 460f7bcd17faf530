"""What HPO records of disorders and genes, in the words that questions and answers use."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bridge.data.clinical import ONSET_WORDS
from bridge.data.hpo import PHENOTYPE, DisorderRow, Ontology, parse_frequency, read_disorder_rows, read_genes, read_ontology
from bridge.data.wording import readable

LONGEST_NAME, LONGEST_FINDING = 60, 40  # characters; a prompt holds several of them

#: Modes of inheritance a question may be about; the finer X-linked ones matter for the risk of a child.
MAIN_MODES = {"HP:0000006": "autosomal dominant", "HP:0000007": "autosomal recessive", "HP:0001417": "X-linked", "HP:0001427": "mitochondrial"}
FINE_MODES = MAIN_MODES | {"HP:0001419": "X-linked recessive", "HP:0001423": "X-linked dominant"}

#: Onsets, as short answers, in order of age.
ONSETS = {term: words.split(" ", 1)[1].removeprefix("the ") if words.startswith("in ") else words for term, words in ONSET_WORDS.items()}

#: Marks that would be read as options, more than one comma ('Short sleep, familial natural, 2'), and names turned round ('Heads, dislocation of').
_UNFIT = re.compile(r"[;:\"\[\]?{}|]|,.*,|\b(of|to|with|from|in|and)$|susceptibility|obsolete|^(not|moved) ", re.IGNORECASE)
_TELLS_MODE = re.compile(r"autosomal|linked|dominant|recessive|mitochondrial|mtdna|digenic|\b(AD|AR|XLR?|XLD)\b", re.IGNORECASE)
#: People's names joined by a hyphen keep their capital: 'Pierre-Robin sequence', but 'non-Hodgkin lymphoma'.
_PEOPLE = re.compile(r"(?!(?:Non|Anti|Pseudo|Post|Pre)-)[A-Z][a-z]+-[A-Z][a-z]")
_SYMBOL = re.compile(r"\w[\w-]+")  # the release has rows whose symbol is a dash
_TELLS_ONSET = re.compile(
    r"onset|neonat|infan|juvenile|child|adult|adolescen|congenital|natal|fetal|lethal|birth|\b(early|late)\b|senile|newborn", re.IGNORECASE
)


class Finding(NamedTuple):
    """A phenotype of a disorder; frequency is a fraction of patients, counted as written where it was, None where not recorded."""

    term: str
    frequency: float | None
    counted: tuple[int, int] | None


@dataclasses.dataclass(frozen=True)
class Disorder:
    """A disorder as recorded.

    Args:
        id: OMIM, ORPHA or DECIPHER id.
        name: As it is said.
        genes: Symbols of the genes linked to it.
        modes: Terms of its modes of inheritance.
        onsets: Terms of its onset, as recorded.
        present: Phenotypes found.
        excluded: Phenotypes looked for and not found.
    """

    id: str
    name: str
    genes: tuple[str, ...]
    modes: tuple[str, ...]
    onsets: tuple[str, ...]
    present: tuple[Finding, ...]
    excluded: tuple[Finding, ...]

    @functools.cached_property
    def tells_mode(self) -> bool:
        """Whether the name says how it is inherited."""
        return bool(_TELLS_MODE.search(self.name))

    @functools.cached_property
    def tells_onset(self) -> bool:
        """Whether the name says when it begins."""
        return bool(_TELLS_ONSET.search(self.name))

    def tells_gene(self, symbol: str) -> bool:
        """Whether the name holds the gene's symbol."""
        return symbol.lower() in self.name.lower()


class Facts:
    """Disorders and genes of one release.

    Args:
        ontology: Terms.
        disorders: Every disorder, by id.
    """

    def __init__(self, ontology: Ontology, disorders: dict[str, Disorder]):
        self.ontology, self.disorders = ontology, disorders
        self.of_gene: dict[str, list[str]] = defaultdict(list)
        for disorder in disorders.values():
            for gene in disorder.genes:
                self.of_gene[gene].append(disorder.id)
        self._said: dict[str, str | None] = {}

    @property
    def release(self) -> str:
        """Release of the ontology."""
        return self.ontology.release

    def mode(self, disorder: Disorder) -> str | None:
        """The main mode of inheritance in words, None where it is not one of the four or there are several."""
        modes = {self.ontology.mode(term) for term in disorder.modes}
        return MAIN_MODES.get(next(iter(modes))) if len(modes) == 1 else None

    def fine_mode(self, disorder: Disorder) -> str | None:
        """The same with X-linked recessive and X-linked dominant told apart; None where the record does not tell them."""
        return FINE_MODES.get(disorder.modes[0]) if len(disorder.modes) == 1 else None

    def onset(self, disorder: Disorder) -> str | None:
        """When it begins, in words, None where not recorded or in several ages."""
        above = [self.ontology.ancestors(term) for term in disorder.onsets]
        found = {next((words for onset, words in ONSETS.items() if onset in terms), None) for terms in above}
        return next(iter(found)) if len(found) == 1 else None

    def said(self, term: str) -> str | None:
        """A phenotype as it stands in a sentence; None for one that is too long, holds a comma or bracket, or is an organ system."""
        if term not in self._said:
            name = self.ontology.names[term]
            fits = len(name) <= LONGEST_FINDING and not re.search(r"[,;()/:]", name)
            is_finding = PHENOTYPE not in self.ontology.parents.get(term, ()) and term != PHENOTYPE and self.ontology.is_under(term, PHENOTYPE)
            self._said[term] = self._lowered(name) if fits and is_finding else None
        return self._said[term]

    def _lowered(self, name: str) -> str:
        return name if _PEOPLE.match(name) else self.ontology.lowered(name)

    def synonyms(self, term: str) -> list[str]:
        """Other names of a phenotype as they stand in a sentence."""
        fitting = (name for name in self.ontology.synonyms.get(term, ()) if len(name) <= LONGEST_FINDING and not re.search(r"[,;()/:]", name))
        return [self._lowered(name) for name in fitting]

    def sayable(self, findings: Iterable[Finding]) -> list[Finding]:
        """Findings that can be said in a sentence, none of them above another one."""
        kept = [finding for finding in findings if self.said(finding.term)]
        above = {term for finding in kept for term in self.ontology.ancestors(finding.term) - {finding.term}}
        return [finding for finding in kept if finding.term not in above]

    def system(self, term: str) -> str | None:
        """The organ system of a phenotype, None where it belongs to several."""
        systems = self.ontology.organ_systems(term)
        return self.system_name(systems[0]) if len(systems) == 1 else None

    def system_name(self, system: str) -> str:
        """An organ system in words."""
        return readable(self.ontology.names[system])


def read_facts(ontology: Path, genes: Path, disorders: Path) -> Facts:
    """Read ``hp.obo``, ``genes_to_phenotype.txt`` and ``phenotype.hpoa``; disorders whose name cannot stand in a sentence are left out."""
    terms = read_ontology(ontology)
    genes_of: dict[str, set[str]] = defaultdict(set)
    for gene in read_genes(genes, terms).values():
        for annotation in gene.annotations if _SYMBOL.fullmatch(gene.symbol) else ():
            genes_of[annotation.disorder].add(gene.symbol)
    rows: dict[str, list[DisorderRow]] = defaultdict(list)
    for row in read_disorder_rows(disorders, terms):
        rows[row.disorder].append(row)
    read = (_disorder(identifier, found, sorted(genes_of[identifier]), terms) for identifier, found in sorted(rows.items()))
    return Facts(terms, {disorder.id: disorder for disorder in read if disorder is not None})


def _disorder(identifier: str, rows: list[DisorderRow], genes: list[str], ontology: Ontology) -> Disorder | None:
    name = _name(rows[0].name)
    if name is None:
        return None
    modes = sorted({row.term for row in rows if row.aspect == "I" and ontology.is_inheritance(row.term)})
    onsets = sorted({row.term for row in rows if row.aspect == "C" and ontology.ancestors(row.term) & set(ONSETS)})
    excluded = _findings(row for row in rows if row.aspect == "P" and row.excluded)
    present = _findings(row for row in rows if row.aspect == "P" and not row.excluded)
    # What one study did not find and another did is present; a kind of something that was not found anywhere is a contradiction of sources.
    ruled_out = tuple(finding for finding in excluded if not any(finding.term in ontology.ancestors(other.term) for other in present))
    left_out = {finding.term for finding in ruled_out}
    kept = tuple(finding for finding in present if not left_out & ontology.ancestors(finding.term))
    return Disorder(identifier, name, tuple(genes), tuple(modes), tuple(onsets), kept, ruled_out)


def _findings(rows: Iterable[DisorderRow]) -> tuple[Finding, ...]:
    """One finding per term: of several records the one with most patients, counts before other forms."""
    best: dict[str, Finding] = {}
    for row in rows:
        finding = Finding(row.term, parse_frequency(row.frequency), _count(row.frequency))
        if row.term not in best or _weight(finding) > _weight(best[row.term]):
            best[row.term] = finding
    return tuple(best[term] for term in sorted(best))


def _weight(finding: Finding) -> tuple[int, bool]:
    return finding.counted[1] if finding.counted else 0, finding.frequency is not None


def _count(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def _name(name: str) -> str | None:
    """A disorder's name as it is said, None where it cannot be."""
    name = re.sub(r"\s+", " ", name).strip()
    name = name.capitalize() if name.isupper() and " " in name else name
    return name if 4 <= len(name) <= LONGEST_NAME and not _UNFIT.search(name) and not name.isupper() else None
