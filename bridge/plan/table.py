"""Memory and time of a job under each strategy, as a table and as JSON."""

from __future__ import annotations

import re
from typing import Any

from bridge.language.llm import Lora
from bridge.plan.job import Job
from bridge.train.memory import fits, step_bytes

GB = 1e9
UNITS = {"GB": 1e9, "GIB": 2**30, "": 1e9}
PARTS = ("LLM", "trained", "gradients", "moments", "activations", "logits")


def card_bytes(text: str) -> float:
    """``80GB`` or ``74.5GiB`` in bytes.

    Raises:
        ValueError: it is no size.
    """
    found = re.fullmatch(r"([\d.]+)\s*(GB|GIB|)", text.strip().upper())
    if not found:
        raise ValueError(f"plan, field card: found {text!r}, expected memory such as 80GB")
    return float(found[1]) * UNITS[found[2]]


def strategies(job: Job, memory: float, cards: int) -> list[dict[str, Any]]:
    """Bytes on a card under every strategy, with and without recomputed activations; NF4 is never divided over cards."""
    forms = [("one card", 1, False), (f"DDP on {cards}", 1, False), (f"FSDP2 on {cards}", cards, False), ("one card, NF4", 1, True)]
    return [_one(job, memory, name, shared, nf4, recomputed) for name, shared, nf4 in forms for recomputed in ((False, True) if job.lora else (False,))]


def flop(job: Job, *, recomputed: bool) -> float:
    """Floating-point operations of a row on one card.

    A weight takes 2 a token forward and, frozen, 2 backward (the gradient of its input, none of itself); recomputed, 2 more.
    Attention over n tokens takes 2 n width a token and layer forward (half of 4 n width: it is causal), as many times.
    The head runs at answers alone. Adapters and projectors are left out: they are a hundredth of the whole.
    """
    if job.lora is None:
        return 0.0
    batch, passes = job.config["data"]["batch_size"], 3 if recomputed else 2
    alone = job.row.tokens / batch
    layers = job.shape.layers * (2 * job.shape.layer + 2 * alone * job.shape.width)
    return passes * job.row.tokens * layers + 4 * job.row.answers * job.shape.vocabulary * job.shape.width


def times(job: Job, *, cards: int, recomputed: bool, peak: float, utilisation: float) -> dict[str, float | None]:
    """Seconds of a step and of an epoch, at so many TFLOP/s and a share of them; an epoch needs a cohort."""
    rows = job.config["trainer"]["accumulate_grad_batches"]
    row = flop(job, recomputed=recomputed) / (peak * 1e12 * utilisation)
    size = job.config["data"]["batch_size"] * cards
    return {"step": rows * row, "epoch": row * (job.samples // size or 1) if job.samples else None}


def as_dict(job: Job) -> dict[str, Any]:
    """The whole plan for JSON."""
    config, memory = job.config, card_bytes(job.config["card"])
    found = strategies(job, memory, config["cards"])
    for each in found:
        cards = config["cards"] if " on " in each["strategy"] else 1
        each["seconds"] = times(job, cards=cards, recomputed=each["recomputed"], peak=config["peak"], utilisation=config["utilisation"])
    row = {"tokens": job.row.tokens, "answers": job.row.answers, "bytes a number": job.row.size}
    sizes = {"LLM weights": job.shape.weights, "trained weights": job.trained, "checkpoint bytes": 12 * job.trained, "bundle bytes": 4 * job.trained}
    return {"stage": job.stage, "llm": job.llm.path, "card bytes": memory, **sizes, "row": row, "strategies": found, "assumed": _assumed(job)}


def as_text(plan: dict[str, Any]) -> str:
    """The plan as a table."""
    lines = [
        f"{plan['stage']}: {plan['llm']}, {plan['LLM weights'] / 1e9:.2f} B weights, {plan['trained weights'] / 1e6:.1f} M trained; "
        f"a card takes {plan['row']['tokens']:,} tokens at once, {plan['row']['answers']:,} of them answers'",
        f"checkpoint {plan['checkpoint bytes'] / GB:.2f} GB, bundle {plan['bundle bytes'] / GB:.2f} GB",
        "",
        f"{'GB on a card':16} {'recomputed':10} "
        + " ".join(f"{part:>11}" for part in PARTS)
        + f" {'total':>7} {'of ' + format(plan['card bytes'] / GB, '.0f'):>7}"
        f" {'s/step':>8} {'h/epoch':>8}",
    ]
    lines += [_line(each) for each in plan["strategies"]]
    return "\n".join([*lines, "", *[f"assumed: {note}" for note in plan["assumed"]]])


def _one(job: Job, memory: float, name: str, shared: int, nf4: bool, recomputed: bool) -> dict[str, Any]:
    parts = step_bytes(job.shape, job.lora or Lora(), job.row, job.trained, recomputed=recomputed, cards=shared, nf4=nf4)
    return {"strategy": name, "recomputed": recomputed, "bytes": parts, "total": sum(parts.values()), "fits": fits(parts, memory)}


def _line(each: dict[str, Any]) -> str:
    parts, seconds = each["bytes"], each["seconds"]
    epoch = "-" if seconds["epoch"] is None else f"{seconds['epoch'] / 3600:.2f}"
    numbers = " ".join(f"{parts[part] / GB:11.2f}" for part in PARTS)
    verdict = "fits" if each["fits"] else "no"
    return (
        f"{each['strategy']:16} {'yes' if each['recomputed'] else 'no':10} {numbers} {each['total'] / GB:7.1f} {verdict:>7} {seconds['step']:8.2f} {epoch:>8}"
    )


def _assumed(job: Job) -> list[str]:
    config = job.config
    said = f"{config['utilisation']:.0%} of {config['peak']:.0f} TFLOP/s; transfers between cards and the unpacking of NF4 are not counted"
    room = "a tenth of a card is left to CUDA and the allocator"
    frozen = [] if job.lora else ["stage 1 runs the frozen LLM once over all texts; what its projectors and its loss take is not counted"]
    return [*job.notes, said, room, *frozen]
