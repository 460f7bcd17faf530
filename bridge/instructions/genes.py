"""Gene disease: which gene is linked to which disorder, read from a passage or known."""

from __future__ import annotations

from bridge.instructions.facts import Disorder
from bridge.instructions.item import NOTHING, SEPARATOR, Instruction
from bridge.instructions.task import Draw, Task
from bridge.instructions.world import Maker, World

FAMILY = "gene disease"
OPTIONS = 4

GENE_OPEN = Task(
    "gene-open",
    FAMILY,
    (
        "{passage}\nWhich disorder are variants in {gene} linked to?",
        "Read the passage.\n{passage}\nName the disorder of {gene}.",
        "{passage}\nWhat disorder does {gene} belong to?",
        "Gene and disorder records: {passage}\nWhich disorder is recorded for {gene}?",
        "{passage}\nA variant in {gene} would point to which disorder?",
        "Find {gene} in the passage and give its disorder.\n{passage}",
    ),
)
DISORDER_OPEN = Task(
    "disorder-open",
    FAMILY,
    (
        "{passage}\nWhich gene is linked to {disorder}?",
        "Read the passage.\n{passage}\nName the gene of {disorder}.",
        "{passage}\nVariants in which gene are found in {disorder}?",
        "Gene and disorder records: {passage}\nWhich gene is recorded for {disorder}?",
        "{passage}\nWhich gene would be tested first in {disorder}, by the passage?",
        "Find {disorder} in the passage and give its gene.\n{passage}",
    ),
)
GENES_BY_MODE = Task(
    "genes-by-inheritance",
    FAMILY,
    (
        "{passage}\nList the genes whose disorder is {mode}.",
        "Read the passage.\n{passage}\nWhich genes have a disorder with {mode} inheritance?",
        "{passage}\nName every gene that is linked to {article} {mode} disorder.",
        "Gene and disorder records: {passage}\nGive the genes with {mode} disorders.",
        "{passage}\nWhich of the genes stand for {article} {mode} disorder?",
        "Pick out the genes of all {mode} disorders.\n{passage}",
    ),
    judged="items",
)
GENE_CLOSED = Task(
    "closed-book-gene",
    FAMILY,
    (
        "Variants in which gene are linked to {disorder}?",
        "Which gene is linked to {disorder}?",
        "Name the gene behind {disorder}.",
        "Choose the gene of {disorder}.",
        "Which gene would be tested first in {disorder}?",
        "Select the gene in which variants are found in patients with {disorder}.",
    ),
    letters=True,
)
DISORDER_CLOSED = Task(
    "closed-book-disorder",
    FAMILY,
    (
        "Which disorder are variants in {gene} linked to?",
        "Which disorder is linked to {gene}?",
        "What disorder does the gene {gene} belong to?",
        "Choose the disorder of {gene}.",
        "A variant in {gene} would point to which disorder?",
        "Select the disorder that is recorded for {gene}.",
    ),
    letters=True,
)


def article(words: str) -> str:
    """The indefinite article: 'an autosomal', 'an X-linked', 'a mitochondrial'."""
    return "an" if words[0].lower() in "aeiou" or words.startswith("X-") else "a"


def gene_open(world: World, draw: Draw) -> Instruction | None:
    """The disorder of one of three genes."""
    shown = _different(world, draw, 3)
    if len(shown) < 3:
        return None
    names, asked = [each.name for each in shown], shown[0]
    return GENE_OPEN.put(draw, world.group(asked), asked.name, names, passage=_passage(world, draw, shown), gene=asked.genes[0])


def disorder_open(world: World, draw: Draw) -> Instruction | None:
    """The gene of one of three disorders."""
    shown = _different(world, draw, 3)
    if len(shown) < 3:
        return None
    genes, asked = [each.genes[0] for each in shown], shown[0]
    return DISORDER_OPEN.put(draw, world.group(asked), asked.genes[0], genes, passage=_passage(world, draw, shown), disorder=asked.name)


def genes_by_mode(world: World, draw: Draw) -> Instruction | None:
    """All genes of a passage whose disorder is inherited in one way, one in eight times none."""
    shown = [each for each in _different(world, draw, 8) if world.facts.mode(each) and not each.tells_mode][:4]
    if len(shown) < 3:
        return None
    modes = [world.facts.mode(each) for each in shown]
    absent = [mode for mode in ("autosomal dominant", "autosomal recessive", "X-linked") if mode not in modes]
    mode = draw.one(absent) if absent and draw.chance(1 / 8) else draw.one(modes)
    answer = SEPARATOR.join(each.genes[0] for each in shown if world.facts.mode(each) == mode) or NOTHING
    passage = " ".join(f"{each.genes[0]}: {each.name}, {world.facts.mode(each)}." for each in shown)
    return GENES_BY_MODE.put(draw, world.group(shown[0]), answer, passage=passage, mode=mode, article=article(mode))


def gene_closed(world: World, draw: Draw) -> Instruction | None:
    """The gene of a disorder among four genes."""
    shown = _different(world, draw, OPTIONS)
    if len(shown) < OPTIONS:
        return None
    return GENE_CLOSED.put(draw, world.group(shown[0]), shown[0].genes[0], [each.genes[0] for each in shown], disorder=shown[0].name)


def disorder_closed(world: World, draw: Draw) -> Instruction | None:
    """The disorder of a gene among four disorders."""
    shown = _different(world, draw, OPTIONS)
    if len(shown) < OPTIONS:
        return None
    return DISORDER_CLOSED.put(draw, world.group(shown[0]), shown[0].name, [each.name for each in shown], gene=shown[0].genes[0])


def _different(world: World, draw: Draw, count: int) -> list[Disorder]:
    """Disorders of different genes, none of which is linked to another one's disorder."""
    shown: list[Disorder] = []
    for each in draw.some(world.linked, 2 * count):
        others = {disorder for other in shown for disorder in world.facts.of_gene[other.genes[0]]}
        if each.id not in others and not any(each.tells_gene(other.genes[0]) or other.tells_gene(each.genes[0]) for other in shown):
            shown.append(each)
    return shown[:count]


def _passage(world: World, draw: Draw, shown: list[Disorder]) -> str:
    """A sentence on each, in random order."""
    return " ".join(_sentence(draw, each) for each in draw.shuffled(shown))


def _sentence(draw: Draw, disorder: Disorder) -> str:
    forms = ("Variants in {gene} are linked to {name}.", "The gene of {name} is {gene}.", "{name} is linked to {gene}.")
    return draw.one(forms).format(gene=disorder.genes[0], name=disorder.name)


MAKERS: tuple[Maker, ...] = (gene_open, disorder_open, genes_by_mode, gene_closed, disorder_closed)
