"""Fields of a phenopacket by their path, each of the kind it should be: what does not fit is named with its file and its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

#: What no field of a packet holds: control signs, and halves of a sign that no file can be written with.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
LONGEST = 100_000


class Field:
    """A message of a packet; what it does not have reads as empty.

    Args:
        value: The message as JSON holds it.
        place: File, or file and line.
        path: Of the message inside its packet.
    """

    def __init__(self, value: dict[str, Any], place: str, path: str = ""):
        self.value, self.place, self.path = value, place, path

    def __contains__(self, name: str) -> bool:
        return self.value.get(name) is not None

    def message(self, name: str) -> Field:
        """A message inside this one."""
        return Field(self._typed(name, self.value.get(name), dict) or {}, self.place, self._path(name))

    def messages(self, name: str) -> Iterator[Field]:
        """A list of messages."""
        for number, each in enumerate(self.items(name)):
            place = f"{name}[{number}]"
            yield Field(self._typed(place, each, dict) or {}, self.place, self._path(place))

    def items(self, name: str) -> list[Any]:
        """A list."""
        return self._typed(name, self.value.get(name) or None, list) or []

    def text(self, name: str) -> str:
        """A text, '' where there is none."""
        found = self._typed(name, self.value.get(name), str) or ""
        if CONTROL.search(found) or len(found) > LONGEST:
            wrong = "control signs" if len(found) <= LONGEST else f"{len(found):,} letters"
            raise self.error(name, f"found {found[:20]!a} with {wrong}, expected plain text of at most {LONGEST:,} letters")
        return found

    def flag(self, name: str) -> bool:
        """Whether it is said; false where it is left out."""
        return bool(self._typed(name, self.value.get(name), bool))

    def error(self, name: str, told: str) -> ValueError:
        """What is wrong with a field."""
        return ValueError(f"{self.place}, field {self._path(name)}: {told}")

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _typed(self, name: str, found: Any, kind: type) -> Any:
        if found is not None and not isinstance(found, kind):
            raise self.error(name, f"found {type(found).__name__}, expected {kind.__name__}")
        return found


def parsed(text: str, place: str) -> dict[str, Any]:
    """A JSON object with the names of its fields in camel case, which the schema's own JSON has; some writers keep its snake case.

    Raises:
        ValueError: it is no JSON object, or a field is there twice.
    """
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_not_a_number)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise ValueError(f"{place}: cannot be read as JSON ({why}); expected a phenopacket") from error
    if not isinstance(found, dict):
        raise ValueError(f"{place}: found {type(found).__name__}, expected a phenopacket, one JSON object")
    return found


def _not_a_number(name: str) -> None:
    raise ValueError(f"found {name}, which JSON does not have")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        camel = re.sub(r"(?<=[a-z0-9])_([a-z])", lambda letter: letter[1].upper(), name)
        if camel in found:
            raise ValueError(f"field {name} is found twice")
        found[camel] = value
    return found
