"""The ``bridge`` command."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bridge import commands
from bridge.settings import quiet_libraries


class Command(NamedTuple):
    """One verb: what runs it and what it is for."""

    run: Callable[[Sequence[str]], object]
    purpose: str


COMMANDS = {
    "demo": Command(commands.demo, "The whole line on the default data: data, align, tune, evaluate, report; goes on where it was stopped."),
    "data": Command(commands.data, "Build a cohort, a corpus to pretrain on, or an instruction set."),
    "embed": Command(commands.embed, "Run an encoder, or the LLM for text, over raw inputs and write the embeddings."),
    "pretrain": Command(commands.pretrain, "Continual pretraining of the LLM on a weighted mixture of biomedical, clinical and general text."),
    "instruct": Command(commands.instruct, "Instruction tuning over task families, in words alone or with the soft tokens of a cohort's samples."),
    "plan": Command(commands.plan, "Memory and time of a stage on your cards, and a rehearsal of it, before anything large is run."),
    "align": Command(commands.align, "Stage 1: align every modality with text by contrast."),
    "tune": Command(commands.tune, "Stage 2: LoRA and projectors learn together to answer from the prefix."),
    "report": Command(commands.report, "Write the report of one sample from a bundle and any subset of gene, brain and note."),
    "export": Command(commands.export, "Write a bundle, and the soft tokens of a cohort, for a vLLM server of your own."),
    "reports": Command(commands.reports, "Write the reports of an export's samples through its vLLM server, many at a time."),
    "evaluate": Command(commands.evaluate, "Score a bundle on held-out samples, beside baselines and controls."),
    "check-encoder": Command(commands.check_encoder, "Run the encoder contract on a class of yours."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an expected error is one or two lines on standard error and status 2."""
    verb, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if verb in ("-h", "--help"):
        print(_usage())
        return 0
    if verb not in COMMANDS:
        print(f"bridge: unknown command {verb!r}; expected one of {', '.join(COMMANDS)}; see bridge --help", file=sys.stderr)
        return 2
    quiet_libraries()
    try:
        COMMANDS[verb].run(rest)
    except (ValueError, OSError) as error:
        return _fail(verb, error)
    except KeyboardInterrupt:
        print(f"bridge {verb}: stopped; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def _fail(verb: str, error: Exception) -> int:
    """The message in short; the place in the code only when asked for with ``python -X dev``."""
    if sys.flags.dev_mode:
        traceback.print_exception(error)
    first, *more = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    print("\n".join([f"bridge {verb}: error: {first}", *([" ".join(more)] if more else [])]), file=sys.stderr)
    return 2


def _usage() -> str:
    lines = "\n".join(f"  {verb:14} {command.purpose}" for verb, command in COMMANDS.items())
    return f"usage: bridge COMMAND ...\n\nGenes, brains and language in one prompt.\n\ncommands:\n{lines}\n\nbridge COMMAND --help explains each."


if __name__ == "__main__":
    with warnings.catch_warnings():
        raise SystemExit(main())
