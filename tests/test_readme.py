"""The README is tested: its commands are accepted, its files are there, and the encoder it shows is the one in examples/."""

import contextlib
import io
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from bridge.__main__ import COMMANDS, main
from encoders import contract

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [token for token in MarkdownIt("commonmark").enable("table").parse(README) if token.type == "fence"]

#: What the reader brings, by the README's own words: code in the first cell of a table row or in a sentence.
BROUGHT = set(re.findall(r"`((?:study|checkpoints)/[\w./-]+)`", README))
FILE = re.compile(r"(?:\.\./|/)?\w[\w.-]*(?:/[\w.-]+)+|\w[\w-]*\.(?:h5ad|csv|yaml|json|txt)")


class Line(NamedTuple):
    """One command: the words after the settings of its environment."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.words)


def blocks(language: str) -> list[str]:
    return [token.content for token in BLOCKS if token.info == language]


def lines() -> list[Line]:
    """Every command of every bash block, in the order of the page."""
    script = "\n".join(blocks("bash")).replace("\\\n", " ")
    commands = [command for line in script.splitlines() for command in re.sub(r"(^|\s)#.*", "", line).strip("() ").split("&&")]
    split = [shlex.split(command) for command in commands]
    return [Line(tuple(word for place, word in enumerate(words) if place or "=" not in word)) for words in split if words]


LINES = lines()
BRIDGE = [line for line in LINES if line.words[0] == "bridge"]


def parse(words: Sequence[str]) -> tuple[int, str, str]:
    """Exit status, output and errors of a command that is parsed and not run."""
    printed, refused = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(refused):
        try:
            status = main([*words, "--print_config"])
        except SystemExit as stopped:
            status = stopped.code
    return status, printed.getvalue(), refused.getvalue()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with the repository's configs and the YAML files the README shows, each under the path in its first line."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for block in blocks("yaml"):
        path = tmp_path / block.splitlines()[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("line", BRIDGE, ids=str)
def test_every_bridge_command_is_accepted_by_its_parser(line, checkout):
    status, printed, refused = parse(line.words[1:])
    assert status == 0, refused[-500:]
    assert ":" in printed


def test_a_command_with_a_flag_that_does_not_exist_would_be_noticed(checkout):
    status, _, refused = parse(["evaluate", "--bundel", "runs/demo/bundle"])
    assert status != 0
    assert "bundel" in refused


def test_the_readme_shows_a_command_of_every_stage_and_every_make_target_it_names():
    shown = {line.words[1] for line in BRIDGE}
    assert shown >= {"data", "align", "tune", "evaluate", "report", "check-encoder"}
    assert shown <= set(COMMANDS)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {line.words[1] for line in LINES if line.words[0] == "make"} | set(re.findall(r"`make ([a-z]+)", README))
    assert {"demo", "test"} <= named <= targets


def test_every_file_a_command_names_is_there_or_made_before_or_brought_by_the_reader():
    made = ["runs/demo"]  # by make demo, the first command of the page
    for line in LINES:
        for word in FILE.findall(" ".join(line.words)):
            path = word.removeprefix("examples/") if "examples" in line.words else word
            told = path in BROUGHT or any(path == place or path.startswith(f"{place}/") for place in made)
            is_new = line.words[line.words.index(word) - 1] == "--out" if word in line.words else False
            shown = any(block.startswith(f"# {path}\n") for block in blocks("yaml"))
            assert told or is_new or shown or (ROOT / path).exists(), f"{line}: nothing says where {path} is from"
            made += [path] if is_new else []
    assert len(made) > 4


def test_the_encoder_shown_is_the_one_in_examples_and_keeps_the_contract():
    (shown,) = blocks("python")
    assert shown == (ROOT / "examples" / "encoder_outside.py").read_text(encoding="utf-8")
    names = {"__name__": "encoder_outside"}
    exec(compile(shown, "README.md", "exec"), names)
    broken = [finding for finding in contract.findings(names["BandPower"]) if not finding.ok]
    assert {finding.rule for finding in broken} <= {"the record builds the same encoder"}  # that rule imports the module by name


def test_everything_on_the_map_and_behind_a_link_is_there():
    (block,) = [block for block in blocks("text") if "bridge/model.py" in block]
    mapped = [line.split()[0] for line in block.splitlines() if line and not line[0].isspace()]
    assert len(mapped) > 10
    linked = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    missing = [path for path in [*mapped, *linked] if not (ROOT / path).exists()]
    assert not missing


def test_every_folder_of_the_packages_is_on_the_map():
    (block,) = [block for block in blocks("text") if "bridge/model.py" in block]
    folders = [path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "bridge").glob("*/__init__.py")]
    assert all(f"{folder}/" in block for folder in folders)
