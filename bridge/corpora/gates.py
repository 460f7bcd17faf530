"""What a document passes before it is kept, and the tally of what became of all of them.

A document has text; it has no identifier of a person (by the setting of its source); it holds no test item of a benchmark; it is
not nearly the same as one kept before.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

from bridge.corpora.contamination import NGRAM, TestItems
from bridge.corpora.duplicates import NearDuplicates
from bridge.corpora.identifiers import Handling, scan
from bridge.corpora.record import Record

#: Contaminated documents that are named in the card.
EXAMPLES = 5


@dataclasses.dataclass(frozen=True)
class Cleaning:
    """How documents are compared.

    Args:
        threshold: Likeness from which two documents are the same.
        permutations: Numbers in the sketch of a document.
        shingle: Words of a shingle of a sketch.
        ngram: Words that a document may not share with a test item.
    """

    threshold: float = 0.8
    permutations: int = 128
    shingle: int = 5
    ngram: int = NGRAM


@dataclasses.dataclass
class Tally:
    """What became of the documents of one source; ``empty`` to ``kept`` add up to ``read``."""

    read: int = 0
    empty: int = 0
    refused: int = 0
    contaminated: int = 0
    duplicates: int = 0
    kept: int = 0
    redacted: int = 0
    characters: int = 0
    identifiers: Counter = dataclasses.field(default_factory=Counter)
    licences: Counter = dataclasses.field(default_factory=Counter)
    sources: Counter = dataclasses.field(default_factory=Counter)
    contaminated_examples: list[dict[str, str]] = dataclasses.field(default_factory=list)


class Gates:
    """What a document passes before it is kept.

    Args:
        cleaning: How documents are compared.
        items: Test items of benchmarks.
    """

    def __init__(self, cleaning: Cleaning, items: TestItems):
        self.items = items
        self.duplicates = NearDuplicates(cleaning.threshold, cleaning.permutations, cleaning.shingle)

    def passed(self, record: Record, handling: Handling, tally: Tally) -> Record | None:
        """The document as it is kept, or nothing; either way it is counted."""
        tally.read += 1
        if not record.text:
            tally.empty += 1
            return None
        if handling != "ignore":
            record = self._without_identifiers(record, handling, tally)
        return record if record and self._is_new(record, tally) else None

    def _without_identifiers(self, record: Record, handling: Handling, tally: Tally) -> Record | None:
        text, found = scan(record.text)
        tally.identifiers.update(found)
        if found and handling == "refuse":
            tally.refused += 1
            return None
        tally.redacted += bool(found)
        return record._replace(text=text)

    def _is_new(self, record: Record, tally: Tally) -> bool:
        item = self.items.found_in(record.text)
        if item is not None:
            tally.contaminated += 1
            tally.contaminated_examples += [{"document": record.id, "item": item}] * (len(tally.contaminated_examples) < EXAMPLES)
            return False
        if self.duplicates.seen(record.text):
            tally.duplicates += 1
            return False
        tally.kept += 1
        tally.characters += len(record.text)
        tally.licences[record.licence or "not stated"] += 1
        tally.sources[record.source] += 1
        return True
