"""Saves that are killed, disks that are full, folders that are read-only: what was there before always loads."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from figure import Figure
from tiny_run import in_child, tiny_bridge, tiny_cohort, wait

from bridge.bundle import load, save
from bridge.data.cohort import Cohort
from bridge.data.manifest import require_manifest
from bridge.train.checkpoint import CheckpointFile, checkpoints, newest

SEED = 11
OTHER_DEVICE = Path("/dev/shm")
NOBODY = 65534
SIZE = 1 << 18  # numbers of a checkpoint: a mebibyte

KEPT_BEFORE = 2  # checkpoints that are there before anything is killed


def figures(fast: bool, folder: Path) -> list[Figure]:
    """Kills during saves of checkpoints, bundles and cohorts; then what no disk takes."""
    random, kills = np.random.default_rng(SEED), 20 if fast else 200
    found = [killed_saves(folder / "same", kills, random, "on the same device")]
    other = OTHER_DEVICE / f"trust-{os.getpid()}"
    if OTHER_DEVICE.is_dir() and OTHER_DEVICE.stat().st_dev != folder.stat().st_dev:
        try:
            found.append(killed_saves(other, kills, random, "on another device"))
        finally:
            _remove(other)
    else:
        found.append(Figure("kills on another device", "left out", "left out", None, f"{OTHER_DEVICE} is no other device here"))
    found += [killed_bundles(folder, kills // 2, random), killed_cohorts(folder, kills // 2, random)]
    return [*found, refused_by_room(folder), *refused_by_the_disk(folder), refused_by_rights(folder)]


def killed_saves(folder: Path, kills: int, random: np.random.Generator, where: str) -> Figure:
    """Kill a process that saves one checkpoint after another; count the times after which none was whole."""
    folder.mkdir(parents=True)
    seconds, unreadable = _seconds(lambda: _save(folder, 0)), 0
    _save(folder, 1)
    for number in range(kills):
        first = 2 + 1000 * number
        process = in_child(lambda first=first: _save_for_ever(folder, first), folder / "said.txt")
        _kill(process, random.uniform(0, 6 * seconds))
        unreadable += not _loads(folder)
    return Figure(f"{kills} kills during saves {where}: times that no checkpoint was whole", unreadable, 0, SEED)


def killed_bundles(folder: Path, kills: int, random: np.random.Generator) -> Figure:
    """Kill a process that writes a bundle over itself again and again."""
    bridge, path = tiny_bridge(folder), folder / "bundle"
    seconds, unreadable = _seconds(lambda: save(bridge, path)), 0
    for _ in range(kills):
        process = in_child(lambda: [save(bridge, path) for _ in iter(int, 1)], folder / "said.txt")
        _kill(process, random.uniform(0, 4 * seconds))
        unreadable += not _fine(lambda: require_manifest(path))
    unreadable += not _fine(lambda: load(path, language=bridge.language))
    return Figure(f"{kills} kills while a bundle is replaced: times that it was not whole", unreadable, 0, SEED)


def killed_cohorts(folder: Path, kills: int, random: np.random.Generator) -> Figure:
    """The same of a cohort and its digest."""
    cohort, path = tiny_cohort(), folder / "written" / "cohort.h5ad"
    seconds, unreadable = _seconds(lambda: cohort.write(path)), 0
    for _ in range(kills):
        process = in_child(lambda: [cohort.write(path) for _ in iter(int, 1)], folder / "said.txt")
        _kill(process, random.uniform(0, 4 * seconds))
        unreadable += not _fine(lambda: Cohort.read(path))
    return Figure(f"{kills} kills while a cohort is replaced: times that it did not load", unreadable, 0, SEED)


def refused_by_room(folder: Path) -> Figure:
    """A checkpoint for which there is no room is refused before a byte is written."""
    folder = _with_two(folder / "room")
    process = in_child(lambda: _save(folder, 3, torch.empty(1, dtype=torch.uint8).expand(1 << 62)), folder / "said.txt")
    return _verdict("a checkpoint larger than the free space", folder, wait(process), "MB needed")


def refused_by_the_disk(folder: Path) -> list[Figure]:
    """A disk that is full halfway: as large as a file may be, and, where one may be mounted, a small disk of its own."""
    limited, mounted = _with_two(folder / "limited"), folder / "mounted"

    def write_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, SIZE))
        _save(limited, 3)

    found = [_verdict("a file that may not grow to its size", limited, wait(in_child(write_much, limited / "said.txt")), "cannot be written")]
    mounted.mkdir()
    status = wait(in_child(lambda: _on_a_small_disk(mounted), folder / "small.txt"))
    said = (folder / "small.txt").read_text(encoding="utf-8")
    if "not allowed" in said:
        return [*found, Figure("a full disk of its own", "left out", "left out", None, "a disk cannot be mounted here")]
    return [*found, Figure("a full disk of its own: refused in one line, the one before loads", f"{status}, {said.count(chr(10))} line", "2, 1 line")]


def refused_by_rights(folder: Path) -> Figure:
    """A folder that may not be written to."""
    folder = _with_two(folder / "read-only")
    said = folder.with_name("rights.txt")
    said.touch()
    folder.chmod(0o555)

    def write() -> None:
        if os.geteuid() == 0:  # whom no right stops
            try:
                os.setuid(NOBODY)
            except OSError:  # in a name space that has this one user
                print("not allowed")
                return
        _save(folder, 3)

    folder.parent.chmod(0o755)  # a temporary folder is its owner's alone
    status = wait(in_child(write, said))
    folder.chmod(0o755)
    if "not allowed" in said.read_text(encoding="utf-8"):
        return Figure("a folder that is read-only", "left out", "left out", None, "nobody else can be here, and no right stops root")
    return _verdict("a folder that is read-only", folder, status, "cannot be written", said)


def _save(folder: Path, step: int, weights: torch.Tensor | None = None) -> None:
    """One checkpoint; of older ones two stay, as in a run."""
    file = CheckpointFile(folder)
    content = {"state_dict": {"weight": torch.full((SIZE,), float(step)) if weights is None else weights}, "step": step}
    file.save_checkpoint(content, folder / f"step-{step:08d}.ckpt")
    for path in checkpoints(folder)[KEPT_BEFORE:]:
        file.remove_checkpoint(path)


def _save_for_ever(folder: Path, first: int) -> None:
    for step in range(first, first + 1000):
        _save(folder, step)


def _loads(folder: Path) -> bool:
    """Whether the newest whole checkpoint, and every one that was finished, holds what it should."""
    try:
        file, path = CheckpointFile(folder), newest(folder)
        content = file.load_checkpoint(path)
    except ValueError:
        return False
    return bool((content["state_dict"]["weight"] == content["step"]).all()) and path.name == f"step-{content['step']:08d}.ckpt"


def _with_two(folder: Path) -> Path:
    folder.mkdir(parents=True)
    _save(folder, 1)
    _save(folder, 2)
    return folder


def _verdict(what: str, folder: Path, status: int, says: str, said: Path | None = None) -> Figure:
    """Refused in one line, and both checkpoints from before load."""
    text = (said or folder / "said.txt").read_text(encoding="utf-8")
    lines = len(text.splitlines()) == 1 and says in text
    whole = [path.name for path in checkpoints(folder)]
    fine = _loads(folder) and whole == ["step-00000002.ckpt", "step-00000001.ckpt"] and not list(folder.glob("*.partial*"))
    found = f"status {status}, {'one clear line' if lines else text[-200:]}, {'the one before loads' if fine else f'left {whole}'}"
    return Figure(what, found, "status 2, one clear line, the one before loads")


def _on_a_small_disk(folder: Path) -> None:
    """Mount a disk of five mebibytes in a name space of this process alone, and fill it; raises what the last save says."""
    libc = ctypes.CDLL(None, use_errno=True)
    private = libc.unshare(0x00020000) == 0 and libc.mount(b"none", b"/", None, 0x44000, None) == 0  # CLONE_NEWNS; MS_REC | MS_PRIVATE
    if not private or libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=5m") != 0:
        print("not allowed")
        return
    _with_two(folder / "run")
    (folder / "filled").write_bytes(bytes(2 << 20))
    try:
        _save(folder / "run", 3)
    except ValueError:
        if not _loads(folder / "run"):
            print("the one before does not load")
        raise


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _kill(process: int, seconds: float) -> None:
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    wait(process)


def _fine(work: Callable[[], object]) -> bool:
    try:
        work()
    except (ValueError, OSError):
        return False
    return True


def _remove(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        path.unlink()
    if folder.is_dir():
        folder.rmdir()
