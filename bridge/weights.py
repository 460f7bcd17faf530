"""Weight files of a bundle: safetensors read whole, and compared name by name with what they should hold."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bridge.language.llm import LanguageModel

FILE, SETTINGS = "adapter_model.safetensors", "adapter_config.json"

#: What differs from one adapter to the next. All else has PEFT's default: among the rest are modules to import (megatron_core) and patterns to match.
OWN = {"r", "lora_alpha", "lora_dropout", "target_modules", "inference_mode", "peft_version", "base_model_name_or_path"}


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        ValueError: there is no such file, or it is damaged.
    """
    if not path.is_file():
        raise ValueError(f"{path.parent}: {path.name} is missing; expected a bundle folder as written by: bridge align, bridge tune or bridge demo")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not safetensors ({error}); the bundle is damaged, write it again") from error


def require_same_names(path: Path, stored: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Refuse a file that lacks a weight or has one too many; loaders would fall back to random ones in silence."""
    missing, unknown = sorted(set(expected) - set(stored)), sorted(set(stored) - set(expected))
    if missing or unknown:
        raise ValueError(f"{path}: missing weights {missing[:3]}, unknown weights {unknown[:3]}; the bundle is damaged, write it again")


def require_finite(path: Path, stored: dict[str, Tensor]) -> None:
    """Refuse weights that are not numbers; merged, they would make the base LLM's weights NaN as well."""
    wrong = next((name for name, tensor in stored.items() if not torch.isfinite(tensor).all()), None)
    if wrong is not None:
        raise ValueError(f"{path}, weight {wrong!r}: found NaN or infinite values, expected finite ones; the bundle is damaged, write it again")


def require_plain(path: Path) -> None:
    """Refuse settings of an adapter other than those of a plain LoRA over layers that are named one by one.

    Raises:
        ValueError: names the field.
    """
    settings = _settings(path)
    plain = {name: value for name, value in LoraConfig(task_type="CAUSAL_LM").to_dict().items() if name not in OWN}
    for name, value in settings.items():
        if name not in OWN and value != plain.get(name) and (name in plain or value):
            raise ValueError(f"{path}, field {name}: found {str(value)[:80]!r}, expected {plain.get(name)!r}; only a plain LoRA adapter is loaded")
    targets = settings.get("target_modules")
    if not isinstance(targets, list) or not targets or not all(isinstance(name, str) and re.fullmatch(r"\w+", name) for name in targets):
        raise ValueError(f"{path}, field target_modules: found {str(targets)[:80]!r}, expected a list of layer names; a string would be a pattern")


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected a bundle folder as written by: bridge tune")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or not text
        raise ValueError(f"{path}: not JSON ({error}); the bundle is damaged, write it again") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: found {type(settings).__name__}, expected the settings of an adapter; the bundle is damaged, write it again")
    return settings


def save_adapters(model: PeftModel, folder: Path) -> None:
    """Every adapter in a folder of its own name; PEFT writes the one called 'default' into the folder itself."""
    model.save_pretrained(folder, save_embedding_layers=False)
    if (folder / SETTINGS).is_file():
        (folder / "default").mkdir()
        for name in (SETTINGS, FILE):
            (folder / name).replace(folder / "default" / name)
    for readme in folder.rglob("README.md"):
        readme.unlink()
    for config in folder.rglob(SETTINGS):
        settings = json.loads(config.read_text(encoding="utf-8"))
        # PEFT keeps these names as a set, whose order is another in every process; where the base LLM lay is nobody's business.
        settings |= {"target_modules": sorted(settings["target_modules"]), "base_model_name_or_path": None}
        config.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def with_adapters(language: LanguageModel, folder: Path, names: list[str]) -> LanguageModel:
    """The LLM wearing the adapters of a folder; the last one is active."""
    model = language.model
    for name in names:
        stored = read_weights(folder / name / FILE)
        require_finite(folder / name / FILE, stored)
        require_plain(folder / name / SETTINGS)
        model = _with_adapter(model, folder / name, name)
        require_same_names(folder / name / FILE, stored, get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    if names:
        model.set_adapter(names[-1])
    return dataclasses.replace(language, model=model)


def _with_adapter(model: nn.Module, folder: Path, name: str) -> PeftModel:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PEFT only warns about missing weights; here they are compared afterwards
            if not isinstance(model, PeftModel):
                return PeftModel.from_pretrained(model, folder, adapter_name=name)
            model.load_adapter(folder, adapter_name=name)
            return model
    except Exception as error:  # PEFT, torch and the JSON parser each have errors of their own
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{folder}: the adapter cannot be read ({reason}); the bundle is damaged, write it again") from error
