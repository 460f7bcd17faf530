"""Malformed inputs refused, benign ones read as they are, ids joined without a wrong pair, a child held to its limits."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from figure import Figure

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "inputs"))

from input_world import World  # noqa: E402
from joined import wrong_pairs  # noqa: E402
from verdict import MALFORMED, benign, wrong_with, wrong_with_values  # noqa: E402

from bridge.data.limited import Limits, limited  # noqa: E402

SEED = 0
TIGHT = Limits(memory_bytes=128 << 20, cpu_s=1, wall_s=60)

#: What ends a child, and how the error calls it.
ENDS = {"crash": "ends the process", "grow": "of memory", "work": "of processor time", "sleep": "s to be read"}


def figures(fast: bool, folder: Path) -> list[Figure]:
    """The table of inputs in full in both forms; fewer permutations in the short one."""
    world = World(folder)
    refused, tracebacks = malformed(world)
    good = benign(world)
    equal = sum(not told(case.name, wrong_with_values(case.try_it(world), expected)) for case, expected in good)
    permutations = 200 if fast else 1000
    wrong = sum(int(wrong_pairs(np.random.default_rng([SEED, draw]))) for draw in range(permutations))
    held = sum(words in ended(name) for name, words in ENDS.items())
    return [
        Figure("malformed inputs refused or said in one or two lines", f"{refused} of {len(MALFORMED)}", f"{len(MALFORMED)} of {len(MALFORMED)}"),
        Figure("malformed inputs that end in a traceback", tracebacks, 0),
        Figure("benign inputs accepted with values equal to 1e-6", f"{equal} of {len(good)}", f"{len(good)} of {len(good)}"),
        Figure(f"wrong pairs in {permutations} random permutations of two files", wrong, 0, SEED),
        Figure("children ended at their limit (crash, memory, processor, wall)", f"{held} of {len(ENDS)}", f"{len(ENDS)} of {len(ENDS)}"),
    ]


def malformed(world: World) -> tuple[int, int]:
    """Inputs with the right verdict, and those that end in an error of the program."""
    right, tracebacks = 0, 0
    for case in MALFORMED:
        try:
            right += not told(case.name, wrong_with(case, case.try_it(world)))
        except Exception as error:  # counted and shown: it is what this figure is about
            tracebacks += 1
            told(case.name, repr(error)[:300])
    return right, tracebacks


def ended(name: str) -> str:
    """The error of a child that is made to end."""
    try:
        limited(f"test_limited_child:{name}", {}, TIGHT._replace(wall_s=2) if name == "sleep" else TIGHT, "a file")
    except ValueError as error:
        return str(error)
    return ""


def told(name: str, wrong: str) -> str:
    """Say what is wrong with a case."""
    if wrong:
        print(f"{name}: {wrong}", flush=True)
    return wrong
