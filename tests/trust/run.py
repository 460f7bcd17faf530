"""``make trust``: every figure of trust, into runs/trust/table.md and table.json; exit status 1 where one is missed.

    python tests/trust/run.py                      all sections, in full
    python tests/trust/run.py --fast saves flips   those named, in their short form

A section is a file ``trust_NAME.py`` with ``figures(fast: bool, folder: Path) -> list[Figure]``; ``folder`` is empty and goes
afterwards. Each runs in a process of its own.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]
os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}  # children are forked: no threads

from figure import Figure  # noqa: E402

OUT = Path("runs/trust")
COLUMNS = ("section", "name", "found", "expected", "seed", "note", "verdict")


def main() -> int:
    """Run the sections asked for and write the table after each, so that a run that is stopped keeps what it has."""
    asked = arguments()
    if asked.one:
        print(json.dumps(in_this_process(asked.one, fast=asked.fast)))
        return 0
    names, table = asked.names or sections(), []
    for number, name in enumerate(names, start=1):
        print(f"[{number}/{len(names)}] {name}", flush=True)
        table += in_a_process(name, fast=asked.fast)
        write(table, Path(asked.out), fast=asked.fast)
    print((Path(asked.out) / "table.md").read_text(encoding="utf-8"))
    return int(any(line["verdict"] != "met" for line in table))


def arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="names of sections; all by default")
    parser.add_argument("--fast", action="store_true", help="fewer draws of the same kind")
    parser.add_argument("--out", default=str(OUT), help="folder of the table")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in sections()]
    if unknown:
        parser.error(f"found {unknown[0]!r}, expected some of {', '.join(sections())}")
    return asked


def sections() -> list[str]:
    """Names of all sections."""
    return sorted(path.stem.removeprefix("trust_") for path in HERE.glob("trust_*.py"))


def in_this_process(name: str, *, fast: bool) -> list[dict]:
    """The figures of one section as rows of the table."""
    with tempfile.TemporaryDirectory(prefix="trust-") as folder:
        found = importlib.import_module(f"trust_{name}").figures(fast, Path(folder))
    return [line(name, figure) for figure in found]


def line(section: str, figure: Figure) -> dict:
    """A row of the table."""
    return {"section": section, **figure._asdict(), "verdict": "met" if figure.met else "missed"}


def in_a_process(name: str, *, fast: bool) -> list[dict]:
    """The rows of one section; a single row that says so where it failed."""
    start = time.perf_counter()
    command = [sys.executable, __file__, "--one", name, *(["--fast"] if fast else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(f"    {time.perf_counter() - start:.0f} s", flush=True)
    if done.returncode:
        return [line(name, Figure("the section itself", f"exit {done.returncode}", "exit 0"))]
    return json.loads(done.stdout.splitlines()[-1])


def write(table: list[dict], out: Path, *, fast: bool) -> None:
    """Both forms of the table."""
    out.mkdir(parents=True, exist_ok=True)
    about = {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "form": "fast" if fast else "full", "machine": machine()}
    (out / "table.json").write_text(json.dumps(about | {"figures": table}, indent=1, ensure_ascii=False), encoding="utf-8")
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
    rows = "\n".join(f"| {' | '.join('' if row[key] is None else str(row[key]) for key in COLUMNS)} |" for row in table)
    (out / "table.md").write_text(f"{head}{rows}\n\n{', '.join(about.values())}\n", encoding="utf-8")


def machine() -> str:
    """Where the figures were made."""
    return f"{platform.system()} {platform.machine()}, python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
