"""XML as a stream of records: nothing outside the file is loaded, no entity is expanded, what was read is let go."""

from __future__ import annotations

import html.entities
import re
from collections.abc import Iterator
from io import BufferedIOBase
from xml.etree.ElementTree import Element, XMLParser, iterparse
from xml.parsers.expat import ExpatError, ParserCreate

from bridge.corpora.files import readable

#: Elements whose text stands apart from what is around it.
BLOCKS = frozenset({"p", "title", "label", "list", "list-item", "def-list", "def-item", "def", "disp-quote", "break"})


def elements(name: str, stream: BufferedIOBase, tag: str) -> Iterator[tuple[Element, Element]]:
    """Every element of that tag with the element around it (itself at the top); it is taken out of the tree once it was used.

    Tags are compared without their namespace. A DOCTYPE is allowed and not followed; named characters of HTML such as ``&nbsp;`` are known.

    Args:
        name: What the stream is called in messages.
        stream: Bytes of an XML file.
        tag: For example ``PubmedArticle``.

    Raises:
        ValueError: the XML is damaged, declares entities, or has no such element.
    """
    around: list[Element] = []
    root, found = "nothing", False
    with readable(name):
        for event, element in iterparse(_Guarded(name, stream), ("start", "end"), parser=_parser()):
            if event == "start":
                root = root if around else local(element)
                around.append(element)
                continue
            around.pop()
            if local(element) == tag:
                found = True
                yield (around[-1] if around else element), element
                _let_go(element, around)
    if not found:
        raise ValueError(f"{name}, element {tag}: found none below <{root}>, expected at least one; choose the format that fits the file")


def local(element: Element) -> str:
    """The tag without its namespace."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """An attribute by its name without the namespace, '' where missing."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def plain(element: Element | None, without: frozenset[str] = frozenset()) -> str:
    """The text inside an element, spaces made one: a raised part keeps its meaning (10^6), parts named in ``without`` are left out."""
    return re.sub(r"\s+", " ", "".join(_pieces(element, without))).strip() if element is not None else ""


def _pieces(element: Element, without: frozenset[str]) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        tag = local(child)
        if tag not in without and isinstance(child.tag, str):
            inside = "".join(_pieces(child, without))
            yield f" {inside} " if tag in BLOCKS else _raised(inside) if tag == "sup" else inside
        yield child.tail or ""


def _raised(text: str) -> str:
    """A power or a charge; of the numbers of references that were left out only commas and dashes remain."""
    return f"^{text}" if re.match(r"\s*[\w+−-]", text) else re.sub(r"^[\s,;–]+$", "", text)


def _let_go(element: Element, around: list[Element]) -> None:
    if around:
        around[-1].remove(element)
    element.clear()


def _parser() -> XMLParser:
    parser = XMLParser()
    parser.entity.update({name: chr(code) for name, code in html.entities.name2codepoint.items()})
    return parser


class _Guarded:
    """A stream that is refused when it declares an entity, which only the part before the first element can."""

    def __init__(self, name: str, stream: BufferedIOBase):
        self.name, self.stream = name, stream
        self.guard = ParserCreate()
        self.guard.EntityDeclHandler = self._refuse
        self.guard.StartElementHandler = self._begun

    def read(self, size: int = -1) -> bytes:
        """The next bytes, looked at before the reader sees them."""
        chunk = self.stream.read(size)
        if self.guard is not None:
            self._look(chunk)
        return chunk

    def _look(self, chunk: bytes) -> None:
        guard = self.guard
        try:
            guard.Parse(chunk, not chunk)
        except ExpatError:
            self.guard = None  # the reader finds the same fault and says where it is

    def _begun(self, tag: str, attributes: dict[str, str]) -> None:
        self.guard = None

    def _refuse(self, entity: str, *declared: object) -> None:
        raise ValueError(f"{self.name}, DOCTYPE: found a declaration of the entity {entity!r}, expected none; such a file can read other files or fill memory")
