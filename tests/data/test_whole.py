"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.data import whole
from bridge.data.whole import shared_folder, whole_file, whole_folder

WRITE = """
import sys, time
from bridge.data.whole import {writer}
with {writer}({arguments}) as partial:
    (partial / "half").write_text("half") if partial.is_dir() else partial.write_text("half")
    print("there", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def begun(tmp_path):
    """``begun(writer, arguments)``: a process that is in the midst of writing."""
    children = []

    def start(writer: str, arguments: str) -> subprocess.Popen:
        child = subprocess.Popen([sys.executable, "-c", WRITE.format(writer=writer, arguments=arguments)], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        children.append(child)
        assert child.stdout.readline() == "there\n"
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def here(folder: Path) -> set[str]:
    """Names in a folder."""
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("writer", "arguments"),
    [("whole_file", "'a.json'"), ("whole_folder", "'bundle', 'a bundle', 'half'"), ("shared_folder", "__import__('pathlib').Path('a')")],
)
def test_what_a_killed_process_left_half_written_goes_with_the_next_that_writes_there(writer, arguments, begun, tmp_path):
    child = begun(writer, arguments)
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=10)
    assert len(here(tmp_path)) == 1
    with whole_file(tmp_path / "other.txt") as partial:
        partial.write_text("whole")
    assert here(tmp_path) == {"other.txt"}


def test_what_a_process_writes_at_this_moment_stays(begun, tmp_path):
    begun("whole_file", "'a.json'")
    (half,) = here(tmp_path)
    with whole_folder(tmp_path / "bundle", "a bundle", "mark") as partial:
        (partial / "mark").write_text("whole")
    assert here(tmp_path) == {half, "bundle"}


@pytest.mark.parametrize("name", ["a.partial.ffffffff-1", "a.partial.txt", "a.partial.HERE-x", "a.partial.HERE-SELF"])
def test_files_of_other_machines_and_of_the_user_stay(name, tmp_path):
    name = name.replace("HERE", whole.MACHINE).replace("SELF", str(os.getpid()))
    (tmp_path / name).write_text("not ours to remove")
    with shared_folder(tmp_path / "cached") as partial:
        (partial / "content").write_text("whole")
    assert here(tmp_path) == {name, "cached"}
