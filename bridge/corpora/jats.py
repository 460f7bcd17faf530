"""Articles of PubMed Central in JATS XML: title, abstract and body, without references, tables and formulas.

Source: Journal Article Tag Suite, https://jats.nlm.nih.gov/archiving/tag-library/1.3/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from xml.etree.ElementTree import Element

from bridge.corpora.files import archived, files_of, opened, readable
from bridge.corpora.record import Record
from bridge.corpora.safe_xml import attribute, elements, local, plain

XML, ARCHIVES = (".xml", ".nxml"), (".tar", ".tar.gz", ".tgz")
#: What is no running text. A cross reference is left out where it is a number in brackets (``NUMBERED``).
NO_TEXT = frozenset(
    {"ref-list", "table-wrap", "table", "fig", "fig-group", "graphic", "media", "supplementary-material", "fn", "fn-group", "glossary", "ack"}
    | {"disp-formula", "inline-formula", "tex-math", "math", "sub-article", "response", "contrib-group", "app-group", "object-id"}
)
NUMBERED = ("bibr", "fn", "table-fn")
#: Abstracts that say nothing of their own.
OTHER_ABSTRACTS = ("graphical", "teaser", "toc", "precis", "web-summary")
#: A Creative Commons licence as its address tells it: by-nc, 4.0.
CREATIVE_COMMONS = re.compile(r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/(\d\.\d)", re.IGNORECASE)
LONGEST_LICENCE = 200  # characters of a licence that is told in words
RETRACTED = re.compile(r"^\W*(retracted|retraction)\b", re.IGNORECASE)


def read_jats(path: Path) -> Iterator[Record]:
    """Articles of a file, of a folder or of a tar archive; one that was retracted, and the notice of it, has no text.

    Args:
        path: ``.xml`` or ``.nxml`` with one article or a set of them, ``.tar.gz``, or a folder of these.
    """
    for file in files_of(path, XML + ARCHIVES):
        if file.name.lower().endswith(ARCHIVES):
            for name, stream in archived(file, XML):
                yield from _articles(f"{file}: {name}", Path(name).stem, stream, file.name)
            continue
        with readable(file), opened(file) as stream:
            yield from _articles(str(file), file.name.split(".")[0], stream, path.name)


def _articles(place: str, otherwise: str, stream: BufferedIOBase, source: str) -> Iterator[Record]:
    for _, article in elements(place, stream, "article"):
        text = "" if _retracted(article) else "\n\n".join(filter(None, _parts(article)))
        yield Record(_identity(article, otherwise), text, source, licence_of(article))


def _identity(article: Element, otherwise: str) -> str:
    """PMC number, else PubMed number, else DOI, else the name of the file."""
    named = {each.get("pub-id-type", ""): plain(each) for each in article.iterfind("{*}front/{*}article-meta/{*}article-id")}
    number = named.get("pmcid") or named.get("pmc")
    if number:
        return f"PMC{number.upper().removeprefix('PMC')}"
    return f"PMID:{named['pmid']}" if named.get("pmid") else named.get("doi") or otherwise


def _parts(article: Element) -> Iterator[str]:
    meta = article.find("{*}front/{*}article-meta")
    if meta is not None:
        yield _running(meta.find("{*}title-group/{*}article-title"))
        for abstract in meta.iterfind("{*}abstract"):
            yield from _paragraphs(abstract) if abstract.get("abstract-type") not in OTHER_ABSTRACTS else ()
    body = article.find("{*}body")
    yield from _paragraphs(body) if body is not None else ()


def _paragraphs(element: Element) -> Iterator[str]:
    """Titles and paragraphs, in the order they are read; an abstract may hold its text without a paragraph."""
    for child in element:
        if local(child) in ("p", "title"):
            yield _running(child)
        elif local(child) not in NO_TEXT:
            yield from _paragraphs(child)
    if not len(element) and local(element) == "abstract":
        yield _running(element)


def _running(element: Element | None) -> str:
    """The text of a paragraph without the numbers of its references, and without the brackets they leave behind."""
    if element is None:
        return ""
    for reference in element.iter():
        if local(reference) == "xref" and reference.get("ref-type") in NUMBERED and not re.search("[A-Za-z]{2}", plain(reference)):
            reference[:], reference.text = [], ""
    text = re.sub(r"\s*[\[(][\s,;–-]*[\])]", "", plain(element, NO_TEXT))
    return re.sub(r"\s+(?=[,.;])", "", text)


def _retracted(article: Element) -> bool:
    links = article.iterfind(".//{*}related-article")
    title = plain(article.find("{*}front/{*}article-meta/{*}title-group/{*}article-title"))
    linked = any(each.get("related-article-type") in ("retraction-forward", "retracted-article") for each in links)
    return linked or article.get("article-type") in ("retraction", "retracted-article") or bool(RETRACTED.match(title))


def licence_of(article: Element) -> str:
    """The licence by its short name where it is of Creative Commons, else its address, else its words; '' where there is none."""
    licence = article.find("{*}front/{*}article-meta/{*}permissions/{*}license")
    if licence is None:
        return ""
    addresses = [attribute(each, "href") or (each.text or "" if local(each) == "license_ref" else "") for each in licence.iter()]
    words = plain(licence)
    for text in (*addresses, words):
        if match := CREATIVE_COMMONS.search(text):
            return _short_name(*match.groups())
    return next(filter(None, map(str.strip, addresses)), "") or words[:LONGEST_LICENCE] or licence.get("license-type", "")


def _short_name(kind: str, terms: str, version: str) -> str:
    return f"CC0 {version}" if kind.lower() == "publicdomain" and terms.lower() == "zero" else f"CC {terms.upper()} {version}"
