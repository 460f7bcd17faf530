"""Classification: the organ systems of a phenotype, of its definition, or of a patient's findings."""

from __future__ import annotations

from bridge.instructions.answering import first_sentence
from bridge.instructions.item import SEPARATOR, Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import Maker, World
from bridge.language.grammar import capitalised, listing

FAMILY = "classification"
OPTIONS = 4

#: Branches that are no organ system a reader would name.
NO_SYSTEM = ("cellular phenotype", "constitutional", "neoplasm", "growth", "prenatal development or birth", "thoracic cavity", "voice", "limbs", "head or neck")

OF_TERM = Task(
    "system-of-finding",
    FAMILY,
    (
        "To which organ system does this finding belong: {finding}?",
        "Which organ system is affected by {finding}?",
        "Finding: {finding}. Name the organ system.",
        "Classify the finding '{finding}' by organ system.",
        "Under which organ system would you file {finding}?",
        "Sort this finding into an organ system: {finding}",
    ),
)
OF_DEFINITION = Task(
    "system-of-definition",
    FAMILY,
    (
        "{definition}\nTo which organ system does this finding belong?",
        "Which organ system is affected by this finding? {definition}",
        "Description of a finding: {definition}\nName the organ system.",
        "Classify the finding described here by organ system: {definition}",
        "{definition}\nUnder which organ system would you file it?",
        "Sort the finding with this description into an organ system: {definition}",
    ),
)
OF_PATIENT = Task(
    "systems-of-patient",
    FAMILY,
    (
        "The patient has {findings}. Which organ systems are affected?",
        "Findings: {findings}. Name the organ systems they belong to.",
        "Classify these findings by organ system: {findings}.",
        "A patient presents with {findings}. Which of the organ systems are involved?",
        "Which organ systems do these findings touch: {findings}?",
        "Sort out which organ systems are concerned.\nFindings: {findings}.",
    ),
    judged="labels",
)


def systems(world: World) -> list[str]:
    """Organ systems that have findings of their own."""
    return [system for system in world.terms_by_system if system not in NO_SYSTEM]


def of_term(world: World, draw: Draw) -> Instruction | None:
    """The organ system of a phenotype by its name; every system is as frequent."""
    return _of(world, draw, OF_TERM, lambda term: {"finding": world.facts.said(term)})


def of_definition(world: World, draw: Draw) -> Instruction | None:
    """The organ system of a phenotype by its definition alone."""
    return _of(world, draw, OF_DEFINITION, lambda term: _definition(world, term))


def of_patient(world: World, draw: Draw) -> Instruction | None:
    """Which of five organ systems a disorder's findings touch; each candidate is as often affected as not."""
    disorder = draw.one(world.described)
    shown = draw.some(world.findings(disorder), 4)
    # Systems of the parents count as well: a finding of two systems affects both.
    affected = {world.facts.system_name(system) for finding in shown for system in world.facts.ontology.organ_systems(finding.term)} - set(NO_SYSTEM)
    others = [system for system in systems(world) if system not in affected]
    count = int(draw.random.integers(1, 4))
    chosen = draw.some(sorted(affected), count)
    if not chosen or len(others) < OPTIONS + 1 - len(chosen):
        return None
    choices = [*chosen, *draw.some(others, OPTIONS + 1 - len(chosen))]
    return OF_PATIENT.put(draw, world.group(disorder), SEPARATOR.join(chosen), choices, findings=listing(world.said(shown)))


def _of(world: World, draw: Draw, task: Task, slots) -> Instruction | None:
    names = systems(world)
    if len(names) < 2:
        return None
    answer = draw.one(names)
    term = draw.one(world.terms_by_system[answer])
    filled = slots(term)
    if filled is None:
        return None
    choices = [answer, *draw.some([name for name in names if name != answer], OPTIONS - 1)]
    return task.put(draw, f"term {term}", answer, choices, **filled)


def _definition(world: World, term: str) -> dict[str, str] | None:
    text = first_sentence(world.facts.ontology.definitions.get(term, ""))
    return {"definition": capitalised(text)} if 30 <= len(text) <= 200 else None


MAKERS: tuple[Maker, ...] = (of_term, of_definition, of_patient)
