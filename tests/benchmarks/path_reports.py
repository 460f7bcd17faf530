"""Reports by slot refill: eight side by side against one by one, and reports of unlike length against static batches of transformers.

The bridge is that of ``path_stage_2``, or the bundle named by BRIDGE_BENCH_BUNDLE. Both sides write with the adapter merged; of
what a batch writes beyond a report's own limit nothing is kept.
"""

from __future__ import annotations

import itertools
import os

import numpy as np
import torch
from measure import Ratio, alternated
from path_stage_2 import made_up_bridge

from bridge import bundle
from bridge.data.batch import IGNORE, Turn
from bridge.language.merged import merged
from bridge.language.prompts import Prompt
from bridge.language.questions import REPORT_ASK
from bridge.model import SemanticBridge
from bridge.report.generation.decode import Answer, decode
from bridge.report.generation.generate import prompts

SLOTS, TOKENS = 8, 32
REPORTS, SHORTEST, LONGEST = 24, 4, 64  # as far apart as a map alone, and a map with a list of facts and free prose
TIE = 1e-4


def measure() -> list[Ratio]:
    bridge, values = drawn_bridge()
    random = np.random.default_rng(0)
    rows = torch.from_numpy(random.integers(len(next(iter(values.values()))), size=REPORTS))
    values = {name: column[rows] + 0.1 * torch.from_numpy(random.normal(size=column[rows].shape)).float() for name, column in values.items()}
    limits = random.integers(SHORTEST, LONGEST + 1, size=REPORTS).tolist()
    with torch.inference_mode():
        return [one_by_one(bridge, {name: column[:SLOTS] for name, column in values.items()}), static_batches(bridge, values, limits)]


def one_by_one(bridge: SemanticBridge, values: dict[str, torch.Tensor]) -> Ratio:
    """The same generator with one slot."""
    limits = [TOKENS] * SLOTS
    return line(
        bridge,
        values,
        f"reports, batch {SLOTS}",
        "one by one",
        2.5,
        lambda: refilled(bridge, values, limits, SLOTS),
        lambda: refilled(bridge, values, limits, 1),
    )


def static_batches(bridge: SemanticBridge, values: dict[str, torch.Tensor], limits: list[int]) -> Ratio:
    """Limits of unlike length, drawn evenly, in the order in which they come."""
    return line(
        bridge,
        values,
        f"reports of varied length, {REPORTS} of {min(limits)} to {max(limits)} tokens, batch {SLOTS}",
        "static batches of transformers",
        1.4,
        lambda: refilled(bridge, values, limits, SLOTS),
        lambda: static(bridge, values, limits, SLOTS),
    )


def line(bridge, values, path, peer, bar, ours, theirs) -> Ratio:
    """Equality of what was timed."""
    kept: dict[str, list[list[int]]] = {}
    taken = alternated(lambda: kept.update(ours=ours()), lambda: kept.update(theirs=theirs()), rounds=2, warm=0)
    ties = counted_ties(bridge, values, kept["ours"], kept["theirs"])
    tokens = sum(map(len, kept["ours"]))
    rates = [f"{tokens / seconds:.1f} tokens/s" for seconds in taken]
    return Ratio(path, peer, taken[1] / taken[0], bar, "seconds", *rates, f"token-identical, {ties} of {len(kept['ours'])} part at a tie")


def refilled(bridge: SemanticBridge, values: dict[str, torch.Tensor], limits: list[int], slots: int) -> list[list[int]]:
    """Ours, as token ids."""
    answers = [Answer(number, limit) for number, limit in enumerate(limits)]
    with merged(bridge.llm):
        rows = prompts(bridge, values, [question(bridge)] * len(limits), answers, size=slots)
        return [answer.ids for answer in sorted(decode(bridge.llm, rows, slots=slots, end=end(bridge)), key=lambda answer: answer.number)]


def static(bridge: SemanticBridge, values: dict[str, torch.Tensor], limits: list[int], size: int) -> list[list[int]]:
    """What one writes with transformers alone: pad embedded prompts on the left, and generate until the longest of the batch has ended."""
    stop = {"eos_token_id": end(bridge), "pad_token_id": end(bridge), "do_sample": False}
    found = []
    with merged(bridge.llm):
        for start in range(0, len(limits), size):
            embeds, mask = left_padded(bridge, {name: column[start : start + size] for name, column in values.items()})
            written = bridge.llm.generate(inputs_embeds=embeds, attention_mask=mask, max_new_tokens=max(limits[start : start + size]), **stop)
            found += [cut(ids, limit, end(bridge)) for ids, limit in zip(written.tolist(), limits[start : start + size], strict=True)]
    return found


def left_padded(bridge: SemanticBridge, values: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    prefix, table = bridge.prefix(values), bridge.llm.get_input_embeddings()
    around = [table(torch.tensor(ids)) for ids in (Prompt(bridge.language.tokenizer, bridge.template).opening, question(bridge))]
    each = [torch.cat([around[0], row[real], around[1]]).flip(0) for row, real in zip(prefix.values, prefix.mask, strict=True)]
    embeds = torch.nn.utils.rnn.pad_sequence(each, batch_first=True).flip(1)
    lengths = torch.tensor([len(row) for row in each])
    return embeds, (torch.arange(embeds.shape[1]).flip(0) < lengths[:, None]).long()


def cut(ids: list[int], limit: int, stop: int) -> list[int]:
    ids = ids[:limit]
    return ids[: ids.index(stop) + 1] if stop in ids else ids


def counted_ties(bridge: SemanticBridge, values: dict[str, torch.Tensor], ours: list[list[int]], theirs: list[list[int]]) -> int:
    """Reports that part where the two best logits are less than 1e-4 apart; one that parts elsewhere fails."""
    parted = [row for row, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
    for row in parted:
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(ours[row], theirs[row], strict=False)))
        gap = gap_after(bridge, {name: column[row : row + 1] for name, column in values.items()}, theirs[row][: same + 1])
        assert gap < TIE, f"report {row} differs at token {same}, where the two best logits are {gap:.2g} apart"
    return len(parted)


def gap_after(bridge: SemanticBridge, values: dict[str, torch.Tensor], ids: list[int]) -> float:
    """Between the two best logits for the last of some tokens."""
    asked = question(bridge)
    turn = Turn([*asked, *ids], [IGNORE] * (len(asked) + len(ids) - 1) + ids[-1:])
    first, second = bridge(values, Prompt(bridge.language.tokenizer, bridge.template).opening, [[turn]])[0][-1].topk(2).values
    return float(first - second)


def question(bridge: SemanticBridge) -> list[int]:
    return Prompt(bridge.language.tokenizer, bridge.template).question(REPORT_ASK[0])


def end(bridge: SemanticBridge) -> int:
    return bridge.language.tokenizer.eos_token_id


def drawn_bridge() -> tuple[SemanticBridge, dict[str, torch.Tensor]]:
    """A bundle over random values of its own shapes, or the bridge of stage 2 with samples of its own."""
    if path := os.environ.get("BRIDGE_BENCH_BUNDLE"):
        bridge, random = bundle.load(path).eval(), np.random.default_rng(0)
        sizes = {modality: len(encoder.names) or encoder.dim for modality, encoder in bridge.encoders.items()}
        return bridge, {modality: torch.from_numpy(random.normal(size=(REPORTS, size))).float() for modality, size in sizes.items()}
    return made_up_bridge()


if __name__ == "__main__":
    for ratio in measure():
        print(ratio)
