"""The command ``bridge plan``: an estimate, then a rehearsal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bridge.data.whole import whole_file
from bridge.plan.job import parsed, read_job
from bridge.plan.rehearse import rehearse
from bridge.plan.table import as_dict, as_text


def run_plan(stage: str, arguments: Sequence[str]) -> dict:
    """Print what a stage takes on a card under each strategy, and run all of it in small.

    Args:
        stage: ``align`` or ``tune``.
        arguments: As for the stage itself, without ``--out``, and the plan's own: see ``bridge plan tune --help``.

    Raises:
        ValueError: an argument or a setting is not as expected, or a step of the rehearsal fails.
    """
    config = parsed(stage, arguments)
    job = read_job(stage, config)
    plan = as_dict(job)
    print(as_text(plan), flush=True)
    if config["rehearse"]:
        print(f"\nrehearsal of {stage} on a tiny random LLaMA", flush=True)
        plan["rehearsal seconds"] = rehearse(job)
    if config["out"]:
        with whole_file(Path(config["out"])) as partial:
            partial.write_text(json.dumps(plan, indent=1, allow_nan=False), encoding="utf-8")
        print(f"plan: wrote {config['out']}")
    return plan
