"""Question answering: inheritance, onset and findings of a disorder, read from a record or known."""

from __future__ import annotations

from bridge.instructions.facts import MAIN_MODES, ONSETS, Disorder, Finding
from bridge.instructions.item import Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import FINDINGS, Maker, World

FAMILY = "question answering"
OPTIONS = 4

INHERITANCE_OPEN = Task(
    "inheritance-open",
    FAMILY,
    (
        "{record}\nHow is {disorder} inherited?",
        "Read the records.\n{record}\nWhat is the mode of inheritance of {disorder}?",
        "{record}\nFrom the records, name the inheritance of {disorder}.",
        "These are records of disorders:\n{record}\nWhich mode of inheritance does {disorder} follow?",
        "{record}\nIn which way is {disorder} passed on in families, by its record?",
        "Look up {disorder} below and give its mode of inheritance.\n{record}",
    ),
)
ONSET_OPEN = Task(
    "onset-open",
    FAMILY,
    (
        "{record}\nWhen does {disorder} begin?",
        "Read the records.\n{record}\nWhat is the onset of {disorder}?",
        "{record}\nFrom the records, say when {disorder} starts.",
        "These are records of disorders:\n{record}\nAt what time of life does {disorder} appear?",
        "{record}\nAt which stage of life do the first signs of {disorder} show, by its record?",
        "Look up {disorder} below and give its onset.\n{record}",
    ),
)
FREQUENCY_OPEN = Task(
    "frequency-open",
    FAMILY,
    (
        "Findings in {disorder}: {record}.\nWhich finding is the most frequent?",
        "Patients with {disorder} had: {record}.\nWhich of these was seen most often?",
        "{disorder}: {record}.\nName the commonest finding.",
        "How often findings were recorded in {disorder}: {record}.\nWhich one has the highest frequency?",
        "In {disorder} the following were counted: {record}.\nWhat was found in the largest part of the patients?",
        "Of these findings of {disorder}, which one leads by frequency?\n{record}",
    ),
)
COUNT_OPEN = Task(
    "count-open",
    FAMILY,
    (
        "Findings in {disorder}: {record}.\nHow many patients had {finding}? Answer in the form 'n of m'.",
        "Patients with {disorder} had: {record}.\nIn how many of how many was {finding} seen? Answer in the form 'n of m'.",
        "{disorder}: {record}.\nGive the count for {finding} in the form 'n of m'.",
        "Counts of patients with {disorder}: {record}.\nWhat was the count for {finding}? Answer in the form 'n of m'.",
        "In {disorder} the following were counted: {record}.\nState the number of patients with {finding}, as 'n of m'.",
        "Look up {finding} and copy its count, as 'n of m'.\n{disorder}: {record}.",
    ),
    judged="text",
)
INHERITANCE_CLOSED = Task(
    "closed-book-inheritance",
    FAMILY,
    (
        "How is {disorder} inherited?",
        "What is the mode of inheritance of {disorder}?",
        "Which mode of inheritance does {disorder} follow?",
        "Choose the inheritance of {disorder}.",
        "In which way is {disorder} passed on in families?",
        "Select the pattern by which {disorder} is inherited.",
    ),
    letters=True,
)
ONSET_CLOSED = Task(
    "closed-book-onset",
    FAMILY,
    (
        "When does {disorder} typically begin?",
        "What is the usual onset of {disorder}?",
        "At what time of life does {disorder} usually appear?",
        "Choose the usual onset of {disorder}.",
        "At which stage of life do the first signs of {disorder} usually show?",
        "Select the time at which {disorder} tends to start.",
    ),
    letters=True,
)
FINDING_CLOSED = Task(
    "closed-book-finding",
    FAMILY,
    (
        "Which of these is a finding in {disorder}?",
        "Which finding belongs to {disorder}?",
        "What can be found in patients with {disorder}?",
        "Choose the finding that is recorded in {disorder}.",
        "Which one of the following is a known feature of {disorder}?",
        "Select the sign or symptom that patients with {disorder} may have.",
    ),
    letters=True,
)
DEFINITION = Task(
    "definition-term",
    FAMILY,
    (
        "Which term is defined so: {definition}",
        "{definition}\nWhich finding is described?",
        "Name the phenotype that this definition describes: {definition}",
        "Choose the term for this definition: {definition}",
        "{definition}\nWhat is this called?",
        "To which of the terms does this description belong? {definition}",
    ),
    letters=True,
)


def record(world: World, disorder: Disorder) -> str:
    """One line of a record: name, inheritance and onset where they are known."""
    parts = (("inheritance", world.facts.mode(disorder)), ("onset", world.facts.onset(disorder)))
    return f"{disorder.name}: " + ", ".join(f"{field} {value}" for field, value in parts if value) + "."


def inheritance_open(world: World, draw: Draw) -> Instruction | None:
    """The mode of one of two disorders that are inherited in different ways."""
    return _from_two(world, draw, INHERITANCE_OPEN, world.by_mode, tuple(MAIN_MODES.values()))


def onset_open(world: World, draw: Draw) -> Instruction | None:
    """The onset of one of two disorders that begin at different ages."""
    return _from_two(world, draw, ONSET_OPEN, world.by_onset, tuple(ONSETS.values()))


def inheritance_closed(world: World, draw: Draw) -> Instruction | None:
    """The mode of a disorder whose name does not tell it."""
    return _known(world, draw, INHERITANCE_CLOSED, world.by_mode, tuple(MAIN_MODES.values()))


def onset_closed(world: World, draw: Draw) -> Instruction | None:
    """The onset of a disorder whose name does not tell it."""
    return _known(world, draw, ONSET_CLOSED, world.by_onset, tuple(ONSETS.values()))


