"""``bridge evaluate NAME``: one benchmark by the name of its config, with its settings on the command line."""

from __future__ import annotations

import importlib
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser

from bridge.arguments import options, short, tidy
from bridge.benchmark.results import Record
from bridge.benchmark.table import print_table
from bridge.benchmark.task import Skipped, Task
from bridge.settings import config_file

FOLDER = "runs/benchmarks"


def is_benchmark(name: str) -> bool:
    """Whether a config of this name is shipped, or is a file here."""
    return bool(name) and not name.startswith("-") and config_file(_config_name(name), otherwise="") != ""


def benchmarks() -> list[str]:
    """Names of the shipped benchmarks."""
    return sorted(path.stem for path in Path(config_file("evaluate/atlas.yaml")).parent.glob("*.yaml"))


def run_benchmark(arguments: Sequence[str]) -> Record | None:
    """Run the benchmark whose name or config comes first; None where its data are not here.

    Raises:
        ValueError: the config does not fit, or whatever the benchmark refuses.
    """
    name, *rest = arguments
    task, settings = _parsed(name, rest)
    label = Path(name).stem
    record = Record(label, Path(settings.out) / label, settings.seed, title=task.title, command=f"bridge evaluate {' '.join(arguments)}")
    try:
        task.run(record)
    except Skipped as reason:
        print(f"{label}: skipped: {reason}", flush=True)
        return None
    record.write()
    print(f"\n{print_table(record.rows)}\n\nresults  {record.out / 'results.json'}\npage     {record.out / 'page.html'}", flush=True)
    return record


def _parsed(name: str, rest: Sequence[str]) -> tuple[Task, object]:
    """The task, its settings from the config overridden by the command line."""
    config = yaml.safe_load(Path(config_file(_config_name(name))).read_text(encoding="utf-8"))
    parser = ArgumentParser(prog=f"bridge evaluate {name}", exit_on_error=False)
    parser.add_argument("--config", action="config", help="Settings as a file, such as --print_config gives.")
    parser.add_argument("--out", type=str, default=FOLDER, help="Folder; the run goes to a folder of its name in it.")
    parser.add_argument("--seed", type=int, default=0, help="Of every draw.")
    kind = _task_class(config["class_path"], name)
    parser.add_class_arguments(kind, sub_configs=True)
    parser.set_defaults(config.get("init_args", {}))
    try:
        settings = parser.parse_args(tidy(rest, lists=options([kind.__init__], "list[")))
    except ArgumentError as error:
        raise ValueError(f"{short(error)}\nsee: bridge evaluate {name} --help") from error
    own = parser.instantiate_classes(settings).as_dict()
    return kind(**{key: value for key, value in own.items() if key not in ("out", "seed", "config")}), settings


def _task_class(path: str, name: str) -> type[Task]:
    module, _, wanted = path.rpartition(".")
    if not module.startswith("bridge.benchmark."):
        raise ValueError(f"{name}, field class_path: found {path!r}, expected a class in bridge.benchmark")
    try:
        kind = getattr(importlib.import_module(module), wanted)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name}, field class_path: {error}; expected package.module.Class") from error
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        raise ValueError(f"{name}, field class_path: {path!r} is no benchmark, expected a subclass of bridge.benchmark.task.Task")
    return kind


def _config_name(name: str) -> str:
    return name if name.endswith((".yaml", ".yml")) else f"evaluate/{name}.yaml"
