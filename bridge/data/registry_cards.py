"""Cards of encoders written into a knowledge base in YAML, in the form that ``registry`` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bridge.data.registry import DATASETS, MODELS, OWN_FIELDS, STRATEGIES, UNKNOWN, cards_in, root_of
from bridge.data.whole import whole_file
from encoders.base import Card


def write_kb_card(card: Card, registry: str | Path, strategy: str, *, dataset: str = "", model: str = "") -> list[Path]:
    """Write a card into a knowledge base as a strategy, and on request a data set and a model that it has not got yet.

    What is there is never changed, comments included: a strategy that means something else gets a new id. What the
    knowledge base asks for and a card does not tell is ``TBD``.

    Args:
        card: Of the encoder.
        registry: The knowledge base, its ``kb`` folder, or the file of its strategies; one that is not there is begun.
        strategy: Id of the strategy, by the knowledge base's custom ``MODALITY_COHORT_METHOD_v1``.
        dataset: Id of the data set the vectors are of.
        model: Id of the model that made them.

    Returns:
        The files that were written.

    Raises:
        ValueError: the strategy is there already and says something else.
    """
    root = root_of(Path(registry), new=True)
    cards = {}
    if dataset and dataset not in cards_in(root / DATASETS):
        cards[root / DATASETS / f"{dataset}.yaml"] = _dataset_card(card, dataset)
    if model and model not in cards_in(root / MODELS):
        cards[root / MODELS / f"{model}.yaml"] = _model_card(card, model, strategy, dataset)
    written = _put_strategy(root / STRATEGIES, strategy, _strategy_card(card, dataset))
    for path, content in cards.items():
        _write(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return [*written, *cards]


def _strategy_card(card: Card, dataset: str) -> dict[str, Any]:
    own = {field: getattr(card, field) for field in OWN_FIELDS}
    width = card.tokens * card.dim
    content = {"modality": card.modality, "source": card.source, "cohort": dataset, **own, "projector": {"type": "none", "dim": width}}
    return {field: value for field, value in content.items() if value}


def _dataset_card(card: Card, dataset: str) -> dict[str, Any]:
    parcels = {"parcellation": {"atlas": card.atlas, "n_rois": card.tokens}} if card.atlas else {}
    named = {"id": dataset, "name": card.source or UNKNOWN, "storage_location": UNKNOWN, "schema_ref": UNKNOWN, "required_columns": ["id"]}
    return {**named, "modalities": [card.modality], **parcels, "license": card.licence or UNKNOWN, "verified": False}


def _model_card(card: Card, model: str, strategy: str, dataset: str) -> dict[str, Any]:
    steps = {
        "reference_strategy": strategy,
        "layer": card.layer or UNKNOWN,
        "pooling": card.pooling or UNKNOWN,
        "projector": {"output_dim": card.tokens * card.dim},
    }
    named = {"id": model, "name": card.encoder, "modality": card.modality, "repo": UNKNOWN, "weights": {"artifacts": [UNKNOWN]}, "context_length": UNKNOWN}
    more = {"license": {"weights": card.licence or UNKNOWN}, "datasets": [dataset] if dataset else [], "tasks": ["embedding_export"]}
    return {**named, **more, "embedding_recipe": {"pipeline": {card.modality: steps}}, "verified": False}


def _put_strategy(path: Path, strategy: str, content: dict[str, Any]) -> list[Path]:
    """Add a recipe behind the last one, and leave every other character of the file as it is."""
    begun = {"id": "embedding_strategies", "name": "Embedding strategies", "strategies": {}}
    text = path.read_text(encoding="utf-8") if path.is_file() else yaml.safe_dump(begun, sort_keys=False)
    known = (yaml.safe_load(text) or {}).get("strategies") or {}
    if strategy in known and known[strategy] != content:
        raise ValueError(f"{path}: strategy {strategy!r} is there and says something else; what an id means never changes, so choose a new one (_v2)")
    if strategy not in known:
        _write(path, _with_entry(text, path, yaml.safe_dump({strategy: content}, sort_keys=False, allow_unicode=True, width=1000)))
    return [path] if strategy not in known else []


def _with_entry(text: str, path: Path, entry: str) -> str:
    """The text with an entry at the end of its mapping ``strategies``."""
    node = yaml.compose(text)
    place = next((value for key, value in getattr(node, "value", ()) if key.value == "strategies"), None)
    if not isinstance(place, yaml.MappingNode) or (place.value and place.flow_style):
        raise ValueError(f"{path}, field strategies: found none, or one in braces, expected a mapping with a line per field; write it so, then add to it")
    indent = place.value[0][0].start_mark.column if place.value else 2
    block = "".join(f"{' ' * indent}{line}\n" for line in entry.splitlines())
    if not place.value:  # written as {}
        return f"{text[: place.start_mark.index].rstrip()}\n{block}{text[place.end_mark.index :].lstrip(' ').removeprefix(chr(10))}"
    before = text[: place.end_mark.index].rstrip()
    return f"{before}\n\n{block}{text[len(before) :].removeprefix(chr(10))}"


def _write(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
