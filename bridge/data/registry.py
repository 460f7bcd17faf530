"""Cards of a knowledge base in YAML as the provenance of an encoder.

The form is that of the Neuro-Omics KB (its ``kb`` folder): ``integration_cards/embedding_strategies.yaml`` with a mapping
``strategies`` from an id such as ``smri_ukb_pca128_v1`` to a recipe, ``datasets/*.yaml`` and ``model_cards/*.yaml`` with an ``id`` each. A
recipe names its data set in ``cohort``; a model names the recipe that it was used in as a ``reference_strategy``.
Source: github.com/allison-eunse/neuro-omics-kb, read in 2026; ``registry_cards`` writes such cards.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

STRATEGIES = Path("integration_cards") / "embedding_strategies.yaml"
MODELS, DATASETS = "model_cards", "datasets"

#: Fields of a card that a recipe may have under the same name; they stand above whatever else it says.
OWN_FIELDS = ("encoder", "layer", "pooling", "atlas", "space", "gene_ids", "units", "version", "licence")

#: Keys that say how positions were made into one vector, at whatever level of a recipe they stand.
POOLED = ("pooling", "aggregation", "per_subject", "run_aggregation", "subject_aggregation", "per_subject_aggregation", "construction")

#: What the knowledge base writes where nothing is known yet.
UNKNOWN = "TBD"


class Recipe(NamedTuple):
    """What a strategy says of the vectors made by it.

    Args:
        provenance: Fields of a :class:`encoders.base.Card`.
        width: Numbers of one vector; None where it is not said.
    """

    provenance: dict[str, str]
    width: int | None


def read_recipe(registry: str | Path, strategy: str) -> Recipe:
    """The provenance of vectors that were made by a strategy of a knowledge base.

    Args:
        registry: The knowledge base, its ``kb`` folder, or the file of its strategies.
        strategy: Id of the strategy.

    Raises:
        ValueError: there is no such file or strategy (the nearest three are named), or a card is no YAML mapping.
    """
    root = root_of(Path(registry))
    listed = _read(root / STRATEGIES)
    found = _strategy(root / STRATEGIES, listed, strategy)
    model, dataset = _model_of(root, strategy), _dataset_of(root, strategy, found)
    said = {
        "encoder": _encoder(strategy, found, model),
        "layer": _text(next(_values(model.get("embedding_recipe"), ("layer",)), "")),
        "pooling": "; ".join(dict.fromkeys(map(_text, _values(found, POOLED)))),
        "atlas": _text(_mapping(dataset, "parcellation").get("atlas")),
        "units": _text(found.get("preprocessing")),
        "source": _text(found.get("source")),
        "version": _text(listed.get("last_updated")),
        "licence": "; ".join(dict.fromkeys(filter(None, (_licence(dataset), _licence(model))))),
    }
    own = {field: _text(found[field]) for field in OWN_FIELDS if found.get(field)}
    return Recipe({field: text for field, text in (said | own).items() if text}, _width(found))


def resolve(init_args: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
    """Arguments of an encoder whose provenance may name ``{registry, strategy}``, and the width that the strategy says.

    Fields beside these two stand above what the strategy says.

    Raises:
        ValueError: one of the two is there without the other, or :func:`read_recipe` refuses.
    """
    given = dict(init_args.get("provenance") or {})
    named = {field: given.pop(field) for field in ("registry", "strategy") if field in given}
    if not named:
        return init_args, None
    if len(named) == 1:
        raise ValueError(f"provenance: found {next(iter(named))} alone, expected registry (a knowledge base) and strategy (an id in it)")
    recipe = read_recipe(named["registry"], str(named["strategy"]))
    return init_args | {"provenance": recipe.provenance | given}, recipe.width


def root_of(path: Path, *, new: bool = False) -> Path:
    """The ``kb`` folder of a knowledge base.

    Args:
        path: The knowledge base, that folder, or the file of its strategies.
        new: It need not be there.
    """
    if path.name == STRATEGIES.name:
        return path.parent.parent
    places = [place for place in (path / "kb", path) if (place / STRATEGIES).is_file()]
    if not places and not new:
        raise ValueError(f"{path}: no {STRATEGIES} in it or in its folder kb, expected a knowledge base; give the path of its copy")
    return places[0] if places else path


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}; expected a YAML card") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: found {type(found).__name__}, expected a mapping of fields")
    return found


def _strategy(path: Path, listed: dict[str, Any], strategy: str) -> dict[str, Any]:
    known = listed.get("strategies")
    if not isinstance(known, dict):
        raise ValueError(f"{path}, field strategies: found {type(known).__name__}, expected a mapping from id to recipe")
    if not isinstance(known.get(strategy), dict):
        nearest = difflib.get_close_matches(strategy, list(known), n=3, cutoff=0)
        raise ValueError(f"{path}: no strategy {strategy!r}; the nearest of {len(known)} are {', '.join(map(repr, nearest))}")
    return known[strategy]


def cards_in(folder: Path) -> dict[str, dict[str, Any]]:
    """Cards of a folder by their id, which need not be their file's name."""
    files = [path for path in sorted(folder.glob("*.yaml")) if not path.stem.startswith("template")]
    cards = [(path, _read(path)) for path in files]
    return {str(card.get("id", path.stem)): card for path, card in cards}


