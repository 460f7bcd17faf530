"""Genetic counselling: risks that follow from the mode of inheritance, and replies that leave the decision to the family.

Risks are Mendel's for one gene with full penetrance, as textbooks of genetic counselling have them (Harper, Practical Genetic Counselling).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bridge.instructions.item import Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import Maker, World

FAMILY = "counselling"
NONE, QUARTER, HALF, TWO_THIRDS, THREE_QUARTERS, ALL = RISKS = ("none", "1 in 4", "1 in 2", "2 in 3", "3 in 4", "all")

RECESSIVE, DOMINANT, MITOCHONDRIAL = "autosomal recessive", "autosomal dominant", "mitochondrial"
X_RECESSIVE, X_DOMINANT = "X-linked recessive", "X-linked dominant"


#: Disorders of which nobody asks about children of the affected.
_UNSUITED = re.compile(r"spermat|infertil|ovarian|ovary|azoosperm|oocyte|gonad|sex reversal|lethal|fetal|miscarriage|susceptib", re.IGNORECASE)


class Situation(NamedTuple):
    """A family, the person asked about, and that person's risk."""

    family: str
    person: str
    risk: str
    reason: str


#: The persons asked about are children unless something else is said; a share of children is the chance of each.
SITUATIONS: dict[str, tuple[Situation, ...]] = {
    RECESSIVE: (
        Situation("Both parents are healthy carriers", "of their children will be affected", QUARTER, "both copies of the gene must be changed"),
        Situation("Both parents are healthy carriers", "of their children will be healthy carriers", HALF, "one changed copy makes a carrier"),
        Situation("Both parents are healthy carriers", "of their healthy children are carriers", TWO_THIRDS, "the affected child no longer counts"),
        Situation("Both parents are healthy carriers", "of their children will not be affected", THREE_QUARTERS, "one working copy is enough"),
        Situation("One parent is affected, the other is a carrier", "of their children will be affected", HALF, "the carrier passes on either copy"),
        Situation("One parent is affected, the other is not a carrier", "of their children will be affected", NONE, "each child has one working copy"),
        Situation(
            "One parent is affected, the other is not a carrier", "of their children will be carriers", ALL, "the affected parent has only changed copies"
        ),
        Situation("Both parents are affected", "of their children will be affected", ALL, "neither parent has a working copy"),
    ),
    DOMINANT: (
        Situation("One parent has the variant, the other does not", "of their children will inherit it", HALF, "the parent passes on either copy"),
        Situation(
            "Both parents have one copy of the variant", "of their children will inherit at least one copy", THREE_QUARTERS, "either parent can pass it on"
        ),
        Situation(
            "Both parents have one copy of the variant", "of their children will inherit no copy", QUARTER, "both parents must pass on the unchanged copy"
        ),
        Situation(
            "The grandmother is affected, but neither parent has the variant", "of their children will inherit it", NONE, "who has no variant cannot pass it on"
        ),
    ),
    X_RECESSIVE: (
        Situation("The mother is a carrier, the father is healthy", "of their sons will be affected", HALF, "a son has his only X from the mother"),
        Situation("The mother is a carrier, the father is healthy", "of their daughters will be carriers", HALF, "the mother passes on either X"),
        Situation("The mother is a carrier, the father is healthy", "of all their children will be affected", QUARTER, "only half of the sons are affected"),
        Situation("The father is affected, the mother is not a carrier", "of their sons will be affected", NONE, "a son has his X from the mother"),
        Situation("The father is affected, the mother is not a carrier", "of their daughters will be carriers", ALL, "a daughter has the father's only X"),
    ),
    X_DOMINANT: (
        Situation("The father is affected, the mother is not", "of their daughters will be affected", ALL, "a daughter has the father's only X"),
        Situation("The father is affected, the mother is not", "of their sons will be affected", NONE, "a son has his X from the mother"),
        Situation("The mother has one changed copy, the father is healthy", "of their daughters will inherit it", HALF, "the mother passes on either X"),
    ),
    MITOCHONDRIAL: (
        Situation("The father is affected, the mother is not", "of their children will inherit the variant", NONE, "mitochondria come from the mother"),
        Situation("All mitochondria of the mother carry the variant", "of their children will inherit it", ALL, "mitochondria come from the mother"),
    ),
}

