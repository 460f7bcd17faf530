"""One step of stage 2, forward and backward: packed rows and logits at answers, against padded batches with all logits.

The LLM is the default one with a LoRA of rank 16. Lengths are those of the default data under the shipped configuration: 13 tokens
open the prompt, about 45 soft tokens (5 where the map is hidden, one sample in eight), a question of 17, and an answer of 8 to 36
tokens or, one in four, a report of 72.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from measure import Ratio, alternated

from bridge.data.batch import IGNORE, Turn, pad
from bridge.data.cohort import Cohort
from bridge.language.llm import Lora, add_lora, load_llm
from bridge.model import SemanticBridge
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

SAMPLES, BATCH, QUESTIONS = 16, 8, 4
OPENING = list(range(1000, 1013))
NAMES = """caudal anterior cingulate, caudal middle frontal, cuneus, entorhinal, fusiform, inferior parietal, inferior temporal,
isthmus cingulate, lateral occipital, lateral orbitofrontal, lingual, medial orbitofrontal, middle temporal, parahippocampal,
paracentral, pars opercularis, pars orbitalis, pars triangularis, pericalcarine, postcentral""".replace("\n", " ").split(", ")
LORA = Lora(r=16, alpha=32, dropout=0.0, targets=["q_proj", "k_proj", "v_proj", "o_proj"])


def measure() -> list[Ratio]:
    bridge, values = made_up_bridge()
    turns = drawn_turns(np.random.default_rng(0), SAMPLES)
    mixed = [list(range(start, start + BATCH)) for start in range(0, SAMPLES, BATCH)]
    by_length = sorted(range(SAMPLES), key=lambda row: len(turns[row].ids))
    grouped = [by_length[start : start + BATCH] for start in range(0, SAMPLES, BATCH)]
    tokens = real_tokens(bridge, values, turns)
    return [
        compared(bridge, values, turns, mixed[:1], "stage-2 step, mixed lengths", "transformers, padded, full logits", 1.6, tokens),
        compared(bridge, values, turns, grouped, "stage-2 step, length-grouped", "transformers, padded, length-grouped, full logits", 1.15, tokens),
        shared_prefix(bridge, values),
    ]


def compared(bridge, values, turns, batches, path, peer, bar, tokens) -> Ratio:
    """Our packed rows against padded batches of the same samples."""

    def ask(form, rows):
        return form(bridge, {name: column[rows] for name, column in values.items()}, OPENING, [[turns[row]] for row in rows])

    difference = largest_difference(bridge, functools.partial(ask, packed, batches[0]), functools.partial(ask, padded, batches[0]))
    ours, theirs = alternated(
        lambda: [step(bridge, ask(packed, rows)) for rows in batches], lambda: [step(bridge, ask(padded, rows)) for rows in batches], rounds=3, warm=0
    )
    done = sum(tokens[row] for rows in batches for row in rows)
    return Ratio(path, peer, theirs / ours, bar, "real tokens/s", f"{done / ours:.0f} tokens/s", f"{done / theirs:.0f} tokens/s", equal(difference))


def shared_prefix(bridge, values) -> Ratio:
    """Four questions of each of four samples over one prefix, against the same sixteen as samples of their own."""
    rows = [0, 1, 2, 3]
    asked = [drawn_turns(np.random.default_rng(row), QUESTIONS) for row in rows]
    repeated, alone = [row for row in rows for _ in range(QUESTIONS)], [[turn] for turns in asked for turn in turns]

    def ask(chosen, turns):
        return packed(bridge, {name: column[chosen] for name, column in values.items()}, OPENING, turns)

    shared, separate = functools.partial(ask, rows, asked), functools.partial(ask, repeated, alone)
    difference = largest_difference(bridge, shared, separate)
    ours, theirs = alternated(lambda: step(bridge, shared()), lambda: step(bridge, separate()), rounds=3)
    return Ratio("4 questions per sample", "our packing without sharing", theirs / ours, 1.5, "seconds", f"{ours:.2f} s", f"{theirs:.2f} s", equal(difference))


def packed(bridge, values, opening, turns) -> torch.Tensor:
    """Loss of a step as stage 2 makes it."""
    return F.cross_entropy(*bridge(values, opening, turns))


def padded(bridge, values, opening, turns) -> torch.Tensor:
    """What one writes with transformers alone: each question a row, padded on the right, with mask and labels, and the model's own loss over all logits."""
    rows = [row for row, asked in enumerate(turns) for _ in asked]
    asked = [turn for each in turns for turn in each]
    prefix = bridge.prefix({name: column[rows] for name, column in values.items()})
    ids, mask = pad([turn.ids for turn in asked], 0)
    labels, _ = pad([turn.labels for turn in asked], IGNORE)
    table = bridge.llm.get_input_embeddings()
    before = table(torch.tensor(opening)).expand(len(rows), -1, -1)
    whole = torch.cat([torch.ones(len(rows), len(opening), dtype=torch.bool), prefix.mask, mask], dim=1)
    return bridge.llm(
        inputs_embeds=torch.cat([before, prefix.values, table(ids)], dim=1),
        attention_mask=whole.long(),
        position_ids=(whole.long().cumsum(dim=1) - 1).clamp(min=0),
        labels=torch.cat([torch.full((len(rows), whole.shape[1] - ids.shape[1]), IGNORE), labels], dim=1),
        use_cache=False,
    ).loss


