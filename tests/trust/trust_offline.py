"""The whole test suite where there is no network but this machine's own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from figure import Figure

ROOT = Path(__file__).resolve().parents[2]
#: Ways into a name space: of root, and of anybody who may be root there.
WAYS = (["unshare", "--net"], ["unshare", "--net", "--map-root-user"])
LOOPBACK = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x49))"  # SIOCSIFFLAGS: up, running


def figures(fast: bool, folder: Path) -> list[Figure]:
    """How many tests fail; in the short form of those that ask for addresses alone."""
    tests = ["tests/test_offline.py"] if fast else ["tests", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    apart = _apart()
    if apart:
        command = [*apart, "sh", "-c", f'{sys.executable} -c "{LOOPBACK}"; exec "$@"', "sh", *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout[-3000:], file=sys.stderr)
    summary = re.sub(r"[= ]+$|^[= ]+", "", done.stdout.strip().splitlines()[-1])
    kind = "a network namespace with nothing but loopback" if apart else "every connection beyond loopback refused by an audit hook"
    return [Figure("the test suite without network: exit status", done.returncode, 0, note=f"{summary}; {kind}")]


def _apart() -> list[str]:
    """What gives a process a network of its own, with nothing in it; nothing where this machine does not let one have it."""
    return next((way for way in WAYS if shutil.which(way[0]) and subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0), [])
