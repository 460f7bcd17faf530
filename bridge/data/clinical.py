"""What HPO says of a gene, as facts and as a paragraph that never names the gene."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bridge.data.hpo import NERVOUS_SYSTEM, ONSET, Gene, Ontology
from bridge.data.mention import GeneMention, without_locus_number
from bridge.data.wording import listed, readable

NAMED_DISORDERS, NAMED_FEATURES = 5, 24

#: A frequency that HPO does not record counts as neither frequent nor rare.
UNRECORDED_FREQUENCY = 0.5

#: Onset terms in order of age, and how the paragraph says them; finer terms count as the one above them.
ONSET_WORDS = {
    "HP:0030674": "before birth",
    "HP:0003577": "at birth",
    "HP:0003623": "in the neonatal period",
    "HP:0003593": "in infancy",
    "HP:0011463": "in childhood",
    "HP:0003621": "in adolescence",
    "HP:0003581": "in adulthood",
}


def organ_systems(gene: Gene, ontology: Ontology) -> list[str]:
    """Organ systems with a phenotype of the gene, the one with most phenotypes first."""
    terms = {annotation.term for annotation in gene.present}
    systems = [system for term in terms for system in ontology.organ_systems(term)]
    return [readable(ontology.names[system]) for system in _most_frequent_first(systems)]


def inheritance(gene: Gene, ontology: Ontology) -> list[str]:
    """Main modes of inheritance of the gene's disorders, the most frequent first."""
    modes = [ontology.mode(annotation.term) for annotation in gene.annotations if ontology.is_inheritance(annotation.term)]
    return [readable(ontology.names[mode]) for mode in _most_frequent_first(modes)]


def disorders(gene: Gene, names: dict[str, str]) -> list[str]:
    """Names of the gene's disorders, the one with most phenotypes first, each once."""
    return list(_first_of_each((names[disorder], names[disorder].lower()) for disorder in disorder_ids(gene, names)))


def disorder_ids(gene: Gene, names: dict[str, str]) -> list[str]:
    """The gene's disorders that have a name, the one with most phenotypes first."""
    return [disorder for disorder in _most_frequent_first(annotation.disorder for annotation in gene.annotations) if disorder in names]


def paragraph(gene: Gene, ontology: Ontology, disorder_names: Sequence[str], mention: GeneMention) -> str:
    """Disorders, inheritance, onset and nervous-system features, in words that do not name the gene.

    Args:
        gene: What HPO records.
        ontology: Terms.
        disorder_names: Full names of the gene's disorders in order.
        mention: What must not be said.
    """
    shown = shown_disorders(disorder_names, mention)[:NAMED_DISORDERS] or ["an inherited disorder"]
    terms = nervous_system_features(gene, ontology)
    features = [name for name in map(ontology.in_sentence, terms) if not mention.found_in(name)][:NAMED_FEATURES]
    parts = (
        ("Variants in this gene are linked to", shown),
        ("Inheritance is", inheritance(gene, ontology)),
        ("Onset is", onset(gene, ontology)),
        ("Nervous-system features, most frequent first:", features),
    )
    return " ".join(f"{opening} {listed(items)}." for opening, items in parts if items)


def shown_disorders(names: Iterable[str], mention: GeneMention) -> list[str]:
    """Disorder names as the paragraph says them: without the gene, without locus numbers, each disorder once."""
    shown = (mention.taken_out_of(without_locus_number(_sentence_case(name))) for name in names)
    return list(_first_of_each((name, frozenset(re.findall(r"\w+", name.lower())) - {"type", "form", "disease", "syndrome"}) for name in shown if name))


def onset(gene: Gene, ontology: Ontology) -> list[str]:
    """When the gene's disorders begin, in order of age."""
    above = [ontology.ancestors(annotation.term) for annotation in gene.annotations if ontology.is_under(annotation.term, ONSET)]
    return [words for term, words in ONSET_WORDS.items() if any(term in terms for terms in above)]


def nervous_system_features(gene: Gene, ontology: Ontology) -> list[str]:
    """Terms under the nervous system, most frequent first; a term above one already taken is left out.

    A term's frequency is the highest of the gene's disorders; of equals, the term of more disorders comes first.
    """
    recorded: dict[str, list[float]] = defaultdict(list)
    for annotation in gene.present:
        if annotation.term != NERVOUS_SYSTEM and ontology.is_under(annotation.term, NERVOUS_SYSTEM):
            recorded[annotation.term].append(UNRECORDED_FREQUENCY if annotation.frequency is None else annotation.frequency)
    taken: list[str] = []
    for term in sorted(recorded, key=lambda term: (-max(recorded[term]), -len(recorded[term]), term)):
        if not any(term in ontology.ancestors(other) for other in taken):
            taken.append(term)
    return taken


def _most_frequent_first(items: Iterable[str]) -> list[str]:
    items = list(items)
    return sorted(set(items), key=lambda item: (-items.count(item), item))


def _first_of_each(items: Iterable[tuple[str, object]]) -> Iterable[str]:
    """The first name of every key."""
    seen: dict[object, str] = {}
    for name, key in items:
        seen.setdefault(key, name)
    return seen.values()


def _sentence_case(name: str) -> str:
    """Old records are in capitals, and some turned round: 'ASTHMA, SUSCEPTIBILITY TO'."""
    name = name.capitalize() if name.isupper() and " " in name else name
    return re.sub(r"^(.*?), susceptibility to\b(.*)$", lambda found: f"Susceptibility to {found[1].lower()}{found[2]}", name, flags=re.IGNORECASE)
