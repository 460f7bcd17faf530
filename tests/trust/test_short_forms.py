"""The short form of what .github/RELIABILITY.md publishes; inputs, the service and reports of a cohort have tests of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("section", ["resume", "saves", "flips", "bad_samples", "payloads", "metadata", "notes", "privacy"])
def test_the_short_form_of_every_figure_is_met(section, tmp_path):
    command = [sys.executable, str(ROOT / "tests" / "trust" / "run.py"), "--fast", section, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
