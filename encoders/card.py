"""The card of an embedding: where its numbers come from, so that two that do not belong together are refused."""

from __future__ import annotations

import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class Card:
    """Where an embedding came from. Two cards that disagree do not meet in one model.

    Args:
        modality: Name of the modality, for example ``gene`` or ``brain``.
        encoder: Encoder name with its version or weight hash.
        tokens: Number of tokens per sample.
        dim: Width of one token.
        names: Name of each token (atlas regions), empty when tokens have none.
        layer: Layer of the model the values were taken from.
        pooling: How positions were pooled.
        atlas: Atlas name and version.
        space: Coordinate space, for example ``MNI152NLin2009cAsym, mm, RAS+``.
        gene_ids: Gene identifier namespace, for example ``HGNC symbol``.
        units: Units of the values.
        normalisation: Statistics and the split they were fitted on, see ``bridge.data.cohort``.
        source: Package, paper or file the values come from.
        version: Release of the source.
        licence: Terms of use of the source.
    """

    modality: str
    encoder: str
    tokens: int
    dim: int
    names: tuple[str, ...] = ()
    layer: str = ""
    pooling: str = ""
    atlas: str = ""
    space: str = ""
    gene_ids: str = ""
    units: str = ""
    normalisation: dict | None = None
    source: str = ""
    version: str = ""
    licence: str = ""

    #: Fields that must agree between the card a model was trained with and the card of a new input.
    IDENTITY = ("modality", "encoder", "tokens", "dim", "names", "layer", "pooling", "atlas", "space", "gene_ids", "units")

    def to_dict(self) -> dict:
        """Plain JSON types."""
        return dataclasses.asdict(self) | {"names": list(self.names)}

    @classmethod
    def from_dict(cls, fields: object) -> Card:
        """Inverse of :meth:`to_dict`; an unknown field, or one of another kind, is an error."""
        if not isinstance(fields, dict):
            raise ValueError(f"card: found {type(fields).__name__}, expected its fields")
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        if unknown:
            raise ValueError(f"card: unknown field {unknown[0]!r}; expected only {sorted(known)}")
        wrong = next((name for name, kind in KINDS.items() if name not in fields or not _is(fields[name], kind)), "")
        names = fields.get("names", ())
        wrong = wrong or ("" if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names) else "names")
        if wrong:
            expected = "a whole number above 0" if KINDS.get(wrong) is int else "text"
            raise ValueError(f"card, field {wrong!r}: found {_short(fields.get(wrong))}, expected {expected}")
        return cls(**(fields | {"names": tuple(fields.get("names", ()))}))

    def require_same(self, other: Card) -> None:
        """Refuse ``other`` when it differs in a field that changes what the numbers mean.

        Raises:
            ValueError: names the field, what was expected and what was found.
        """
        for field in self.IDENTITY:
            expected, found = getattr(self, field), getattr(other, field)
            if expected != found:
                raise ValueError(
                    f"card of {self.modality!r}, field {field!r}: expected {_short(expected)}, found {_short(found)}; "
                    "encode the input the way the model was trained, or train again on this input"
                )


#: Fields that every card has, and of which kind they are.
KINDS = {"modality": str, "encoder": str, "tokens": int, "dim": int}


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and (kind is not int or value > 0)


def _short(value: object, limit: int = 80) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= limit else text[: limit - 3] + "..."