def frequency_open(world: World, draw: Draw) -> Instruction | None:
    """The most frequent of the findings listed, ahead of the next by a tenth of the patients."""
    disorder, shown = _counted(world, draw)
    parts = sorted((finding.counted[0] / finding.counted[1] for finding in shown), reverse=True)
    if len(shown) < 3 or parts[0] - parts[1] < 0.1:
        return None
    top = max(shown, key=lambda finding: finding.counted[0] / finding.counted[1])
    words = world.said(shown)
    answer = words[shown.index(top)]
    listed = ", ".join(f"{word} {finding.counted[0] / finding.counted[1]:.0%}" for word, finding in zip(words, shown, strict=True))
    return FREQUENCY_OPEN.put(draw, world.group(disorder), answer, words, disorder=disorder.name, record=listed)


def count_open(world: World, draw: Draw) -> Instruction | None:
    """How many patients had a finding, copied from a list of counts."""
    disorder, shown = _counted(world, draw)
    if len({finding.counted for finding in shown}) < 2:
        return None
    words, place = world.said(shown), int(draw.random.integers(len(shown)))
    counts = [f"{finding.counted[0]} of {finding.counted[1]}" for finding in shown]
    listed = ", ".join(f"{word} {count}" for word, count in zip(words, counts, strict=True))
    return COUNT_OPEN.put(draw, world.group(disorder), counts[place], disorder=disorder.name, record=listed, finding=words[place])


def finding_closed(world: World, draw: Draw) -> Instruction | None:
    """Which of four phenotypes a disorder has; the others are recorded of other disorders."""
    if not world.described:
        return None
    disorder = draw.one(world.described)
    true = draw.one(world.findings(disorder)).term
    others = [draw.one(world.findings(other)).term for other in draw.some(world.described, 3 * OPTIONS)]
    wrong = [term for term in dict.fromkeys(others) if world.unrelated(disorder, term)][: OPTIONS - 1]
    if len(wrong) < OPTIONS - 1:
        return None
    said = [world.facts.said(term) for term in (true, *wrong)]
    return FINDING_CLOSED.put(draw, world.group(disorder), said[0], said, disorder=disorder.name)


def definition_term(world: World, draw: Draw) -> Instruction | None:
    """The term a definition belongs to, among terms of the same organ system; the definition does not hold its name."""
    system = draw.one(list(world.terms_by_system)) if world.terms_by_system else None
    terms = draw.some(world.terms_by_system[system], 3 * OPTIONS) if system else []
    definition = first_sentence(world.facts.ontology.definitions.get(terms[0], "")) if terms else ""
    said = [world.facts.said(term) for term in terms]
    apart = [said[place] for place in range(1, len(terms)) if not _akin(world, terms[0], terms[place])][: OPTIONS - 1]
    if not 30 <= len(definition) <= 200 or len(apart) < OPTIONS - 1 or said[0].lower() in definition.lower():
        return None
    return DEFINITION.put(draw, f"term {terms[0]}", said[0], [said[0], *apart], definition=definition)


def first_sentence(text: str) -> str:
    """The first sentence of a definition."""
    first = text.partition(". ")[0].strip()
    return first if first.endswith(".") or not first else f"{first}."


def _akin(world: World, term: str, other: str) -> bool:
    ancestors = world.facts.ontology.ancestors
    return term in ancestors(other) or other in ancestors(term)


def _from_two(world: World, draw: Draw, task: Task, by: dict[str, list[Disorder]], words: tuple[str, ...]) -> Instruction | None:
    present = [word for word in words if word in by]
    if len(present) < 2:
        return None
    answer, other = draw.some(present, 2)
    asked, beside = draw.one(by[answer]), draw.one(by[other])
    listed = "\n".join(record(world, each) for each in draw.shuffled([asked, beside]))
    # A name that tells the answer would make the record superfluous.
    if asked.tells_mode if task is INHERITANCE_OPEN else asked.tells_onset:
        return None
    choices = words if len(words) <= OPTIONS else _options(draw, words, answer, keep=other)
    return task.put(draw, world.group(asked), answer, choices, record=listed, disorder=asked.name)


def _known(world: World, draw: Draw, task: Task, by: dict[str, list[Disorder]], words: tuple[str, ...]) -> Instruction | None:
    answer = draw.one(words)
    candidates = [each for each in by.get(answer, ()) if not (each.tells_mode if task is INHERITANCE_CLOSED else each.tells_onset)]
    if not candidates:
        return None
    disorder = draw.one(candidates)
    return task.put(draw, world.group(disorder), answer, _options(draw, words, answer), disorder=disorder.name)


def _options(draw: Draw, words: tuple[str, ...], answer: str, keep: str = "") -> list[str]:
    """The answer and others; ``keep`` is one of the others."""
    first = [answer, keep] if keep else [answer]
    return [*first, *draw.some([word for word in words if word not in first], OPTIONS - len(first))]


def _counted(world: World, draw: Draw) -> tuple[Disorder, list[Finding]]:
    """A disorder and up to four of its findings with counts of at least five patients."""
    disorder = draw.one(world.described)
    counted = [finding for finding in world.findings(disorder) if finding.counted and finding.counted[1] >= 5 and finding.counted[0]]
    return disorder, draw.some(counted, FINDINGS)


MAKERS: tuple[Maker, ...] = (
    inheritance_open,
    onset_open,
    frequency_open,
    count_open,
    inheritance_closed,
    onset_closed,
    finding_closed,
    definition_term,
)
