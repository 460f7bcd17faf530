"""The ``config.json`` of a bundle: a closed schema in which every field has its type."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from bridge.data.json_file import read_json
from bridge.data.typed import Typed

FORMAT = 1
LATER = {"cohort"}  # fields that bundles of earlier versions do not have

Name = Annotated[str, Field(pattern=r"^\w[\w-]{0,99}$")]
Size = Annotated[int, Field(ge=1)]
NoOrSize = Annotated[int, Field(ge=0)]


class Strict(Typed):
    """Nothing is taken for what it is not: no number for text, no text for a number."""

    model_config = ConfigDict(strict=True)


class Part(Strict):
    """An encoder or a projector: its class, and the arguments it is made with."""

    class_path: str
    init_args: dict[str, Any]


class Linear(Strict):
    """The linear part of a shared space."""

    blocks: list[list[str]]
    components: Size
    features: dict[str, Size]


class Space(Strict):
    """The shared space of stage 1, see :class:`bridge.project.space.SharedSpace`."""

    modalities: list[str]
    width: Size
    text_width: Size
    dim: Size
    hidden: NoOrSize
    dropout: float = Field(ge=0, lt=1)
    joint: list[str]
    linear: Linear | None


class Trained(Strict):
    """Where the cohort lies that a bundle was trained on."""

    path: str
    sha256: str


class BundleConfig(Strict):
    """All of it, see :func:`bridge.bundle.save`."""

    format: int
    llm: str
    fingerprint: str
    template: str
    encoders: dict[str, Part]
    projectors: dict[str, Part]
    space: Space | None
    text: dict[str, Any]
    latent: NoOrSize
    adapters: list[Name]
    blind: bool
    cohort: Trained | None = None


FIELDS = set(BundleConfig.model_fields)


def read_config(path: Path) -> BundleConfig:
    """What the file says.

    Raises:
        ValueError: names the field that is missing, unknown or of another kind.
    """
    config = read_json(path)
    unknown, missing = sorted(set(config) - FIELDS), sorted(FIELDS - LATER - set(config))
    if unknown or missing:
        raise ValueError(f"{path}: unknown fields {unknown}, missing fields {missing}; expected exactly {sorted(FIELDS)}")
    if config["format"] != FORMAT:
        raise ValueError(f"{path}, field format: found {str(config['format'])[:80]}, expected {FORMAT}; make the bundle again with this version")
    try:
        found = BundleConfig.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:120]
        raise ValueError(f"{path}, field {place}: {first['msg']}, found {str(first['input'])[:80]!r}; the bundle is damaged, write it again") from error
    if len(set(found.adapters)) != len(found.adapters):
        raise ValueError(f"{path}, field adapters: found {found.adapters}, expected each name once; the bundle is damaged, write it again")
    return found
