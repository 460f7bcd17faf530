"""What is saved and shared: configuration, projectors, adapters and cards. Never base weights, never pickles."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import save_file

from bridge.data.atlas_files import atlases_of, read_atlases, record_beside, write_atlases
from bridge.data.bundle_config import FORMAT, LATER, BundleConfig, Part, Space, read_config
from bridge.data.cohort import require_statistics
from bridge.data.cohort_file import CohortFile
from bridge.data.json_file import read_json
from bridge.data.manifest import MANIFEST, digest, require_manifest, write_manifest
from bridge.data.whole import whole_folder
from bridge.language.latent import LatentText
from bridge.language.llm import LanguageModel, fingerprint, load_llm
from bridge.model import SemanticBridge
from bridge.project.base import Projector
from bridge.project.space import SharedSpace
from bridge.retrieve.files import read_gallery, write_gallery
from bridge.weights import built, read_weights, require_finite, require_same_kinds, require_same_names, save_adapters, with_adapters
from encoders.base import Card, Encoder, build, record
from encoders.region_map import Atlas

WEIGHTS = "projectors.safetensors"
TERMS = "text_terms.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Reader:
    """What of a bundle reads inputs: everything but the LLM and the weights, so that a wrong input is told before they are loaded.

    Args:
        encoders: Modality to encoder.
        cards: Modality to the card its values were made under.
        reference: What the training split looks like.
        trained_on: The cohort's file.
        atlases: Modality to the atlas that its regions are of.
    """

    encoders: dict[str, Encoder]
    cards: dict[str, Card]
    reference: dict
    trained_on: CohortFile | None
    atlases: dict[str, Atlas]


def save(bridge: SemanticBridge, path: str | Path, metrics: dict | None = None) -> Path:
    """Write a bundle folder: complete, or not at all.

    Raises:
        ValueError: a weight is not finite, or the folder holds something else than a bundle.
    """
    if not bridge.finite_trained():
        raise ValueError(f"{path}: a trained weight is NaN or infinite, expected finite weights; the bundle was not written")
    with whole_folder(path, "a bundle", WEIGHTS) as folder:
        try:
            _write(bridge, folder, _defined(metrics or {}))
        except SafetensorError as error:  # a full disk, say
            raise ValueError(f"{path}: the bundle cannot be written ({error}); what was there before is as it was") from error
        write_manifest(folder, {"base_llm": fingerprint(bridge.language)})
    return Path(path)


def put_metrics(path: str | Path, metrics: dict) -> None:
    """Give a bundle other metrics; it stays whole meanwhile."""
    path = Path(path)
    about = require_manifest(path)
    with whole_folder(path, "a bundle", WEIGHTS) as folder:
        shutil.copytree(path, folder, dirs_exist_ok=True)
        _write_json(folder / "metrics.json", _defined(metrics))
        write_manifest(folder, about)


def load_reader(path: str | Path, trust: tuple[str, ...] = ()) -> Reader:
    """The part of a bundle that reads inputs; its files are compared with the manifest.

    Args:
        path: The bundle folder.
        trust: Modules outside the packages whose classes may load.
    """
    path = Path(path)
    config = _read_config(path)
    if LATER & config.model_fields_set or (path / MANIFEST).exists():  # bundles of earlier versions have none
        _require_about(path, require_manifest(path), config)
    try:
        cards = {modality: Card.from_dict(fields) for modality, fields in _read_json(path / "cards.json").items()}
        encoders = {modality: build(spec.model_dump(), trust) for modality, spec in config.encoders.items()}
        for card in cards.values():
            require_statistics(card.normalisation)
        _require_one_set(path, config, encoders, cards)
        trained_on = config.cohort and CohortFile.from_record(path, config.cohort.model_dump())
        return Reader(encoders, cards, _reference(path, cards), trained_on, read_atlases(path, encoders.items()))
    except (AttributeError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{path}: found a field of another kind than a bundle has ({error}); expected one that bridge wrote, write it again") from error


def _require_about(path: Path, about: object, config: BundleConfig) -> None:
    """Refuse a manifest that tells of another base LLM than the config."""
    if about != {"base_llm": config.fingerprint}:
        found = str(about)[:80]
        raise ValueError(
            f"{path / MANIFEST}, field about: found {found}, expected the base LLM of config.json; the bundle is damaged or was edited, write it again"
        )


def _require_one_set(path: Path, config: BundleConfig, encoders: dict[str, Encoder], cards: dict[str, Card]) -> None:
    """Refuse encoders, projectors and cards of different modalities or sizes."""
    if not set(encoders) == set(config.projectors) == set(cards):
        found = f"encoders {sorted(encoders)}, projectors {sorted(config.projectors)}, cards {sorted(cards)}"
        raise ValueError(f"{path}: found {found[:200]}, expected the same modalities in each; the bundle is damaged, write it again")
    for modality, encoder in encoders.items():
        card, sizes = cards[modality], (encoder.tokens, encoder.dim)
        if (card.tokens, card.dim) != sizes or card.modality != modality:
            found = f"{card.tokens} tokens x {card.dim} of {card.modality!r}"
            raise ValueError(f"{path}/cards.json, field {modality}: found {found}, expected {sizes[0]} x {sizes[1]} of {modality!r}; write the bundle again")


def _reference(path: Path, cards: dict[str, Card]) -> dict:
    """What the training split looks like, in the form in which a bundle with modalities has it; {} of one in words alone."""
    reference = _read_json(path / "reference.json")
    if not isinstance(reference, dict) or (cards and not isinstance(reference.get("training"), dict)):
        raise ValueError(f"{path}/reference.json: found no field training, expected what the training split looks like; the bundle is damaged, write it again")
    return reference


def load(path: str | Path, *, llm: str | None = None, language: LanguageModel | None = None, trust: tuple[str, ...] = ()) -> SemanticBridge:
    """The bridge of a bundle, bit-equal to the one that was saved; on the GPU where there is one, unless ``language`` is given.

    Args:
        path: The bundle folder.
        llm: Where the base LLM is now, when it is not where the bundle says.
        language: The base LLM when it is already in memory.
        trust: Modules outside the packages whose classes may load.

    Raises:
        ValueError: a file is missing, unknown or another than was written, a field is missing or unknown, the base LLM is another one, or a
            weight does not fit.
    """
    path = Path(path)
    reader, config = load_reader(path, trust), _read_config(path)
    given, language = language, language or load_llm(llm or config.llm)
    found = fingerprint(language)
    if found != config.fingerprint:
        raise ValueError(
            f"{path}/config.json, field fingerprint: the bundle was made with {config.llm!r}, the LLM given ({language.name!r}) is another one; "
            "name the folder of the right one (--llm; of a training run --model.llm.path)"
        )
    stored = read_weights(path / WEIGHTS)
    parts = {modality: (f"projectors.{modality}", functools.partial(_projector, spec, trust)) for modality, spec in config.projectors.items()}
    projectors = {modality: built(path / WEIGHTS, stored, *part) for modality, part in parts.items()}
    for modality, projector in projectors.items():
        _require_size(path, projector, modality, reader.encoders[modality], language)
    bridge = SemanticBridge(with_adapters(language, path / "adapters", config.adapters), reader.encoders, projectors, reader.cards)
    bridge.space = built(path / WEIGHTS, stored, "space", functools.partial(_space, config.space)) if config.space else None
    bridge.latent = built(path / WEIGHTS, stored, "latent", functools.partial(_latent, path, config.latent)) if config.latent else None
    bridge.blind, bridge.trained_on = config.blind, reader.trained_on
    bridge.text, bridge.template, bridge.reference, bridge.atlases = config.text, config.template, reader.reference, reader.atlases
    _load_trained(bridge, path / WEIGHTS, stored)
    bridge.gallery = read_gallery(path, bridge)
    device = "cuda" if torch.cuda.is_available() and given is None else language.model.device
    return bridge.to(device).eval()


def bundle_digest(path: Path) -> str:
    """SHA-256 over a bundle's files: it names the bundle that soft tokens, weights and reports are from. Its metrics and its card may change."""
    sums = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file() and file.name not in ("README.md", "metrics.json", MANIFEST)):
        sums.update(f"{file.relative_to(path).as_posix()} {digest(file)}\n".encode())
    return sums.hexdigest()


