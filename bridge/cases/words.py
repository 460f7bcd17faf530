"""Cases and diagnoses in words: what a model is told, and which disease it means by a name it writes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from bridge.cases.case import Case
from bridge.cases.knowledge import Disease
from bridge.cases.names import plain
from bridge.data.hpo import Ontology

EXCLUDED_SHOWN = 10  # a case report can list fifty

_NUMBERED = re.compile(r"^\s*(?:\(?\d+[.):]|[-*•])\s*")
_AGE = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T.*)?")


def case_in_words(case: Case, ontology: Ontology) -> str:
    """Sex, age and phenotypes as sentences, and gene and variants where the case has them: withhold them by ``without_gene``."""
    age = age_in_words(case.age)
    who = " ".join(filter(None, ("A", case.sex, "patient", f"aged {age}" if age else "")))
    parts = [f"{who}.", _listed("Findings", case.present, ontology), _listed("Not found", case.excluded[:EXCLUDED_SHOWN], ontology)]
    variants = "; ".join(name for variant in case.variants for name in variant.hgvs[:1])
    parts.append(f"Causative variant in the gene {case.gene}{f' ({variants})' if variants else ''}." if case.gene else "")
    return " ".join(filter(None, parts))


def age_in_words(age: str) -> str:
    """An ISO 8601 duration in its largest two units; '' where it is none."""
    match = _AGE.fullmatch(age)
    units = [] if match is None else [(int(number), unit) for number, unit in zip(match.groups(), ("year", "month", "week", "day"), strict=True) if number]
    told = [f"{number} {unit}{'' if number == 1 else 's'}" for number, unit in units if number or len(units) == 1]
    return " and ".join(told[:2])


class Diagnoses:
    """Diseases by what they are called.

    Args:
        diseases: By id; those whose names are looked up.
    """

    def __init__(self, diseases: Mapping[str, Disease]):
        self.ids: dict[str, list[str]] = defaultdict(list)
        for disease in diseases.values():
            for name in dict.fromkeys(map(plain, (disease.name, *disease.name.split(";")))):
                if name:
                    self.ids[name].append(disease.id)

    def meant(self, name: str) -> tuple[str, ...]:
        """Diseases of exactly this name but for case, accents and punctuation; also an id that is written out."""
        found = re.findall(r"OMIM:\d{6}", name)
        return tuple(found or self.ids.get(plain(name), ()))

    def written(self, answer: str) -> list[tuple[str, ...]]:
        """What each line of an answer means, in its order; nothing for a name that no disease has, which takes its place all the same."""
        return [self.meant(line) for line in lines_of(answer)]


def lines_of(answer: str) -> list[str]:
    """Lines of a list without their numbers."""
    return list(filter(None, (_NUMBERED.sub("", line).strip() for line in answer.splitlines())))


def _listed(heading: str, terms: Sequence[str], ontology: Ontology) -> str:
    names = [ontology.in_sentence(term) for term in terms if term in ontology.names]
    return f"{heading}: {'; '.join(names)}." if names else ""
