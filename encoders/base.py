"""The contract every encoder keeps: files in, tokens out, and a card that says where they came from.

A new modality is one file with one subclass of :class:`Encoder`. Nothing else has to change: the cohort
records which class read it, and training and reports build the same class again from that record.
"""

from __future__ import annotations

import abc
import dataclasses
import importlib
import numbers
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from encoders.card import Card
from encoders.files import require_text
from encoders.ids import require_ids, unseen
from encoders.source import Source, located

__all__ = [
    "Card",
    "Encoder",
    "Raw",
    "Source",
    "Tokens",
    "build",
    "cut_tokens",
    "load_class",
    "located",
    "masked_tokens",
    "record",
    "require_ids",
    "require_text",
    "unseen",
]


class Tokens(NamedTuple):
    """What an encoder hands to a projector. A token that is missing has mask False and value 0."""

    values: Float[Tensor, "batch tokens dim"]
    mask: Bool[Tensor, "batch tokens"]


class Raw(NamedTuple):
    """What an encoder read from a file: one row per sample, NaN where a value is missing."""

    ids: list[str]
    values: Float[np.ndarray, "samples features"]


class Encoder(nn.Module, abc.ABC):
    """One modality to tokens.

    Args:
        modality: Name of the modality; the key under ``obsm`` in a cohort.
        dim: Width of one token.
        names: Token names where tokens have a fixed meaning (atlas regions).
        provenance: Further :class:`Card` fields (``source``, ``version``, ``licence``, ``units`` ...).
    """

    def __init__(self, modality: str, dim: int, names: Iterable[str] = (), provenance: dict[str, str] | None = None):
        super().__init__()
        if isinstance(dim, bool) or not isinstance(dim, numbers.Integral) or dim < 1 or not isinstance(modality, str):
            raise ValueError(f"{type(self).__name__}: found modality {modality!r} and dim {dim!r}, expected a name and a number above 0")
        self.modality, self.dim, self.names = modality, dim, tuple(names)
        self.provenance = dict(provenance or {})
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise ValueError(f"{type(self).__name__}, names: {twice[0]!r} occurs twice, expected a name of its own for each token")
        free = [field.name for field in dataclasses.fields(Card) if field.name not in ("modality", "tokens", "dim", "names")]
        unknown = sorted(set(self.provenance) - set(free))
        if unknown:
            raise ValueError(f"{type(self).__name__}, provenance: unknown card field {unknown[0]!r}; expected some of {free}")

    @classmethod
    def for_source(cls, source: Path, **init_args) -> Encoder:
        """An encoder that fits a file: fills what the file tells (width, region names), keeps what is given."""
        return cls(**init_args)

    @abc.abstractmethod
    def read(self, source: Path) -> Raw:
        """Read a file or folder; everything about file formats lives here. What may stand after a ``#`` says :func:`encoders.source.located`."""

    @abc.abstractmethod
    def forward(self, values: Float[Tensor, "batch features"]) -> Tokens:
        """Values of a batch, NaN where missing, to tokens."""

    def init_args(self) -> dict:
        """Arguments in plain JSON types that build this encoder again; extend where a subclass has more."""
        return {"modality": self.modality, "dim": self.dim, "names": list(self.names), "provenance": self.provenance}

    @property
    def tokens(self) -> int:
        """Tokens per sample."""
        return max(1, len(self.names))

    def card(self) -> Card:
        """Where this encoder's tokens come from."""
        fields = {"encoder": type(self).__name__} | self.provenance
        return Card(modality=self.modality, tokens=self.tokens, dim=self.dim, names=self.names, **fields)

    @classmethod
    @abc.abstractmethod
    def example(cls) -> Encoder:
        """A tiny instance that needs no file and no download; the contract test runs on it."""

    def example_values(self, batch: int) -> Float[Tensor, "batch features"]:
        """Values such as :meth:`read` would give, for the contract test."""
        generator = torch.Generator().manual_seed(0)
        return torch.randn(batch, self.tokens * self.dim, generator=generator)


def masked_tokens(values: Float[Tensor, "batch tokens dim"]) -> Tokens:
    """Tokens in float32, with NaN turned into an absent token (mask False, value 0)."""
    mask = torch.isfinite(values).all(dim=-1)
    return Tokens(torch.where(mask.unsqueeze(-1), values, 0.0).float(), mask)


def cut_tokens(values: Float[Tensor, "batch features"], tokens: int, dim: int) -> Tokens:
    """Features that are the tokens one after another, cut into masked tokens."""
    if values.shape[-1] != tokens * dim:
        raise ValueError(f"values: found {values.shape[-1]} features, expected {tokens} tokens x {dim} = {tokens * dim}; read them with this encoder")
    return masked_tokens(values.reshape(-1, tokens, dim))


def record(encoder: Encoder) -> dict:
    """The class path and arguments from which :func:`build` makes the encoder again."""
    kind = type(encoder)
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": encoder.init_args()}


def load_class(class_path: str, trust: Iterable[str] = ()) -> type[Encoder]:
    """The encoder class at ``package.module.Class`` or ``module:Class``.

    A class outside the ``encoders`` package runs somebody's code: it loads only when its module is in ``trust``.

    Raises:
        ValueError: the class is not trusted, not found, or not an :class:`Encoder`.
    """
    module, _, name = class_path.replace(":", ".").rpartition(".")
    if module.split(".")[0] != "encoders" and module not in set(trust):
        raise ValueError(f"encoder {class_path!r}: module {module!r} is outside the 'encoders' package; pass --trust {module} if you wrote or checked it")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"encoder {class_path!r}: {error}; expected package.module.Class") from error
    if not (isinstance(kind, type) and issubclass(kind, Encoder)):
        raise ValueError(f"encoder {class_path!r}: found {kind!r}, expected a subclass of encoders.base.Encoder")
    return kind


def build(spec: dict, trust: Iterable[str] = ()) -> Encoder:
    """The encoder a :func:`record` describes.

    Raises:
        ValueError: the class is not trusted or not found, or its arguments are not those it takes.
    """
    kind = load_class(spec["class_path"], trust)
    try:
        return kind(**spec["init_args"])
    except TypeError as error:
        raise ValueError(f"encoder {spec['class_path']!r}: {error}; expected the arguments of its record") from error
