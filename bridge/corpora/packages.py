"""Documentation of installed Python packages: their read-me and the docstrings of their modules. Nothing is imported."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution
from pathlib import Path, PurePath

from bridge.corpora.record import Record

#: Folders of a package that hold no documentation for its readers.
PASSED_OVER = ("test", "tests", "testing", "_vendor", "vendored", "vendor")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
LICENCE_CLASS = "License :: "


def read_packages(path: Path | None = None, *, names: Sequence[str] = ()) -> Iterator[Record]:
    """Read-me and docstrings of packages with the licence that each package names; a document for each module.

    Args:
        path: A folder with packages (site-packages); that of the running Python where none is given.
        names: Packages; all that are installed where none is named.

    Raises:
        ValueError: a package is not installed.
    """
    search = {"path": [str(path)]} if path else {}
    installed = {_normal(each.name): each for each in importlib.metadata.distributions(**search) if each.name}
    missing = [name for name in names if _normal(name) not in installed]
    if missing:
        raise ValueError(f"packages, field names: {missing[0]!r} is not installed, found {len(installed)} packages; install it or leave it out")
    for name in sorted({_normal(name) for name in names} or installed):
        yield from _documents(installed[name])


def licence_of(distribution: Distribution) -> str:
    """The licence by its expression, else by its classifier, else the first line of the licence field."""
    about = distribution.metadata
    classes = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier", []) if each.startswith(LICENCE_CLASS)]
    return (about.get("License-Expression") or "; ".join(classes) or about.get("License", "").strip().split("\n")[0])[:200]


def _documents(distribution: Distribution) -> Iterator[Record]:
    source, licence = f"{distribution.name} {distribution.version}", licence_of(distribution)
    body = distribution.metadata.get_payload()
    readme = distribution.metadata.get("Description") or (body if isinstance(body, str) else "")
    yield Record(f"{distribution.name}:README", readme.strip(), source, licence)
    for file in sorted(distribution.files or (), key=str):
        if file.suffix == ".py" and not set(PurePath(file).parts) & {*PASSED_OVER, ".."}:
            yield Record(f"{distribution.name}:{file}", "\n\n".join(_docstrings(Path(str(file.locate())))), source, licence)


def _docstrings(file: Path) -> Iterator[str]:
    """Docstrings of a module and of what it defines for others, outer ones first; a file that Python cannot parse has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a package's own doubtful escapes
            tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and not getattr(node, "name", "").startswith("_"):
            text = inspect.cleandoc(ast.get_docstring(node, clean=False) or "").strip()
            if text:
                yield f"{node.name}: {text}" if hasattr(node, "name") else text


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
