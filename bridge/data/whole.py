"""Files and folders that are written whole or not at all: they get their name when all of them is on disk."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import shutil
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HERE, EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
PROCESSES = Path("/proc/self/ns/pid")  # of a container: within it numbers of processes are its own
MACHINE = f"{zlib.crc32(f'{platform.node()} {os.readlink(PROCESSES) if PROCESSES.is_symlink() else None}'.encode()):08x}"


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Where to write a file that gets its name only when the block ends without an error; nothing half-written stays behind."""
    path = Path(path)
    require_no_device(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path, "partial")
    try:
        yield partial
        _to_disk(partial)
        partial.replace(path)
        _to_disk(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def require_no_device(path: Path) -> None:
    """Refuse a name such as ``/dev/null``: the file would take the place of the device, for everybody."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path}: found a device or a pipe, expected the name of a file to write; give it another name")


@contextmanager
def whole_folder(path: str | Path, kind: str, mark: str) -> Iterator[Path]:
    """Where to write a folder that gets its name only when the block ends without an error; what had the name before goes only then.

    Args:
        path: The folder.
        kind: What it is, as an error calls it: ``a bundle``, ``an export``.
        mark: A file that every folder of this kind has.

    Raises:
        ValueError: the folder holds something else than a folder of this kind.
    """
    path = Path(path)
    require_replaceable(path, kind, mark)
    partial, old = _beside(path, "partial"), _beside(path, "old")
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in filter(Path.is_file, partial.rglob("*")):
            _to_disk(file)
        if path.exists() and not _exchanged(partial, path):
            path.rename(old)
        if old.exists() or not path.exists():
            partial.replace(path)
        _to_disk(path.parent)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for left in (partial, old):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def shared_folder(path: Path) -> Iterator[Path]:
    """Where to write a folder of a cache, whose content its name determines: of two processes that write it the first one's stays."""
    partial = _beside(path, "partial")
    partial.mkdir(parents=True)
    try:
        yield partial
        with suppress(*[OSError] * path.is_dir()):  # another process was first
            partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def require_replaceable(path: Path, kind: str, mark: str) -> None:
    """Refuse to write over a folder of another kind: it would be deleted.

    Raises:
        ValueError: names the folder.
    """
    if path.exists() and not (path / mark).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path}: found something that is not {kind}, expected a new or empty folder, or {kind} to replace; choose another --out")


def _beside(path: Path, state: str) -> Path:
    """A name beside a path for as long as this process writes it."""
    _remove_left(path.parent.absolute())
    return path.with_name(f"{path.name}.{state}.{MACHINE}-{os.getpid()}")


@functools.cache
def _remove_left(folder: Path) -> None:
    """Take away, once per process, what processes of this machine that were killed left half-written in a folder."""
    for left in folder.glob(f"*.partial.{MACHINE}-*"):
        process = left.name.rpartition("-")[2]
        if not process.isdecimal() or _runs(int(process)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):
                left.unlink()


def _runs(process: int) -> bool:
    """Whether there is a process of this number on this machine; taken to be so where it cannot be asked."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _exchanged(one: Path, other: Path) -> bool:
    """Let two folders swap their names in one step, so that at no moment a name is without its folder; not every system can."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    return rename is not None and rename(HERE, os.fsencode(one.absolute()), HERE, os.fsencode(other.absolute()), EXCHANGE) == 0


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
