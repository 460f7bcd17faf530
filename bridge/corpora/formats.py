"""The formats of documents by exact name, and one call that reads any of them."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bridge.corpora.dictionaries import read_dbgap
from bridge.corpora.disorders import read_hpo, read_omim_gene_map, read_omim_titles
from bridge.corpora.documents import read_delimited, read_json_lines, read_parquet, read_study_abstracts, read_text_files
from bridge.corpora.genes import read_gencode, read_gene_info, read_gene_summary
from bridge.corpora.jats import read_jats
from bridge.corpora.packages import read_packages
from bridge.corpora.pubmed import read_pubmed
from bridge.corpora.record import Record
from bridge.corpora.variants import read_clinvar_vcf, read_variant_summary
from bridge.settings import DATA, data_root


class Format(NamedTuple):
    """A reader and what it needs; a path may be left out where the reader has one of its own."""

    reader: Callable[..., Iterator[Record]]
    needs: str
    path_needed: bool = True


FORMATS = {
    "jats": Format(read_jats, "articles of PubMed Central: .xml, .nxml, .tar.gz or a folder of them"),
    "pubmed": Format(read_pubmed, "PubMed baseline or update files: .xml, .xml.gz or a folder of them"),
    "clinvar-summary": Format(read_variant_summary, "ClinVar's variant_summary.txt or .txt.gz"),
    "clinvar-vcf": Format(read_clinvar_vcf, "ClinVar's clinvar.vcf or .vcf.gz"),
    "dbgap": Format(read_dbgap, "data dictionaries of dbGaP: .xml or a folder of them"),
    "gencode": Format(read_gencode, "GENCODE's annotation: .gtf or .gtf.gz"),
    "gene-info": Format(read_gene_info, "NCBI's gene_info or gene_info.gz"),
    "gene-summary": Format(read_gene_summary, "NCBI's gene_summary or gene_summary.gz"),
    "hpo": Format(read_hpo, "hp.obo; the release of the default data without a path", path_needed=False),
    "omim-titles": Format(read_omim_titles, "OMIM's mimTitles.txt"),
    "omim-gene-map": Format(read_omim_gene_map, "OMIM's genemap2.txt"),
    "nimare": Format(read_study_abstracts, "studies.parquet of a NiMARE studyset; that of the pinned package without a path", path_needed=False),
    "jsonl": Format(read_json_lines, "JSON lines, or a folder of them, with a field of text"),
    "csv": Format(read_delimited, "a table with commas, or a folder of them, with a column of text"),
    "tsv": Format(functools.partial(read_delimited, separator="\t"), "a table with tabs, or a folder of them, with a column of text"),
    "parquet": Format(read_parquet, "a parquet file, or a folder of them, with a column of text"),
    "text": Format(read_text_files, "a folder of .txt, .md and .rst files"),
    "packages": Format(read_packages, "installed Python packages, by 'names'; those of the running Python without a path", path_needed=False),
}


def read_corpus(format: str, path: str | Path | None = None, *, source: str = "", licence: str = "", **settings: Any) -> Iterator[Record]:
    """The documents of a source, as they come; one that is not to be used (retracted, without a definition) has no text.

    Args:
        format: A name in ``FORMATS``.
        path: File or folder; ``~`` and ``$VARIABLES`` are filled in.
        source: What the source is called, instead of the name that the reader gives.
        licence: Of the documents of which the file itself says nothing.
        settings: Of the reader, for example ``text_column``.

    Raises:
        ValueError: there is no such format, path or setting; while reading, what is wrong with a file.
    """
    if format not in FORMATS:
        raise ValueError(f"corpus, field format: found {format!r}, expected one of {', '.join(FORMATS)}")
    chosen = FORMATS[format]
    _require_settings(format, chosen, settings)
    if path is None and chosen.path_needed:
        raise ValueError(f"corpus, format {format!r}, field path: found none, expected {chosen.needs}")
    return _named(chosen.reader(filled(path) if path is not None else None, **settings), source, licence)


def filled(path: str | Path) -> Path:
    """A path with ``~`` and ``$VARIABLES`` filled in; ``$BRIDGE_DATA`` has a default, as for the benchmarks.

    Raises:
        ValueError: a variable is not set, or there is nothing at the path.
    """
    found = os.path.expandvars(os.path.expanduser(str(path).replace(f"${DATA}", str(data_root()))))
    if "$" in found:
        raise ValueError(
            f"corpus, field path: found {str(path)!r}, which names a variable that is not set; set it, or give the path of a file or folder of yours"
        )
    if not Path(found).exists():
        remedy = f"set {DATA} to the folder of the benchmark data, or name a file or folder of yours" if DATA in str(path) else "name one that is there"
        raise ValueError(f"corpus, field path: there is nothing at {found}, expected a file or folder; {remedy}")
    return Path(found)


def _named(records: Iterator[Record], source: str, licence: str) -> Iterator[Record]:
    for record in records:
        text = record.text.replace("\r\n", "\n").strip()
        yield record._replace(text=text, source=source or record.source, licence=record.licence or licence)


def _require_settings(format: str, chosen: Format, settings: dict[str, Any]) -> None:
    fixed = chosen.reader.keywords if isinstance(chosen.reader, functools.partial) else {}
    known = [name for name, each in inspect.signature(chosen.reader).parameters.items() if each.kind is each.KEYWORD_ONLY and name not in fixed]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ValueError(f"corpus, format {format!r}, field {unknown[0]}: is not known, expected {', '.join([*known, 'source', 'licence'])}")
