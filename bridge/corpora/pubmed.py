"""Titles and abstracts of PubMed's baseline and update files.

Source: https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from bridge.corpora.files import files_of, opened, readable
from bridge.corpora.record import Record
from bridge.corpora.safe_xml import elements, plain

RETRACTED = ("Retracted Publication", "Retraction of Publication", "Retraction Notice")


def read_pubmed(path: Path) -> Iterator[Record]:
    """Records of a file or folder of ``.xml`` or ``.xml.gz``; memory holds one at a time. What was retracted has no text.

    The licence is the notice of copyright that the record gives for its abstract.
    """
    for file in files_of(path, (".xml",)):
        with readable(file), opened(file) as stream:
            for _, article in elements(str(file), stream, "PubmedArticle"):
                yield _record(article, file)


def _record(article: Element, file: Path) -> Record:
    number = plain(article.find("MedlineCitation/PMID"))
    if not number:
        raise ValueError(f"{file}, element PMID: found a PubmedArticle without it, expected MedlineCitation/PMID; fetch the file again")
    title = plain(article.find("MedlineCitation/Article/ArticleTitle"))
    sections = [_section(each) for each in article.iterfind("MedlineCitation/Article/Abstract/AbstractText")]
    text = "" if _retracted(article) else "\n\n".join(filter(None, [title, *sections]))
    return Record(f"PMID:{number}", text, file.name, plain(article.find("MedlineCitation/Article/Abstract/CopyrightInformation")))


def _section(element: Element) -> str:
    label, text = element.get("Label", ""), plain(element)
    return f"{label.capitalize()}: {text}" if label and label != "UNLABELLED" and text else text


def _retracted(article: Element) -> bool:
    kinds = [plain(each) for each in article.iterfind("MedlineCitation/Article/PublicationTypeList/PublicationType")]
    notes = [each.get("RefType") for each in article.iterfind("MedlineCitation/CommentsCorrectionsList/CommentsCorrections")]
    return any(kind in RETRACTED for kind in kinds) or "RetractionIn" in notes
