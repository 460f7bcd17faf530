"""Gene identifiers: which namespace they are from, and those a spreadsheet has turned into dates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)"
DATE = re.compile(rf"(\d{{1,4}}[-/]{MONTH}|{MONTH}[-/]\d{{1,4}}|\d{{4}}-\d{{2}}-\d{{2}}.*)", re.IGNORECASE)
POWER = re.compile(r"\d([.,]\d+)?E\+\d+", re.IGNORECASE)
ENSEMBL = re.compile(r"ENS[A-Z]*(?P<kind>[GTP])\d{11}(\.\d+)?")
SYMBOL = re.compile(r"(?P<family>[A-Z]+)[A-Z0-9]*(-[A-Z0-9]+)*|C(\d+|X)orf\d+")


def namespace(ids: Sequence[str]) -> str:
    """``Ensembl gene``, ``Ensembl transcript``, ``Ensembl protein``, ``HGNC symbol``, or '' when that is not plain.

    Participants can be called SUB01, SUB02: symbols are only believed of ten ids or more that begin in many ways.
    """
    kinds = [match["kind"] for match in map(ENSEMBL.fullmatch, ids) if match]
    if kinds and len(kinds) >= 0.9 * len(ids):
        return {"G": "Ensembl gene", "T": "Ensembl transcript", "P": "Ensembl protein"}[max(set(kinds), key=kinds.count)]
    families = [match["family"] for match in map(SYMBOL.fullmatch, ids) if match]
    symbols = len(ids) >= 10 and len(families) >= 0.9 * len(ids) and len(set(families)) >= 0.1 * len(ids)
    return "HGNC symbol" if symbols else ""


def require_no_dates(ids: Iterable[str], source: str | Path) -> None:
    """Refuse ids that a spreadsheet rewrote: MARCH1 to 1-Mar, SEPT2 to 2-Sep, the clone 2310009E13 to 2.31E+19.

    Ziemann et al. 2016, doi:10.1186/s13059-016-1044-7.
    """
    for row, name in enumerate(ids, start=1):
        made = "date" if DATE.fullmatch(name) else "number" if POWER.fullmatch(name) else ""
        if made:
            found = f"id {name!r} is a {made} that a spreadsheet made of a gene symbol"
            raise ValueError(f"{source}, row {row}: {found}, expected the symbol; export the table again with text ids")


def require_namespace(ids: Sequence[str], expected: str, source: str | Path) -> None:
    """Refuse ids that are plainly from another namespace than the encoder's card says."""
    found = namespace(ids)
    if expected and found and found != expected:
        raise ValueError(f"{source}, field gene_ids: expected {expected}, found {found} (first: {ids[0]!r}); map the ids first")
