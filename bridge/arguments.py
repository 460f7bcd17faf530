"""The command line as every command takes it: hyphens or underscores, several values after one option, short errors."""

from __future__ import annotations

import argparse
import importlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from bridge.settings import config_file, read_yaml

#: Lines of jsonargparse that say how it works instead of what is wrong.
NOISE = ("Does not validate against any", "Subtypes:", "Errors:", "Expected a <class 'NoneType'>", "Given value", "Problem with given class_path")

#: Characters of a message; some list all that a field could hold, or quote all that it does.
LONGEST = 600

#: What to write instead of jsonargparse's and Python's spellings.
PLAIN = (
    (r'Parser key "([^"]+)":', r"\1:"),
    (r"Type \S*Callable\[.*?\] expects a function or a callable class: ", ""),
    (r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1"),
    (r"Namespace\(", "("),
    (r"typing\.Literal\[(.*?)\]", r"one of \1"),
    (r"Expected an? (.+?)\. Got value: (\S+)", r"found \2, expected \1"),
    (r" Got value: \(.*\)$", ""),
)


def tidy(arguments: Sequence[str], lists: Collection[str] = (), flags: Collection[str] = (), renamed: Mapping[str, str] | None = None) -> list[str]:
    """Arguments as the parser takes them: ``--id-rule strip casefold`` becomes ``--id_rule=["strip", "casefold"]``.

    Args:
        arguments: As typed.
        lists: Options that take several values.
        flags: Options that need no value: ``--full`` is ``--full=true``.
        renamed: Short name of an option to its full name.
    """
    tidied: list[str] = []
    waiting = list(arguments)
    while waiting:
        name, equals, value = _option(waiting.pop(0), renamed or {})
        if not equals and name.removeprefix("--") in lists:
            name, equals, value = name, "=", _list(waiting)
        elif not equals and name.removeprefix("--") in flags and (not waiting or waiting[0].lower() not in ("true", "false")):
            name, equals, value = name, "=", "true"
        tidied.append(_shipped(f"{name}{equals}{value}"))
    return tidied


def plain_configs(arguments: Sequence[str]) -> list[str]:
    """Arguments whose configurations are files of this machine and plain YAML, whatever they are called.

    The parser itself would ask an address for one, wait for a pipe, and follow a field ``config`` to any file, which it then quotes.

    Raises:
        ValueError: names the configuration.
    """
    places = [place for place, argument in enumerate(arguments) if argument == "--config"]
    given = [*(arguments[place + 1] for place in places if place + 1 < len(arguments)), *(each[9:] for each in arguments if each.startswith("--config="))]
    for path in map(config_file, given):
        content = read_yaml(path)
        if not isinstance(content, dict):
            raise ValueError(f"{path}: found {type(content).__name__}, expected fields with their values")
        if "config" in content:
            raise ValueError(f"{path}, field config: a configuration cannot name another; give both with --config")
    return list(arguments)


def require_classes(settings: object, place: str = "") -> None:
    """Refuse a ``class_path`` that is no class, at any depth: a function would be called while the run is put together.

    Raises:
        ValueError: names the field.
    """
    pairs = settings.items() if isinstance(settings, Mapping) else enumerate(settings) if isinstance(settings, list | tuple) else ()
    for name, value in pairs:
        here = f"{place}.{name}" if place else str(name)
        if name == "class_path" and not _is_class(value):
            raise ValueError(f"config, field {here}: found {str(value)[:80]!r}, expected a class by its full name")
        require_classes(value, here)


def _is_class(path: object) -> bool:
    module, _, name = str(path).rpartition(".")
    try:
        return isinstance(getattr(importlib.import_module(module), name, None), type)
    except (ImportError, ValueError):
        return False


def options(functions: Iterable[Callable], kind: str) -> set[str]:
    """Parameters of functions whose type begins so, for example ``list[`` or ``bool``."""
    return {name for function in functions for name, found in function.__annotations__.items() if str(found).startswith(kind)}


def short(error: argparse.ArgumentError) -> str:
    """What is wrong with the arguments or the config, in one line."""
    lines = [line.strip().lstrip("- ") for line in str(error).splitlines()]
    text = " ".join(line for line in lines if line and not line.startswith(NOISE))
    for pattern, plain in PLAIN:
        text = re.sub(pattern, plain, text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def _option(argument: str, renamed: Mapping[str, str]) -> tuple[str, str, str]:
    """Name, equals sign and value of an option; what is not an option stays as it is."""
    if not argument.startswith("--"):
        return argument, "", ""
    name, equals, value = argument[2:].partition("=")
    head, dot, rest = name.partition(".")
    head = head.replace("-", "_")
    return "--" + renamed.get(head + dot + rest, head + dot + rest), equals, value


def _list(waiting: list[str]) -> str:
    """Take what stands before the next option, as one list."""
    values = []
    while waiting and not waiting[0].startswith("--"):
        values.append(waiting.pop(0))
    return values[0] if len(values) == 1 and values[0].startswith("[") else json.dumps(values)


def _shipped(argument: str) -> str:
    """The path of a shipped configuration where a name is given that is no file here."""
    before, equals, value = argument.rpartition("=") if argument.startswith("--") else ("", "", argument)
    if not value.lower().endswith((".yaml", ".yml")):
        return argument
    path = config_file(value, value)
    if Path(path).is_file():
        read_yaml(path)  # refuses what the parser would take in silence: objects, a key given twice, anchors without end
    return f"{before}{equals}{path}"
