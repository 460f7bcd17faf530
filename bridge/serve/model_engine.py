"""The engine over a bundle: an example from its cohort or uploaded files in, a report or an answer out."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bridge.data.cohort import Cohort
from bridge.data.decode import UPLOAD
from bridge.language.subject import subjects
from bridge.model import SemanticBridge
from bridge.report.given import InputFile
from bridge.report.origin import cohort_inputs, input_file
from bridge.report.page.content import NOTICE
from bridge.report.questions.answer import Answer
from bridge.report.questions.ask import Session
from bridge.report.write import read_input, subject_of, write_report
from bridge.retrieve.lists import own_candidates
from bridge.serve.engine import About, Asked, File, Input, Written
from bridge.serve.forms import written
from bridge.serve.names import stem
from bridge.serve.watch import Watch
from encoders.base import Card

#: Examples that the page lists.
SHOWN = 500
#: How readers tell people at a command line to name a table of a file.
BY_KEY = "name one with key or after the file's name:"
_PATH = re.compile(r"(?<![\w./:#])/(?:[^/\s'\",;:()]+/)*([^/\s'\",;:()]+)")


class ModelEngine:
    """A bundle that is loaded.

    Args:
        bridge: The bundle.
        source: Its folder, for the record.
        cohort: Whose held-out samples are the examples; none without it.
        max_new_tokens: Longest report, and longest answer.
    """

    def __init__(self, bridge: SemanticBridge, source: str, cohort: Cohort | None = None, max_new_tokens: int = 160):
        self.bridge, self.source, self.cohort, self.max_new_tokens = bridge, source, cohort, max_new_tokens
        self._asked: tuple[object, Session | None] = None, None  # of one sample alone: what the LLM has read of it takes memory
        inputs = tuple(Input(modality=modality, about=_told(bridge.cards[modality])) for modality in bridge.projectors)
        examples = () if cohort is None else tuple(cohort.ids[row] for row in cohort.rows("test")[:SHOWN])
        self.about = About(bundle=Path(source).resolve().name, llm=_without_folders(bridge.language.name), inputs=inputs, examples=examples, notice=NOTICE)

    def write(self, asked: Asked, watch: Watch) -> tuple[Written, Callable[[], Session]]:
        """A report, and what makes ready for questions on the same sample."""
        try:
            subject, values, about = self._example(asked.example) if asked.example else self._uploaded(asked, watch)
            watch.step("Writing the report", of=self.max_new_tokens)
            settings = {"note": asked.note, "max_new_tokens": self.max_new_tokens, "source": self.source}
            report = write_report(self.bridge, subject, values, **settings, **about, each_token=watch.token)
        except ValueError as error:
            raise ValueError(_for_people(str(error), asked.files.values())) from None
        watch.step("Drawing the page")
        forms = written(report, self.bridge.atlases)
        return forms, functools.partial(Session, self.bridge, subject, values, **settings, inputs=about["inputs"])

    def ask(self, sample: Callable[[], Session], question: str, watch: Watch) -> Answer:
        """An answer, checked as a report is."""
        if self._asked[0] is not sample:
            watch.step("Reading the sample")
            self._asked = sample, sample()
        watch.step("Answering", of=self.max_new_tokens)
        return self._asked[1].ask([question], watch.token)[0]

    def _example(self, sample: str):
        """A sample of the cohort as its subject, its values, and what the record says of it."""
        row = self.cohort.ids.index(sample)
        subject = subjects(self.cohort, [row])[0]
        values = {modality: self.cohort.values(modality, [row])[0] for modality in self.bridge.cards if modality in subject.present}
        return subject, values, {"inputs": cohort_inputs(self.cohort, values), "own": own_candidates(self.cohort, row) or None}

    def _uploaded(self, asked: Asked, watch: Watch):
        """The same of files; nothing but their values is known."""
        read, inputs = {}, []
        for modality, file in asked.files.items():
            watch.step(f"Reading {file.name}")
            read[modality] = self._read(modality, file, watch)
            inputs.append(input_file(modality, file.source).model_copy(update={"name": f"{file.name}#{file.key}" if file.key else file.name}))
        subject = subject_of(self.bridge, _called(asked), read)
        return subject, {modality: normalised for modality, (_, normalised) in read.items()}, {"inputs": tuple[InputFile, ...](inputs)}

    def _read(self, modality: str, file: File, watch: Watch) -> tuple[np.ndarray, np.ndarray]:
        return read_input(self.bridge, modality, file.source, file.sample or None, UPLOAD, watch.heed)


def _called(asked: Asked) -> str:
    """What the sample is called: the name that was chosen in a file, else the first file's."""
    named = [file.sample for file in asked.files.values() if file.sample]
    return named[0] if named else stem(next(iter(asked.files.values())).name)


def _told(card: Card) -> str:
    parts = (card.encoder, card.atlas, card.units if card.units != "none" else "", f"{card.tokens} x {card.dim} numbers")
    return ", ".join(part for part in parts if part)


def _for_people(message: str, files) -> str:
    """An error without the server's paths: a visitor knows a file by its own name, and no command line."""
    for file in files:
        message = message.replace(str(file.path), file.name).replace(str(file.path.parent), "").replace(file.path.name, file.name)
        message = message.replace(f"{BY_KEY} {file.name}#", "name one under the file, for example ")
    return _without_folders(message.replace("name it with --sample", "name it under the file"))


def _without_folders(text: str) -> str:
    """The same with the last part of each path alone: where things lie on the server is nobody's business."""
    return _PATH.sub(r"\1", text)
