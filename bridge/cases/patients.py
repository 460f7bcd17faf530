"""``bridge data patients``: a cohort of patients from their phenopackets.

The gene side is the vector of the patient's gene, the brain side what the imaging phenotypes say of regions or the
patient's own image or table, the text side all other phenotypes. Nobody is lost: who is not in the cohort stands in a list
with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from bridge.cases.case import Case
from bridge.cases.facts import BRAIN, CLINICAL, GENE, TOLD_BY, VARIANTS, facts_of, texts_of
from bridge.cases.gene_vectors import GeneVectors, read_gene_vectors
from bridge.cases.imaging import ImagingMap
from bridge.cases.imaging_coverage import Covered, coverage
from bridge.cases.read import Unread, each_case
from bridge.cases.split import TEST, TRAIN, VALIDATION, groups_of, kin_of, split_cases
from bridge.data.attribution import hpo_acknowledgement
from bridge.data.cohort import Cohort
from bridge.data.hpo import Ontology
from bridge.data.join import IdSource, join_ids
from bridge.data.measure import Measured, measure
from bridge.data.whole import whole_file
from encoders.base import Encoder, load_class

READER = "encoders.imaging_findings.ImagingFindings"
FINDINGS = "findings"  # what the mapped findings are called beside measured brains
ATLAS = "Desikan-Killiany, FreeSurfer aseg, FastSurfer CerebNet (vermis): names alone"
MAPPED, MEASURED, NEITHER = "imaging phenotypes mapped to regions", "measured", ""


class Row(NamedTuple):
    """A line of the list of who is where and why."""

    id: str
    source: str
    in_cohort: str
    told: str


class Patients(NamedTuple):
    """A cohort of patients, and everything that is to be told of those who are not in it, or not as they were written."""

    cohort: Cohort
    listed: tuple[Row, ...]
    findings: pd.DataFrame
    covered: tuple[Covered, ...]

    @property
    def left_out(self) -> int:
        """Patients and packets that are not in the cohort."""
        return sum(row.in_cohort == "no" for row in self.listed)


def findings_encoder(imaging: ImagingMap, modality: str = BRAIN) -> Encoder:
    """What reads mapped findings, over all regions of the vocabulary."""
    provenance = {"atlas": ATLAS, "source": "HPO terms below Abnormal brain morphology", "version": f"HPO {imaging.ontology.release}"}
    return load_class(READER)(names=imaging.regions, modality=modality, provenance=provenance)


def build_patients(
    out: str | Path,
    cases: str | Path,
    genes: str | Path,
    ontology: Ontology,
    *,
    brain: Mapping[str, Any] | None = None,
    trust: Sequence[str] = (),
) -> Patients:
    """Make a cohort of patients and write it.

    Beside ``NAME.h5ad`` come ``NAME.patients.csv`` (who was left out and why, and what is remarkable in others) and
    ``NAME.findings.csv`` (the mapped findings as a table, which ``bridge report --brain`` reads too).

    Args:
        out: The cohort, an .h5ad file.
        cases: A phenopacket, a folder of them, or JSON lines.
        genes: Vectors by gene symbol: a cohort with the modality gene, or a file of vectors.
        ontology: Of the phenotypes.
        brain: ``class_path``, ``init_args`` and ``source`` of the patients' own images or tables, by patient id: they stand in place of mapped
            findings, which are the modality ``findings`` then, of the patients who have no other.
        trust: Modules outside the packages whose encoder classes may load.

    Raises:
        ValueError: names the file and field, what was found and expected, and what to do.
    """
    out = Path(out)
    if out.suffix != ".h5ad":
        raise ValueError(f"out {out}: found suffix {out.suffix!r}, expected .h5ad")
    vectors, imaging = read_gene_vectors(genes, trust), ImagingMap(ontology)
    read = list(each_case(cases, ontology))
    measured = measure({BRAIN: dict(brain)}, trust)[BRAIN] if brain else None
    found = patients_of([each for each in read if isinstance(each, Case)], vectors, imaging, measured, str(cases))
    unread = tuple(Row("", each.source, "no", each.reason) for each in read if isinstance(each, Unread))
    patients = found._replace(listed=(*unread, *found.listed))
    with whole_file(out.with_suffix(".patients.csv")) as listed, whole_file(out.with_suffix(".findings.csv")) as table:
        pd.DataFrame(patients.listed, columns=Row._fields).to_csv(listed, index=False)
        patients.findings.to_csv(table, index_label="id")
        patients.cohort.write(out)
    patients.cohort.source = str(out)
    return patients


def patients_of(cases: Sequence[Case], vectors: GeneVectors, imaging: ImagingMap, measured: Measured | None = None, source: str = "cases") -> Patients:
    """The cohort of these cases: split by gene and publication, with groups that connect all who share one.

    Raises:
        ValueError: no case is left, none of them is for training, or no measured brain is of one of them.
    """
    if measured is not None and cases:
        join_ids([IdSource("cases", source, [case.id for case in cases]), IdSource(BRAIN, measured.file, measured.ids)])
    splits = split_cases(cases)
    split = {case.id: name for name, some in splits.items() for case in some}
    states = {case.id: imaging.states(case) for case in cases}
    own = dict(zip(measured.ids, measured.values, strict=True)) if measured else {}
    listed, kept = [], []
    for case in cases:
        reason = _left_out(case, split, splits, has_side=bool(states[case.id]) or case.id in own or vectors.find(case.gene) is not None)
        kept += [] if reason else [case]
        listed += [Row(case.id, case.source, "no" if reason else "yes", told) for told in ([reason] if reason else _remarks(case, vectors, imaging))]
    listed += [Row(name, measured.file, "no", "a measured brain of no case") for name in own if name not in states]
    if TRAIN not in {split[case.id] for case in kept}:
        raise ValueError(
            f"{source}: found {len(cases)} cases and {len(kept)} with a gene vector or an imaging finding, none of them for training; give more cases"
        )
    mapped = findings_encoder(imaging, FINDINGS if measured else BRAIN)
    modalities = {GENE: (vectors.encoder, _gene_side(kept, vectors))}
    if measured is not None:
        modalities[BRAIN] = (measured.encoder, _stacked([own.get(case.id) for case in kept], measured.values.shape[1]))
    found = [mapped.row({} if case.id in own else states[case.id]) for case in kept]
    modalities[mapped.modality] = (mapped, np.stack(found))
    normalise = {name: "none" if name == mapped.modality else "zscore" for name in modalities}
    obs = _observations(kept, split, imaging, {case.id: _brain_source(case, states, own) for case in kept})
    facts = {column: mapped.modality if told_by == BRAIN else told_by for column, told_by in TOLD_BY.items()}
    modalities, facts = _present(modalities, facts, obs)
    notes = {"hpo_release": imaging.ontology.release, "gene_vectors": vectors.file, "gene_aliases": dict(vectors.aliases), "cases": Path(source).name}
    notes["acknowledgements"] = list(dict.fromkeys((hpo_acknowledgement(imaging.ontology.release), *vectors.notices)))
    assembled = Cohort.assemble(obs, modalities, texts=(CLINICAL, VARIANTS), facts=facts, normalise=normalise, notes=notes, source=source)
    table = pd.DataFrame.from_dict({case.id: states[case.id] for case in kept}, orient="index", columns=list(imaging.regions)).fillna("")
    return Patients(assembled, tuple(listed), table, coverage(cases, imaging))


def _left_out(case: Case, split: Mapping[str, str], splits: Mapping[str, Sequence[Case]], *, has_side: bool) -> str:
    """Why a case is not in the cohort, '' where it is."""
    if case.id not in split:
        held_out = [each for name in (TEST, VALIDATION) for each in splits[name]]
        other = next((each for each in held_out if kin_of(each) & kin_of(case)), None)
        shared = ", ".join(name for _, name in sorted(kin_of(case) & kin_of(other))) if other else "a publication or a gene"
        return f"shares {shared} with a case of another split"
    return "" if has_side else "no vector for its gene, and no imaging phenotype with a region: nothing to give the model"


def _remarks(case: Case, vectors: GeneVectors, imaging: ImagingMap) -> list[str]:
    """What is not taken over as it is written."""
    told = []
    if case.other_genes:
        told.append(f"several causative genes ({', '.join((case.gene, *case.other_genes))}): the vector is that of {case.gene}")
    if case.other_diseases:
        told.append(f"several diagnoses ({', '.join((case.disease, *(name for name, _ in case.other_diseases)))}): it is ranked by {case.disease}")
    if not case.gene:
        told.append("no gene: the gene side is missing")
    elif vectors.find(case.gene) is None:
        told.append(f"gene {case.gene} has no vector in {vectors.file}: the gene side is missing")
    unknown = [term for term in (*case.present, *case.excluded) if term not in imaging.ontology.names]
    told += [f"phenotype {term} is not in HPO {imaging.ontology.release}: it counts for nothing" for term in unknown]
    told += [f"phenotype {term} is both found and excluded: it counts as found" for term in case.present if term in case.excluded]
    return told


def _gene_side(cases: Iterable[Case], vectors: GeneVectors) -> Float[np.ndarray, "samples features"]:
    return _stacked([vectors.find(case.gene) for case in cases], vectors.values.shape[1])


def _stacked(rows: Iterable[np.ndarray | None], width: int) -> Float[np.ndarray, "samples features"]:
    """Rows over one another, NaN where there is none."""
    return np.stack([np.full(width, np.nan) if row is None else row for row in rows])


def _brain_source(case: Case, states: Mapping[str, Mapping[str, str]], own: Mapping[str, np.ndarray]) -> str:
    return MEASURED if case.id in own else MAPPED if states[case.id] else NEITHER


def _observations(cases: Sequence[Case], split: Mapping[str, str], imaging: ImagingMap, brain_source: Mapping[str, str]) -> pd.DataFrame:
    columns = {
        "split": [split[case.id] for case in cases],
        "group": groups_of(cases),
        "gene": [case.gene for case in cases],
        "disease": [case.disease for case in cases],
        "publications": ["; ".join(case.publications) for case in cases],
        "sex": [case.sex for case in cases],
        "age": [case.age for case in cases],
        "brain_source": [brain_source[case.id] for case in cases],
    }
    told = [texts_of(case, imaging) | {name: "; ".join(items) for name, items in facts_of(case, imaging).items()} for case in cases]
    return pd.DataFrame(columns | {name: [each[name] for each in told] for name in told[0]}, index=pd.Index([case.id for case in cases], dtype=object))


def _present(modalities: dict[str, tuple[Encoder, np.ndarray]], facts: dict[str, str], obs: pd.DataFrame) -> tuple[dict, dict]:
    """Modalities that a training sample has, and facts that one of these can tell."""
    train = (obs["split"] == TRAIN).to_numpy()
    kept = {name: each for name, each in modalities.items() if np.isfinite(each[1][train]).any()}
    return kept, {column: told_by for column, told_by in facts.items() if told_by in kept}
