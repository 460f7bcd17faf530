"""Where a report comes from: bundle, LLM, cards, versions, the files that were read, and the terms that travel with it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Collection, Iterable
from pathlib import Path

from bridge.bundle import bundle_digest
from bridge.data.cohort import Cohort
from bridge.data.cohort_file import file_sha256
from bridge.data.manifest import digest
from bridge.model import SemanticBridge
from bridge.report.given import InputFile
from bridge.report.schema import Provenance
from bridge.retrieve.schema import Retrieved
from encoders.base import located

VERSIONS = ("neuro-omics-bridge", "torch", "transformers", "peft")


def provenance(bridge: SemanticBridge, source: str = "", inputs: Iterable[InputFile] = ()) -> Provenance:
    """What made a report. Answers are greedy: no seed is drawn.

    Args:
        bridge: A loaded bundle.
        source: Its folder, of which the report holds the name alone; '' where it was not loaded from one.
        inputs: Files that were read.
    """
    saved = Path(source) / "config.json"
    return Provenance(
        bundle=Path(source).resolve().name if source else "",
        bundle_sha256=bundle_digest(saved.parent) if saved.is_file() else "",
        llm=f"{bridge.language.name} {_fingerprint(saved)}".strip(),
        cards={modality: card.to_dict() | {"normalisation": None, "names": []} for modality, card in bridge.cards.items()},
        inputs=tuple(inputs),
        versions={package: importlib.metadata.version(package) for package in VERSIONS},
        notices=tuple(bridge.reference.get("notices", ())),
    )


def _fingerprint(saved: Path) -> str:
    """The beginning of the base LLM's fingerprint, as the bundle was compared with it on loading; '' where there is no bundle."""
    return str(json.loads(saved.read_text(encoding="utf-8")).get("fingerprint", ""))[:12] if saved.is_file() else ""


def licences(bridge: SemanticBridge, given: Collection[str], retrieved: Iterable[Retrieved]) -> tuple[str, ...]:
    """Terms of what a report shows: of each input, of what was retrieved, and of the LLM's output."""
    inputs = [f"{modality}: {card.licence}" for modality, card in bridge.cards.items() if modality in given and card.licence]
    found = dict.fromkeys(f"retrieved {each.kind.value}s: {each.source}" for each in retrieved if each.source)
    written = [f"text of the LLM: {bridge.language.notice}"] if bridge.language.notice else []
    return (*inputs, *found, *written)


def input_file(modality: str, source: str | Path) -> InputFile:
    """A file, or a folder of files, that a modality was read from; ``FILE#SLOT`` is the file with its slot, of several each counts."""
    asked = located(source)
    sums = [_folder_sha256(path) if path.is_dir() else digest(path) for path in asked.files]
    sha256 = sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()
    chosen = ",".join(filter(None, [asked.key, *(f"{name}={Path(value).name}" for name, value in asked.choices.items())]))
    return InputFile(modality=modality, name=f"{asked.name}#{chosen}" if chosen else asked.name, sha256=sha256)


def cohort_inputs(cohort: Cohort, modalities: Iterable[str]) -> tuple[InputFile, ...]:
    """The slots of a cohort's file that modalities were read from; none of a cohort that is no file."""
    path = Path(cohort.source)
    if not path.is_file():
        return ()
    sha256 = file_sha256(path)
    return tuple(InputFile(modality=modality, name=f"{path.name}#obsm:{modality}", sha256=sha256) for modality in modalities)


def _folder_sha256(folder: Path) -> str:
    sums = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        sums.update(f"{path.relative_to(folder).as_posix()} {digest(path)}\n".encode())
    return sums.hexdigest()
