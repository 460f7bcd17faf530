"""The instruction set as a folder: makers of every family, one split for all of them, and a card that counts."""

from __future__ import annotations

import itertools
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bridge.cases.case import Case
from bridge.cases.read import read_cases
from bridge.cases.split import split_cases
from bridge.data.cohort import SPLITS, Cohort
from bridge.data.releases import source_files
from bridge.data.whole import whole_folder
from bridge.instructions import answering, clinvar, counselling, entailment, genes, mentions, reasoning, relations, summaries, systems
from bridge.instructions.dialogues import read_mts_dialog, read_question_entailment
from bridge.instructions.facts import Facts, read_facts
from bridge.instructions.item import FAMILIES, Instruction, write_instructions
from bridge.instructions.measurements import measured
from bridge.instructions.sides import Crossing, Sides, assert_split, draw_sides, names_by_split
from bridge.instructions.task import Draw
from bridge.instructions.world import Maker, Patient, World, worlds

CARD = "card.json"
SPLIT_PARTS = {"train": 1.0, "validation": 0.125, "test": 0.25}  # of the limit of a family
ATTEMPTS = 30  # draws per wanted item; many lead to none, by design

#: Family to what makes its items out of HPO.
MAKERS: dict[str, tuple[Maker, ...]] = {
    module.FAMILY: module.MAKERS for module in (answering, mentions, relations, systems, summaries, entailment, genes, counselling, reasoning)
}

#: Files of the public sets in their folders, and the split each is for.
MTS_FILES = {"TrainingSet.csv": "train", "ValidationSet.csv": "validation", "TestSet-1-MEDIQA-Chat-2023.csv": "test"}
RQE_FILES = {"TrainingSet.xml": "train", "ValidationSet.xml": "validation", "TestSet-wLabels.xml": "test"}


def build_instructions(
    out: str | Path,
    *,
    families: Sequence[str] = FAMILIES,
    shares: Mapping[str, float] | None = None,
    limit_per_family: int = 2000,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    cohort: str | Path | Cohort | None = None,
    cases: str | Path | None = None,
    clinvar_file: str | Path | None = None,
    mts_dialog: str | Path | None = None,
    question_entailment: str | Path | None = None,
    longest: int | None = None,
    sources: tuple[Path, Path, Path] | None = None,
) -> dict:
    """Write train.jsonl, validation.jsonl, test.jsonl and card.json into a folder, whole or not at all.

    Args:
        out: Folder to write; it must not hold anything else.
        families: Families wanted; those of a cohort are left out without one.
        shares: Family to its part of ``limit_per_family``; 1 where nothing is said.
        limit_per_family: Most items of a family in train; validation has at most an eighth of it, test a quarter.
        validation: Part of the disorders held out for validation.
        test: Part of the disorders held out for test.
        seed: Of the split and of every draw.
        cohort: Cohort whose measurements are asked about; its split of genes is kept.
        cases: Published patients (see ``bridge.cases``); the test cases of their own split are never in train.
        clinvar_file: ``variant_summary.txt`` of ClinVar.
        mts_dialog: Folder of MTS-Dialog.
        question_entailment: Folder of MEDIQA-RQE.
        longest: Most words of question and answer together; longer items are left out and counted.
        sources: hp.obo, genes_to_phenotype.txt and phenotype.hpoa; those of the default data when not given.

    Returns:
        The card.

    Raises:
        ValueError: a family is unknown, the folder is not empty, a source is damaged, or a name stands on two sides of the split.
    """
    out = Path(out)
    _require(out, families, shares or {})
    facts = read_facts(*(sources or _default_sources()))
    cohort = Cohort.read(cohort, stream=True) if isinstance(cohort, str | Path) else cohort
    read = split_cases(read_cases(cases, facts.ontology)) if cases else {}
    sides = draw_sides(facts, validation=validation, test=test, seed=seed, pinned=_pinned(facts, cohort, read))
    names = names_by_split(facts, sides)
    crossing = Crossing(names)
    limits = {family: limit_per_family * (shares or {}).get(family, 1.0) for family in FAMILIES if family in families}
    variants = list(clinvar.read_variants(clinvar_file)) if clinvar_file else []
    items = _drawn(facts, sides, crossing, limits, seed, read, variants)
    published = [*_measured(cohort, seed), *_public(mts_dialog, question_entailment, seed)]
    kept = _limited(_apart([*items, *(item for item in published if not crossing.find(item))]), limits, longest, seed)
    assert_split(kept, names)
    card = _card(kept, facts, sides, limits, seed) | {"left_out": _left_out([*items, *published], kept)}
    _write(out, kept, card)
    return card


