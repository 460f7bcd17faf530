"""The Human Phenotype Ontology: terms, genes and disorders with their annotations, read from its text releases.

Source: https://hpo.jax.org, files hp.obo, genes_to_phenotype.txt and phenotype.hpoa; Gargano et al. 2024,
doi:10.1093/nar/gkad1005. Read as streams: the three files together take a few seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PHENOTYPE, NERVOUS_SYSTEM, INHERITANCE, ONSET = "HP:0000118", "HP:0000707", "HP:0000005", "HP:0003674"
INHERITANCE_QUALIFIER = "HP:0034335"

#: Modes under which the finer terms of a mode are counted (X-linked recessive is X-linked).
MODES = ("HP:0000006", "HP:0000007", "HP:0001417", "HP:0001450", "HP:0001427", "HP:0010982", "HP:0010983", "HP:0010984", "HP:0003745")

#: Middle of the range each frequency term stands for, https://hpo.jax.org/browse/term/HP:0040279.
FREQUENCY_TERMS = {"HP:0040280": 1.0, "HP:0040281": 0.9, "HP:0040282": 0.55, "HP:0040283": 0.17, "HP:0040284": 0.025, "HP:0040285": 0.0}

#: The first word of a name, and one after a stroke: 'Aplasia/Hypoplasia of the cerebellum'.
_FIRST_WORDS = re.compile(r"(?<![^/])[A-Z][a-z]+\b")
#: What stands in quotation marks, and behind a synonym its scope and kind: '"Seizures" EXACT plural_form []'.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?: ([A-Z]+) ([^\s\[]*))?')
_NOT_SAID = ("abbreviation", "obsolete_synonym", "HP:0034334")  # kinds of synonyms that no clinician would write

_CAPITAL_INSIDE, _LOWER_CASE = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+\b"), re.compile(r"(?<![\w-])[a-z]+\b")


class Annotation(NamedTuple):
    """One phenotype of one gene in one disorder; frequency is a fraction of patients, None where not recorded."""

    term: str
    frequency: float | None
    disorder: str


class Gene(NamedTuple):
    """A gene with everything HPO records for it."""

    symbol: str
    ncbi_id: int
    annotations: list[Annotation]

    @property
    def present(self) -> list[Annotation]:
        """Annotations without those that were looked for in vain."""
        return [annotation for annotation in self.annotations if annotation.frequency != 0.0]


class DisorderRow(NamedTuple):
    """One row of ``phenotype.hpoa``: what is recorded of a disorder.

    Args:
        disorder: Its id (OMIM, ORPHA, DECIPHER).
        name: Its name.
        term: The phenotype, mode of inheritance, onset or modifier, by its current id.
        excluded: It was looked for and not found: the qualifier NOT, or a frequency of zero.
        frequency: As it is written: ``3/12``, ``45%``, the id of a frequency term, or ''.
        references: Where it was published, for example ``PMID:1``.
        aspect: ``P`` phenotype, ``I`` inheritance, ``C`` clinical course, ``M`` modifier, ``H`` past medical history.
    """

    disorder: str
    name: str
    term: str
    excluded: bool
    frequency: str
    references: tuple[str, ...]
    aspect: str


class Ontology:
    """Terms and their is-a graph.

    Args:
        names: Term to its name; obsolete terms are left out.
        parents: Term to the terms it is a kind of.
        alternatives: Retired id to the id that replaced it.
        proper_words: Words that names and definitions always begin with a capital, such as the names of people.
        release: Data version of the release.
        definitions: Term to its definition, for terms that have one.
        synonyms: Term to other names that mean exactly the same, abbreviations and discarded names left out.
    """

    def __init__(
        self,
        names: dict[str, str],
        parents: dict[str, list[str]],
        alternatives: dict[str, str],
        proper_words: frozenset[str],
        release: str,
        definitions: dict[str, str] | None = None,
        synonyms: dict[str, tuple[str, ...]] | None = None,
    ):
        self.names, self.parents, self.alternatives = names, parents, alternatives
        self.proper_words, self.release = proper_words, release
        self.definitions, self.synonyms = definitions or {}, synonyms or {}
        self._ancestors: dict[str, frozenset[str]] = {}

    def current(self, term: str) -> str:
        """The id in use for a term."""
        return self.alternatives.get(term, term)

    def ancestors(self, term: str) -> frozenset[str]:
        """The term itself and every term above it."""
        if term not in self._ancestors:
            above = (self.ancestors(parent) for parent in self.parents.get(term, ()))
            self._ancestors[term] = frozenset({term}).union(*above)
        return self._ancestors[term]

    def is_under(self, term: str, root: str) -> bool:
        """Whether the term is the root or below it."""
        return root in self.ancestors(term)

    def in_sentence(self, term: str) -> str:
        """The name of a term as it stands inside a sentence: 'Ataxia' begins small there, 'Babinski sign' does not."""
        return self.lowered(self.names[term])

    def lowered(self, name: str) -> str:
        """A name or synonym as it stands inside a sentence."""
        return _FIRST_WORDS.sub(lambda word: word[0] if word[0] in self.proper_words else word[0].lower(), name)

    def organ_systems(self, term: str) -> list[str]:
        """The children of ``Phenotypic abnormality`` at or above the term; a term can belong to several."""
        return sorted(above for above in self.ancestors(term) if PHENOTYPE in self.parents.get(above, ()))

    def is_inheritance(self, term: str) -> bool:
        """Whether the term is a mode of inheritance, not a remark on one such as incomplete penetrance."""
        return term != INHERITANCE and self.is_under(term, INHERITANCE) and not self.is_under(term, INHERITANCE_QUALIFIER)

    def mode(self, term: str) -> str:
        """The main mode an inheritance term belongs to, itself when it belongs to none."""
        above = self.ancestors(term)
        return next((mode for mode in MODES if mode in above), term)


def read_ontology(path: Path) -> Ontology:
    """Read ``hp.obo``.

    Raises:
        ValueError: no term was found.
    """
    names, parents, alternatives, definitions, synonyms, texts, release = {}, {}, {}, {}, {}, [], ""
    for fields in _stanzas(path):
        release = next(iter(fields.get("data-version", [release])))
        if "id" not in fields or "is_obsolete" in fields:
            continue
        term = fields["id"][0]
        names[term] = fields["name"][0]
        parents[term] = [parent.split(" ", 1)[0] for parent in fields.get("is_a", [])]
        alternatives.update(dict.fromkeys(fields.get("alt_id", []), term))
        if "def" in fields:
            definitions[term] = _quoted(fields["def"][0])[0]
        synonyms[term] = tuple(name for name, scope, kind in map(_quoted, fields.get("synonym", [])) if scope == "EXACT" and kind not in _NOT_SAID)
        texts += [fields["name"][0], *(definition.rsplit('"', 1)[0] for definition in fields.get("def", []))]
    if not names:
        raise ValueError(f"{path}: found no [Term], expected an OBO file of the Human Phenotype Ontology")
    return Ontology(names, parents, alternatives, _proper_words(texts), release.removeprefix("hp/releases/"), definitions, synonyms)


def read_genes(path: Path, ontology: Ontology) -> dict[str, Gene]:
    """Read ``genes_to_phenotype.txt``: symbol to gene; terms the ontology does not have are left out."""
    genes: dict[str, Gene] = {}
    for ncbi_id, symbol, term, _, frequency, disorder in _rows(path, ("ncbi_gene_id", "gene_symbol", "hpo_id", "hpo_name", "frequency", "disease_id")):
        term = ontology.current(term)
        gene = genes.setdefault(symbol, Gene(symbol, int(ncbi_id), []))
        if term in ontology.names:
            gene.annotations.append(Annotation(term, parse_frequency(frequency), disorder))
    return genes


def read_disorders(path: Path) -> dict[str, str]:
    """Read ``phenotype.hpoa``: disorder id (OMIM, ORPHA, DECIPHER) to its name."""
    return {row[0]: row[1] for row in _rows(path, ("database_id", "disease_name"))}


def read_disorder_rows(path: Path, ontology: Ontology) -> Iterator[DisorderRow]:
    """Read ``phenotype.hpoa`` row by row; terms the ontology does not have are left out."""
    columns = ("database_id", "disease_name", "qualifier", "hpo_id", "reference", "evidence", "onset", "frequency", "sex", "modifier", "aspect")
    for disorder, name, qualifier, term, references, _, _, frequency, _, _, aspect in _rows(path, columns):
        term = ontology.current(term)
        if term in ontology.names:
            excluded = qualifier == "NOT" or parse_frequency(frequency) == 0.0
            yield DisorderRow(disorder, name, term, excluded, frequency, tuple(filter(None, references.split(";"))), aspect)


def parse_frequency(text: str) -> float | None:
    """A recorded frequency as a fraction; counts ``n/m`` are shrunk to (n + 1) / (m + 2), so 1 of 1 is no certainty.

    Zero of m patients is 0: the phenotype was looked for and not found.
    """
    if text in FREQUENCY_TERMS:
        return FREQUENCY_TERMS[text]
    if match := re.fullmatch(r"(\d+)/(\d+)", text):
        found, total = int(match[1]), int(match[2])
        return (found + 1) / (total + 2) if found else 0.0
    if match := re.fullmatch(r"([\d.]+)%", text):
        return float(match[1]) / 100
    return None


def _quoted(value: str) -> tuple[str, str, str]:
    """The text in quotation marks, the scope and the kind, '' where missing."""
    match = _QUOTED.match(value)
    return (re.sub(r"\\(.)", r"\1", match[1]).strip(), match[2] or "", match[3] or "") if match else ("", "", "")


def _proper_words(texts: Iterable[str]) -> frozenset[str]:
    """Words with a capital inside a sentence that nowhere stand without it."""
    text = "\n".join(texts)
    small = set(_LOWER_CASE.findall(text))
    return frozenset(word for word in set(_CAPITAL_INSIDE.findall(text)) if word.lower() not in small)


def _stanzas(path: Path) -> Iterator[dict[str, list[str]]]:
    """The header, then each stanza, as tag to values."""
    fields: dict[str, list[str]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("["):
                yield fields
                fields = {} if line.startswith("[Term]") else {"is_obsolete": ["true"]}
            elif ": " in line:
                tag, value = line.rstrip("\n").split(": ", 1)
                fields.setdefault(tag, []).append(value)
    yield fields


def _rows(path: Path, columns: Iterable[str]) -> Iterator[list[str]]:
    """The named first columns of a tab-separated file with ``#`` comments.

    Raises:
        ValueError: the header differs from ``columns``.
    """
    columns = list(columns)
    with path.open(encoding="utf-8") as lines:
        rows = (line.rstrip("\n").split("\t", len(columns))[: len(columns)] for line in lines if not line.startswith("#"))
        header = next(rows, [])
        if header != columns:
            raise ValueError(f"{path}: found columns {header}, expected {columns}; use the release files of the Human Phenotype Ontology")
        yield from rows
