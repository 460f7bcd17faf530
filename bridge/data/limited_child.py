"""The warm process behind :mod:`bridge.data.limited`: imports once, then forks a guarded child for each piece of work."""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import warnings
from pathlib import Path

import numpy as np

#: The child's exit status where an allocation failed.
OUT_OF_MEMORY = 3

#: What the signal that ended a child means.
SIGNALS = {signal.SIGXCPU: "processor", signal.SIGKILL: "memory"}  # nobody else kills it but the system that runs out of memory

PAGE = resource.getpagesize()


def serve(door: int) -> None:
    """Fork a guard for every request until the door is shut."""
    requests = socket.socket(fileno=door)
    importlib.import_module("encoders.contract").classes()
    importlib.import_module("bridge.data.decode")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended guards are nobody's business
    gc.freeze()
    while True:
        said, handles, _, _ = socket.recv_fds(requests, 1, 2)
        if not said:
            return
        if os.fork() == 0:
            requests.close()
            _end_with(_guard, *handles)
        for handle in handles:
            os.close(handle)


def _guard(exchange: int, telling: int) -> int:
    """Start the child, wait for it as long as it may take and as long as somebody waits for it, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.lseek(exchange, 0, os.SEEK_SET)
    with os.fdopen(os.dup(exchange), "rb") as stream:
        request = json.loads(stream.read())
    child = os.fork()
    if child == 0:
        os.close(telling)
        _end_with(_work, exchange, request)
    os.write(telling, _outcome(child, telling, request["limits"]["wall_s"]).encode())
    return 0


def _outcome(child: int, telling: int, wall_s: float | int) -> str:
    listener, until = select.poll(), time.monotonic() + wall_s
    listener.register(telling, 0)  # reports an error once the reading end is closed
    pause_ms = 2
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _meaning(status)
        if listener.poll(pause_ms):
            break
        pause_ms = min(50, 2 * pause_ms)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "wall"


def _meaning(status: int) -> str:
    if os.WIFSIGNALED(status):
        return SIGNALS.get(os.WTERMSIG(status), "crash")
    return {0: "ok", OUT_OF_MEMORY: "memory"}.get(os.WEXITSTATUS(status), "crash")


def _work(exchange: int, request: dict) -> int:
    sys.path[:] = request["path"]
    os.chdir(request["folder"])
    _limit(**request["limits"])
    module, _, name = request["call"].partition(":")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            told, arrays = getattr(importlib.import_module(module), name)(**request["arguments"])
            header = {"told": told, "arrays": [(each, values.dtype.str, values.shape) for each, values in arrays.items()]}
        except MemoryError:
            return OUT_OF_MEMORY
        except Exception as error:  # a stranger's file may reach any error of any library: each becomes one line
            told, arrays, header = {}, {}, {"error": str(error), "refused": isinstance(error, ValueError), "kind": type(error).__name__}
    header["warnings"] = list(dict.fromkeys(str(each.message) for each in caught if Path(each.filename).parts[-2] in ("encoders", "data")))
    _write(exchange, header, arrays)
    return 0


def _write(exchange: int, header: dict, arrays: dict[str, np.ndarray]) -> None:
    text = json.dumps(header).encode()
    os.ftruncate(exchange, 0)
    os.lseek(exchange, 0, os.SEEK_SET)
    with os.fdopen(exchange, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for values in arrays.values():
            stream.write(np.ascontiguousarray(values).data)


def _limit(memory_bytes: int, cpu_s: int, wall_s: int) -> None:
    """Memory counts beyond what the libraries hold already; the wall clock is the guard's."""
    held = int(Path("/proc/self/statm").read_text().split()[5]) * PAGE if Path("/proc/self/statm").exists() else 0
    for kind, limit in ((resource.RLIMIT_DATA, held + memory_bytes), (resource.RLIMIT_FSIZE, memory_bytes), (resource.RLIMIT_CORE, 0)):
        highest = resource.getrlimit(kind)[1]
        allowed = limit if highest == resource.RLIM_INFINITY else min(limit, highest)
        resource.setrlimit(kind, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))


def _end_with(work, *arguments) -> None:
    """Leave the process with the work's status and without what the parent would do at its end."""
    status = 1
    try:
        status = work(*arguments)
    finally:
        os._exit(status)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
