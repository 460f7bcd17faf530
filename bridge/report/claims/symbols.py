"""How genes are written: symbols in their exact case, a few aliases, and the words that are both a symbol and something else."""

from __future__ import annotations

import re

from bridge.data.gene_aliases import ACRONYMS, NOT_GENES, STOP, SYMBOL_WORD

__all__ = ["ACRONYMS", "ALIASES", "NOT_GENES", "STOP", "SYMBOL", "SYMBOL_WORD", "is_symbol", "says_gene"]

#: A gene symbol of human form (HGNC guidelines, Bruford et al. 2020, doi:10.1038/s41588-020-0669-3), or an Ensembl id.
SYMBOL = re.compile(r"[A-Z][A-Z0-9]+(?:-[A-Z0-9]+)*|C(?:\d+|X|Y)orf\d+|ENSG\d{11}(?:\.\d+)?")

#: What prose calls a gene's product more than its symbol, and which no table of aliases holds in this spelling (HGNC, alias and previous symbols), with the
#: best known aliases for who has no such table; only exact spellings count.
ALIASES = {
    "tau": "MAPT",
    "alpha-synuclein": "SNCA",
    "PARK1": "SNCA",
    "huntingtin": "HTT",
    "IT15": "HTT",
    "parkin": "PRKN",
    "PARK2": "PRKN",
    "dystrophin": "DMD",
    "frataxin": "FXN",
    "progranulin": "GRN",
    "ataxin-1": "ATXN1",
    "ataxin-3": "ATXN3",
    "reelin": "RELN",
    "tuberin": "TSC2",
    "hamartin": "TSC1",
    "neurofibromin": "NF1",
    "presenilin-1": "PSEN1",
    "presenilin-2": "PSEN2",
    "GLUT1": "SLC2A1",
    "SERT": "SLC6A4",
    "DAT1": "SLC6A3",
    "NR2A": "GRIN2A",
    "NR2B": "GRIN2B",
    "Nav1.1": "SCN1A",
    "Nav1.2": "SCN2A",
    "Nav1.6": "SCN8A",
    "TDP-43": "TARDBP",
    "NeuN": "RBFOX3",
    "p53": "TP53",
}
_CONTEXT = r"gene|genes|expression|expressed|transcripts?|mrna|symbol|transcription|(?:over|under)-?express\w*|(?:up|down)-?regulat\w*"
#: What follows or precedes a symbol that is also a word: "SET expression", "the REST gene", "expression of CAT".
AFTER = re.compile(rf"\W{{1,3}}(?:{_CONTEXT})\b", re.IGNORECASE)
BEFORE = re.compile(rf"\b(?:{_CONTEXT})\W+(?:(?:of|for|in|the)\W+){{0,2}}\Z", re.IGNORECASE)


def is_symbol(name: str) -> bool:
    """Whether a name has the form of a gene symbol."""
    return SYMBOL.fullmatch(name) is not None


def says_gene(text: str, start: int, end: int) -> bool:
    """Whether the words around a symbol say that it is a gene."""
    return bool(AFTER.match(text, end) or BEFORE.search(text[max(0, start - 40) : start]))
