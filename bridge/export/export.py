"""A bundle as a folder for a vLLM server of one's own: merged LLM, template, launch script, and on request the soft tokens of a cohort."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, GenerationConfig

from bridge.bundle import bundle_digest
from bridge.data.cohort import Cohort
from bridge.data.whole import whole_folder
from bridge.export.embeds import Embeds, write_embeds
from bridge.export.folder import require_unchanged, write_sums
from bridge.export.launch import SERVED, launch_script, readme
from bridge.export.template import ServedPrompt
from bridge.export.weights import SHARD, write_merged
from bridge.language.llm import base_model, fingerprint, resolve_dtype
from bridge.language.prompts import Prompt
from bridge.model import SemanticBridge
from bridge.report.origin import provenance
from bridge.report.reference import Reference
from bridge.report.schema import Provenance
from encoders.base import Card

FORMAT = 1
OURS = "bridge"  # a folder of its own: a server takes every safetensors file beside config.json for weights
ABOUT, EMBEDS, TOKENIZER = f"{OURS}/export.json", f"{OURS}/embeds", f"{OURS}/tokenizer"
FIELDS = {"format", "bundle", "model", "template", "width", "dtype", "modalities", "reference", "cards", "provenance", "cohort", "refused"}


@dataclasses.dataclass(frozen=True)
class Export:
    """What a client needs of an export; the weights stay with the server.

    Args:
        folder: The export.
        model: Name under which it is served.
        prompt: The prompt, here and at the server.
        embeds: Soft tokens of the samples that were exported.
        modalities: All that the bundle reads.
        reference: What the training split looks like.
        cards: Modality to its card.
        provenance: What made the bundle.
        cohort: Where the samples' measurements were.
    """

    folder: Path
    model: str
    prompt: ServedPrompt
    embeds: Embeds
    modalities: tuple[str, ...]
    reference: Reference
    cards: dict[str, Card]
    provenance: Provenance
    cohort: str


def write_export(
    bridge: SemanticBridge, bundle: str | Path, out: str | Path, *, cohort: Cohort | None = None, split: str = "test", dtype: str = "auto", shard: int = SHARD
) -> dict[str, Any]:
    """Write an export: whole, or not at all.

    Memory: see :func:`bridge.export.weights.write_merged`; soft tokens take that of a file of 1,024 samples.

    Args:
        bridge: The loaded bundle.
        bundle: Its folder.
        out: Folder to write.
        cohort: Samples whose soft tokens are written too.
        split: Which of them, or ``all``.
        dtype: Of the weights: auto (bfloat16 where there is a GPU, float32 elsewhere), float32, bfloat16 or float16.
        shard: Bytes of a file of weights at most.

    Returns:
        Counts: samples that were ``written``, and why the others were ``refused``.

    Raises:
        ValueError: a blind bundle, another cohort, weights that cannot be merged, or a folder that is not an export.
    """
    if bridge.blind:
        raise ValueError(f"{bundle}, field blind: found true, expected false; a blind twin reads no input and serves evaluation only")
    for modality, card in bridge.cards.items() if cohort else ():
        card.require_same(cohort.card(modality))
    held, digest = resolve_dtype(dtype), bundle_digest(Path(bundle))
    served = ServedPrompt.of(Prompt(bridge.language.tokenizer, bridge.template))
    with whole_folder(out, "an export", ABOUT) as folder:
        _write_model(bridge, served, folder, held, shard)
        counts: dict[str, Any] = {"written": 0, "refused": {}}
        if cohort is not None:
            counts["written"], counts["refused"] = write_embeds(bridge, cohort, cohort.rows(split), folder / EMBEDS, dtype=held, bundle=digest)
        about = _about(bridge, str(bundle), digest, held) | {"cohort": cohort.source if cohort else "", "refused": counts["refused"]}
        (folder / ABOUT).write_text(json.dumps(about, indent=1, allow_nan=False), encoding="utf-8")
        (folder / "README.md").write_text(readme(bridge, about["model"]), encoding="utf-8")
        (folder / "launch.sh").write_text(launch_script(about["model"], about["dtype"]), encoding="utf-8")
        (folder / "launch.sh").chmod(0o755)
        write_sums(folder)
    return counts


def read_export(folder: str | Path) -> Export:
    """An export, for a client: every file but weights and soft tokens is compared with its digest.

    Raises:
        ValueError: not an export, of another form, or changed since it was written.
    """
    folder = Path(folder)
    if not (folder / ABOUT).is_file():
        raise ValueError(f"{folder}: {ABOUT} is missing; expected a folder as written by: bridge export")
    require_unchanged(folder)
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if set(about) != FIELDS or about["format"] != FORMAT:
        raise ValueError(f"{folder / ABOUT}: found format {about.get('format')!r} with fields {sorted(about)}, expected {FORMAT} with {sorted(FIELDS)}")
    tokenizers = [AutoTokenizer.from_pretrained(folder / place, trust_remote_code=False) for place in (TOKENIZER, "")]
    form = {"width": about["width"], "dtype": getattr(torch, about["dtype"]), "bundle": about["bundle"]}
    return Export(
        folder,
        about["model"],
        ServedPrompt(Prompt(tokenizers[0], about["template"]), tokenizers[1]),
        Embeds(folder / EMBEDS, **form),
        tuple(about["modalities"]),
        Reference.from_dict(about["reference"]),
        {modality: Card.from_dict(fields) for modality, fields in about["cards"].items()},
        Provenance.model_validate(about["provenance"]),
        about["cohort"],
    )


def _write_model(bridge: SemanticBridge, served: ServedPrompt, folder: Path, dtype: torch.dtype, shard: int) -> None:
    """Weights, configuration and tokenizer; an answer ends at the tokenizer's end token, as it does here."""
    tokenizer, config = bridge.language.tokenizer, copy.deepcopy(base_model(bridge.llm).config)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config.architectures, config.dtype = ["LlamaForCausalLM"], dtype
    for name, number in ends.items():
        setattr(config, name, number)
    write_merged(bridge.llm, folder, dtype, shard)
    config.save_pretrained(folder)
    GenerationConfig(**ends).save_pretrained(folder)
    served.tokenizer.save_pretrained(folder)
    tokenizer.save_pretrained(folder / TOKENIZER)


def _about(bridge: SemanticBridge, bundle: str, digest: str, dtype: torch.dtype) -> dict[str, Any]:
    made = provenance(bridge, f"{bundle} {digest[:12]}")
    return {
        "format": FORMAT,
        "bundle": digest,
        "model": f"{SERVED}-{digest[:12]}",
        "template": bridge.template,
        "width": bridge.language.width,
        "dtype": str(dtype).removeprefix("torch."),
        "modalities": list(bridge.projectors),
        "reference": bridge.reference["training"],
        "cards": {modality: card.to_dict() for modality, card in bridge.cards.items()},
        "provenance": made.model_copy(update={"llm": f"{made.llm} {fingerprint(bridge.language)[:12]}"}).model_dump(mode="json"),
    }
