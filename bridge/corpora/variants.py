"""Variants of ClinVar, one sentence for each, from its table of all alleles or from its VCF.

Source: https://www.ncbi.nlm.nih.gov/clinvar, variant_summary.txt and clinvar.vcf; Landrum et al. 2018, doi:10.1093/nar/gkx1153.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bridge.corpora.files import lines_of, tab_rows
from bridge.corpora.record import Record

#: What a field is called here to its names in ``variant_summary.txt``.
SUMMARY = {
    "allele": ("AlleleID",),
    "kind": ("Type",),
    "name": ("Name",),
    "gene": ("GeneSymbol",),
    "significance": ("ClinicalSignificance", "GermlineClassification"),
    "conditions": ("PhenotypeList",),
    "origin": ("OriginSimple", "Origin"),
    "assembly": ("Assembly",),
    "status": ("ReviewStatus",),
}
VCF_COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
#: Values that say that nothing is known.
UNKNOWN = ("", "-", "na", ".", "not provided", "not specified", "see cases")


def read_variant_summary(path: Path, *, assembly: str = "GRCh38") -> Iterator[Record]:
    """Variants of ``variant_summary.txt``, which has a row for each assembly a variant is placed on; they stand together.

    Args:
        path: The file, gzipped or not.
        assembly: Whose row is taken; of a variant that is not placed on it the first row.
    """
    for allele, rows in itertools.groupby(tab_rows(path, SUMMARY), key=lambda row: row["allele"]):
        alternatives = list(rows)
        row = next((each for each in alternatives if each["assembly"] == assembly), alternatives[0])
        yield Record(f"AlleleID:{allele}", variant_sentence(row), path.name)


def read_clinvar_vcf(path: Path) -> Iterator[Record]:
    """Variants of ``clinvar.vcf``; the file has one assembly, which its header names."""
    source, header = path.name, None
    for number, line in lines_of(path):
        if line.startswith("##reference="):
            source = f"{path.name} ({line.removeprefix('##reference=')})"
        elif line.startswith("#"):
            header = _header(path, line)
        elif line:
            yield _variant(path, number, line.split("\t") if header else [], source)
    if header is None:
        raise ValueError(f"{path}, field #CHROM: found no header line, expected {' '.join(VCF_COLUMNS)}; the file is no VCF or was cut off")


def variant_sentence(row: dict[str, str]) -> str:
    """Gene, name, significance, conditions and review status of a variant; what is not known is not told.

    Args:
        row: ``name``, ``gene``, ``significance``, ``conditions`` (apart by ``|`` or ``;``), ``status``, ``kind``, ``origin``.
    """
    row = {name: "" if value.lower() in UNKNOWN else value for name, value in row.items()}
    conditions = dict.fromkeys(each.strip() for each in re.split(r"[|;]", row["conditions"]) if each.strip().lower() not in UNKNOWN)
    place = f" in the gene {row['gene']}" if row["gene"] else ""
    judged = row["significance"][:1].lower() + row["significance"][1:] if row["significance"] else "not classified"
    about = f" for {_listed(conditions)}" if conditions else "; no condition is named"
    facts = (("variant type", row["kind"]), ("origin", row["origin"]), ("review status", row["status"]))
    told = "; ".join(f"{name}: {value}" for name, value in facts if value)
    return f"The variant {row['name']}{place} is {judged}{about}.{f' {told[:1].upper()}{told[1:]}.' if told else ''}" if row["name"] else ""


def _listed(items: Iterable[str]) -> str:
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def _header(path: Path, line: str) -> bool | None:
    if line.startswith("##"):
        return None
    found = line.split("\t")[: len(VCF_COLUMNS)]
    if found != VCF_COLUMNS:
        raise ValueError(f"{path}, header: found {found}, expected {VCF_COLUMNS}; the columns of a VCF are apart by tabs")
    return True


def _variant(path: Path, number: int, fields: list[str], source: str) -> Record:
    if len(fields) < len(VCF_COLUMNS):
        raise ValueError(f"{path}, line {number}: found {len(fields)} fields after a header, expected {len(VCF_COLUMNS)}; the file is damaged, fetch it again")
    chromosome, position, number_of_variant, reference, alternative = fields[:5]
    about = dict(entry.partition("=")[::2] for entry in fields[7].split(";"))
    told = {name: about.get(key, "").replace("_", " ") for name, key in (("significance", "CLNSIG"), ("conditions", "CLNDN"), ("status", "CLNREVSTAT"))}
    genes = [each.split(":")[0] for each in about.get("GENEINFO", "").split("|") if each]
    name = about.get("CLNHGVS") or f"{chromosome}:{position} {reference}>{alternative}"
    row = told | {"name": name, "gene": _listed(genes) if genes else "", "kind": about.get("CLNVC", "").replace("_", " "), "origin": ""}
    return Record(f"ClinVar:{number_of_variant}", variant_sentence(row), source)
