"""Inference: whether a statement on a finding follows from a note, contradicts it, or neither, by the ontology's is-a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bridge.data.hpo import Ontology
from bridge.instructions.item import Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import Maker, World
from bridge.language.grammar import capitalised, listing

FAMILY = "inference"
ENTAILMENT, CONTRADICTION, NEUTRAL = LABELS = ("entailment", "contradiction", "neutral")

WORDINGS = (
    "Premise: {premise}\nHypothesis: {hypothesis}\nDoes the premise entail the hypothesis, contradict it, or neither?",
    "{premise}\nDoes it follow that: {hypothesis}",
    "Note: {premise}\nStatement: {hypothesis}\nHow does the statement relate to the note?",
    "Given: {premise}\nClaimed: {hypothesis}\nClassify the claim.",
    "{premise}\nJudge this sentence by the text above: {hypothesis}",
    "Compare the two texts.\nFirst: {premise}\nSecond: {hypothesis}\nWhat is the second to the first?",
)
OF_PATIENT = Task("patient-inference", FAMILY, WORDINGS)
OF_DISORDER = Task("disorder-inference", FAMILY, WORDINGS)


class Known(NamedTuple):
    """Terms a note calls present and absent."""

    present: tuple[str, ...]
    absent: tuple[str, ...]


class Claim(NamedTuple):
    """A statement on one term."""

    term: str
    present: bool


def label(ontology: Ontology, known: Known, claim: Claim) -> str:
    """The relation of a claim to what is known: who has a finding has all above it; who lacks one lacks all below it."""
    has = any(claim.term in ontology.ancestors(term) for term in known.present)
    lacks = bool(ontology.ancestors(claim.term) & set(known.absent))
    if has or lacks:
        return ENTAILMENT if claim.present == has else CONTRADICTION
    return NEUTRAL


def consistent(ontology: Ontology, known: Known) -> bool:
    """Whether nothing that is present is a kind of something that is absent."""
    return not any(ontology.ancestors(term) & set(known.absent) for term in known.present)


def of_patient(world: World, draw: Draw) -> Instruction | None:
    """A patient with findings of a disorder; what is absent is recorded as such or unrelated to the disorder."""
    disorder = draw.one(world.described)
    present = [finding.term for finding in draw.some(world.findings(disorder), int(draw.random.integers(1, 3)))]
    unrelated = [term for term in draw.some(world.all_sayable, 4) if world.unrelated(disorder, term)]
    absent = [finding.term for finding in draw.some(world.facts.sayable(disorder.excluded), 1)] or unrelated[:1]
    premise = ("The patient has {present}.", "{Absent} is absent.")
    hypotheses = {True: ("The patient has {term}.", "{Term} is present."), False: ("The patient does not have {term}.", "{Term} is absent.")}
    return _item(world, draw, OF_PATIENT, world.group(disorder), Known(tuple(present), tuple(absent)), premise, hypotheses)


def of_disorder(world: World, draw: Draw) -> Instruction | None:
    """A disorder by its record: what was found, and what was looked for and not found."""
    if not world.excluding:
        return None
    disorder = draw.one(world.excluding)
    present = [finding.term for finding in draw.some(world.findings(disorder), int(draw.random.integers(1, 3)))]
    absent = [finding.term for finding in draw.some(world.facts.sayable(disorder.excluded), 1)]
    premise = (f"Patients with {disorder.name} had {{present}}.", "None of them had {absent}.")
    hypotheses = {True: ("Some of these patients had {term}.",), False: ("None of these patients had {term}.",)}
    return _item(world, draw, OF_DISORDER, world.group(disorder), Known(tuple(present), tuple(absent)), premise, hypotheses)


def _item(world: World, draw: Draw, task: Task, group: str, known: Known, premise: Sequence[str], hypotheses: dict[bool, Sequence[str]]) -> Instruction | None:
    ontology = world.facts.ontology
    wanted = draw.one(LABELS)
    claim = _claim(world, draw, known, wanted) if known.absent and consistent(ontology, known) else None
    if claim is None:
        return None
    term, said = world.facts.said(claim.term), {part: [world.facts.said(each) for each in terms] for part, terms in known._asdict().items()}
    if term in (*said["present"], *said["absent"]) and wanted == NEUTRAL:
        return None
    first = premise[0].format(present=listing(said["present"]))
    second = premise[1].format(absent=listing(said["absent"]), Absent=capitalised(listing(said["absent"])))
    hypothesis = draw.one(hypotheses[claim.present]).format(term=term, Term=capitalised(term))
    return task.put(draw, group, wanted, LABELS, premise=" ".join(draw.shuffled([first, second])), hypothesis=hypothesis)


def _claim(world: World, draw: Draw, known: Known, wanted: str) -> Claim | None:
    """A claim with this label: on a known term, on one above or below it, or on another; found and not found as often."""
    ontology = world.facts.ontology
    term = draw.one((*known.present, *known.absent))
    near = [term, *sorted(ontology.ancestors(term)), *world.below(term)] if wanted != NEUTRAL or draw.chance(0.75) else draw.some(world.all_sayable, 4)
    present = draw.chance(0.5)
    fitting = [each for each in near if world.facts.said(each) and label(ontology, known, Claim(each, present)) == wanted]
    # A term that is said in the note makes the answer plain: one in four at most.
    fitting = [each for each in fitting if each not in (*known.present, *known.absent)] or (fitting if draw.chance(0.5) else [])
    return Claim(draw.one(fitting), present) if fitting else None


MAKERS: tuple[Maker, ...] = (of_patient, of_disorder)
