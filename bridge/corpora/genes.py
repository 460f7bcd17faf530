"""What is known of genes in words: GENCODE's annotation, NCBI's table of genes and its summaries.

Sources: https://www.gencodegenes.org (GTF), NCBI gene_info and gene_summary, https://ftp.ncbi.nlm.nih.gov/gene/DATA/README.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bridge.corpora.files import lines_of, tab_rows
from bridge.corpora.record import Record

HUMAN = "9606"
INFO = {
    "taxon": ("tax_id",),
    "id": ("GeneID",),
    "symbol": ("Symbol",),
    "synonyms": ("Synonyms",),
    "location": ("map_location",),
    "description": ("description",),
    "kind": ("type_of_gene",),
    "others": ("Other_designations",),
}
SUMMARY = {"taxon": ("tax_id",), "id": ("GeneID",), "origin": ("Source",), "text": ("Summary",)}
ATTRIBUTE = re.compile(r'(\w+) "([^"]*)"')
STRANDS = {"+": " on the forward strand", "-": " on the reverse strand"}


def read_gencode(path: Path) -> Iterator[Record]:
    """Genes of a GTF file: symbol, kind, place; transcripts and exons are passed over."""
    source, found = path.name, 0
    for number, line in lines_of(path):
        if line.startswith("##description:"):
            source = f"GENCODE: {line.removeprefix('##description:').strip()}"
        fields = [] if line.startswith("#") or not line else line.split("\t")
        if fields and len(fields) != 9:
            raise ValueError(f"{path}, line {number}: found {len(fields)} fields, expected 9 apart by tabs; the file is no GTF or is damaged")
        if fields and fields[2] == "gene":
            found += 1
            yield _annotated(path, number, fields, source)
    if not found:
        raise ValueError(f"{path}, field feature: found no 'gene', expected a row for each; take the GTF file of a whole annotation")


def read_gene_info(path: Path, *, taxon: str = HUMAN) -> Iterator[Record]:
    """Genes of ``gene_info``: full name, kind, place, other names.

    Args:
        path: The file, gzipped or not.
        taxon: NCBI's number of the organism; '' for all.
    """
    for row in tab_rows(path, INFO):
        if taxon in ("", row["taxon"]):
            yield Record(f"NCBIGene:{row['id']}", " ".join(_described(row)), path.name)


def read_gene_summary(path: Path, *, taxon: str = HUMAN) -> Iterator[Record]:
    """Summaries of genes, as ``gene_summary`` has them.

    Args:
        path: The file, gzipped or not.
        taxon: NCBI's number of the organism; '' for all.
    """
    for row in tab_rows(path, SUMMARY):
        if taxon in ("", row["taxon"]):
            yield Record(f"NCBIGene:{row['id']}", row["text"] if row["text"] != "-" else "", f"{path.name} ({row['origin']})")


def _annotated(path: Path, number: int, fields: list[str], source: str) -> Record:
    attributes = dict(ATTRIBUTE.findall(fields[8]))
    missing = [name for name in ("gene_id", "gene_name") if name not in attributes]
    if missing:
        raise ValueError(f"{path}, line {number}, attribute {missing[0]}: is missing, found {sorted(attributes)}; take the GTF file as GENCODE gives it")
    kind = _kind(attributes.get("gene_type") or attributes.get("gene_biotype", "gene"))
    place = f"chromosome {fields[0].removeprefix('chr')}{STRANDS.get(fields[6], '')}, from base {int(fields[3]):,} to {int(fields[4]):,}"
    text = f"{attributes['gene_name']} ({attributes['gene_id']}) is {_article(kind)} {kind} on {place}."
    known = f" It is {attributes['hgnc_id']} in the nomenclature of genes." if "hgnc_id" in attributes else ""
    return Record(attributes["gene_id"], text + known, source)


def _described(row: dict[str, str]) -> Iterator[str]:
    known = {name: "" if value == "-" else value for name, value in row.items()}
    kind = _kind(known["kind"] or "gene")
    name = f" ({known['description']})" if known["description"] else ""
    place = f" at {known['location']}" if known["location"] else ""
    yield f"{known['symbol']}{name} is {_article(kind)} {kind}{place}."
    if known["synonyms"]:
        yield f"It is also known as {', '.join(known['synonyms'].split('|'))}."
    if known["others"]:
        yield f"Its product is also called {'; '.join(known['others'].split('|'))}."


def _kind(written: str) -> str:
    """``protein_coding`` and ``protein-coding`` as a reader says it."""
    words = {"pseudo": "pseudogene", "other": "gene", "unknown": "gene"}.get(written, written.replace("_", " ").replace("protein coding", "protein-coding"))
    return words if words.endswith("gene") else f"{words} gene"


def _article(noun: str) -> str:
    return "an" if noun[:1].lower() in "aeiou" else "a"
