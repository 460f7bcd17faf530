"""Reports of 300 samples, killed at three random moments: each sample has its report once, byte for byte that of the run that was not killed."""

from __future__ import annotations

import functools
import os
import signal
import time
from pathlib import Path

import anndata
import numpy as np
import torch
from figure import Figure
from tiny_checkpoints import save_checkpoint
from tiny_run import tiny_cohort

from bridge.data.cohort import Cohort
from bridge.language.llm import load_llm
from bridge.model import SemanticBridge
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.report.cohort.cohort_reports import CohortReports, Settings
from bridge.report.gate import training_reference
from bridge.settings import quiet_libraries

SEED, KILLS, TOKENS = 23, 3, 16


def figures(fast: bool, folder: Path) -> list[Figure]:
    """One run that is left alone, one that is killed three times."""
    quiet_libraries()
    torch.set_num_threads(1)
    cohort = many(tiny_cohort(), 64 if fast else 300)
    bridge = tiny_bridge(cohort, load_llm(save_checkpoint(folder / "llm")))
    run = functools.partial(CohortReports, bridge, cohort, range(len(cohort.ids)), settings=Settings("markdown" if fast else "html", TOKENS))
    whole = run(folder / "whole").write()
    moments = sorted(np.random.default_rng(SEED).integers(1, len(cohort.ids) * 4 // 5, KILLS).tolist())
    times = sum(killed(lambda: run(folder / "often").write(), folder / "often" / "reports", after) for after in moments)
    rest = run(folder / "often").write()
    same = contents(folder / "often") == contents(folder / "whole")
    note = f"killed with {moments} reports written, {rest.written} written after the last"
    return [
        Figure(
            f"reports of {len(cohort.ids)} samples: kills, samples with a report, samples without",
            f"{times}, {whole.written}, {len(whole.failures)}",
            f"{KILLS}, {len(cohort.ids)}, 0",
            SEED,
            note,
        ),
        Figure("files of the killed run equal to those of the other, byte for byte", "yes" if same else "no", "yes", SEED, "JSON, pages, list of failures"),
    ]


def many(cohort: Cohort, count: int) -> Cohort:
    """The samples of a tiny cohort over and over, each time slightly moved and under other ids."""
    random, rows = np.random.default_rng(SEED), np.arange(count) % len(cohort.ids)
    obs = cohort.table.obs.iloc[rows].set_axis([f"sample-{number:03d}" for number in range(count)])
    moved = {modality: values[rows] * (1 + 0.02 * random.normal(size=(count, values.shape[1]))) for modality, values in cohort.table.obsm.items()}
    obsm = {modality: values.astype(np.float32) for modality, values in moved.items()}
    return Cohort(anndata.AnnData(obs=obs, obsm=obsm, uns={"bridge": cohort.table.uns["bridge"]}))


def tiny_bridge(cohort: Cohort, language) -> SemanticBridge:
    """Untrained, with what a bundle keeps of the training split."""
    torch.manual_seed(SEED)
    factories = {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4), "brain": functools.partial(IdentityValue, extremes=4)}
    bridge = SemanticBridge.compose(language, cohort, factories).eval()
    bridge.reference = training_reference(bridge, cohort)
    return bridge


def killed(run, reports: Path, after: int) -> bool:
    """Run in a child, and kill it as soon as so many reports are there; whether it was still at work."""
    child = os.fork()
    if not child:
        try:
            run()
        finally:
            os._exit(0)
    while len(list(reports.glob("*.json"))) < after and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.005)
    try:
        os.kill(child, signal.SIGKILL)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    except (ProcessLookupError, ChildProcessError):
        return False


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run but its lock, with its bytes."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