def _require(out: Path, families: Sequence[str], shares: Mapping[str, float]) -> None:
    unknown = [family for family in (*families, *shares) if family not in FAMILIES]
    if unknown:
        raise ValueError(f"instructions, families: found {unknown[0]!r}, expected some of {', '.join(FAMILIES)}")
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out}: the folder is not empty; choose another one or delete it, so that no file of an older set stays in it")


def _default_sources() -> tuple[Path, Path, Path]:
    files = source_files()
    return files.ontology, files.genes, files.disorders


def _pinned(facts: Facts, cohort: Cohort | None, cases: Mapping[str, Sequence[Case]]) -> dict[str, str]:
    """Splits that genes already have: in the cohort, where samples are called by genes, and in the split of the cases; held out wins."""
    found: dict[str, set[str]] = defaultdict(set)
    if cohort is not None:
        for sample, split in zip(cohort.ids, cohort.table.obs["split"].astype(str), strict=True):
            found[sample].add(split)
    for split, members in cases.items():
        for case in members:
            found[case.gene].add(split)
    return {gene: max(splits, key=SPLITS.index) for gene, splits in found.items() if gene in facts.of_gene}


def _drawn(facts: Facts, sides: Sides, crossing: Crossing, limits: Mapping[str, float], seed: int, cases, variants) -> list[Instruction]:
    """Items of all makers, family by family; what names a gene or disorder of another split is left out."""
    patients = {split: _patients(facts, cases.get(split, ())) for split in SPLITS}
    items: list[Instruction] = []
    for split, world in worlds(facts, sides, seed, patients).items():
        beside = _of_clinvar(world, variants)
        for family, makers in MAKERS.items():
            if wanted := round(limits.get(family, 0) * SPLIT_PARTS[split]):
                draw = Draw(split, (seed, zlib.crc32(f"{family}:{split}".encode())))
                items += _collect(world, draw, (*makers, *beside.get(family, ())), wanted, crossing)
    return items


