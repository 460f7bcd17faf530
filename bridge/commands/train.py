"""The stages of training, what one would cost, and the whole line on the default data."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.commands.line import run_function
from bridge.demo import run_demo
from bridge.plan.run import run_plan
from bridge.train.run import run_stage


def align(arguments: Sequence[str]) -> None:
    """Stage 1."""
    run_stage("align", arguments)


def tune(arguments: Sequence[str]) -> None:
    """Stage 2."""
    run_stage("tune", arguments)


def pretrain(arguments: Sequence[str]) -> None:
    """Continual pretraining."""
    run_stage("pretrain", arguments)


def instruct(arguments: Sequence[str]) -> None:
    """Instruction tuning."""
    run_stage("instruct", arguments)


def plan(arguments: Sequence[str]) -> None:
    """``bridge plan align`` and ``bridge plan tune``."""
    stage = next(iter(arguments), "")
    if stage in ("-h", "--help", ""):
        print("usage: bridge plan align|tune --config CONFIG ...\n\nMemory and time of a stage, and a rehearsal of it; see bridge plan tune --help.")
        return
    run_plan(stage, arguments[1:])


def demo(arguments: Sequence[str]) -> None:
    """``bridge demo``."""
    run_function(run_demo, "demo", arguments)
