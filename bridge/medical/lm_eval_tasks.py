"""The benchmarks as tasks of lm-eval (extra ``lm-eval``), so that any model it runs is asked the same and scored the same.

lm_eval.simple_evaluate(model="hf", model_args={"pretrained": "..."}, tasks=lm_eval_tasks("data/medical"), apply_chat_template=True)
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.instructions.item import Instruction
from bridge.medical.ask import LONGEST
from bridge.medical.benchmarks import BENCHMARKS, drawn, splits
from bridge.medical.scores import figure, scored


def lm_eval_tasks(folder: str | Path, names: Sequence[str] | None = None, *, limit: int | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """Task configurations for ``tasks`` of ``lm_eval.simple_evaluate``; each is called ``bridge_`` and its benchmark's name.

    Args:
        folder: Holds the benchmarks' folders.
        names: Benchmarks; those that are in the folder by default.
        limit: Items of each, drawn by the seed.
        seed: Of the draw.

    Raises:
        ValueError: a named benchmark is not there, or a file is not as published.
    """
    there = [name for name, about in BENCHMARKS.items() if (Path(folder) / about.folder).is_dir()]
    missing = sorted(set(names or ()) - set(there))
    if missing:
        raise ValueError(f"{folder}: no data of {', '.join(missing)}, expected a folder for each; found {', '.join(there) or 'none'}")
    chosen = there if names is None else names
    return [_task(name, drawn(splits(name, Path(folder) / BENCHMARKS[name].folder)["test"], limit, seed)) for name in chosen]


def _task(name: str, items: Sequence[Instruction]) -> dict[str, Any]:
    about = BENCHMARKS[name]
    metrics = [
        {"metric": metric, "aggregation": functools.partial(figure, metric=metric, negative=about.negative), "higher_is_better": metric != "unparsed"}
        for metric in (*about.metrics, "unparsed")
    ]
    return {
        "task": f"bridge_{name.replace('-', '_')}",
        "custom_dataset": functools.partial(_rows, items),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": _question,
        "doc_to_target": _answer,
        "process_results": functools.partial(_judged, {item.id: item for item in items}, tuple(metric["metric"] for metric in metrics)),
        "metric_list": metrics,
        "generation_kwargs": {"max_gen_toks": max(LONGEST[item.judged] for item in items), "until": [], "do_sample": False},
        "metadata": {"version": 1},
    }


def _rows(items: Sequence[Instruction], **_: Any) -> dict[str, Any]:
    from datasets import Dataset  # comes with lm-eval

    return {"test": Dataset.from_list([dataclasses.asdict(item) for item in items])}


def _question(doc: Mapping[str, Any]) -> str:
    return doc["question"]


def _answer(doc: Mapping[str, Any]) -> str:
    return doc["answer"]


def _judged(items: Mapping[str, Instruction], metrics: Sequence[str], doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Each figure is made of the judged answers, not of a number for each of them: macro-F1 is no mean over items."""
    one = scored(items[doc["id"]], results[0])
    return dict.fromkeys(metrics, one)
