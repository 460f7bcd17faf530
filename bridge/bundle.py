"""What is saved and shared: configuration, projectors, adapters and cards. Never base weights, never pickles."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
from pathlib import Path

from peft import PeftModel
from safetensors.torch import load_file, save_file

from bridge.language.llm import LanguageModel, fingerprint, load_llm
from bridge.model import SemanticBridge
from bridge.project.base import Projector
from bridge.project.space import SharedSpace
from encoders.base import Card, build, record

FORMAT = 1
FIELDS = {"format", "llm", "fingerprint", "template", "encoders", "projectors", "space", "text", "adapters"}


def save(bridge: SemanticBridge, path: str | Path, metrics: dict | None = None) -> Path:
    """Write a bundle folder: complete, or not at all.

    Raises:
        ValueError: a weight is not finite.
    """
    if not bridge.finite_trained():
        raise ValueError(f"{path}: a trained weight is NaN or infinite, expected finite weights; the bundle was not written")
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial.{os.getpid()}")
    partial.mkdir(parents=True)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in bridge.trained_state().items()}, partial / "projectors.safetensors")
    if isinstance(bridge.llm, PeftModel):
        bridge.llm.save_pretrained(partial / "adapters", save_embedding_layers=False)
        _name_default_adapter(partial / "adapters")
    _write_json(partial / "config.json", _config(bridge))
    _write_json(partial / "cards.json", {modality: card.to_dict() for modality, card in bridge.cards.items()})
    _write_json(partial / "reference.json", bridge.reference)
    _write_json(partial / "metrics.json", metrics or {})
    (partial / "README.md").write_text(model_card(bridge, metrics or {}))
    shutil.rmtree(path, ignore_errors=True)
    partial.replace(path)
    return path


def load(path: str | Path, *, llm: str | None = None, language: LanguageModel | None = None, trust: tuple[str, ...] = ()) -> SemanticBridge:
    """The bridge of a bundle, bit-equal to the one that was saved.

    Args:
        path: The bundle folder.
        llm: Where the base LLM is now, when it is not where the bundle says.
        language: The base LLM when it is already in memory.
        trust: Modules outside the packages whose classes may load.

    Raises:
        ValueError: a file or field is missing or unknown, the base LLM is another one, or a weight does not fit.
    """
    path = Path(path)
    config = _read_config(path)
    language = language or load_llm(llm or config["llm"])
    found = fingerprint(language)
    if found != config["fingerprint"]:
        raise ValueError(
            f"{path}/config.json, field fingerprint: the bundle was made with {config['llm']!r}, the LLM given ({language.name!r}) is another one; "
            "pass --llm with the folder of the right one"
        )
    cards = {modality: Card.from_dict(fields) for modality, fields in _read_json(path / "cards.json").items()}
    encoders = {modality: build(spec, trust) for modality, spec in config["encoders"].items()}
    projectors = {modality: _projector(spec, trust) for modality, spec in config["projectors"].items()}
    bridge = SemanticBridge(_with_adapters(language, path, config["adapters"]), encoders, projectors, cards)
    bridge.space = SharedSpace(**config["space"]) if config["space"] else None
    bridge.text, bridge.template, bridge.reference = config["text"], config["template"], _read_json(path / "reference.json")
    _load_trained(bridge, path / "projectors.safetensors")
    return bridge.eval()


def model_card(bridge: SemanticBridge, metrics: dict) -> str:
    """A short README of the bundle: what it reads, what it was measured at, whose terms hold."""
    rows = "\n".join(
        f"| {modality} | {card.encoder} | {card.tokens} x {card.dim} | {type(bridge.projectors[modality]).__name__} | {card.source} | {card.licence} |"
        for modality, card in bridge.cards.items()
    )
    notices = "\n".join(f"- {notice}" for notice in bridge.reference.get("notices", []))
    measured = f"\n## Held-out results\n```json\n{json.dumps(metrics, indent=1)}\n```\n" if metrics else ""
    return (
        f"# Semantic bridge for {bridge.language.name}\n\n"
        "Research use only: not a medical device, not for clinical decisions. The base LLM's weights are not included.\n\n"
        f"| modality | encoder | tokens | projector | source | licence |\n|---|---|---|---|---|---|\n{rows}\n{measured}\n## Terms\n{notices}\n"
    )


def _config(bridge: SemanticBridge) -> dict:
    projectors = {modality: {"class_path": _path_of(projector), "init_args": projector.init_args} for modality, projector in bridge.projectors.items()}
    return {
        "format": FORMAT,
        "llm": bridge.language.name,
        "fingerprint": fingerprint(bridge.language),
        "template": bridge.template,
        "encoders": {modality: record(encoder) for modality, encoder in bridge.encoders.items()},
        "projectors": projectors,
        "space": bridge.space.settings if bridge.space else None,
        "text": bridge.text,
        "adapters": list(bridge.llm.peft_config) if isinstance(bridge.llm, PeftModel) else [],
    }


def _read_config(path: Path) -> dict:
    config = _read_json(path / "config.json")
    unknown, missing = sorted(set(config) - FIELDS), sorted(FIELDS - set(config))
    if unknown or missing:
        raise ValueError(f"{path}/config.json: unknown fields {unknown}, missing fields {missing}; expected exactly {sorted(FIELDS)}")
    if config["format"] != FORMAT:
        raise ValueError(f"{path}/config.json, field format: found {config['format']!r}, expected {FORMAT}; make the bundle again with this version")
    return config


def _read_json(path: Path) -> dict:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected a bundle folder as written by: bridge align, bridge tune or bridge demo")
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error}); the bundle is damaged, write it again") from error


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False))


def _projector(spec: dict, trust: tuple[str, ...]) -> Projector:
    """A projector by its exact class path; outside the package only when trusted."""
    module, _, name = spec["class_path"].rpartition(".")
    if not module.startswith("bridge.project.") and module not in trust:
        raise ValueError(f"projector {spec['class_path']!r}: module {module!r} is outside bridge.project; pass --trust {module} if you wrote or checked it")
    kind = getattr(importlib.import_module(module), name, None)
    if not (isinstance(kind, type) and issubclass(kind, Projector)):
        raise ValueError(f"projector {spec['class_path']!r}: expected a subclass of bridge.project.base.Projector")
    return kind(**spec["init_args"])


def _with_adapters(language: LanguageModel, path: Path, names: list[str]) -> LanguageModel:
    """The LLM wearing the bundle's adapters; the last one is active."""
    model = language.model
    for name in names:
        folder = path / "adapters" / name
        if not (folder / "adapter_model.safetensors").is_file():
            raise ValueError(f"{folder}: adapter_model.safetensors is missing; the bundle is damaged, write it again")
        _require_adapter_keys(folder)
        if isinstance(model, PeftModel):
            model.load_adapter(folder, adapter_name=name)
        else:
            model = PeftModel.from_pretrained(model, folder, adapter_name=name)
    if names:
        model.set_adapter(names[-1])
    return dataclasses.replace(language, model=model)


