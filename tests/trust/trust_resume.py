"""Runs that are killed again and again, and started again by the same command, beside runs that were left alone: equal to the last bit."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from figure import Figure
from tiny_run import BATCHES, EPOCHS, TRAIN, Run, make_inputs, new_run, start, wait
from watched import KILL, PLACES

from bridge.train.checkpoint import checkpoints

SEED = 7
WAYS = list(itertools.product(("align", "tune"), (1, 4), (0, 2)))
FAST_WAYS = [("align", 1, 2), ("tune", 4, 0)]
CASES = [("tune", signal.SIGTERM), ("align", signal.SIGKILL), ("align", signal.SIGTERM), ("tune", signal.SIGKILL)]
EACH = 5  # kills of one run
ROOT = Path(__file__).resolve().parents[2]

Point = tuple[int, str]


def figures(fast: bool, folder: Path) -> list[Figure]:
    """Kill points of every way to run, and the commands themselves."""
    inputs, random, found, left_alone = make_inputs(folder), np.random.default_rng(SEED), [], {}
    for stage, accumulate, workers in FAST_WAYS if fast else WAYS:
        name = f"{stage}, accumulation {accumulate}, {workers} workers"
        settings = {"accumulate": accumulate, "workers": workers}
        whole = new_run(folder / name / "whole", stage, inputs, **settings)
        require_ended(whole, start(whole))
        left_alone[stage, accumulate, workers] = whole
        anywhere, ends = kill_points(random, accumulate)
        chains = [[anywhere[1] if stage == "align" else ends[2]]] if fast else [*chained(anywhere), *chained(ends)]
        runs = [new_run(folder / name / f"killed-{number}", stage, inputs, **settings) for number in range(len(chains))]
        kills = sum(killed(run, chain, random) for run, chain in zip(runs, chains, strict=True))
        different = sorted({each for run in runs for each in differences(whole, run)})
        print(f"{name}: {kills} kills, differences: {different}", file=sys.stderr, flush=True)
        found.append(Figure(f"{name}: kills (SIGKILL), at random and around epoch ends", kills, sum(map(len, chains)), SEED))
        found.append(Figure(f"{name}: differences in bundle, log, losses, samples of {len(runs)} runs", ", ".join(different) or 0, 0, SEED))
    return [*found, *commands(CASES[:1] if fast else CASES, folder, inputs, left_alone)]


def kill_points(random: np.random.Generator, accumulate: int, count: int = 20) -> tuple[list[Point], list[Point]]:
    """Random points, half of them at a moment that the killed process does not choose; and five around each epoch's end."""
    points = []
    for number in range(count):
        batch = int(random.integers(1, EPOCHS * BATCHES))
        inside = ["start", "backward", "end", *(["optimiser"] if batch % accumulate == 0 else [])]
        points.append((batch, "clock" if number % 2 else str(random.choice(inside))))
    ends = []
    for epoch in range(1, EPOCHS + 1):
        last = epoch * BATCHES
        after = (last + 1, "start") if epoch < EPOCHS else (last, "trained")
        ends += [(last, "end"), (last, "validation"), (last, "validated"), (last, "epoch"), after]
    return points, ends


def chained(points: list[Point], each: int = EACH) -> list[list[Point]]:
    """Points of one run each, in the order in which they are reached."""
    count = len(points) // each
    ordered = sorted(points, key=_order)
    return [ordered[number::count] for number in range(count)]


def killed(run: Run, points: list[Point], random: np.random.Generator) -> int:
    """Kill a run at these points one after another, and let it end; gives how often it was killed."""
    count = 0
    for batch, place in points:
        process = start(run, **{KILL: "" if place == "clock" else f"{batch}:{place}"})
        if place == "clock":
            until(run, batch)
            time.sleep(random.uniform(0, 0.05))
            os.kill(process, signal.SIGKILL)
        count += wait(process) == -signal.SIGKILL
    require_ended(run, start(run))
    return count


def require_ended(run: Run, process: int) -> None:
    """Fail with what a run said where it did not end well."""
    if wait(process):
        raise RuntimeError((run.folder / "said.txt").read_text()[-3000:])


def until(run: Run, batch: int, seconds: float = 120) -> None:
    """Wait until a run has noted so many batches."""
    limit = time.monotonic() + seconds
    while len(run.batches) < batch and not run.bundle.exists() and time.monotonic() < limit:
        time.sleep(0.002)


def differences(whole: Run, other: Run) -> list[str]:
    """What two runs do not share: files of the bundle, the log, losses and ids of every batch; and samples not seen once an epoch."""
    pairs = {
        **{file: [(run.bundle / file).read_bytes() for run in (whole, other)] for file in json.loads((whole.bundle / "manifest.json").read_text())["files"]},
        "manifest.json": [(run.bundle / "manifest.json").read_bytes() for run in (whole, other)],
        "log": [(run.beside / "log" / "metrics.csv").read_bytes() for run in (whole, other)],
        "batches": [run.batches for run in (whole, other)],
    }
    found = [name for name, (one, two) in pairs.items() if one != two]
    for epoch in range(EPOCHS):
        ids = [each for line in other.batches if line["epoch"] == epoch for each in line["ids"]]
        found += [f"epoch {epoch}"] * (len(ids) != TRAIN or len(set(ids)) != TRAIN)
    return found + ["a checkpoint is left"] * bool(checkpoints(other.beside))


def commands(cases: list[tuple[str, signal.Signals]], folder: Path, inputs: dict[str, str], left_alone: dict[tuple, Run]) -> list[Figure]:
    """``bridge align`` and ``bridge tune`` as a user starts them, ended by a signal and started again."""
    found = []
    for stage, number in cases:
        name = f"bridge {stage}, ended by {number.name}, and the same command again"
        every = 1000 if number == signal.SIGTERM else 2  # a run that is asked to end saves of itself
        whole, run = left_alone[stage, 4, 0], new_run(folder / name / "ended", stage, inputs, accumulate=4, every=every)
        first = command(run)
        until(run, BATCHES + 2)
        first.send_signal(number)
        said, saved = first.communicate(timeout=600)[1], bool(checkpoints(run.beside))
        if number == signal.SIGTERM:
            told = "saved step" in said and "run the same command again" in said and "Traceback" not in said and first.returncode == 128 + number
            found.append(Figure(f"{name}: saved at the end of the step, and told how to go on", str(saved and told), "True"))
        again = command(run)
        again.communicate(timeout=600)
        found.append(Figure(f"{name}: differences", ", ".join(differences(whole, run)) or 0 if again.returncode == 0 else "failed", 0))
    return found


def command(run: Run) -> subprocess.Popen:
    """Start a command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, Path(__file__).parent)))}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    return subprocess.Popen([sys.executable, "-m", "bridge", run.stage, *run.arguments], env=environment, **pipes)


def _order(point: Point) -> tuple[int, int]:
    return point[0], PLACES.index(point[1]) if point[1] in PLACES else PLACES.index("end")
