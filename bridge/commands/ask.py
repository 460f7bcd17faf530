"""Questions on one sample."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from bridge.arguments import options
from bridge.bundle import load, load_reader
from bridge.commands.line import run_function
from bridge.commands.sample import chosen_sample, require_room, require_tokens
from bridge.data.text_file import read_text
from bridge.report.companion import read_companion
from bridge.report.page.ask_markdown import answer_markdown
from bridge.report.questions.answer import Answer
from bridge.report.questions.ask import Session


def ask(arguments: Sequence[str]) -> None:
    """``bridge ask``."""
    run_function(ask_sample, "ask", put_questions(arguments))


def ask_sample(
    bundle: str,
    questions: list[str] | None = None,
    cohort: str | None = None,
    sample: str | None = None,
    gene: str | None = None,
    brain: str | None = None,
    inputs: dict[str, str] | None = None,
    patient: str | None = None,
    withhold_gene: bool = False,
    note: str | None = None,
    format: Literal["markdown", "json"] = "markdown",
    use: list[str] | None = None,
    llm: str | None = None,
    trust: list[str] | None = None,
    max_new_tokens: int = 160,
    facts: str | None = None,
) -> None:
    """Answer questions on one sample, each with its evidence, or say that the input does not tell.

    Args:
        bundle: Bundle folder.
        questions: In words, each in quotes, behind the bundle; without any they are read line by line.
        cohort: Cohort that holds the sample; by default the one that the bundle was trained on.
        sample: Sample id, in the cohort or in a file that holds several.
        gene: File for the modality ``gene``, in a form its encoder reads.
        brain: File for the modality ``brain``.
        inputs: Modality to file, for any other modality.
        patient: Phenopacket in place of a sample; its gene is looked up in the cohort or in the file ``gene``.
        withhold_gene: Leave the gene of the patient out.
        note: File with a clinical note; it is quoted to the model as data.
        format: Markdown for people, JSON for programs: one answer a line.
        use: Modalities of the sample to hand to the model; all by default.
        llm: Where the base LLM is, when it is not where the bundle says.
        trust: Modules outside the packages whose classes may load.
        max_new_tokens: Longest answer in tokens.
        facts: Table of raw facts to check the answers against; the model is not given them.
    """
    require_tokens(max_new_tokens)
    if not all(question.strip() for question in questions or ()):
        raise ValueError('field questions: found an empty one, expected a question in words, for example "Which regions are highest?"')
    text = read_text(note, "a clinical note") if note else ""
    files = (inputs or {}) | ({"gene": gene} if gene else {}) | ({"brain": brain} if brain else {})
    about = {"cohort": cohort, "sample": sample, "patient": patient, "files": files, "use": use, "withhold_gene": withhold_gene}
    chosen = chosen_sample(load_reader(bundle, tuple(trust or ())), bundle, **about)
    companion = read_companion(Path(facts), chosen.subject.id, training=chosen.training) if facts else None
    if not chosen.values:
        raise ValueError(f"ask: {chosen.subject.id!r} has no input that this bundle reads; {'; '.join(chosen.told)}")
    bridge = load(bundle, llm=llm, trust=tuple(trust or ()))  # last, as it takes long: what is wrong with an input is known before
    require_room(bridge, text, max_new_tokens)
    settings = {"note": text, "companion": companion, "max_new_tokens": max_new_tokens, "source": bundle, "inputs": chosen.inputs}
    session = Session(bridge, chosen.subject, chosen.values, **settings)
    for some in [questions] if questions else ([question] for question in _typed_in()):
        for question in some:
            require_room(bridge, text, max_new_tokens, question)
        for answer in session.ask(some):
            _print_answer(answer, format)


def put_questions(arguments: Sequence[str]) -> list[str]:
    """Arguments with what stands behind the bundle, and is no option, as the questions: ``ask BUNDLE --sample S "..." "..."``."""
    lists, flags = options([ask_sample], "list["), options([ask_sample], "bool")
    kept, questions, waiting = [], [], list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":  # whatever comes now is no option
            questions, waiting = [*questions, *waiting], []
            continue
        name = argument.removeprefix("--").partition("=")[0].replace("-", "_")
        if argument.startswith("--"):
            values = 0 if "=" in argument or name in (*flags, "help") else len(waiting) if name in lists else 1
            taken = list(itertools.takewhile(lambda value: not value.startswith("--"), waiting[:values]))
            kept, waiting = [*kept, argument, *taken], waiting[len(taken) :]
        else:
            (questions if kept and not kept[0].startswith("-") else kept).append(argument)
    if any("\udc80" <= letter <= "\udcff" for question in questions for letter in question):
        raise ValueError("field questions: found bytes that are no text in UTF-8, expected words; type them again")
    return [*kept, *([f"--questions={json.dumps(questions)}"] if questions else [])]


def _typed_in() -> Iterator[str]:
    """Questions line by line until the end; asked for where a person types them, who may end with an empty line too.

    Raises:
        ValueError: nobody types, and nothing comes in.
    """
    if not sys.stdin.isatty():
        lines = [line for line in map(str.strip, sys.stdin) if line]
        if not lines:
            raise ValueError('ask: found no question; expected some behind the bundle, or line by line on standard input: "Which regions are highest?"')
        yield from lines
        return
    with contextlib.suppress(EOFError):
        while line := input("question> ").strip():
            yield line


def _print_answer(answer: Answer, form: str) -> None:
    print(answer.model_dump_json() if form == "json" else answer_markdown(answer), flush=True)
