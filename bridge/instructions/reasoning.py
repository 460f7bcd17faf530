"""Case reasoning: from a patient's findings to the organ system, the profile that fits, or the disorder."""

from __future__ import annotations

from collections import Counter

from bridge.instructions.facts import Disorder
from bridge.instructions.item import Instruction
from bridge.instructions.systems import NO_SYSTEM, systems
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import Maker, Patient, World
from bridge.language.grammar import listing

FAMILY = "case reasoning"
OPTIONS, PROFILES = 4, 3

DISORDER = Task(
    "closed-book-case-disorder",
    FAMILY,
    (
        "A patient has {findings}. Which disorder is most likely?",
        "Patient: {findings}. Name the most likely diagnosis.",
        "Which of these disorders explains {findings} best?",
        "Choose the diagnosis for a patient with {findings}.",
        "A child is seen because of {findings}. What is the best diagnosis among these?",
        "Select the disorder that fits this patient: {findings}.",
    ),
    letters=True,
)
PROFILE = Task(
    "case-profile",
    FAMILY,
    (
        "A patient has {findings}. Which profile fits best?",
        "Patient: {findings}. Which of these disorders shares most findings with the patient?",
        "Compare the patient with each profile and name the one that matches: {findings}.",
        "Choose the profile closest to a patient with {findings}.",
        "A child is seen because of {findings}. To which of the profiles does this case belong?",
        "Select the disorder whose listed findings agree with this patient: {findings}.",
    ),
    letters=True,
)
SYSTEM = Task(
    "case-system",
    FAMILY,
    (
        "A patient has {findings}. Which organ system is affected most?",
        "Patient: {findings}. To which organ system do most findings belong?",
        "Name the organ system in which most of these findings lie: {findings}.",
        "Which organ system stands out in a patient with {findings}?",
        "A child is seen because of {findings}. Which organ system leads the picture?",
        "Select the organ system that these findings mainly point to: {findings}.",
    ),
)


def disorder(world: World, draw: Draw) -> Instruction | None:
    """The disorder of a patient among four, none of the others recorded with two of the findings."""
    patient = patient_of(world, draw)
    shown = draw.some([term for term in patient.present if world.facts.said(term)], 4) if patient else []
    if len(shown) < 3:
        return None
    others = [each for each in draw.some(world.described, 3 * OPTIONS) if _shared(world, each, shown) < 2 and each.genes != patient.disorder.genes]
    if len(others) < OPTIONS - 1:
        return None
    names = [patient.disorder.name, *(each.name for each in others[: OPTIONS - 1])]
    return DISORDER.put(draw, world.group(patient.disorder), names[0], names, findings=_listed(world, shown, patient.absent))


def profile(world: World, draw: Draw) -> Instruction | None:
    """The profile, among three, that has two of the patient's findings; one of them is said by a synonym or by the term above it."""
    shown = draw.some(world.described, PROFILES)
    profiles = [[finding.term for finding in draw.some(world.findings(each), 3)] for each in shown]
    if len(shown) < PROFILES or len({term for terms in profiles for term in terms}) < 3 * PROFILES:
        return None
    first, second = draw.some(profiles[0], 2)
    known = {*profiles[0], *(term for each in shown[1:] for finding in each.present for term in world.facts.ontology.ancestors(finding.term))}
    further = [finding.term for finding in world.findings(shown[0]) if finding.term not in known]
    said = [world.facts.said(first), _otherwise(world, draw, second), *(world.facts.said(term) for term in draw.some(further, 1))]
    if any(_shared(world, each, [first, second]) for each in shown[1:]):
        return None
    options = [f"{each.name}: {', '.join(map(world.facts.said, terms))}" for each, terms in zip(shown, profiles, strict=True)]
    return PROFILE.put(draw, world.group(shown[0]), options[0], options, findings=listing(draw.shuffled(said)))


def system(world: World, draw: Draw) -> Instruction | None:
    """The organ system of three findings among four or five, ahead of every other; every system is as frequent."""
    known = [system for system in systems(world) if world.by_system.get(system)]
    if len(known) < OPTIONS:
        return None
    answer = draw.one(known)
    disorder = draw.one(world.by_system[answer])
    terms = [finding.term for finding in world.findings(disorder)]
    inside = [term for term in terms if world.facts.system(term) == answer]
    chosen = [*draw.some(inside, 3), *draw.some([term for term in terms if answer not in _systems_of(world, term)], 2)]
    counts = Counter(name for term in chosen for name in _systems_of(world, term))
    if any(count >= counts[answer] for name, count in counts.items() if name != answer):
        return None
    choices = [answer, *draw.some([name for name in known if name != answer], OPTIONS - 1)]
    said = [world.facts.said(term) for term in draw.shuffled(chosen)]
    return SYSTEM.put(draw, world.group(disorder), answer, choices, findings=listing(said))


def patient_of(world: World, draw: Draw) -> Patient | None:
    """A published patient where there are some, else one composed of a disorder's findings, frequent ones rather than rare."""
    if world.patients and draw.chance(0.5):
        return draw.one(world.patients)
    if not world.described:
        return None
    disorder = draw.one(world.described)
    present = [finding.term for finding in world.findings(disorder) if draw.chance(0.5 if finding.frequency is None else finding.frequency)]
    return Patient(disorder, tuple(present), tuple(finding.term for finding in world.facts.sayable(disorder.excluded)))


def _listed(world: World, present: list[str], absent: tuple[str, ...]) -> str:
    """'a, b and c, but no d': one absent finding where there is one."""
    without = next((world.facts.said(term) for term in absent if world.facts.said(term)), "")
    return listing([world.facts.said(term) for term in present]) + (f", but not {without}" if without else "")


def _shared(world: World, disorder: Disorder, terms: list[str]) -> int:
    """How many of the terms are recorded of a disorder, by themselves or by something below or above them."""
    return sum(not world.unrelated(disorder, term) for term in terms)


def _otherwise(world: World, draw: Draw, term: str) -> str:
    above = [world.facts.said(parent) for parent in world.facts.ontology.parents[term]]
    return draw.one([word for word in (*world.facts.synonyms(term), *above) if word] or [world.facts.said(term)])


def _systems_of(world: World, term: str) -> list[str]:
    names = (world.facts.system_name(system) for system in world.facts.ontology.organ_systems(term))
    return [name for name in names if name not in NO_SYSTEM]


MAKERS: tuple[Maker, ...] = (disorder, profile, system)
