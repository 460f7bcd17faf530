"""Work on strangers' bytes in a process of its own, with limits on memory, processor time and wall time.

One warm process holds the imported libraries and forks a child per piece of work, so that a child costs hundredths of
a second instead of the seconds that the imports take. What comes back is JSON and plain arrays through anonymous
memory: nothing is pickled, and nothing of a sample lies in a temporary folder. A child that crashes, or goes past a
limit, is one ValueError here.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

#: Seconds that the first start may take: the libraries are imported once.
START_S = 300

#: Seconds between two looks at whether anybody still waits.
HEED_S = 0.2

#: How a child ended, as its guard says it, and what that means for whoever gave the file.
ENDS = {
    "memory": "needs more than {memory:.3g} GiB of memory to be read",
    "processor": "takes more than {cpu_s} s of processor time to be read",
    "wall": "takes more than {wall_s} s to be read",
    "crash": "ends the process that reads it (as a damaged file can, or one that needs too much memory)",
}


class Limits(NamedTuple):
    """What a child may use: bytes of memory beyond the libraries' own, seconds of processor time, seconds in all."""

    memory_bytes: int
    cpu_s: int
    wall_s: int


class Done(NamedTuple):
    """What a piece of work gave: JSON values and arrays."""

    told: dict
    arrays: dict[str, np.ndarray]


def limited(call: str, arguments: dict, limits: Limits, source: str, heed: Callable[[], object] = lambda: None) -> Done:
    """Run a function of this package in a child with limits.

    Args:
        call: ``module:function`` of this package; it returns (JSON values, name to array).
        arguments: Its arguments, in JSON types.
        limits: Of the child.
        source: The file it is about, for the errors.
        heed: Called several times a second while the child works; an error of it ends the child.

    Raises:
        ValueError: what the function refused; or the child crashed, or went past a limit. Names the source.
    """
    request = {"call": call, "arguments": arguments, "limits": limits._asdict(), "path": sys.path, "folder": os.getcwd()}
    with os.fdopen(_exchange(), "w+b", buffering=0) as exchange:
        exchange.write(json.dumps(request).encode())
        verdict = _ended(exchange.fileno(), limits.wall_s + START_S, heed)
        if verdict != "ok":
            why = ENDS.get(verdict, ENDS["crash"]).format(memory=limits.memory_bytes / 2**30, **limits._asdict())
            raise ValueError(f"{source}: {why}; expected a file of the usual size that is whole; check it, or write it again")
        exchange.seek(0)
        return _result(exchange, source)


class _Warm:
    """The process with the libraries, started at first use."""

    def __init__(self):
        self.lock, self.process, self.door = threading.Lock(), None, None

    def send(self, handles: list[int]) -> None:
        """Hand two open files to it, starting it where it does not run."""
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self._start()
            socket.send_fds(self.door, [b"."], handles)

    def stop(self) -> None:
        """It ends when its door is shut."""
        if self.process is not None:
            self.door.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=5)

    def _start(self) -> None:
        if self.door is not None:
            self.door.close()
        self.door, other = socket.socketpair()
        # One thread: their stacks count as memory. No plug-in: HDF5 would load code from folders that it is told of.
        settings = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        command = [sys.executable, "-m", "bridge.data.limited_child", str(other.fileno())]
        with other:
            self.process = subprocess.Popen(command, env=os.environ | settings, pass_fds=[other.fileno()], start_new_session=True, **quiet)


_WARM = _Warm()
atexit.register(_WARM.stop)


def _exchange() -> int:
    """Memory that both processes can open and that has no name; a deleted file where the system has no such thing."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("exchange")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _ended(exchange: int, longest_s: float | int, heed: Callable[[], object]) -> str:
    """How the child ended: ``ok`` or a key of :data:`ENDS`; the guard ends the child when nobody waits any more."""
    waiting, telling = os.pipe()
    try:
        _WARM.send([exchange, telling])
    finally:
        os.close(telling)
    said, until = b"", time.monotonic() + longest_s
    try:
        while time.monotonic() < until:
            heed()
            if select.select([waiting], [], [], min(HEED_S, max(0.0, until - time.monotonic())))[0]:
                part = os.read(waiting, 64)
                said += part
                if not part:
                    return said.decode() or "crash"
        return "wall"
    finally:
        os.close(waiting)


def _result(exchange: io.FileIO, source: str) -> Done:
    """Header line and arrays, believed only as far as their sizes agree: the child may have been taken over."""
    size, length = os.fstat(exchange.fileno()).st_size, int.from_bytes(exchange.read(8), "little")
    header = json.loads(_whole(exchange, min(length, size)))
    for message in header.get("warnings", ()):
        warnings.warn(str(message), stacklevel=4)
    if "error" in header:
        lines = [line for line in str(header["error"]).splitlines() if line.strip()][:2]
        because = f"{source}: cannot be read: {header['kind']}: {' '.join(lines)}; the file is damaged or of another format"
        raise ValueError("\n".join(lines) if header["refused"] else because)
    kinds = [(name, np.dtype(kind), tuple(int(each) for each in shape)) for name, kind, shape in header["arrays"]]
    expected = 8 + length + sum(kind.itemsize * int(np.prod(shape, dtype=np.int64)) for _, kind, shape in kinds)
    if size != expected or any(kind.kind not in "biuf" or min(shape, default=0) < 0 for _, kind, shape in kinds):
        raise ValueError(f"{source}: cannot be read: found a result of another size or kind than it says, expected arrays of numbers; check the file")
    arrays = {name: np.fromfile(exchange, kind, int(np.prod(shape, dtype=np.int64))).reshape(shape) for name, kind, shape in kinds}
    return Done(header["told"], arrays)


def _whole(exchange: io.FileIO, length: int) -> bytes:
    parts = []
    while length > 0 and (part := exchange.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
