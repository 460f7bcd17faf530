"""Imports go one way: the contracts in pyproject.toml, and what they cannot say without a list of encoders."""

from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

from encoders.contract import classes

ROOT = Path(__file__).parent.parent


def broken(folder, monkeypatch, capsys):
    """What the contracts of ``folder`` say, '' where all are kept."""
    monkeypatch.chdir(ROOT)
    capsys.readouterr()
    failed = lint_imports(config_filename=str(folder / "pyproject.toml"), no_cache=True)
    return capsys.readouterr().out if failed else ""


def test_the_contracts_of_pyproject_are_kept(monkeypatch, capsys):
    assert not broken(ROOT, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ('"train",\n    "evaluate",', '"evaluate",\n    "train",'),
        ('    "settings",\n', ""),
        ('"bridge.** -> encoders.region_map"', ""),
    ],
    ids=["another order", "a module in no layer", "an encoder's module"],
)
def test_the_contracts_can_be_broken(found, instead, monkeypatch, capsys, tmp_path):
    written = (ROOT / "pyproject.toml").read_text()
    assert found in written
    (tmp_path / "pyproject.toml").write_text(written.replace(found, instead))
    assert "BROKEN" in broken(tmp_path, monkeypatch, capsys)


def test_nothing_imports_a_concrete_encoder():
    graph = grimp.build_graph("bridge", "encoders", cache_dir=None)
    concrete = {kind.__module__ for kind in classes()}
    assert "encoders.gene_table" in concrete
    importers = {module: graph.find_modules_that_directly_import(module) for module in concrete}
    assert not {module: found for module, found in importers.items() if found}
