"""The encoder contract as rules that run: on every encoder here, and on any a user names.

A rule is a function that takes the encoder's ``example()`` and returns what breaks it, or ''. Its name is the rule.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import encoders
from encoders.base import Card, Encoder, Tokens, build, load_class, record

BATCH = 3

#: Matrix products of another batch size round otherwise; a leak between samples is far larger.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


class Finding(NamedTuple):
    """One rule, whether it is kept, and why not."""

    rule: str
    ok: bool
    why: str = ""


def classes() -> list[type[Encoder]]:
    """Every concrete encoder defined in a module of the package ``encoders``."""
    modules = [importlib.import_module(module.name) for module in pkgutil.walk_packages(encoders.__path__, "encoders.")]
    kinds = [kind for module in modules for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == module.__name__]
    return [kind for kind in kinds if issubclass(kind, Encoder) and not inspect.isabstract(kind)]


def check(kind: type[Encoder], source: Path | None = None, **init_args) -> list[str]:
    """The broken rules of a class, one line each; empty when it keeps the contract.

    Args:
        kind: Encoder class.
        source: A file it reads; with it, what ``read`` gives is checked too.
        init_args: What ``for_source`` needs beside the file.
    """
    return [f"{kind.__name__}: {finding.rule}: {finding.why}" for finding in findings(kind, source, **init_args) if not finding.ok]


def report(class_path: str, source: Path | None = None, **init_args) -> list[Finding]:
    """Every rule with its outcome for the class at ``module:Class``; naming it is trusting its code."""
    return findings(load_class(class_path, trust=[class_path.replace(":", ".").rpartition(".")[0]]), source, **init_args)


def findings(kind: type[Encoder], source: Path | None = None, **init_args) -> list[Finding]:
    """Every rule with its outcome; when ``example()`` fails there is nothing to run the others on."""
    first = _outcome(example_is_built_without_files, kind)
    if not first.ok:
        return [first]
    found = [first] + [_outcome(rule, kind.example().eval()) for rule in RULES]
    return found if source is None else [*found, _outcome(read_gives_what_example_values_promise, kind, source, init_args)]


def example_is_built_without_files(kind: type[Encoder]) -> str:
    """Built once for its imports, then with files and connections shut."""
    encoder = kind.example()
    with contextlib.ExitStack() as shut:
        for door in ("builtins.open", "io.open", "socket.socket.connect"):
            shut.enter_context(mock.patch(door, side_effect=OSError(f"{door} was called")))
        kind.example()
    return "" if isinstance(encoder, kind) else f"found {type(encoder).__name__}, expected {kind.__name__}"


def modality_is_an_identifier(encoder: Encoder) -> str:
    """It becomes a key under obsm and a word in configs."""
    return "" if str(encoder.modality).isidentifier() else f"found {encoder.modality!r}, expected a name like 'brain'"


def names_are_one_per_token_or_none(encoder: Encoder) -> str:
    """A name is what a report says of a token."""
    return "" if len(encoder.names) in (0, encoder.tokens) else f"found {len(encoder.names)} names for {encoder.tokens} tokens"


def example_values_are_one_row_per_sample(encoder: Encoder) -> str:
    """Float32 ``[batch, features]``, as wide for one sample as for three."""
    one, three = encoder.example_values(1), encoder.example_values(BATCH)
    if three.ndim != 2 or three.dtype != torch.float32 or one.shape != (1, three.shape[1]) or len(three) != BATCH:
        return f"found {tuple(one.shape)} and {tuple(three.shape)} {three.dtype}, expected [1, features] and [{BATCH}, features] float32"
    return ""


def forward_gives_tokens_of_the_promised_shape(encoder: Encoder) -> str:
    """``[batch, tokens, dim]`` float32 and a mask ``[batch, tokens]``."""
    found = _encode(encoder, _values(encoder))
    shape = (BATCH, encoder.tokens, encoder.dim)
    if not isinstance(found, Tokens) or found.values.shape != shape or found.mask.shape != shape[:2]:
        return f"found {type(found).__name__} of {[tuple(part.shape) for part in found]}, expected Tokens of {shape} and {shape[:2]}"
    kinds = (found.values.dtype, found.mask.dtype)
    return "" if kinds == (torch.float32, torch.bool) else f"found {kinds}, expected torch.float32 and torch.bool"


def one_sample_alone_gives_the_row_it_has_in_a_batch(encoder: Encoder) -> str:
    """No leak between the samples of a batch."""
    values = _values(encoder)
    rows = [_encode(encoder, values[row : row + 1]) for row in range(BATCH)]
    return _differ(Tokens(*map(torch.cat, zip(*rows, strict=True))), _encode(encoder, values))


def permuting_the_batch_permutes_the_tokens(encoder: Encoder) -> str:
    """The place in the batch means nothing."""
    values, order = _values(encoder), torch.tensor([2, 0, 1])
    whole = _encode(encoder, values)
    return _differ(_encode(encoder, values[order]), Tokens(whole.values[order], whole.mask[order]))


def a_sample_of_nan_is_absent_and_disturbs_no_other(encoder: Encoder) -> str:
    """Mask False, values 0; its neighbours in the batch as before."""
    values = _values(encoder)
    whole = _encode(encoder, values)
    values[1] = torch.nan
    found = _encode(encoder, values)
    if found.mask[1].any() or found.values[1].count_nonzero():
        return f"found {int(found.mask[1].sum())} tokens present and values up to {found.values[1].abs().max():.3g}, expected none and 0"
    return _differ(Tokens(found.values[::2], found.mask[::2]), Tokens(whole.values[::2], whole.mask[::2]))


def a_missing_feature_masks_only_its_own_token(encoder: Encoder) -> str:
    """Where features are the tokens one after another; elsewhere the values must only stay finite."""
    values = _values(encoder)
    for feature in {0, values.shape[1] // 2, values.shape[1] - 1}:
        holed = values.clone()
        holed[:, feature] = torch.nan
        found = _encode(encoder, holed)
        if not torch.isfinite(found.values).all() or found.values[~found.mask].count_nonzero():
            return f"feature {feature}: found values that are not finite, or not 0 where the mask is False"
        absent = (~found.mask).any(dim=0).nonzero().flatten().tolist()
        if values.shape[1] == encoder.tokens * encoder.dim and absent != [feature // encoder.dim]:
            return f"feature {feature}: found tokens {absent} absent, expected [{feature // encoder.dim}]"
    return ""


def the_input_is_left_as_it_was(encoder: Encoder) -> str:
    """A cohort's rows are encoded many times."""
    values = _values(encoder)
    _encode(encoder, values)
    return "" if torch.equal(values, _values(encoder)) else "forward changed its input, expected it untouched"


