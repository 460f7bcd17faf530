"""One document of a corpus, with what its use depends on."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """A document.

    Args:
        id: Unique within its source: ``PMC123``, ``HP:0001250``, a file name and a row.
        text: The whole text, paragraphs apart by an empty line.
        source: Where it comes from: the data set and its release or file name.
        licence: What its use is bound to, as the file itself says where it does; '' where nothing is known.
    """

    id: str
    text: str
    source: str
    licence: str = ""
