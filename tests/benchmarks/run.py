"""``make bench``: every hot path beside what a user would use instead, into runs/bench/table.md and table.json.

    python tests/benchmarks/run.py                     all of them
    python tests/benchmarks/run.py contrastive_loss    those named

Each file runs in a process of its own: ``path_NAME.py`` with ``measure() -> list[Ratio]``.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
OUT = Path("runs/bench")
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]


def main() -> int:
    """Run the paths asked for and write the table after each, so that a run that is stopped keeps what it has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="names of paths; all by default")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(lines(asked.names[0])))
        return 0
    known = sorted(path.stem.removeprefix("path_") for path in HERE.glob("path_*.py"))
    unknown = [name for name in asked.names if name not in known]
    if unknown:
        parser.error(f"found {unknown[0]!r}, expected some of {', '.join(known)}")
    table: list[dict] = []
    for number, name in enumerate(asked.names or known, start=1):
        print(f"[{number}/{len(asked.names or known)}] {name}", flush=True)
        table += in_a_process(name)
        write(table)
    print((OUT / "table.md").read_text())
    return int(any(line["ratio"] is None or line["ratio"] < line["bar"] for line in table))


def lines(name: str) -> list[dict]:
    """What one path measured, as rows of the table."""
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    where = {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} threads, torch {torch.__version__}, python {platform.python_version()}"
    }
    return [dataclasses.asdict(ratio) | where for ratio in importlib.import_module(f"path_{name}").measure()]


def in_a_process(name: str) -> list[dict]:
    """The rows of one path; one row without a ratio where it failed."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--one", name], stdout=subprocess.PIPE, text=True, check=False)
    print(f"    {time.perf_counter() - start:.0f} s", flush=True)
    if done.returncode:
        return [
            {
                "path": name,
                "peer": "",
                "ratio": None,
                "bar": 0.0,
                "unit": f"failed with exit {done.returncode}",
                "ours": "",
                "theirs": "",
                "equal": "",
                "machine": "",
            }
        ]
    return json.loads(done.stdout.splitlines()[-1])


def write(table: list[dict]) -> None:
    """Both forms of the table."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "table.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    head = "| path | peer | ratio | bar | unit | ours | theirs | equal |\n|---|---|---|---|---|---|---|---|\n"
    rows = [f"| {' | '.join(cell(line, key) for key in ('path', 'peer', 'ratio', 'bar', 'unit', 'ours', 'theirs', 'equal'))} |" for line in table]
    machine = table[-1]["machine"] if table else ""
    (OUT / "table.md").write_text(f"{head}{chr(10).join(rows)}\n\n{machine}\n", encoding="utf-8")


def cell(line: dict, key: str) -> str:
    """One cell: a ratio below its bar says so."""
    if key == "ratio":
        return "failed" if line["ratio"] is None else f"{line['ratio']:.2f}" + (" (missed)" if line["ratio"] < line["bar"] else "")
    return f"{line['bar']:g}" if key == "bar" and line["bar"] else "" if key == "bar" else str(line[key])


if __name__ == "__main__":
    sys.exit(main())
