"""``gene-text``: gene embeddings and the description of the gene find each other, for each gene side and for both together."""

from __future__ import annotations

from typing import ClassVar

from bridge.benchmark import data
from bridge.benchmark.alignment import compare, control, shuffled_pairs, trained, within
from bridge.benchmark.results import Record
from bridge.benchmark.task import Task, data_folder


class GeneText(Task):
    """Literature vectors, expression vectors and both together against gene descriptions, 1,000 held-out candidates, split by symbol root.

    Args:
        align: What differs from ``configs/align.yaml``.
        seeds: Bridges of the ensemble, with the run's seed and the next ones.
        shuffled: Train once more on shuffled pairs, the control.
    """

    title: ClassVar[str] = "Gene embedding and gene text"

    def __init__(self, align: dict | None = None, seeds: int = 1, shuffled: bool = True):
        self.align, self.seeds, self.shuffled = align or {}, seeds, shuffled

    def run(self, record: Record) -> None:
        genes = data.gene_text(data_folder("gene_text"))
        record.words(
            "Data", "9,565 genes: Allen Human Brain Atlas (non-commercial), Gene Ontology, HPO, NCBI; the symbol is not in the text; split by symbol root."
        )
        bridges = [trained(record, genes, self.align, seed=record.seed + number, name=f"seed{record.seed + number}") for number in range(self.seeds)]
        within(record, genes, compare(record, genes, bridges), "n_pubmed")
        if self.shuffled:
            control(record, genes, trained(record, shuffled_pairs(genes, record.seed), self.align, seed=record.seed, name="shuffled"))