def _model_of(root: Path, strategy: str) -> dict[str, Any]:
    """The model that says it was used in this strategy, if one does."""
    models = cards_in(root / MODELS).values()
    return next((model for model in models if strategy in _values(model.get("embedding_recipe"), ("reference_strategy",))), {})


def _dataset_of(root: Path, strategy: str, found: dict[str, Any]) -> dict[str, Any]:
    named = found.get("cohort")
    known = cards_in(root / DATASETS)
    if named and named not in known:
        nearest = difflib.get_close_matches(str(named), list(known), n=3, cutoff=0)
        raise ValueError(f"{root / STRATEGIES}, strategy {strategy!r}, field cohort: no data set {named!r}; the nearest are {', '.join(nearest) or 'none'}")
    return known[named] if named else {}


def _encoder(strategy: str, found: dict[str, Any], model: dict[str, Any]) -> str:
    """The id of the strategy, which never changes its meaning, with the model and projection that it stands for."""
    checkpoint = next((str(each.get("name", "")) for each in model.get("checkpoints") or ()), "")
    projector = _mapping(found, "projector")
    fitted = f", fitted on {projector['fit_on']}" if projector.get("fit_on") else ""
    parts = [
        " ".join(filter(None, (str(model.get("name", "")), checkpoint))),
        f"{projector['type']} {projector.get('dim', '')}{fitted}" if projector.get("type") else "",
    ]
    more = "; ".join(filter(None, parts))
    return f"{strategy} ({more})" if more else strategy


def _width(found: dict[str, Any]) -> int | None:
    said = (_mapping(found, field).get("dim") for field in ("projector", "transformation"))
    return next((width for width in said if isinstance(width, int)), None)


def _licence(card: dict[str, Any]) -> str:
    """One text, or the terms of a model's weights."""
    terms = card.get("license") or ""
    return _text(terms.get("weights") if isinstance(terms, dict) else terms)


def _values(content: object, names: tuple[str, ...]) -> Iterator[Any]:
    """Every value under one of these keys, however deep; of a mapping under such a key its own."""
    pairs = content.items() if isinstance(content, dict) else ()
    for key, value in pairs:
        if key in names and not isinstance(value, dict):
            yield value
        else:
            yield from _values(value, names)


def _text(value: object) -> str:
    """A field as one line; items of a list are parted by semicolons; '' where nothing is known."""
    if isinstance(value, list):
        return "; ".join(map(_text, value))
    line = " ".join(str(value).split()) if value is not None else ""
    return "" if line == UNKNOWN else line


def _mapping(card: dict[str, Any], field: str) -> dict[str, Any]:
    """A field that has fields of its own; none where it is missing or plain text."""
    found = card.get(field)
    return found if isinstance(found, dict) else {}