def model_card(bridge: SemanticBridge, metrics: dict) -> str:
    """A short README of the bundle: what it reads, what it was measured at, whose terms hold."""
    rows = "\n".join(
        f"| {modality} | {card.encoder} | {card.tokens} x {card.dim} | {type(bridge.projectors[modality]).__name__} | {card.source} | {card.licence} |"
        for modality, card in bridge.cards.items()
    )
    notices = "\n".join(f"- {notice}" for notice in bridge.reference.get("notices", []))
    measured = f"\n## Held-out results\n```json\n{json.dumps(metrics, indent=1)}\n```\n" if metrics else ""
    searched = f"\n## Gallery\n{bridge.gallery.told()}\n" if bridge.gallery is not None else ""
    return (
        f"# Semantic bridge for {bridge.language.name}\n\n"
        "Research use only: not a medical device, not for clinical decisions. The base LLM's weights are not included.\n\n"
        f"| modality | encoder | tokens | projector | source | licence |\n|---|---|---|---|---|---|\n{rows}\n{measured}{searched}\n## Terms\n{notices}\n"
    )


def _write(bridge: SemanticBridge, folder: Path, metrics: dict) -> None:
    """All files of a bundle."""
    atlases = atlases_of(bridge.encoders.items()) | bridge.atlases
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in bridge.trained_state().items()}, folder / WEIGHTS)
    if isinstance(bridge.llm, PeftModel):
        save_adapters(bridge.llm, folder / "adapters")
    _write_json(folder / "config.json", _config(bridge, folder, atlases))
    _write_json(folder / "cards.json", {modality: card.to_dict() for modality, card in bridge.cards.items()})
    _write_json(folder / "reference.json", bridge.reference)
    if bridge.latent is not None:
        _write_json(folder / TERMS, bridge.latent.terms)
    if bridge.gallery is not None:
        write_gallery(bridge.gallery, folder)
    write_atlases(atlases, folder)
    _write_json(folder / "metrics.json", metrics)
    (folder / "README.md").write_text(model_card(bridge, metrics), encoding="utf-8")


