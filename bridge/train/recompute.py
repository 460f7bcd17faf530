"""Whether a stage keeps its activations or makes them again: decided before it starts, by the estimate that ``bridge plan`` prints."""

from __future__ import annotations

import lightning
import torch

from bridge.language.llm import Lora, base_model, recompute_activations
from bridge.language.quantise import is_quantised
from bridge.train.memory import BYTES, Row, Shape, fits, step_bytes
from bridge.train.stage import Stage


def card_memory(device: torch.device) -> int | None:
    """Bytes of a card; None on a CPU."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def recompute_where_needed(stage: Stage, lora: Lora, data: lightning.LightningDataModule, memory: int | None, cards: int = 1) -> bool:
    """Recompute activations where a step would not fit otherwise.

    A CPU keeps them: its memory is seldom the limit. Stage 1 keeps them too, since its LLM is frozen, but for an adapter on the text
    side, whose batch is large.

    Args:
        stage: The stage.
        lora: Adapter of stage 2.
        data: What it reads, a batch of which a card takes at once.
        memory: Bytes of the card, None on a CPU.
        cards: Cards over which the LLM is divided.

    Returns:
        Whether they are recomputed.
    """
    if memory is None:
        return False
    tokens = stage.row_tokens(data)
    needed = _adapts(stage) if tokens is None else _too_small(stage, tokens, lora, memory, cards)
    if needed:
        recompute_activations(stage.bridge.llm)
    return needed


def _too_small(stage: Stage, tokens: tuple[int, int], lora: Lora, memory: int, cards: int) -> bool:
    model, trained = base_model(stage.bridge.llm), sum(parameter.numel() for parameter in stage.parameters() if parameter.requires_grad)
    row = Row(*tokens, BYTES[model.get_input_embeddings().weight.dtype])
    parts = step_bytes(Shape.of(model.config.to_dict()), lora, row, trained, recomputed=False, cards=cards, nf4=is_quantised(model))
    return not fits(parts, memory)


def _adapts(stage: Stage) -> bool:
    return any(parameter.requires_grad for parameter in stage.bridge.llm.parameters())
