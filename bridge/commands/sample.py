"""The one sample that a command is about: from a cohort by its id, or from files of any subset of modalities."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bridge.bundle import Reader
from bridge.cases.case import Case
from bridge.cases.patient import Diagnostics, read_patient
from bridge.data.cohort import Cohort
from bridge.data.whole import require_no_device
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import Subject, subjects
from bridge.model import SemanticBridge
from bridge.report.given import InputFile, Patient
from bridge.report.origin import cohort_inputs, input_file
from bridge.report.patient import patient_inputs, patient_record
from bridge.report.write import read_input, subject_of
from bridge.retrieve.lists import own_candidates
from bridge.retrieve.schema import CandidateKind
from encoders.base import Card


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """A sample with where it came from.

    Args:
        subject: As measured.
        values: Modality to its normalised values ``[features]``.
        inputs: Files that the values were read from.
        training: Ids of the training samples, where it is of a cohort.
        own: Candidates that its own lists hold; None where it has no lists.
        patient: The patient's record, where it is one.
        told: What of the patient the model is not given, for the report to say.
    """

    subject: Subject
    values: dict[str, np.ndarray]
    inputs: tuple[InputFile, ...] = ()
    training: tuple[str, ...] = ()
    own: Mapping[CandidateKind, frozenset[str]] | None = None
    patient: Patient | None = None
    told: tuple[str, ...] = ()


def chosen_sample(
    bridge: SemanticBridge | Reader,
    bundle: str,
    *,
    cohort: str | None = None,
    sample: str | None = None,
    patient: str | None = None,
    files: Mapping[str, str] | None = None,
    use: Sequence[str] | None = None,
    withhold_gene: bool = False,
) -> Sample:
    """The sample that the options name.

    Args:
        bridge: A loaded bundle, or the part of it that reads.
        bundle: Its folder.
        cohort: Cohort that holds the sample, or the patient's gene; where neither it nor a file is given, the one that the bundle was trained on.
        sample: Its id, in the cohort or in a file that holds several.
        patient: Phenopacket.
        files: Modality to file.
        use: Modalities to hand to the model; all by default.
        withhold_gene: Leave the patient's gene out.

    Raises:
        ValueError: no sample, both a cohort and files, or whatever is wrong with them.
    """
    if patient:
        given = sample_of_patient(bridge, bundle, Path(patient), cohort, sample, files or {}, withhold_gene)
        subject = _used(given.subject, use)
        return dataclasses.replace(given, subject=subject, values={modality: row for modality, row in given.values.items() if modality in subject.present})
    if withhold_gene:
        raise ValueError("field withhold_gene: is of a patient; expected --patient FILE with it, or --use brain to leave the gene of a sample out")
    if cohort and files:
        raise ValueError("found both a cohort and files, expected --cohort C --sample ID, or files such as --gene FILE --brain FILE")
    if files:
        return sample_of_files(bridge, files, sample, use)
    if not sample:
        raise ValueError("found no sample; expected --sample ID, with --cohort C for another cohort than that of training, or files such as --gene FILE")
    return sample_of_cohort(bridge, known_cohort(bridge, bundle, cohort), sample, use)


def known_cohort(bridge: SemanticBridge | Reader, bundle: str, cohort: str | None) -> Cohort:
    """The cohort that is named, or the one that the bundle was trained on; its cards are those of the bundle.

    Raises:
        ValueError: the bundle remembers none, the file is gone or another one, or a card differs.
    """
    if cohort is None and bridge.trained_on is None:
        raise ValueError(f"{bundle}: remembers no cohort that it was trained on; say which one holds the sample with --cohort")
    found = Cohort.read(cohort) if cohort else bridge.trained_on.read()
    require_same_cards(found, bridge.cards)
    return found


def require_same_cards(cohort: Cohort, cards: Mapping[str, Card]) -> None:
    """Refuse a cohort whose embeddings were made otherwise than those of the bundle."""
    for modality, card in cards.items():
        card.require_same(cohort.card(modality))


def sample_of_cohort(bridge: SemanticBridge | Reader, cohort: Cohort, sample: str, use: Sequence[str] | None = None) -> Sample:
    """One sample of a cohort."""
    if sample not in cohort.ids:
        raise ValueError(f"{cohort.source}: no sample {sample!r}; pass --sample with one of its {len(cohort.ids)} ids, for example {cohort.ids[0]!r}")
    row = cohort.ids.index(sample)
    subject = _used(subjects(cohort, [row])[0], use)
    values = {modality: cohort.values(modality, [row])[0] for modality in bridge.cards if modality in subject.present}
    training = tuple(cohort.ids[each] for each in cohort.rows("train"))
    return Sample(subject, values, cohort_inputs(cohort, values), training, own_candidates(cohort, row) or None)


def sample_of_files(bridge: SemanticBridge | Reader, files: Mapping[str, str], sample: str | None, use: Sequence[str] | None = None) -> Sample:
    """One sample from a file per modality."""
    read = {modality: read_input(bridge, modality, Path(path), sample) for modality, path in files.items()}
    subject = _used(subject_of(bridge, sample or Path(next(iter(files.values()))).name.partition(".")[0], read), use)
    values = {modality: normalised for modality, (_, normalised) in read.items() if modality in subject.present}
    return Sample(subject, values, tuple(input_file(modality, files[modality]) for modality in values))


def sample_of_patient(
    bridge: SemanticBridge | Reader, bundle: str, packet: Path, cohort: str | None, sample: str | None, files: Mapping[str, str], withhold_gene: bool
) -> Sample:
    """A patient: the vector of the gene from a cohort or a file, the brain side from a measurement or the mapped imaging phenotypes."""
    unknown = sorted(set(files) - {"gene", "brain"})
    if unknown:
        raise ValueError(f"field inputs: found {unknown[0]!r} beside a patient, expected --gene FILE, --brain FILE or neither")
    diagnostics = Diagnostics.read()
    case = read_patient(packet, diagnostics.ontology, sample=sample)
    genes, brain = (Path(files[name]) if name in files else None for name in ("gene", "brain"))
    known = None if genes or withhold_gene or (cohort is None and bridge.trained_on is None) else known_cohort(bridge, bundle, cohort)
    given = patient_inputs(bridge, case, diagnostics, cohort=known, genes=genes, brain=brain, sample=sample, gene=not withhold_gene)
    record = patient_record(case, diagnostics, gene=not withhold_gene, measured_brain=brain is not None)
    own = {CandidateKind.PHENOTYPE: frozenset().union(*map(diagnostics.ontology.ancestors, case.present))}
    return Sample(
        given.subject, given.values, (input_file("patient", packet), *given.inputs), own=own, patient=record, told=(*_doubts(case, diagnostics), *given.told)
    )


def _doubts(case: Case, diagnostics: Diagnostics) -> tuple[str, ...]:
    """What of a record cannot be right, or cannot be compared, for the report to say."""
    unknown = sorted({*case.present, *case.excluded} - set(diagnostics.ontology.names))
    both = sorted(set(case.present) & set(case.excluded))
    told = [f"phenotypes: {', '.join(unknown[:5])} not in the release of HPO at hand ({diagnostics.release}); not compared"] if unknown else []
    return (*told, *([f"phenotypes: {', '.join(both[:5])} recorded as present and as excluded"] if both else []))


def require_tokens(max_new_tokens: int) -> None:
    """Refuse a longest text without a word."""
    if max_new_tokens < 1:
        raise ValueError(f"field max_new_tokens: found {max_new_tokens}, expected 1 or more")


def require_file_name(out: str | None) -> None:
    """Refuse a place where no file can be written, before anything is computed."""
    if out is None:
        return
    blocked = next((parent for parent in Path(out).parents if parent.exists() and not parent.is_dir()), None)
    if Path(out).is_dir() or blocked:
        found = "a folder" if blocked is None else f"the file {blocked} for a folder"
        raise ValueError(f"out {out}: found {found}, expected the name of a file to write; give it another name")
    require_no_device(Path(out))


def require_room(bridge: SemanticBridge, note: str, max_new_tokens: int, question: str = "") -> None:
    """Refuse a note, or a question, that the LLM cannot read as a whole beside the answer.

    Raises:
        ValueError: says how long it is and how long it may be.
    """
    longest = getattr(bridge.llm.config, "max_position_embeddings", None)
    if longest is None or not (note.strip() or question):
        return
    asked = len(bridge.prompt.question(question or REPORT_ASK[0], note)) + sum(projector.k for projector in bridge.projectors.values()) + max_new_tokens
    if asked > longest:
        found, what = f"{asked:,} tokens with question and answer", "question" if question else "note"
        raise ValueError(f"{what}: found {found}, expected at most {longest:,}, which is what {bridge.language.name} reads; give the part that matters")


def _used(subject: Subject, use: Sequence[str] | None) -> Subject:
    unknown = sorted(set(use or ()) - subject.present)
    if unknown:
        raise ValueError(f"field use: sample {subject.id!r} has no {unknown[0]!r}; it has {sorted(subject.present)}")
    return subject.given(use or subject.present)
