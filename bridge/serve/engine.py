"""What the service asks of a model: the one place where it meets the bundle, and what a test puts in its stead."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import Field

from bridge.data.typed import Typed
from bridge.report.questions.answer import Answer
from bridge.report.schema import Report
from bridge.serve.watch import Watch


class Input(Typed):
    """A modality that the bundle reads."""

    modality: str
    about: str = Field("", description="Encoder, atlas and units, for people")


class About(Typed):
    """What a visitor may know of the model."""

    bundle: str = Field(description="Name of the bundle's folder, without where it is")
    llm: str
    inputs: tuple[Input, ...]
    examples: tuple[str, ...] = Field((), description="Ids of samples of the bundle's own cohort")
    notice: str = ""


@dataclasses.dataclass(frozen=True)
class File:
    """A file to read.

    Args:
        path: Where it lies.
        name: As the visitor calls it, for the report and for errors.
        sample: Which sample of it; '' where it holds one.
        key: Which table of it; '' where it holds one.
    """

    path: Path
    name: str
    sample: str = ""
    key: str = ""

    @property
    def source(self) -> Path:
        """The file with its key, as readers take it."""
        return Path(f"{self.path}#{self.key}") if self.key else self.path


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a report is to be about: an example, or files.

    Args:
        example: Id of an example; '' where files are given.
        files: Modality to its file.
        note: Clinical note, quoted to the model as data.
    """

    example: str = ""
    files: Mapping[str, File] = dataclasses.field(default_factory=dict)
    note: str = ""


class Written(Typed):
    """A report in its forms."""

    report: Report
    page: str
    markdown: str
    json_text: str


@runtime_checkable
class Engine(Protocol):
    """Writes reports and answers questions, one at a time, from one thread."""

    about: About

    def write(self, asked: Asked, watch: Watch) -> tuple[Written, Any]:
        """A report, and what is needed to answer questions about its sample.

        Raises:
            ValueError: the input cannot be read or is refused; the message is for the visitor.
            StoppedError: from the watch.
        """

    def ask(self, sample: Any, question: str, watch: Watch) -> Answer:
        """An answer about a sample; raises as :meth:`write`."""
