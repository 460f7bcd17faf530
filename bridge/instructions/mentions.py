"""Entity recognition: mentions of phenotypes in clinical sentences composed from a disorder's annotations."""

from __future__ import annotations

from typing import NamedTuple

from bridge.instructions.item import NOTHING, SEPARATOR, Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import Maker, World
from bridge.language.grammar import listing

FAMILY = "entity recognition"

PRESENT = Task(
    "mentions-present",
    FAMILY,
    (
        "{note}\nList the findings that the patient has, as written.",
        "Read the note.\n{note}\nWhich abnormal findings are present? Copy them.",
        "{note}\nCopy every phenotype that is present.",
        "Clinical note: {note}\nExtract the findings that were observed, as written.",
        "{note}\nPick out what was found in this patient, in the words of the note.",
        "Mark all observed signs and symptoms of the note by copying them.\n{note}",
    ),
    judged="items",
)
ABSENT = Task(
    "mentions-absent",
    FAMILY,
    (
        "{note}\nList the findings that the patient does not have, as written.",
        "Read the note.\n{note}\nWhich findings were ruled out? Copy them.",
        "{note}\nCopy every phenotype that is absent.",
        "Clinical note: {note}\nExtract the findings that were not observed, as written.",
        "{note}\nPick out what was looked for in vain, in the words of the note.",
        "Mark all denied signs and symptoms of the note by copying them.\n{note}",
    ),
    judged="items",
)
ALL = Task(
    "mentions-all",
    FAMILY,
    (
        "{note}\nList all findings that are mentioned, present or absent, as written.",
        "Read the note.\n{note}\nWhich findings does it mention, whether found or not? Copy them.",
        "{note}\nCopy every phenotype that is mentioned, denied ones too.",
        "Clinical note: {note}\nExtract all phenotypes, observed or excluded, as written.",
        "{note}\nPick out each finding the note speaks of, found or not, in its words.",
        "Mark all signs and symptoms of the note, denied ones included, by copying them.\n{note}",
    ),
    judged="items",
)

FOUND = (
    "Examination showed {found}.",
    "Findings included {found}.",
    "There was evidence of {found}.",
    "The history was notable for {found}.",
    "The referral letter mentions {found}.",
    "On review, {found} could be confirmed.",
)
DENIED = (
    "There was no evidence of {denied}.",
    "There was no history of {denied}.",
    "Examination was negative for {denied}.",
    "The parents had not noticed {denied}.",
    "No sign of {denied} was seen.",
)
#: Sentences without a finding.
BESIDE = (
    "The patient was seen with both parents.",
    "Blood was taken for sequencing.",
    "Earlier letters were reviewed.",
    "A follow-up visit is planned in six months.",
    "The family moved here two years ago.",
    "A cousin is seen in another clinic.",
    "The consultation took an hour.",
    "Consent for storage of samples was given.",
)


class Note(NamedTuple):
    """A composed note, and the mentions in it in order, each with whether it is present."""

    text: str
    mentions: tuple[tuple[str, bool], ...]

    def listed(self, *kinds: bool) -> str:
        """The mentions of these kinds as an answer."""
        return SEPARATOR.join(words for words, present in self.mentions if present in kinds) or NOTHING


def compose(world: World, draw: Draw) -> tuple[str, Note] | None:
    """A note on a patient with some disorder: the group it belongs to, and the note; None where its words overlap."""
    disorder = draw.one(world.described)
    present = [finding.term for finding in draw.some(world.findings(disorder), int(draw.random.integers(1, 5)))]
    ruled_out = [finding.term for finding in world.facts.sayable(disorder.excluded)]
    apart = [term for term in draw.some(world.all_sayable, 6) if world.unrelated(disorder, term)]
    absent = draw.some([*ruled_out, *apart][:3], int(draw.random.integers(0, 4 - len(present) // 2)))
    statements = [(part, True) for part in _cut(draw, _worded(world, draw, present))] + [(part, False) for part in _cut(draw, _worded(world, draw, absent))]
    words = [word for part, _ in statements for word in part]
    if any(word.lower() in other.lower() for place, word in enumerate(words) for other in words[:place] + words[place + 1 :]):
        return None
    return world.group(disorder), _written(draw, draw.shuffled(statements))


def present(world: World, draw: Draw) -> Instruction | None:
    """What the patient has; a note in which nothing was found is asked about one time in ten."""
    composed = compose(world, draw)
    if composed is None:
        return None
    group, note = composed
    if draw.chance(0.1):
        kept = [part for part, found in note.mentions if not found]
        note = _written(draw, [([word], False) for word in kept]) if kept else note
    return PRESENT.put(draw, group, note.listed(True), note=note.text)


def absent(world: World, draw: Draw) -> Instruction | None:
    """What was looked for and not found; 'none' in about one of eight."""
    composed = compose(world, draw)
    if composed is None or (composed[1].listed(False) == NOTHING and draw.chance(0.75)):
        return None
    return ABSENT.put(draw, composed[0], composed[1].listed(False), note=composed[1].text)


def everything(world: World, draw: Draw) -> Instruction | None:
    """Every mention."""
    composed = compose(world, draw)
    return ALL.put(draw, composed[0], composed[1].listed(True, False), note=composed[1].text) if composed else None


def _worded(world: World, draw: Draw, terms: list[str]) -> list[str]:
    """Each term by its name or, in two of five cases, by a synonym."""
    return [draw.one(world.facts.synonyms(term)) if world.facts.synonyms(term) and draw.chance(0.4) else world.facts.said(term) for term in terms]


def _cut(draw: Draw, words: list[str]) -> list[list[str]]:
    """Words in one or two statements."""
    if len(words) < 2 or draw.chance(0.5):
        return [words] if words else []
    place = int(draw.random.integers(1, len(words)))
    return [words[:place], words[place:]]


def _written(draw: Draw, statements: list[tuple[list[str], bool]]) -> Note:
    """Statements as sentences, each in another form, with one or two sentences beside them."""
    found, denied = draw.shuffled(FOUND), draw.shuffled(DENIED)
    sentences = [found.pop().format(found=listing(words)) if kind else denied.pop().format(denied=_either(words)) for words, kind in statements]
    for beside in draw.some(BESIDE, int(draw.random.integers(0, 3))):
        sentences.insert(int(draw.random.integers(len(sentences) + 1)), beside)
    return Note(" ".join(sentences), tuple((word, kind) for words, kind in statements for word in words))


def _either(words: list[str]) -> str:
    """'a, b or c'."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


MAKERS: tuple[Maker, ...] = (present, absent, everything)