def _collect(world: World, draw: Draw, makers: Sequence[Maker], wanted: int, crossing: Crossing) -> Iterator[Instruction]:
    """Makers in turn, each question once, until there are enough or the material is used up."""
    found: dict[str, Instruction] = {}
    share = -(-wanted // len(makers))
    for maker in makers if world.disorders else ():
        answers: Counter[tuple] = Counter()
        for _ in range(ATTEMPTS * share):
            item = maker(world, draw)
            if item is None or item.question in found or crossing.find(item):
                continue
            # Where the choices are always the same ones each of them is as often right, whatever the draws led to.
            alike = (item.answer, frozenset(item.choices)) if item.judged == "choice" else (len(answers), item.id)
            if answers[alike] < -(-share // max(1, len(item.choices))) or not item.choices:
                found[item.question] = item
                answers[alike] += 1
            if answers.total() == share:
                break
    return iter(found.values())


def _of_clinvar(world: World, variants: Iterable[clinvar.Variant]) -> dict[str, tuple[Maker, ...]]:
    ours = clinvar.of_split(world, list(variants))
    made = clinvar.ClinVar(ours)
    families = {"question answering": (made.significance,), "gene disease": (made.condition,), "relation extraction": (made.relation,)}
    return families if ours else {}


def _patients(facts: Facts, cases: Iterable[Case]) -> list[Patient]:
    known = (case for case in cases if case.disease in facts.disorders)
    return [Patient(facts.disorders[case.disease], _known(facts, case.present), _known(facts, case.excluded)) for case in known]


def _known(facts: Facts, terms: Iterable[str]) -> tuple[str, ...]:
    return tuple(term for term in terms if term in facts.ontology.names)


def _measured(cohort: Cohort | None, seed: int) -> Iterator[Instruction]:
    for split in SPLITS if cohort is not None else ():
        yield from measured(cohort, split, seed=seed)


def _public(mts_dialog: str | Path | None, question_entailment: str | Path | None, seed: int) -> Iterator[Instruction]:
    for folder, files, read in ((mts_dialog, MTS_FILES, read_mts_dialog), (question_entailment, RQE_FILES, read_question_entailment)):
        for name, split in files.items() if folder else ():
            yield from read(_present(Path(folder), name), split, seed=seed)


def _present(folder: Path, name: str) -> Path:
    found = next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
    if found is None:
        raise ValueError(f"{folder}: found no {name} and no {name}.gz, expected the files of the set as they are published")
    return found


def _apart(items: Iterable[Instruction]) -> list[Instruction]:
    """Items whose group no more held-out split has (test before validation before train), each question of a sample once."""
    taken: dict[str, str] = {}
    kept: dict[tuple[str, str], Instruction] = {}
    for item in sorted(items, key=lambda item: -SPLITS.index(item.split)):
        if taken.setdefault(item.unit, item.split) == item.split:
            kept.setdefault((item.question, item.sample), item)
    return list(kept.values())


def _limited(items: Iterable[Instruction], limits: Mapping[str, float], longest: int | None, seed: int) -> list[Instruction]:
    """At most so many items of each family and split, its tasks in turn so that a large set does not crowd out a small one, in random order."""
    parts: dict[tuple[str, str], dict[str, list[Instruction]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        if item.family in limits and (longest is None or len(f"{item.question} {item.answer}".split()) <= longest):
            parts[item.family, item.split][_task(item)].append(item)
    kept: list[Instruction] = []
    for split in SPLITS:
        draw = Draw(split, (seed, 3))
        wanted = {family: round(limit * SPLIT_PARTS[split]) for family, limit in limits.items()}
        kept += draw.shuffled([each for family, count in wanted.items() for each in _in_turn(draw, list(parts[family, split].values()))[:count]])
    return kept


def _in_turn(draw: Draw, tasks: Sequence[Sequence[Instruction]]) -> list[Instruction]:
    """One item of each task, then the next of each."""
    rounds = itertools.zip_longest(*map(draw.shuffled, draw.shuffled(tasks)))
    return [item for each in rounds for item in each if item is not None]


def _task(item: Instruction) -> str:
    return item.template.rpartition("/")[0]


def _card(items: Sequence[Instruction], facts: Facts, sides: Sides, limits: Mapping[str, float], seed: int) -> dict:
    """What a reader must know of the set."""
    sizes = Counter(sides.disorders.values())
    return {
        "seed": seed,
        "limits": dict(limits),
        "hpo_release": facts.release,
        "items": {family: {split: _count(items, family, split) for split in SPLITS} for family in limits},
        "majority_share_of_test": {family: majority_share([item for item in items if (item.family, item.split) == (family, "test")]) for family in limits},
        "disorders": {split: sizes[split] for split in SPLITS},
        "disorders_on_two_sides": len(facts.disorders) - sum(sizes.values()),
        "part_of_disorders": {split: round(sizes[split] / max(1, sum(sizes.values())), 4) for split in SPLITS},
        "templates": _templates(items),
        "licences": {source: sorted({item.licence for item in items if item.source == source}) for source in sorted({item.source for item in items})},
        "split": "Gene families, their disorders and disorders of one name stand on one side; numbered subtypes of a disorder with other genes may not. "
        "Wordings of test are in no other split; names of phenotypes are in all.",
    }


def majority_share(items: Sequence[Instruction]) -> float | None:
    """Part of the items that the most frequent answer of each task answers, among those with one answer out of choices; None without any."""
    of_task: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        if item.judged == "choice":
            of_task[_task(item)][item.answer] += 1
    total = sum(sum(answers.values()) for answers in of_task.values())
    return round(sum(max(answers.values()) for answers in of_task.values()) / total, 4) if total else None


def _count(items: Iterable[Instruction], family: str, split: str) -> int:
    return sum((item.family, item.split) == (family, split) for item in items)


def _templates(items: Iterable[Instruction]) -> dict[str, dict[str, int]]:
    """Template to its items by split."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        found[item.template][item.split] += 1
    return {name: dict(found[name]) for name in sorted(found)}


def _left_out(made: Sequence[Instruction], kept: Sequence[Instruction]) -> dict[str, int]:
    """Items by family that a limit, their length, a doublet or a group of another split left out."""
    counts = Counter(item.family for item in made)
    counts.subtract(item.family for item in kept)
    return {family: count for family, count in counts.items() if count}


def _write(out: Path, items: Sequence[Instruction], card: dict) -> None:
    """Everything into a folder beside, which then takes the name."""
    with whole_folder(out, "an instruction set", CARD) as folder:
        for split in SPLITS:
            write_instructions((item for item in items if item.split == split), folder / f"{split}.jsonl")
        (folder / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
