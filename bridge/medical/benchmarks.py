"""The benchmarks by name: the twelve that Me-LLaMA reports (arXiv:2402.12749), and two of entity recognition that anybody can have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bridge.instructions.item import Instruction
from bridge.medical import documents, entities, i2b2, questions, texts


class Benchmark(NamedTuple):
    """A benchmark.

    Args:
        title: As its authors write it.
        read: From its folder to all its items, of every split.
        folder: Under the folder of the benchmark data.
        metrics: As Me-LLaMA reports it; the first one counts.
        negative: The choice that is no find, and out of a relation's F1.
        credentialed: Its text may not be passed on.
    """

    title: str
    read: Callable[[Path], Iterator[Instruction]]
    folder: str
    metrics: tuple[str, ...]
    negative: str = ""
    credentialed: bool = False


CHOICE, RELATION, LABELS = ("accuracy", "macro_f1"), ("macro_f1", "accuracy", "relation_f1"), ("macro_f1", "micro_f1", "exact")
ITEMS, ANSWER, SUMMARY = ("f1", "exact"), ("token_f1", "exact_match"), ("rougeL", "rouge1", "rouge2")

BENCHMARKS = {
    "pubmedqa": Benchmark("PubMedQA", questions.pubmedqa, "pubmedqa", CHOICE),
    "medqa": Benchmark("MedQA", questions.medqa, "medqa", CHOICE),
    "medmcqa": Benchmark("MedMCQA", questions.medmcqa, "medmcqa", CHOICE),
    "emrqa": Benchmark("emrQA", texts.emrqa, "emrqa", ANSWER, credentialed=True),
    "i2b2-2010": Benchmark("i2b2-2010", i2b2.concepts, "i2b2_2010", ITEMS, credentialed=True),
    "i2b2-2010-relations": Benchmark("i2b2-2010, relations", i2b2.relations, "i2b2_2010", RELATION, i2b2.NO_RELATION, credentialed=True),
    "i2b2-2010-assertions": Benchmark("i2b2-2010, assertions", i2b2.assertions, "i2b2_2010", CHOICE, credentialed=True),
    "ddi-2013": Benchmark("DDI-2013", documents.ddi, "ddi2013_split", RELATION, documents.NO_INTERACTION),
    "hoc": Benchmark("HoC", documents.hoc, "hoc_split", LABELS),
    "mtsample": Benchmark("MTSample", documents.mtsample, "mtsample", CHOICE),
    "pubmed-summarisation": Benchmark("PubMed summarisation", texts.pubmed_summaries, "pubmed_summarisation", SUMMARY),
    "mimic-cxr": Benchmark("MIMIC-CXR", texts.mimic_cxr, "mimic_cxr", SUMMARY, credentialed=True),
    "bionli": Benchmark("BioNLI", questions.bionli, "bionli", CHOICE),
    "mednli": Benchmark("MedNLI", questions.mednli, "mednli", CHOICE, credentialed=True),
    "bc5cdr": Benchmark("BC5CDR", entities.bc5cdr, "ner_bc5cdr", ITEMS),
    "ncbi-disease": Benchmark("NCBI-disease", entities.ncbi_disease, "ner_ncbi_disease", ITEMS),
}


def splits(name: str, folder: Path) -> dict[str, list[Instruction]]:
    """Items of a benchmark by split.

    Raises:
        ValueError: the benchmark is not known, a file is not as published, an id comes twice, or a document stands in training and test.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"medical, field benchmarks: found {name!r}, expected some of {', '.join(BENCHMARKS)}")
    found: dict[str, list[Instruction]] = {"train": [], "validation": [], "test": []}
    for item in BENCHMARKS[name].read(folder):
        found[item.split].append(item)
    _require_apart(name, found)
    return found


def drawn(items: Sequence[Instruction], limit: int | None, seed: int) -> list[Instruction]:
    """All items, or so many drawn without replacement, in their order."""
    if limit is None or limit >= len(items):
        return list(items)
    if limit < 1:
        raise ValueError(f"field limit: found {limit}, expected a number above 0, or none for all items")
    chosen = np.random.default_rng(seed).choice(len(items), size=limit, replace=False)
    return [items[place] for place in sorted(chosen.tolist())]


def _require_apart(name: str, found: dict[str, list[Instruction]]) -> None:
    """The development part may share documents with training (DDI-2013's does), the test part may not."""
    ids = [item.id for item in found["test"]]
    if not ids or len(set(ids)) < len(ids):
        raise ValueError(f"{name}: found {len(ids)} test items with {len(set(ids))} ids, expected at least one and each id once; fetch the files again")
    shared = {item.unit for item in found["test"]} & {item.unit for item in found["train"]}
    if shared:
        raise ValueError(f"{name}: {len(shared)} groups stand in training and test, for example {min(shared)}; expected none, take the published split")
