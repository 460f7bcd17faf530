"""Benchmarks, held-out figures of a bundle, and the contract of an encoder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from bridge.benchmark.run import benchmarks, is_benchmark, run_benchmark
from bridge.bundle import load
from bridge.commands.line import run_function
from bridge.commands.sample import require_same_cards
from bridge.data.cohort import Cohort
from bridge.evaluate.page import evaluate_bundle
from encoders.contract import report as contract_report


def evaluate(arguments: Sequence[str]) -> None:
    """``bridge evaluate``: a benchmark by its name, or the held-out figures of a bundle."""
    name = next(iter(arguments), "")
    if is_benchmark(name):
        run_benchmark(arguments)
    elif name and not name.startswith("-"):
        raise ValueError(f"evaluate {name!r}: no such benchmark; expected one of {', '.join(benchmarks())}, or --bundle B --cohort C --out O")
    else:
        run_function(evaluate_bundle_command, "evaluate", arguments)


def evaluate_bundle_command(
    bundle: str,
    cohort: str,
    out: str,
    split: Literal["test", "validation"] = "test",
    limit: int = 64,
    seed: int = 0,
    llm: str | None = None,
    trust: list[str] | None = None,
) -> None:
    """Score a bundle on held-out samples: retrieval beside ridge and CCA, facts of reports beside shuffled and zeroed prefixes.

    Args:
        bundle: Bundle folder.
        cohort: Cohort it was trained on.
        out: Folder for metrics.json and figures.
        split: Which split is scored.
        limit: Samples whose reports are generated.
        seed: Of the sample of reports, the bootstrap and the permutations.
        llm: Where the base LLM is, when it is not where the bundle says.
        trust: Modules outside the packages whose classes may load.
    """
    bridge = load(bundle, llm=llm, trust=tuple(trust or ()))
    found = Cohort.read(cohort)
    require_same_cards(found, bridge.cards)
    evaluate_bundle(bridge, found, Path(out), split=split, limit=limit, seed=seed)


def check_encoder(arguments: Sequence[str]) -> None:
    """``bridge check-encoder``."""
    run_function(check_encoder_class, "check-encoder", arguments)


def check_encoder_class(encoder: str, source: str | None = None, init_args: dict[str, Any] | None = None) -> None:
    """Run the encoder contract on a class, rule by rule.

    Args:
        encoder: ``module:Class``; the module is looked for in the current folder too.
        source: A file it reads, to check ``read`` as well.
        init_args: What the encoder needs to read it.
    """
    sys.path.insert(0, str(Path.cwd()))
    findings = contract_report(encoder, Path(source) if source else None, **(init_args or {}))
    for finding in findings:
        print(f"{'ok    ' if finding.ok else 'BROKEN'} {finding.rule}{'' if finding.ok else ': ' + finding.why}")
    broken = sum(not finding.ok for finding in findings)
    if broken:
        raise ValueError(f"{encoder}: {broken} of {len(findings)} rules broken, listed above; expected none")
    print(f"{encoder} keeps the contract ({len(findings)} rules)")
