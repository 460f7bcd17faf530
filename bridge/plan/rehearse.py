"""Every step of a job on a tiny random LLaMA, on this machine: what would stop the run stops here."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bridge.bundle import load
from bridge.data.build import VECTORS
from bridge.data.cohort import Cohort
from bridge.language.subject import subjects
from bridge.language.tiny import save_tiny, tokenizer_for
from bridge.plan.job import Job
from bridge.report.write import write_report
from bridge.train.run import run_stage
from encoders.base import load_class

FEW = {"train": 8, "validation": 4, "test": 4}  # samples of each split
LOOKED_AT = 256  # of each split, for those
REGIONS = ("left cuneus", "right cuneus", "left insula", "right insula", "left caudate", "right caudate", "left amygdala", "right amygdala")
TRAINER = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "strategy": "auto", "precision": "32-true", "max_steps": 2, "limit_val_batches": 1}
TRAINER |= {"accumulate_grad_batches": 1, "enable_progress_bar": False, "log_every_n_steps": 1}


def rehearse(job: Job) -> dict[str, float]:
    """Seconds of every step: data, LLM, two steps of the stage, its bundle read again, a report.

    Raises:
        ValueError: a step fails; says which and why.
    """
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bridge-plan-") as place:
        folder = Path(place)
        cohort = _timed("data", seconds, lambda: _cohort(job, folder))
        _timed("LLM", seconds, lambda: _llm(job, cohort, folder / "llm"))
        _timed(job.stage, seconds, lambda: run_stage(job.stage, ["--config", str(_settings(job, folder)), "--out", str(folder / "bundle")]))
        bridge = _timed("load", seconds, lambda: load(folder / "bundle", trust=tuple(job.config["model"]["trust"] or ())))
        _timed("report", seconds, lambda: _report(bridge, cohort))
    return seconds


def _timed(name: str, seconds: dict[str, float], step: Callable[[], Any]) -> Any:
    """Run a step without what it prints; say that it is done, or that it is not."""
    started = time.perf_counter()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            result = step()
    except Exception as error:
        raise ValueError(f"plan, rehearsal of step {name!r}: {' '.join(str(error).split()) or type(error).__name__}") from error
    seconds[name] = time.perf_counter() - started
    print(f"  ok  {name:8} {seconds[name]:6.1f} s", flush=True)
    return result


def _cohort(job: Job, folder: Path) -> Cohort:
    """A few samples of the given cohort, or made-up ones with the modalities and texts that the configuration names."""
    given = job.config["data"]["cohort"]
    cohort = _few(Cohort.read(given)) if given else _made_up(job)
    cohort.write(folder / "cohort.h5ad")
    return cohort


def _few(cohort: Cohort) -> Cohort:
    """Of the first samples of each split those that have the most modalities."""
    looked_at = {split: cohort.rows(split)[:LOOKED_AT] for split in FEW}
    present = {split: sum(np.isfinite(cohort.values(modality, rows)).any(axis=1) * 1 for modality in cohort.modalities) for split, rows in looked_at.items()}
    rows = np.concatenate([rows[np.sort(np.argsort(-present[split], kind="stable")[: FEW[split]])] for split, rows in looked_at.items()])
    return Cohort(cohort.table[rows].copy(), cohort.source)


def _made_up(job: Job) -> Cohort:
    random, splits = np.random.default_rng(0), [split for split, count in FEW.items() for _ in range(count)]
    obs = pd.DataFrame({"split": splits, "group": range(len(splits))}, index=[f"made-up-{row}" for row in range(len(splits))])
    columns = sorted(set(_texts(job)))
    for column in columns:
        obs[column] = [f"Sample {row} has signs of kind {row % 3} and {row % 5}." for row in range(len(splits))]
    obs["signs"] = [("ataxia", "seizure")[row % 2] for row in range(len(splits))]
    made = {modality: _values(modality, job, len(splits), random) for modality in job.projectors}
    return Cohort.assemble(obs, made, texts=columns, facts={"signs": next(iter(made))}, source="made-up cohort")


def _values(modality: str, job: Job, samples: int, random: np.random.Generator):
    """An encoder of regions where the projector reads named tokens, else one of vectors; and values for it."""
    provenance = {"encoder": "made up", "source": "made up", "licence": "CC0"}
    if job.dims[modality][0] == 1:
        return load_class("encoders.region_table.RegionTable")(REGIONS, modality=modality, provenance=provenance), random.normal(size=(samples, len(REGIONS)))
    return load_class(VECTORS)(dim=12, modality=modality, provenance=provenance), random.normal(size=(samples, 12))


def _texts(job: Job) -> Iterator[str]:
    """Text columns that the configuration names."""
    settings = job.config["model"]
    sides = (side for pair in settings.get("pairs") or () for side in pair.split("~"))
    yield from (side for side in sides if not set(side.split("+")) <= set(job.projectors))
    if settings.get("report_text"):
        yield settings["report_text"]


def _llm(job: Job, cohort: Cohort, folder: Path) -> Path:
    texts = ["Which regions of the brain map are highest? Which are lowest?", *REGIONS]
    texts += [text for column in [*cohort.texts, *cohort.facts] for text in cohort.text(column)]
    tokenizer, _ = tokenizer_for(job.llm.path, texts, chat=job.llm.template == "chat")
    layers = max([2, *(job.config["model"].get("text") or {}).get("layers", ())])
    return save_tiny(folder, tokenizer, layers=layers, queries=job.shape.heads // job.shape.shared)


def _settings(job: Job, folder: Path) -> Path:
    """The very configuration, but for what a card decides."""
    config = {name: dict(job.config[name] or {}) for name in ("data", "model", "trainer")}
    config["data"]["cohort"] = str(folder / "cohort.h5ad")
    llm = {"path": str(folder / "llm"), "dtype": "float32", "quantise": None}
    config["model"] |= {"llm": (config["model"]["llm"] or {}) | llm, "projectors": job.projectors}
    if job.stage == "tune":
        config["model"] |= {"start": None, "max_tokens": 4096}  # the tiny tokenizer cuts words into more pieces
    config["trainer"] |= TRAINER
    path = folder / f"{job.stage}.yaml"
    path.write_text(yaml.safe_dump({"seed_everything": 0, **config}), encoding="utf-8")
    return path


def _report(bridge, cohort: Cohort) -> None:
    row = np.concatenate([cohort.rows("test"), cohort.rows("train")])[:1]  # a cohort may have no test split
    subject = subjects(cohort, row)[0].given(bridge.projectors)
    values = {modality: cohort.values(modality, row)[0] for modality in subject.present}
    write_report(bridge, subject, values, max_new_tokens=8, source="rehearsal")