def _require_adapter_keys(folder: Path) -> None:
    """PEFT only warns about half-missing weights: every A must have its B."""
    keys = set(load_file(folder / "adapter_model.safetensors"))
    halves = {key.replace(".lora_A.", ".lora_B.") for key in keys if ".lora_A." in key} ^ {key for key in keys if ".lora_B." in key}
    if halves or not keys:
        raise ValueError(
            f"{folder}/adapter_model.safetensors: {len(halves)} weights lack their other half, for example {min(halves, default='all')!r}; "
            "the bundle is damaged, write it again"
        )


def _load_trained(bridge: SemanticBridge, path: Path) -> None:
    state, expected = load_file(path), bridge.trained_state()
    missing, unknown = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or unknown:
        raise ValueError(f"{path}: missing weights {missing[:3]}, unknown weights {unknown[:3]}; expected exactly those of config.json")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(f"{path}, weight {name!r}: found shape {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}")
    bridge.load_state_dict(state, strict=False)  # strict above; the LLM's own weights are not in the file


def _name_default_adapter(folder: Path) -> None:
    """PEFT writes the adapter called 'default' into the folder itself and others below it; here each has its own folder."""
    if (folder / "adapter_config.json").is_file():
        (folder / "default").mkdir()
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (folder / name).replace(folder / "default" / name)
    for readme in folder.rglob("README.md"):
        readme.unlink()


def _path_of(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