def _defined(value: Any) -> Any:
    """The same numbers for JSON: a metric that is not defined (NaN, infinite) is unknown."""
    if isinstance(value, dict):
        return {key: _defined(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _config(bridge: SemanticBridge, folder: Path, atlases: dict[str, Atlas]) -> dict:
    projectors = {modality: {"class_path": _path_of(projector), "init_args": projector.init_args} for modality, projector in bridge.projectors.items()}
    return {
        "format": FORMAT,
        "llm": bridge.language.name,
        "fingerprint": fingerprint(bridge.language),
        "template": bridge.template,
        "encoders": {modality: record_beside(modality, encoder) if modality in atlases else record(encoder) for modality, encoder in bridge.encoders.items()},
        "projectors": projectors,
        "space": bridge.space.settings if bridge.space else None,
        "text": bridge.text,
        "latent": bridge.latent.components if bridge.latent else 0,
        "adapters": list(bridge.llm.peft_config) if isinstance(bridge.llm, PeftModel) else [],
        "blind": bridge.blind,
        "cohort": bridge.trained_on.record(folder) if bridge.trained_on else None,
    }


def _read_config(path: Path) -> BundleConfig:
    return read_config(_there(path / "config.json"))


def _read_json(path: Path, kind: type = dict) -> Any:
    return read_json(_there(path), kind)


def _there(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected a bundle folder as written by: bridge align, bridge tune or bridge demo")
    return path


def _write_json(path: Path, content: dict | list) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def projector_class(class_path: str, trust: tuple[str, ...] = ()) -> type[Projector]:
    """A projector's class by its exact path; outside the package only when its module is trusted.

    Raises:
        ValueError: the class is not trusted, not found, or no :class:`Projector`.
    """
    module, _, name = class_path.rpartition(".")
    if not module.startswith("bridge.project.") and module not in trust:
        raise ValueError(f"projector {class_path!r}: module {module!r} is outside bridge.project; pass --trust {module} if you wrote or checked it")
    try:
        kind = getattr(importlib.import_module(module), name)
        if not (isinstance(kind, type) and issubclass(kind, Projector)):
            raise TypeError(f"found {kind!r}")
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"projector {class_path!r}: {error}; expected a subclass of bridge.project.base.Projector and its arguments") from error
    return kind


def _projector(spec: Part, trust: tuple[str, ...]) -> Projector:
    kind = projector_class(spec.class_path, trust)
    try:
        return kind(**spec.init_args)
    except (TypeError, RuntimeError, ValueError, OverflowError) as error:
        why = next(iter(str(error).splitlines()), "")[:200]
        raise ValueError(f"projector {spec.class_path!r}: {why}; expected the arguments that it takes") from error


def _space(settings: Space) -> SharedSpace:
    return SharedSpace(**settings.model_dump())


def _latent(path: Path, components: int) -> LatentText:
    terms = _read_json(path / TERMS, list)
    if not terms or len(set(map(str, terms))) != len(terms) or not all(isinstance(term, str) for term in terms):
        raise ValueError(f"{path / TERMS}: found terms that are no text, or one twice, expected each once; the bundle is damaged, write it again")
    return LatentText(terms, components)


def _require_size(path: Path, projector: Projector, modality: str, encoder: Encoder, language: LanguageModel) -> None:
    """Refuse a projector that stands between other sizes than its encoder and the LLM have."""
    found, expected = (projector.dim, projector.tokens, projector.width), (encoder.dim, encoder.tokens, language.width)
    if found != expected:
        told = "{} wide x {} tokens to {}"
        raise ValueError(f"{path}/config.json, projector {modality!r}: found {told.format(*found)}, expected {told.format(*expected)}; write the bundle again")


def _load_trained(bridge: SemanticBridge, path: Path, stored: dict[str, torch.Tensor]) -> None:
    expected = bridge.trained_state()
    require_same_names(path, stored, expected)
    require_same_kinds(path, stored, expected)
    require_finite(path, stored)
    bridge.load_state_dict(stored, strict=False)  # strict above; the LLM's own weights are not in the file


def _path_of(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
