"""What is known of a patient in columns and in words: phenotypes and diagnoses as lists, the record as text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from bridge.cases.case import Case, Variant
from bridge.cases.imaging import ImagingMap
from bridge.cases.words import case_in_words

PHENOTYPES, IMAGING, DISORDERS = "phenotypes", "imaging_findings", "disorders"
CLINICAL, VARIANTS = "clinical", "variants"
GENE, BRAIN = "gene", "brain"

#: Fact column to the modality that can tell it.
TOLD_BY = {PHENOTYPES: GENE, DISORDERS: GENE, IMAGING: BRAIN}


def facts_of(case: Case, imaging: ImagingMap) -> dict[str, tuple[str, ...]]:
    """Fact column to its items: names as they stand inside a sentence."""
    diagnoses = ((case.disease, case.disease_name), *case.other_diseases)
    return {
        PHENOTYPES: _names((term for term in case.present if not imaging.is_imaging(term)), imaging),
        IMAGING: _names(filter(imaging.is_imaging, case.present), imaging),
        DISORDERS: tuple(dict.fromkeys(_item(name or disease) for disease, name in diagnoses if name or disease)),
    }


def texts_of(case: Case, imaging: ImagingMap) -> dict[str, str]:
    """Text column to text: sex, age and phenotypes other than imaging, without the gene; and the variants."""
    others = {name: tuple(term for term in getattr(case, name) if not imaging.is_imaging(term)) for name in ("present", "excluded")}
    told = dataclasses.replace(case.without_gene(), **others)
    return {CLINICAL: case_in_words(told, imaging.ontology), VARIANTS: variants_in_words(case)}


def variants_in_words(case: Case) -> str:
    """Each variant in a sentence, without the symbol of its gene; '' where there is none."""
    return " ".join(filter(None, (variant_in_words(variant) for variant in case.variants)))


def variant_in_words(variant: Variant) -> str:
    """``Heterozygous variant NM_1.1:c.1A>G, pathogenic.``; '' of one of which nothing is recorded."""
    name = re.sub(r"\([^()]*\)(?=:[cgmnpr]\.)", "", next(iter(variant.hgvs), ""))  # NM_1.1(GENE):c.1A>G
    words = " ".join(filter(None, (variant.zygosity, "variant", name)))
    told = ", ".join([words, *(each.replace("_", " ").lower() for each in (variant.pathogenicity, variant.status) if each)])
    return "" if told == "variant" else f"{told[:1].upper()}{told[1:]}."


def _names(terms: Iterable[str], imaging: ImagingMap) -> tuple[str, ...]:
    found = (_item(imaging.ontology.in_sentence(term)) for term in terms if term in imaging.ontology.names)
    return tuple(dict.fromkeys(found))


def _item(name: str) -> str:
    """A name that a column of names divided by '; ' can hold."""
    return " ".join(name.replace(";", ",").split())
