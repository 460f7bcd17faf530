"""A patient's record for a report, and what of it a bundle is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bridge.bundle import Reader
from bridge.cases.case import Case
from bridge.cases.facts import BRAIN, GENE, facts_of, variant_in_words
from bridge.cases.gene_vectors import gene_rows
from bridge.cases.imaging import EXCLUDED, ImagingMap
from bridge.cases.patient import Diagnostics, Missed, Ranked, Ranking, Shared
from bridge.cases.patients import READER
from bridge.data.cohort import Cohort, apply_normalisation
from bridge.data.decode import REPORT, Limits
from bridge.data.hpo import Ontology
from bridge.language.subject import Subject, subjects
from bridge.model import SemanticBridge
from bridge.report.given import InputFile, MappedFinding, Patient, RankedDisorder
from bridge.report.origin import cohort_inputs, input_file
from bridge.report.reference import Reference
from bridge.report.write import read_input, subject_of
from encoders.base import load_class

MEASURED_ENDINGS = (".nii", ".nii.gz", ".stats")  # what no table of findings is called


class PatientInputs(NamedTuple):
    """What a bundle is given of a patient.

    Args:
        subject: The patient under the packet's id, with the lists that a report can be checked against.
        values: Modality to normalised values; empty where nothing fits the bundle.
        told: What of the patient the bundle is not given and why, for the report to say.
        inputs: Files the values were read from.
    """

    subject: Subject
    values: dict[str, np.ndarray]
    told: tuple[str, ...]
    inputs: tuple[InputFile, ...]


def patient_record(case: Case, diagnostics: Diagnostics, *, top: int = 10, gene: bool = True, measured_brain: bool = False) -> Patient:
    """The record with ranked disorders, each with what speaks for it and against it.

    Args:
        case: The patient.
        diagnostics: What is known of disorders.
        top: Disorders told.
        gene: Use the gene; without it, it is not in the record either.
        measured_brain: The brain side is the patient's own image or table.
    """
    case, ontology = case if gene else case.without_gene(), diagnostics.ontology
    ranking = diagnostics.ranked(case, top=top)
    return Patient(
        present=tuple(_named(term, ontology) for term in case.present),
        excluded=tuple(_named(term, ontology) for term in case.excluded),
        gene=", ".join(filter(None, (case.gene, *case.other_genes))),
        variants=tuple(filter(None, map(variant_in_words, case.variants))),
        imaging=tuple(mapped_findings(case, diagnostics.imaging)),
        measured_brain=measured_brain,
        disorders=tuple(_disorder(each, ontology) for each in ranking.disorders),
        candidates=ranking.candidates,
        gene_used=ranking.gene_used,
        source=_source(ranking, case),
    )


def mapped_findings(case: Case, imaging: ImagingMap) -> Iterable[MappedFinding]:
    """Each imaging phenotype with its regions, once for each direction; one without a region has none."""
    for mapped in imaging.findings(case):
        name = imaging.ontology.names[mapped.term]
        parts = [(part.regions, part.direction) for part in mapped.parts] or [((), "")]
        yield from (MappedFinding(term=mapped.term, name=name, regions=regions, direction=direction) for regions, direction in parts)


def patient_inputs(
    bridge: SemanticBridge | Reader,
    case: Case,
    diagnostics: Diagnostics,
    *,
    cohort: Cohort | None = None,
    genes: Path | None = None,
    brain: Path | None = None,
    sample: str | None = None,
    gene: bool = True,
    limits: Limits = REPORT,
) -> PatientInputs:
    """The sides of a patient that a bundle reads: the vector of the gene, and the measured brain or else the mapped findings.

    Args:
        bridge: A loaded bundle.
        case: The patient.
        diagnostics: For the imaging phenotypes.
        cohort: Whose vectors of genes are looked up, for example that of the bundle.
        genes: File of gene vectors to look it up in instead.
        brain: The patient's own image or region table; it stands in place of the mapped findings.
        sample: Id of the patient in that table, where it holds several.
        gene: Use the gene.
        limits: Of reading the files.

    Raises:
        ValueError: a file does not fit the bundle.
    """
    given = case if gene else case.without_gene()
    found, told, inputs, facts = {}, [], [], {}
    if GENE in bridge.encoders:
        found, told, inputs, facts = _gene_side(bridge, given, cohort, genes, limits, withheld=not gene)
    sides, missing = _brain_side(bridge, given, diagnostics.imaging, brain, sample, limits)
    inputs += [input_file(BRAIN, brain)] if brain else []
    found |= sides
    reference = Reference.from_dict(bridge.reference["training"])
    own = facts_of(given, diagnostics.imaging)
    known = facts | own
    subject = subject_of(bridge, case.id, found)
    listed, whose = {name: known.get(name, ()) for name in reference.fact_modality}, dict.fromkeys(facts.keys() - own.keys(), f"{given.gene}, the gene")
    subject = Subject(case.id, subject.regions, listed, subject.fact_modality, {}, subject.present, whose)
    return PatientInputs(subject, {modality: normalised for modality, (_, normalised) in found.items()}, (*told, *missing), tuple(inputs))


def _gene_side(
    bridge: SemanticBridge | Reader, case: Case, cohort: Cohort | None, genes: Path | None, limits: Limits, *, withheld: bool
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[str], list[InputFile], dict[str, tuple[str, ...]]]:
    """The gene's vector, raw and normalised, where it is from, and what the cohort knows of the gene."""
    if not case.gene:
        return {}, ["gene: withheld" if withheld else "gene: the packet names none"], [], {}
    if genes is not None:
        return {GENE: read_input(bridge, GENE, genes, case.gene, limits)}, [], [input_file(GENE, genes)], {}
    if cohort is None:
        return {}, [f"gene {case.gene}: no vectors of genes were given to look it up in"], [], {}
    bridge.cards[GENE].require_same(cohort.card(GENE))
    symbol = cohort.about["notes"].get("gene_aliases", {}).get(case.gene, case.gene)
    row = gene_rows(cohort).get(symbol)
    if row is None:
        return {}, [f"gene {case.gene}: {Path(cohort.source).name} has no vector of it"], [], {}
    raw = cohort.raw(GENE, [row])[0]
    facts = subjects(cohort, [row])[0].facts if cohort.ids[row] == symbol else {}  # of another patient with this gene nothing is taken over
    return {GENE: (raw, apply_normalisation(raw, bridge.cards[GENE].normalisation))}, [], list(cohort_inputs(cohort, [GENE])), facts


