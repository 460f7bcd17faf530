"""Weight files of a bundle: safetensors read whole, and compared name by name with what they should hold."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bridge.language.llm import LanguageModel

FILE = "adapter_model.safetensors"


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


def save_adapters(model: PeftModel, folder: Path) -> None:
    """Every adapter in a folder of its own name; PEFT writes the one called 'default' into the folder itself."""
    model.save_pretrained(folder, save_embedding_layers=False)
    if (folder / "adapter_config.json").is_file():
        (folder / "default").mkdir()
        for name in ("adapter_config.json", FILE):
            (folder / name).replace(folder / "default" / name)
    for readme in folder.rglob("README.md"):
        readme.unlink()
    for config in folder.rglob("adapter_config.json"):  # PEFT keeps these names as a set, whose order is another in every process
        settings = json.loads(config.read_text(encoding="utf-8"))
        config.write_text(json.dumps(settings | {"target_modules": sorted(settings["target_modules"])}, indent=2), encoding="utf-8")


def with_adapters(language: LanguageModel, folder: Path, names: list[str]) -> LanguageModel:
    """The LLM wearing the adapters of a folder; the last one is active."""
    model = language.model
    for name in names:
        stored = read_weights(folder / name / FILE)
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
