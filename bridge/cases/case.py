"""A published patient: phenotypes that were found and looked for in vain, and what the patient turned out to have."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import NamedTuple

from bridge.data.hpo import NERVOUS_SYSTEM, Ontology

SEXES = {"FEMALE": "female", "MALE": "male", "OTHER_SEX": "other"}


class Variant(NamedTuple):
    """A variant as it was interpreted.

    Args:
        hgvs: Its names in HGVS notation, of transcript, genome and protein; none for a structural variant.
        zygosity: ``heterozygous``, ``homozygous``, ``hemizygous``; '' where not recorded.
        pathogenicity: ACMG class, for example ``PATHOGENIC``; '' where not recorded.
        status: What it is to the case: ``CAUSATIVE``, ``CONTRIBUTORY`` ...; '' where not recorded.
    """

    hgvs: tuple[str, ...] = ()
    zygosity: str = ""
    pathogenicity: str = ""
    status: str = ""


@dataclasses.dataclass(frozen=True)
class Case:
    """A patient.

    Args:
        id: Unique within its source.
        present: HPO terms that were found, by their current ids.
        excluded: HPO terms that were looked for and not found.
        gene: Symbol of the gene with the causative variant; '' where there is none, or where it is withheld.
        variants: As interpreted; withheld together with the gene.
        disease: Id of the diagnosis, ``OMIM:`` and its number; '' where unknown.
        disease_name: As the source writes it.
        sex: ``female``, ``male``, ``other``; '' where unknown.
        age: At the last encounter, ISO 8601 duration such as ``P3Y6M``; '' where unknown.
        publications: Where it was published, ``PMID:`` and the number.
        neurological: Whether its source counts it among the neurological ones; None where it does not say.
        imaged: Whether its source counts it among those with an imaging phenotype; None where it does not say.
        other_genes: Further genes with a causative variant; withheld together with the gene.
        other_diseases: Further diagnoses, as id and name.
        source: Place it was read from, for messages.
    """

    id: str
    present: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    gene: str = ""
    variants: tuple[Variant, ...] = ()
    disease: str = ""
    disease_name: str = ""
    sex: str = ""
    age: str = ""
    publications: tuple[str, ...] = ()
    neurological: bool | None = None
    imaged: bool | None = None
    other_genes: tuple[str, ...] = ()
    other_diseases: tuple[tuple[str, str], ...] = ()
    source: str = ""

    @property
    def unit(self) -> str:
        """What must not stand on both sides of a split, and is drawn in a bootstrap: the gene, and without one the disease or the case."""
        return self.gene or self.disease or self.id

    @property
    def units(self) -> frozenset[str]:
        """The unit, and every further gene."""
        return frozenset({self.unit, *self.other_genes})

    def without_gene(self) -> Case:
        """The case as it is before sequencing."""
        return dataclasses.replace(self, gene="", other_genes=(), variants=())

    def is_neurological(self, ontology: Ontology) -> bool:
        """What its source says, and where it says nothing whether a phenotype found is at or below 'Abnormality of the nervous system'."""
        if self.neurological is not None:
            return self.neurological
        return any(ontology.is_under(term, NERVOUS_SYSTEM) for term in self.present)


def current_terms(terms: Iterable[object], ontology: Ontology, place: str) -> tuple[str, ...]:
    """Each term once by the id in use, in the order given.

    Raises:
        ValueError: a term is no id of the Human Phenotype Ontology.
    """
    found = {}
    for term in terms:
        if not isinstance(term, str) or re.fullmatch(r"HP:\d{7}", term) is None:
            raise ValueError(f"{place}: found {term!r}, expected an id of the Human Phenotype Ontology such as 'HP:0001250'")
        found[ontology.current(term)] = None
    return tuple(found)
