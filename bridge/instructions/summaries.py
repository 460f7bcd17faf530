"""Summarisation: the rows of a disorder's annotation as a short text in one fixed grammar."""

from __future__ import annotations

from bridge.instructions.facts import Disorder, Finding
from bridge.instructions.genes import article
from bridge.instructions.item import Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import Maker, World
from bridge.language.grammar import capitalised, listing

FAMILY = "summarisation"
NAMED = 3  # findings a summary names

SUMMARY = Task(
    "disorder-summary",
    FAMILY,
    (
        "{rows}\nSummarise the record in two or three sentences, the three most frequent findings first.",
        "Record:\n{rows}\nWrite a short summary that names the three most frequent findings.",
        "{rows}\nSum up this disorder with its three most frequent findings.",
        "Turn the rows into a short text; name only the three most frequent findings.\n{rows}",
        "{rows}\nWrite this record as a brief paragraph with the three leading findings.",
        "Condense the record below; of the findings keep the three with the highest frequency.\n{rows}",
    ),
    judged="text",
)
SENTENCE = Task(
    "disorder-sentence",
    FAMILY,
    (
        "{rows}\nDescribe the disorder in one sentence with its most frequent finding.",
        "Record:\n{rows}\nWrite one sentence on it that names the most frequent finding.",
        "{rows}\nSum up the record in a single sentence; keep only the commonest finding.",
        "Turn the rows into one sentence; name only the most frequent finding.\n{rows}",
        "{rows}\nPut this record into one sentence with its leading finding.",
        "Condense the record below into one sentence; of the findings keep the one with the highest frequency.\n{rows}",
    ),
    judged="text",
)


def summary(world: World, draw: Draw) -> Instruction | None:
    """Kind of disorder, gene and onset; the three most frequent findings; what was not found."""
    disorder, shown = _rows(world, draw, 5)
    if len(shown) < NAMED + 1:
        return None
    excluded = draw.some(world.facts.sayable(disorder.excluded), 1)
    leading = _leading(shown, NAMED)
    named = listing([f"{word} ({_percent(finding)})" for word, finding in zip(world.said(leading), leading, strict=True)])
    sentences = [f"{_kind(world, disorder)}.", f"The most frequent findings are {named}."]
    sentences += [f"{capitalised(word)} was not found." for word in world.said(excluded)]
    return SUMMARY.put(draw, world.group(disorder), " ".join(sentences), rows=_table(world, disorder, shown, excluded))


def sentence(world: World, draw: Draw) -> Instruction | None:
    """Kind of disorder and its most frequent finding."""
    disorder, shown = _rows(world, draw, 4)
    if len(shown) < 2:
        return None
    word = world.said(_leading(shown, 1))[0]
    return SENTENCE.put(draw, world.group(disorder), f"{_kind(world, disorder)}; its most frequent finding is {word}.", rows=_table(world, disorder, shown, []))


def _rows(world: World, draw: Draw, count: int) -> tuple[Disorder, list[Finding]]:
    """A disorder with a known mode, and findings of different frequencies in random order."""
    disorder = draw.one(world.described)
    recorded = [finding for finding in world.findings(disorder) if finding.frequency] if world.facts.mode(disorder) else []
    different = {_percent(finding): finding for finding in draw.shuffled(recorded)}
    return disorder, draw.some(list(different.values()), count)


def _table(world: World, disorder: Disorder, shown: list[Finding], excluded: list[Finding]) -> str:
    fields = [("Disorder", disorder.name), ("Gene", listing(disorder.genes) if len(disorder.genes) == 1 else ""), ("Inheritance", world.facts.mode(disorder))]
    fields += [("Onset", world.facts.onset(disorder))]
    fields += [("Findings", ", ".join(f"{word} {_percent(finding)}" for word, finding in zip(world.said(shown), shown, strict=True)))]
    fields += [("Not found", ", ".join(world.said(excluded)))]
    return "\n".join(f"{name}: {value}" for name, value in fields if value)


def _kind(world: World, disorder: Disorder) -> str:
    """'X is an autosomal recessive disorder of the gene Y with onset in infancy'."""
    mode, onset = world.facts.mode(disorder), world.facts.onset(disorder)
    gene = f" of the gene {disorder.genes[0]}" if len(disorder.genes) == 1 else ""
    return f"{disorder.name} is {article(mode)} {mode} disorder{gene}{f' with onset {_when(onset)}' if onset else ''}"


def _when(onset: str) -> str:
    """An onset as it ends a sentence: 'at birth', 'in infancy', 'in the neonatal period'."""
    if onset in ("at birth", "before birth"):
        return onset
    return f"in {'the ' if onset == 'neonatal period' else ''}{onset}"


def _leading(findings: list[Finding], count: int) -> list[Finding]:
    return sorted(findings, key=lambda finding: -_share(finding))[:count]


def _share(finding: Finding) -> float:
    """Fraction of patients as it is shown: the plain quotient of a count."""
    return finding.counted[0] / finding.counted[1] if finding.counted else finding.frequency


def _percent(finding: Finding) -> str:
    return f"{_share(finding):.0%}"


MAKERS: tuple[Maker, ...] = (summary, sentence)
