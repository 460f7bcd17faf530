"""The short form of what is published about training: killed runs, killed saves, flipped bits, bad samples."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("section", ["resume", "saves", "flips", "bad_samples"])
def test_the_short_form_of_every_figure_is_met(section, tmp_path):
    command = [sys.executable, str(ROOT / "tests" / "trust" / "run.py"), "--fast", section, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
