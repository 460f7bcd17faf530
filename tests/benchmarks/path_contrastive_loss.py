"""The contrastive loss with its gradients: ours in tiles, open_clip's over whole matrices. Seconds, and bytes at the peak."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from measure import Ratio, alternated
from torch import Tensor

from bridge.train.losses import info_nce

DIM, SCALE = 576, 1 / 0.07
ROWS_TIMED, ROWS_WEIGHED = 4096, 8192
TOLERANCE = 5e-6  # of the largest gradient: either is that far from double precision
PEER = "open_clip ClipLoss"
MIB = 2**20


def measure() -> list[Ratio]:
    """Time at 4,096 rows, memory at 8,192."""
    peer = open_clip_loss()
    return [_time(peer), _memory(peer)]


def open_clip_loss() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The one file of open_clip that is compared with: importing the package needs torchvision."""
    file = Path(importlib.util.find_spec("open_clip").submodule_search_locations[0]) / "loss.py"
    spec = importlib.util.spec_from_file_location("open_clip_loss", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ClipLoss()


def finished(loss: Callable[[Tensor, Tensor, Tensor], Tensor], leaves: list[Tensor]) -> list[Tensor]:
    """Forward and backward."""
    value = loss(*leaves)
    return [value.detach(), *torch.autograd.grad(value, leaves)]


def _time(peer: Callable) -> Ratio:
    leaves, equal = _leaves(ROWS_TIMED), _difference(peer, ROWS_TIMED)
    ours, theirs = alternated(lambda: finished(info_nce, leaves), lambda: finished(peer, leaves), rounds=9)
    said = {"ours": f"{ours:.3f} s", "theirs": f"{theirs:.3f} s", "equal": equal}
    return Ratio(f"contrastive loss, forward + backward, {ROWS_TIMED} x {DIM}", PEER, theirs / ours, 1.5, "seconds", **said)


def _memory(peer: Callable) -> Ratio:
    """Each in a process of its own, for the peak of a process never falls."""
    equal = _difference(peer, ROWS_WEIGHED)
    ours, theirs = (_peak(which) for which in ("ours", "peer"))
    said = {"ours": f"{ours / MIB:.0f} MiB", "theirs": f"{theirs / MIB:.0f} MiB", "equal": equal}
    unit = "bytes at the peak: resident memory of a process above what it had before the loss, gradients included"
    return Ratio(f"contrastive loss, forward + backward, {ROWS_WEIGHED} x {DIM}", PEER, theirs / ours, 6.0, unit, **said)


def _leaves(rows: int) -> list[Tensor]:
    """Made-up unit vectors of both sides, and a scale."""
    sides = F.normalize(torch.randn(2, rows, DIM, generator=torch.Generator().manual_seed(0)), dim=2)
    return [side.clone().requires_grad_() for side in sides] + [torch.tensor(SCALE, requires_grad=True)]


def _difference(peer: Callable, rows: int) -> str:
    """How far the losses and gradients are apart, in words."""
    leaves = _leaves(rows)
    pairs = zip(finished(info_nce, leaves), finished(peer, leaves), strict=True)
    difference = max(float((ours - theirs).abs().max() / theirs.abs().max()) for ours, theirs in pairs)
    if difference > TOLERANCE:
        raise AssertionError(f"{rows} rows: loss or gradients differ by {difference:.2g} of the largest, expected at most {TOLERANCE}")
    return f"loss and all gradients, largest difference {difference:.1g} of the largest"


def _peak(which: str) -> int:
    """Bytes that one step needs at its peak, in a fresh process."""
    done = subprocess.run([sys.executable, __file__, which], stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def weigh(which: str) -> int:
    """The same, in this process; a first small step brings in the libraries."""
    loss = info_nce if which == "ours" else open_clip_loss()
    finished(loss, _leaves(64))
    leaves = _leaves(ROWS_WEIGHED)
    before = _resident("VmRSS")
    finished(loss, leaves)
    return _resident("VmHWM") - before


def _resident(line: str) -> int:
    """Bytes resident now (VmRSS) or at the peak (VmHWM). Not getrusage: a child's peak there begins with its parent's."""
    return int(re.search(rf"^{line}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)[1]) * 1024


if __name__ == "__main__":
    print(weigh(sys.argv[1]))
