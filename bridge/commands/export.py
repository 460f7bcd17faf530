"""Reports through a vLLM server."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bridge.bundle import load
from bridge.commands.line import run_function
from bridge.data.cohort import Cohort
from bridge.export.client import Client
from bridge.export.export import read_export, write_export
from bridge.export.reports import served_reports, write_reports
from bridge.language.server import Server


def export(arguments: Sequence[str]) -> None:
    """``bridge export``."""
    run_function(export_bundle, "export", arguments)


def export_bundle(
    bundle: str,
    out: str = "runs/served",
    cohort: str | None = None,
    split: Literal["train", "validation", "test", "all"] = "test",
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    llm: str | None = None,
    trust: list[str] | None = None,
) -> None:
    """Write a bundle for a vLLM server of your own: the LLM with the adapter merged, its template, a launch script, and the soft tokens of a cohort.

    Args:
        bundle: Bundle folder.
        out: Folder to write. It holds weights of the base LLM, whose licence may forbid passing them on.
        cohort: Cohort whose samples will be asked about.
        split: Which of its samples.
        dtype: Of the written weights; auto is bfloat16 where there is a GPU and float32 elsewhere.
        llm: Where the base LLM is, when it is not where the bundle says.
        trust: Modules outside the packages whose classes may load.
    """
    bridge = load(bundle, llm=llm, trust=tuple(trust or ()))
    counts = write_export(bridge, bundle, out, cohort=Cohort.read(cohort) if cohort else None, split=split, dtype=dtype)
    for sample, why in counts["refused"].items():
        print(f"refused {sample}: {why}")
    print(f"wrote {out}: soft tokens of {counts['written']} samples, {len(counts['refused'])} refused; serve it with {out}/launch.sh")


def reports(arguments: Sequence[str]) -> None:
    """``bridge reports``."""
    run_function(report_samples, "reports", arguments)


def report_samples(
    export: str,
    cohort: str | None = None,
    out: str = "runs/reports",
    sample: str | None = None,
    server: str = "http://localhost:8000",
    in_flight: int = 32,
    timeout: int = 600,
    max_new_tokens: int = 160,
) -> None:
    """Write the reports of an export's samples through its vLLM server, many at a time; goes on where it was stopped.

    Args:
        export: Folder as written by ``bridge export --cohort``.
        cohort: Cohort that holds the samples' measurements; by default the one that was exported.
        out: Folder for a JSON and a Markdown file per sample.
        sample: One sample's id; by default all that were exported.
        server: Address of the server, as started with the export's launch.sh; its API key is read from VLLM_API_KEY.
        in_flight: Requests under way at once.
        timeout: Seconds for one answer.
        max_new_tokens: Longest report in tokens.
    """
    read = read_export(export)
    client = Client(Server(server, key=os.environ.get("VLLM_API_KEY", ""), timeout=timeout), read.model, in_flight)
    samples = [sample] if sample else list(read.embeds.files)
    measured = Cohort.read(cohort or read.cohort)
    ask = functools.partial(served_reports, read, measured, client, max_new_tokens=max_new_tokens)
    written = write_reports(ask, samples, Path(out), read.provenance.bundle)
    print(f"wrote {written} reports to {out}; {len(samples) - written} were there already")