def _brain_side(
    bridge: SemanticBridge | Reader, case: Case, imaging: ImagingMap, brain: Path | None, sample: str | None, limits: Limits
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[str]]:
    """The patient's own brain where it is given, else the mapped findings where the bundle reads such."""
    findings = next((name for name, encoder in bridge.encoders.items() if isinstance(encoder, load_class(READER))), None)
    if brain is not None:
        if findings == BRAIN and str(brain).lower().partition("#")[0].endswith(MEASURED_ENDINGS):
            units = bridge.cards[BRAIN].units
            raise ValueError(f"{brain}: found a measured brain, expected values in units {units!r}, which this bundle reads; use a bundle of measured brains")
        return {BRAIN: read_input(bridge, BRAIN, brain, sample, limits)}, []
    states = imaging.states(case)
    if findings is None or not states:
        mapped = _in_words(states)
        units = next((f"'{bridge.cards[name].units}'" for name in (BRAIN,) if name in bridge.cards), "no brain")
        reason = "" if findings or not states else f"; not given to the model: this bundle reads {units}, not findings"
        return {}, [f"brain: {mapped}{reason}"]
    encoder = bridge.encoders[findings]
    missing = sorted(set(states) - set(encoder.names))
    row = encoder.row({name: state for name, state in states.items() if name in encoder.names}).astype(np.float32)
    told = [f"brain: this bundle has no region {', '.join(missing)}"] if missing else []
    return {findings: (row, apply_normalisation(row, bridge.cards[findings].normalisation))}, told


def _in_words(states: Mapping[str, str]) -> str:
    """How many regions imaging phenotypes speak of, and how many they were looked for in and not found."""
    excluded = sum(state == EXCLUDED for state in states.values())
    found = f"imaging phenotypes speak of {len(states) - excluded} regions" if len(states) > excluded else "no imaging phenotype speaks of a region"
    return f"{found} (looked for in vain: {excluded})" if excluded else found


def _disorder(ranked: Ranked, ontology: Ontology) -> RankedDisorder:
    supports = ["a disorder of the patient's gene"] if ranked.linked else []
    opposes = [f"{_named(term, ontology)}: not among its features" for term in ranked.unexplained]
    return RankedDisorder(
        id=ranked.id,
        name=ranked.name,
        rank=ranked.rank,
        score=round(ranked.score, 3),
        supports=(*supports, *(_support(each, ontology) for each in ranked.shared)),
        opposes=(*opposes, *(_missed(each, ontology) for each in ranked.missed)),
    )


def _support(shared: Shared, ontology: Ontology) -> str:
    through = "" if shared.through == shared.term else f" by {_named(shared.through, ontology)}"
    return f"{_named(shared.term, ontology)}{through}, information {shared.information:.1f}"


def _missed(missed: Missed, ontology: Ontology) -> str:
    share = "share of patients not recorded" if missed.frequency is None else f"in {missed.frequency:.0%} of patients"
    return f"{_named(missed.term, ontology)}, {share}: looked for and not found"


def _source(ranking: Ranking, case: Case) -> str:
    hidden = f"; {ranking.hidden} annotations that cite {', '.join(case.publications)} left out" if ranking.hidden else ""
    linked = "the gene's disorders first, " if ranking.gene_used else ""
    order = f"{linked}by the log-likelihood ratio of the phenotypes (nats); information: nats, the more the fewer disorders have the phenotype"
    return f"phenotype.hpoa and genes_to_phenotype.txt of the Human Phenotype Ontology, release {ranking.release}{hidden}; ranked {order}"


def _named(term: str, ontology: Ontology) -> str:
    return f"{ontology.names.get(term, 'unknown term')} ({term})"
