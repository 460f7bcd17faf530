"""Weight files of a bundle: safetensors read whole, and compared name by name with what they should hold."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bridge.data.json_file import read_json
from bridge.language.llm import LanguageModel

FILE, SETTINGS = "adapter_model.safetensors", "adapter_config.json"

#: What differs from one adapter to the next. All else has PEFT's default: among the rest are modules to import (megatron_core) and patterns to match.
OWN = {"r", "lora_alpha", "lora_dropout", "target_modules", "inference_mode", "peft_version", "base_model_name_or_path"}

#: What else than a number of the expected kind may stand for one: half precision, which is widened without loss.
WIDENED = {torch.float32: {torch.float32, torch.float16, torch.bfloat16}}

#: Bytes of a file's table of contents, some 100 a weight: an adapter of a 70B model has about 2,000.
LONGEST_CONTENTS = 1 << 22

Part = TypeVar("Part", bound=nn.Module)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        ValueError: there is no such file, or it is damaged.
    """
    if not path.is_file():
        raise ValueError(f"{path.parent}: {path.name} is missing; expected a bundle folder as written by: bridge align, bridge tune or bridge demo")
    with path.open("rb") as file:
        contents = int.from_bytes(file.read(8), "little")
    if LONGEST_CONTENTS < contents <= path.stat().st_size:  # beyond the file it is cut off, which is told below
        raise ValueError(f"{path}: found a table of contents of {contents:,} bytes, expected at most {LONGEST_CONTENTS:,}; these are no weights of a bundle")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: not safetensors ({error}); the bundle is damaged, write it again") from error


def require_same_names(path: Path, stored: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Refuse a file that lacks a weight or has one too many; loaders would fall back to random ones in silence."""
    missing, unknown = sorted(set(expected) - set(stored)), sorted(set(stored) - set(expected))
    if missing or unknown:
        raise ValueError(f"{path}: missing weights {missing[:3]}, unknown weights {unknown[:3]}; the bundle is damaged, write it again")


def require_same_kinds(path: Path, stored: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse a weight of another shape or kind of number; loaders would convert it in silence."""
    for name, tensor in stored.items():
        wanted = expected[name]
        if tensor.shape != wanted.shape:
            raise ValueError(f"{path}, weight {name!r}: found shape {tuple(tensor.shape)}, expected {tuple(wanted.shape)}")
        if tensor.dtype not in WIDENED.get(wanted.dtype, {wanted.dtype}):
            raise ValueError(f"{path}, weight {name!r}: found {tensor.dtype}, expected {wanted.dtype}; the bundle is damaged, write it again")


def built(path: Path, stored: Mapping[str, Tensor], name: str, make: Callable[[], Part]) -> Part:
    """A part of a bundle, made once its weights are known to be there: a record of a few bytes could ask for any amount of memory.

    Args:
        path: The file of the weights.
        stored: What it holds.
        name: Of the part, with which its weights' names begin.
        make: Makes it.

    Raises:
        ValueError: its settings cannot be, or need other weights than there are.
    """
    try:
        with torch.device("meta"):  # shapes without memory
            expected = {f"{name}.{each}": tensor for each, tensor in make().state_dict().items()}
    except (RuntimeError, TypeError, OverflowError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ValueError(f"{path.parent}/config.json, {name}: cannot be made ({why}); the bundle is damaged, write it again") from error
    own = {each: tensor for each, tensor in stored.items() if each.startswith(f"{name}.")}
    require_same_names(path, own, expected)
    require_same_kinds(path, own, expected)
    return make()


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
    for name, (fits, expected) in VALUES.items():
        if not fits(settings.get(name)):
            raise ValueError(f"{path}, field {name}: found {str(settings.get(name))[:80]!r}, expected {expected}; the bundle is damaged, write it again")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> bool:
    """Whether it is one that a product of two small weights can bear."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_SCALE


def _are_names(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(name, str) and re.fullmatch(r"\w+", name) for name in value)


#: An adapter's scale is ``lora_alpha / r``; the largest of the field is below a thousand.
LARGEST_SCALE = 1e6

#: What the fields of an adapter's own may hold, and how that is told.
VALUES: dict[str, tuple[Callable[[object], bool], str]] = {
    "r": (_is_count, "a whole number above 0"),
    "lora_alpha": (_is_number, f"a number up to {LARGEST_SCALE:,.0f}"),
    "lora_dropout": (lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to below 1"),
    "inference_mode": (lambda value: value is None or isinstance(value, bool), "true or false"),
    "peft_version": (lambda value: value is None or isinstance(value, str), "text"),
    "base_model_name_or_path": (lambda value: value is None or isinstance(value, str), "text"),
    "target_modules": (_are_names, "a list of layer names; a string would be a pattern"),
}


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected a bundle folder as written by: bridge tune")
    return read_json(path)


def _require_floating(path: Path, stored: Mapping[str, Tensor]) -> None:
    """Refuse an adapter's weights that are no floating-point numbers of up to 32 bits."""
    wrong = next((name for name, tensor in stored.items() if tensor.dtype not in WIDENED[torch.float32]), None)
    if wrong is not None:
        raise ValueError(f"{path}, weight {wrong!r}: found {stored[wrong].dtype}, expected torch.float32; the bundle is damaged, write it again")


def _require_fitting(path: Path, stored: Mapping[str, Tensor], layers: Collection[str]) -> None:
    """Refuse an adapter of layers that the LLM has not, or of another rank than its weights: it is by the settings that room is made."""
    settings = _settings(path)
    unknown = next((name for name in settings["target_modules"] if name not in layers), None)
    if unknown is not None:
        raise ValueError(f"{path}, field target_modules: {unknown[:80]!r} names no linear layer of the LLM; the bundle is damaged, write it again")
    ranks = {tensor.shape[0] for name, tensor in stored.items() if "lora_A" in name and tensor.ndim == 2}
    if ranks - {settings["r"]}:
        raise ValueError(f"{path}, field r: found {settings['r']}, expected {min(ranks)}, the rank of its weights; the bundle is damaged, write it again")


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
    _require_folders(folder, names)
    model = language.model
    layers = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    for name in names:
        weights, settings = folder / name / FILE, folder / name / SETTINGS
        stored = read_weights(weights)
        _require_floating(weights, stored)
        require_finite(weights, stored)
        require_plain(settings)
        _require_fitting(settings, stored, layers)
        model = _with_adapter(model, folder / name, name)
        require_same_names(weights, stored, get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))
    if names:
        model.set_adapter(names[-1])
    return dataclasses.replace(language, model=model)


def _require_folders(folder: Path, names: Sequence[str]) -> None:
    """Refuse an adapter that lies there and is not named: the bundle would speak without what it learned."""
    unknown = sorted({place.name for place in folder.iterdir()} - set(names)) if folder.is_dir() else []
    if unknown:
        raise ValueError(f"{folder / unknown[0]}: found an adapter that config.json does not name; the bundle is damaged, write it again")


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
