"""From the command line to a function: its parameters are the options, its docstring their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import auto_cli

from bridge.arguments import options, short, tidy
from bridge.data.cohort import SPLITS, Cohort

#: Commands whose required parameters need no name.
POSITIONAL = ("report", "ask", "serve", "export", "reports", "check-encoder")


def run_function(functions: Callable | dict[str, Callable], name: str, arguments: Sequence[str], about: str = "") -> Any:
    """Arguments to a function's parameters; what is wrong with them is said in a line or two."""
    named = list(functions.values()) if isinstance(functions, dict) else [functions]
    tidied = tidy(arguments, options(named, "list["), options(named, "bool"))
    settings = {"prog": f"bridge {name}", "as_positional": name in POSITIONAL, "exit_on_error": False}
    try:
        return auto_cli(functions, args=tidied, **settings, **({"description": about} if about else {}))
    except argparse.ArgumentError as error:
        raise ValueError(f"{short(error)}\nsee: bridge {name} --help") from error


def contents(cohort: Cohort, path: Path) -> str:
    """What a cohort holds, in a line."""
    splits = ", ".join(f"{split} {len(cohort.rows(split))}" for split in SPLITS)
    present = ", ".join(f"{modality} {int(np.isfinite(cohort.raw(modality)).any(axis=1).sum())}" for modality in cohort.modalities)
    return f"{path}: {len(cohort.ids)} samples ({splits}); with {present}; texts {cohort.texts or 'none'}"
