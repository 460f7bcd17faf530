"""``bridge demo``: the whole line on the default data, resumable, with every figure in one folder."""

from __future__ import annotations

import importlib.metadata
import json
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bridge.bundle import load, put_metrics
from bridge.data.cohort import Cohort
from bridge.data.default import build_default
from bridge.evaluate.figures import brain_map, loss_curves
from bridge.evaluate.page import evaluate_bundle, summary_table, write_json
from bridge.language.llm import default_llm
from bridge.language.subject import region_names, subjects
from bridge.report.render import to_json, to_markdown
from bridge.report.write import write_report
from bridge.settings import config_file
from bridge.train.run import run_stage

VERSIONS = ("neuro-omics-bridge", "torch", "transformers", "peft", "lightning", "anndata", "nibabel", "nilearn", "scikit-learn")


def run_demo(
    out: str = "runs/demo", full: bool = False, genes: int = 1000, seed: int = 0, reports: int = 3, limit: int = 64, tune_steps: int | None = None
) -> None:
    """The whole line on the default data; run it again to go on where it was stopped.

    Args:
        out: Folder to write: metrics.json, figures/, reports/, bundle/ and the steps' own folders.
        full: All genes instead of a seeded subset; the texts then take several times longer to encode.
        genes: Size of the subset; the subset keeps the demo within minutes on two cores.
        seed: Of every draw.
        reports: Reports written out for held-out genes.
        limit: Held-out genes whose reports are scored.
        tune_steps: Steps of stage 2; by default those of configs/tune.yaml.
    """
    folder = Path(out)
    steps = _Steps(folder, {"full": full, "genes": genes, "seed": seed, "limit": limit, "tune_steps": tune_steps})
    cohort_path, aligned, bundle = folder / "data" / "cohort.h5ad", folder / "aligned", folder / "bundle"
    common = ["--data.cohort", str(cohort_path), "--seed_everything", str(seed), "--data.seed", str(seed)]
    more = ["--trainer.max_steps", str(tune_steps)] if tune_steps else []

    steps.run("llm", default_llm)
    steps.run("data", lambda: build_default(folder / "data", full=full, genes=genes, seed=seed))
    steps.run("align", lambda: run_stage("align", ["--config", str(config_file("align.yaml")), *common, "--out", str(aligned)]))
    tune = ["--config", str(config_file("tune.yaml")), *common, "--model.start", str(aligned), "--out", str(bundle), *more]
    steps.run("tune", lambda: run_stage("tune", tune))
    steps.run("evaluate", lambda: evaluate_bundle(load(bundle), Cohort.read(cohort_path), folder / "evaluation", limit=limit, seed=seed))
    steps.run("report", lambda: _reports(folder, bundle, Cohort.read(cohort_path), reports))
    _finish(folder, steps, seed)


class _Steps:
    """Runs each step once, keeps its seconds, and goes on after the last finished one."""

    def __init__(self, folder: Path, settings: dict):
        self.path = folder / "steps.json"
        folder.mkdir(parents=True, exist_ok=True)
        stored = json.loads(self.path.read_text()) if self.path.is_file() else {}
        if stored and stored["settings"] != settings:
            raise ValueError(f"{self.path}: made with {stored['settings']}, now asked for {settings}; use another --out or delete {folder}")
        self.state = stored or {"settings": settings, "seconds": {}, "peak_rss_mb": 0.0}

    def run(self, name: str, step: Callable[[], object]) -> None:
        if name in self.state["seconds"]:
            print(f"[{name}] done before, {self.state['seconds'][name]:.0f} s", flush=True)
            return
        print(f"[{name}]", flush=True)
        started = time.perf_counter()
        step()
        self.state["seconds"][name] = round(time.perf_counter() - started, 1)
        self.state["peak_rss_mb"] = max(self.state["peak_rss_mb"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        write_json(self.path, self.state)


def _reports(folder: Path, bundle: Path, cohort: Cohort, count: int) -> None:
    """Reports of the first held-out samples from both inputs, with the map they are about."""
    bridge = load(bundle)
    atlas = folder / "data" / "atlas"
    image = next(atlas.glob("*.nii.gz"))
    for row in cohort.rows("test")[:count]:
        subject = subjects(cohort, [row])[0]
        written = write_report(bridge, subject, {modality: cohort.values(modality)[row] for modality in bridge.projectors}, source=str(bundle))
        place = folder / "reports" / subject.id
        place.mkdir(parents=True, exist_ok=True)
        (place / "report.md").write_text(to_markdown(written), encoding="utf-8")
        (place / "report.json").write_text(to_json(written), encoding="utf-8")
        for modality, names in region_names(cohort).items():
            brain_map(np.asarray(cohort.raw(modality)[row]), names, image, place / f"{modality}.png", f"{subject.id}: {modality} map")


def _finish(folder: Path, steps: _Steps, seed: int) -> None:
    """Everything in one metrics.json, and where things are."""
    metrics = json.loads((folder / "evaluation" / "metrics.json").read_text())
    versions = {package: importlib.metadata.version(package) for package in VERSIONS}
    metrics |= {"seconds": steps.state["seconds"], "peak_rss_mb": round(steps.state["peak_rss_mb"]), "versions": versions, "seed": seed}
    write_json(folder / "metrics.json", metrics)
    put_metrics(folder / "bundle", {key: metrics[key] for key in ("retrieval", "report", "prefix_use", "seed")})
    shutil.copytree(folder / "evaluation" / "figures", folder / "figures", dirs_exist_ok=True)
    for stage, place in (("align", "aligned-align"), ("tune", "bundle-tune")):
        log = folder / place / "log" / "metrics.csv"
        if not log.is_file():  # a run of fewer steps than lie between two log entries
            continue
        loss_curves(log, folder / "figures" / f"loss_{stage}.png", title=f"Loss, {stage}", seed=seed)
    print(summary_table(metrics))
    print("\nseconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in steps.state["seconds"].items()) + f"; peak memory {metrics['peak_rss_mb']} MB")
    print(f"metrics  {folder / 'metrics.json'}\nfigures  {folder / 'figures'}\nreports  {folder / 'reports'}\nbundle   {folder / 'bundle'}")
