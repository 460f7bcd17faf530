"""The ``bridge`` command."""

from __future__ import annotations

import importlib
import io
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from bridge.faults import is_panic, where
from bridge.settings import quiet_libraries

#: Characters of a line of an error.
LONGEST = 1_500


class Command(NamedTuple):
    """One verb: the module of ``bridge.commands`` and its function, and what it is for."""

    module: str
    function: str
    purpose: str

    def run(self, arguments: Sequence[str]) -> None:
        """Load the module only now: a command waits for no library but its own."""
        getattr(importlib.import_module(f"bridge.commands.{self.module}"), self.function)(arguments)


COMMANDS = {
    "demo": Command("train", "demo", "The whole line on the default data: data, align, tune, evaluate, report; goes on where it was stopped."),
    "data": Command("data", "data", "Build a cohort, a corpus to pretrain on, or an instruction set."),
    "embed": Command("embed", "embed", "Run an encoder, or the LLM for text, over raw inputs and write the embeddings."),
    "pretrain": Command("train", "pretrain", "Continual pretraining of the LLM on a weighted mixture of biomedical, clinical and general text."),
    "instruct": Command("train", "instruct", "Instruction tuning over task families, in words alone or with the soft tokens of a cohort's samples."),
    "plan": Command("train", "plan", "Memory and time of a stage on your cards, and a rehearsal of it, before anything large is run."),
    "align": Command("train", "align", "Stage 1: align every modality with text by contrast."),
    "tune": Command("train", "tune", "Stage 2: LoRA and projectors learn together to answer from the prefix."),
    "report": Command("report", "report", "Write the report of one sample, a patient or a whole cohort, from any subset of the inputs."),
    "ask": Command("ask", "ask", "Answer questions about one sample, each with its evidence; what the inputs cannot tell is answered so."),
    "serve": Command("serve", "serve", "Open a page, and a JSON service, on which reports are written and questions are asked."),
    "export": Command("export", "export", "Write a bundle, and the soft tokens of a cohort, for a vLLM server of your own."),
    "reports": Command("export", "reports", "Write the reports of an export's samples through its vLLM server, many at a time."),
    "evaluate": Command("evaluate", "evaluate", "Score a bundle on held-out samples, beside baselines and controls."),
    "check-encoder": Command("evaluate", "check_encoder", "Run the encoder contract on a class of yours."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error is one or two lines on standard error, and status 2 if it was foreseen, else 1."""
    verb, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if verb in ("-h", "--help"):
        print(_usage())
        return 0
    if verb not in COMMANDS:
        print(f"bridge: unknown command {verb!r}; expected one of {', '.join(COMMANDS)}; see bridge --help", file=sys.stderr)
        return 2
    quiet_libraries()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not of UTF-8 shows a character by its number
    try:
        COMMANDS[verb].run(rest)
    except (ValueError, OSError) as error:
        return _fail(verb, error)
    except KeyboardInterrupt as stopped:
        print(f"bridge {verb}: stopped; run the same command again to go on", file=sys.stderr)
        return 128 + next((each for each in stopped.args if isinstance(each, signal.Signals)), signal.SIGINT)
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        return _fail(verb, error, foreseen=False)
    return 0


def _fail(verb: str, error: BaseException, *, foreseen: bool = True) -> int:
    """The message in short; the place in the code only when asked for with ``python -X dev``, or where nobody foresaw the error."""
    if sys.flags.dev_mode:
        traceback.print_exception(error)
    first, *more = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if not foreseen:
        first, more = f"{where(error)}: {first[:300]}", [f"bridge did not foresee this; to see where it came from: python -X dev -m bridge {verb} ..."]
    lines = [f"bridge {verb}: error: {first}", *([" ".join(more)] if more else [])]
    print("\n".join(line if len(line) <= LONGEST else f"{line[:LONGEST]} ..." for line in lines), file=sys.stderr)
    return 2 if foreseen else 1


def _usage() -> str:
    lines = "\n".join(f"  {verb:14} {command.purpose}" for verb, command in COMMANDS.items())
    return f"usage: bridge COMMAND ...\n\nGenes, brains and language in one prompt.\n\ncommands:\n{lines}\n\nbridge COMMAND --help explains each."


if __name__ == "__main__":
    with warnings.catch_warnings():
        raise SystemExit(main())