def the_same_input_gives_the_same_tokens(encoder: Encoder) -> str:
    """No chance in evaluation."""
    values = _values(encoder)
    return _differ(_encode(encoder, values), _encode(encoder, values))


def the_card_agrees_with_the_encoder_and_survives_json(encoder: Encoder) -> str:
    """What is stored is what ran."""
    card = encoder.card()
    found, expected = (card.modality, card.tokens, card.dim, card.names), (encoder.modality, encoder.tokens, encoder.dim, encoder.names)
    if found != expected:
        return f"found {found}, expected {expected}"
    return "" if Card.from_dict(json.loads(json.dumps(card.to_dict()))) == card else "the card read from its JSON is another one"


def the_record_builds_the_same_encoder(encoder: Encoder) -> str:
    """Class path and arguments through JSON, then the weights."""
    again = build(json.loads(json.dumps(record(encoder))), trust=[type(encoder).__module__]).eval()
    again.load_state_dict(encoder.state_dict())
    if again.card() != encoder.card():
        return f"found card {again.card()}, expected {encoder.card()}; extend init_args"
    return _differ(_encode(again, _values(encoder)), _encode(encoder, _values(encoder)))


def a_source_that_is_not_there_is_refused(encoder: Encoder) -> str:
    """Never rows from nothing."""
    try:
        encoder.read(Path("no-such-folder") / "no-such-file.csv")
    except (ValueError, OSError):
        return ""
    return "read gave rows for a file that does not exist, expected ValueError or OSError"


def read_gives_what_example_values_promise(kind: type[Encoder], source: Path, init_args: dict) -> str:
    """Ids of their own, and floats as wide as ``example_values``, which ``forward`` takes."""
    encoder = kind.for_source(source, **init_args)
    ids, values = encoder.read(source)
    shape, width = np.shape(values), encoder.example_values(1).shape[1]
    if shape != (len(ids), width) or not np.issubdtype(values.dtype, np.floating):
        return f"found values {shape} {values.dtype} for {len(ids)} ids, expected floats [{len(ids)}, {width}]"
    if len(set(ids)) < len(ids) or not all(isinstance(name, str) for name in ids):
        return "found ids that are not text or occur twice"
    return "" if len(_encode(encoder, torch.as_tensor(values)).values) == len(ids) else "forward gave another number of samples than read"


RULES: tuple[Callable[[Encoder], str], ...] = (
    modality_is_an_identifier,
    names_are_one_per_token_or_none,
    example_values_are_one_row_per_sample,
    forward_gives_tokens_of_the_promised_shape,
    one_sample_alone_gives_the_row_it_has_in_a_batch,
    permuting_the_batch_permutes_the_tokens,
    a_sample_of_nan_is_absent_and_disturbs_no_other,
    a_missing_feature_masks_only_its_own_token,
    the_input_is_left_as_it_was,
    the_same_input_gives_the_same_tokens,
    the_card_agrees_with_the_encoder_and_survives_json,
    the_record_builds_the_same_encoder,
    a_source_that_is_not_there_is_refused,
)


def _outcome(rule: Callable[..., str], *subjects: object) -> Finding:
    """A rule's finding; whatever somebody else's code raises is a finding too."""
    try:
        why = rule(*subjects)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    return Finding(rule.__name__.replace("_", " "), not why, why)


def _values(encoder: Encoder) -> Float[Tensor, "batch features"]:
    return encoder.example_values(BATCH).clone()


@torch.no_grad()
def _encode(encoder: Encoder, values: Float[Tensor, "batch features"]) -> Tokens:
    return encoder(values)


def _differ(found: Tokens, expected: Tokens) -> str:
    if not torch.equal(found.mask, expected.mask):
        return "found another mask than expected"
    furthest = (found.values - expected.values).abs().max().item()
    return "" if torch.allclose(found.values, expected.values, **TOLERANCE) else f"found values that differ by {furthest:.3g}, expected the same"