RISK_OPEN = Task(
    "recurrence-risk",
    FAMILY,
    (
        "{disorder} is {mode}. {family}. How many {person}, on average?",
        "A family asks about {disorder}, which is {mode}. {family}. What share {person}?",
        "Inheritance of {disorder}: {mode}. {family}. Which part {person}?",
        "{family}. The disorder is {disorder}, {mode}. How many {person}, on average?",
        "In counselling for {disorder} ({mode}): {family}. What proportion {person}?",
        "Work out the share. {disorder}, {mode}. {family}. How many {person}?",
    ),
)
RISK_CLOSED = Task(
    "closed-book-recurrence-risk",
    FAMILY,
    (
        "The question is about {disorder}. {family}. How many {person}, on average?",
        "A family asks about {disorder}. {family}. What share {person}?",
        "Disorder: {disorder}. {family}. Which part {person}?",
        "{family}. The disorder is {disorder}. How many {person}, on average?",
        "In counselling for {disorder}: {family}. What proportion {person}?",
        "Work out the share from how {disorder} is inherited. {family}. How many {person}?",
    ),
)
REPLY = Task(
    "counselling-reply",
    FAMILY,
    (
        "A couple has been told of {disorder}, which is {mode}. {family}. They ask how many {person}. Write the counsellor's reply.",
        "Reply as a genetic counsellor. {disorder} is {mode}. {family}. The question: how many {person}?",
        "Reply to this family without telling them what to do. {disorder} ({mode}). {family}. They ask which part {person}.",
        "Counselling session on {disorder}, {mode}. {family}. Question: what share {person}?\nCounsellor:",
        "{family}. Their doctor says that {disorder} is {mode}. They wonder how many {person}. Give the counsellor's answer.",
        "Answer as a counsellor who does not direct. The family asks about {disorder} ({mode}): {family}. What proportion {person}?",
    ),
    judged="text",
)
NON_DIRECTIVE = Task(
    "non-directive-reply",
    FAMILY,
    (
        "A couple with a risk of {disorder} asks about having children. Which reply is non-directive?",
        "{disorder} runs in the family of a couple. Which reply of the counsellor leaves the decision to them?",
        "Choose the reply that does not tell a family with {disorder} what to do.",
        "Parents ask about a test for {disorder}. Which reply respects their own choice?",
        "Which answer to a family with {disorder} is good practice in non-directive counselling?",
        "Select the counsellor's sentence that lets a family with {disorder} decide for themselves.",
    ),
    letters=True,
)

#: Replies heard in training; those of the test differ, so that the attitude and not the sentence is learned.
DIRECTIVE = {
    False: (
        "You should not have children.",
        "You must have the test.",
        "I would end the pregnancy.",
        "The right thing is to tell your sister today.",
        "You have to be tested first.",
    ),
    True: ("My advice is to adopt.", "You ought to take the test now.", "It would be wrong not to test your son."),
}
OPEN = {
    False: (
        "What matters most to you in this decision?",
        "I can explain each option, and you choose.",
        "Some families test and others do not; both are possible.",
        "Would you like to talk about what each choice means for you?",
        "You may take your time; no decision is needed today.",
    ),
    True: (
        "How do you both feel about the options?",
        "Whatever you decide, we will support you.",
        "There are several ways to go on; which questions do you have?",
    ),
}


def risk_open(world: World, draw: Draw) -> Instruction | None:
    """A risk where the mode of inheritance is told."""
    found = _situation(world, draw)
    return _asked(world, draw, RISK_OPEN, *found) if found else None


def risk_closed(world: World, draw: Draw) -> Instruction | None:
    """A risk where the mode of inheritance has to be known."""
    found = _situation(world, draw)
    return _asked(world, draw, RISK_CLOSED, *found) if found else None


def reply(world: World, draw: Draw) -> Instruction | None:
    """The counsellor's words: the risk, the reason, and that the decision is the family's."""
    found = _situation(world, draw)
    if found is None:
        return None
    disorder, mode, situation = found
    share = {NONE: "None", ALL: "All"}.get(situation.risk, f"On average {situation.risk}")
    person = situation.person.replace("their ", "your ")
    answer = f"{share} {person}, because {situation.reason}. I can explain the options; the decision is yours."
    slots = {"disorder": disorder.name, "mode": mode, "family": situation.family, "person": situation.person}
    return REPLY.put(draw, world.group(disorder), answer, **slots)


def non_directive(world: World, draw: Draw) -> Instruction | None:
    """Which of two replies leaves the decision to the family."""
    known = [disorder for mode in SITUATIONS for disorder in world.by_fine_mode.get(mode, ())]
    if not known:
        return None
    disorder, held_out = draw.one(known), draw.split == "test"
    answer = draw.one(OPEN[held_out])
    return NON_DIRECTIVE.put(draw, world.group(disorder), answer, (answer, draw.one(DIRECTIVE[held_out])), disorder=disorder.name)


def _situation(world: World, draw: Draw):
    """A disorder, its mode and a situation; every risk is as frequent, whichever modes lead to it."""
    risk = draw.one(RISKS)
    fitting = [(mode, each) for mode, situations in SITUATIONS.items() for each in situations if each.risk == risk and world.by_fine_mode.get(mode)]
    mode, situation = draw.one(fitting) if fitting else ("", None)
    disorder = draw.one(world.by_fine_mode[mode]) if fitting else None
    return (disorder, mode, situation) if disorder and not _UNSUITED.search(disorder.name) else None


def _asked(world: World, draw: Draw, task: Task, disorder, mode: str, situation: Situation) -> Instruction:
    slots = {"disorder": disorder.name, "family": situation.family, "person": situation.person}
    return task.put(draw, world.group(disorder), situation.risk, RISKS, **slots | ({"mode": mode} if task is RISK_OPEN else {}))


MAKERS: tuple[Maker, ...] = (risk_open, risk_closed, reply, non_directive)
