"""The adapter of a stage: a new one, or the one of a bundle that goes on learning."""

from __future__ import annotations

from peft import PeftModel

from bridge.bundle import load
from bridge.language.llm import Lora, add_lora
from bridge.model import SemanticBridge

NAME = "default"


def continued(start: str, trust: tuple[str, ...] = ()) -> SemanticBridge:
    """The bridge of a bundle, ready to learn on."""
    return load(start, trust=trust).train()


def with_lora(bridge: SemanticBridge, lora: Lora | None) -> None:
    """Give a bridge an adapter that learns; one that it wears already goes on learning.

    Raises:
        ValueError: another adapter is asked for than the bundle has.
    """
    if not (isinstance(bridge.llm, PeftModel) and NAME in bridge.llm.peft_config):
        bridge.wear(add_lora(bridge.language, lora or Lora()))
        return
    worn = bridge.llm.peft_config[NAME]
    if lora is not None and (worn.r, worn.lora_alpha, set(worn.target_modules)) != (lora.r, lora.alpha, set(lora.targets)):
        raise ValueError(
            f"lora: found r {lora.r}, alpha {lora.alpha}, targets {sorted(lora.targets)}; the bundle's adapter has r {worn.r}, alpha {worn.lora_alpha}, "
            f"targets {sorted(worn.target_modules)}; leave lora out to go on with it, or start from the LLM"
        )
    bridge.llm.set_adapter(NAME)
    for name, parameter in bridge.llm.named_parameters():
        if f".{NAME}." in name and "lora_" in name:
            parameter.requires_grad_(True)
