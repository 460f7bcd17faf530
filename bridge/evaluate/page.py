"""``bridge evaluate``: all held-out figures of a bundle in one folder, as JSON and as pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bridge.data.cohort import Cohort
from bridge.data.whole import whole_file
from bridge.evaluate.figures import audit_bars, retrieval_bars, shared_space
from bridge.evaluate.held_out import prefix_use, report_facts, retrieval
from bridge.model import SemanticBridge
from bridge.retrieve.embed import shared_embeddings

#: Pairs whose baselines are also fitted on shuffled training pairs.
CONTROLS = ("brain~clinical",)


def evaluate_bundle(bridge: SemanticBridge, cohort: Cohort, out: Path, *, split: str = "test", limit: int = 64, seed: int = 0) -> dict:
    """Retrieval, report facts and use of the prefix; writes ``metrics.json``, ``texts.json`` and ``figures/``.

    Args:
        bridge: A loaded bundle.
        cohort: The cohort it was trained on.
        out: Folder to write.
        split: Split that is scored.
        limit: Samples whose reports are generated.
        seed: Of every draw.
    """
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    metrics: dict = {"seed": seed, "split": split, "retrieval": {}}
    if bridge.space is not None:
        metrics["retrieval"] = retrieval(bridge, cohort, split=split, seed=seed, controls=CONTROLS)
        retrieval_bars(metrics["retrieval"], figures / "retrieval.png", seed=seed)
        rows = cohort.rows(split)
        shared_space(shared_embeddings(bridge, cohort, rows, cohort.texts), [cohort.ids[row] for row in rows], figures / "shared_space.png", seed=seed)
    metrics["report"], texts = report_facts(bridge, cohort, split=split, limit=limit, seed=seed)
    metrics["prefix_use"] = prefix_use(bridge, cohort, split=split, limit=max(2, limit // 4), seed=seed)
    subsets = [*bridge.projectors, "both"]
    audit_bars({name: metrics["report"][name] for name in subsets}, figures / "audit.png", seed=seed)
    write_json(out / "texts.json", texts)
    write_json(out / "metrics.json", metrics)
    print(summary_table(metrics), flush=True)
    return metrics


def summary_table(metrics: dict) -> str:
    """The figures a reader wants first, with their controls beside them."""
    lines = ["", f"{'held-out retrieval':24} {'n':>5} {'R@10':>7} {'95 % interval':>16} {'chance':>8} {'ridge':>7} {'CCA':>7}"]
    for direction, row in metrics["retrieval"].items():
        interval = f"{_number(row['r10_low'])} to {_number(row['r10_high'])}"
        numbers = f"{_number(row['chance_r10']):>8} {_number(row['ridge_r10']):>7} {_number(row['cca_r10']):>7}"
        lines.append(f"{direction:24} {row['n']:>5} {_number(row['r10']):>7} {interval:>16} {numbers}")
    lines += ["", f"{'report facts, raw text':24} {'n':>5} {'regions':>8} {'shuffled':>9} {'zeroed':>7} {'p':>8} {'phenotypes':>11} {'shuffled':>9}"]
    for name in (key for key, row in metrics["report"].items() if isinstance(row, dict)):
        row = metrics["report"][name]
        keys = (
            "region_precision",
            "region_precision_shuffled",
            "region_precision_zeroed",
            "permutation_p",
            "phenotype_precision",
            "phenotype_precision_shuffled",
        )
        cells = [_number(row.get(key)) for key in keys]
        lines.append(f"{'given ' + name:24} {row['n']:>5} {cells[0]:>8} {cells[1]:>9} {cells[2]:>7} {cells[3]:>8} {cells[4]:>11} {cells[5]:>9}")
    return "\n".join(lines)


def write_json(path: Path, content: dict | list) -> None:
    """Strict JSON, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(content, indent=1, allow_nan=False, default=_plain))


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"metrics: {type(value).__name__} is not JSON")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"