def step(bridge, loss: torch.Tensor) -> None:
    loss.backward()
    bridge.zero_grad()


def largest_difference(bridge, ours, theirs) -> float:
    """Of all gradients, relative to the largest of each weight; asserted to be rounding."""
    gradients = []
    for loss in (ours, theirs):
        loss().backward()
        gradients.append({name: weight.grad.clone() for name, weight in bridge.named_parameters() if weight.grad is not None})
        bridge.zero_grad()
    scale = max(float(each.abs().max()) for each in gradients[1].values())
    found = max(float((gradients[0][name] - each).abs().max()) for name, each in gradients[1].items()) / scale
    assert gradients[0].keys() == gradients[1].keys()
    assert found < 1e-4, found
    return found


def equal(difference: float) -> str:
    return f"gradients differ by {difference:.1e} of the largest"


def real_tokens(bridge, values, turns) -> list[int]:
    with torch.no_grad():
        soft = bridge.prefix(values).mask.sum(dim=1).tolist()
    return [len(OPENING) + count + len(turn.ids) for count, turn in zip(soft, turns, strict=True)]


def drawn_turns(random: np.random.Generator, count: int) -> list[Turn]:
    """Questions with answers that are short or, one in four, a report."""
    turns = []
    for number in range(count):
        asked, answered = int(random.integers(13, 22)), int(random.integers(60, 85) if number % 4 == 3 else random.integers(8, 37))
        ids = random.integers(1000, 40000, asked + answered).tolist()
        turns.append(Turn(ids, [IGNORE] * asked + ids[asked:]))
    return turns


def made_up_bridge():
    """The default LLM with projectors of the shipped sizes over random samples: 40 regions and a vector of 384."""
    random = np.random.default_rng(0)
    names = tuple(f"{side} {name}" for side in ("left", "right") for name in NAMES)
    brain = random.normal(size=(SAMPLES, len(names)))
    brain[5::8] = np.nan
    obs = pd.DataFrame({"group": [str(row) for row in range(SAMPLES)], "split": "train"}, index=[f"sample-{row}" for row in range(SAMPLES)])
    modalities = {"gene": (GeneTable(dim=384), random.normal(size=(SAMPLES, 384))), "brain": (RegionTable(names), brain)}
    cohort = Cohort.assemble(obs, modalities)
    projectors = {
        "gene": functools.partial(FactorisedMLP, k=4, hidden=512, rank=64),
        "brain": functools.partial(IdentityValue, extremes=8, name_tokens=6),
    }
    torch.manual_seed(0)
    bridge = SemanticBridge.compose(load_llm(), cohort, projectors)
    bridge.wear(add_lora(bridge.language, LORA))
    bridge.eval()  # no dropout: results must be equal
    for name, parameter in bridge.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    return bridge, {name: torch.from_numpy(cohort.values(name)) for name in cohort.modalities}
