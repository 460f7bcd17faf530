"""The LLM that reads notes: as it comes, or as a bundle has tuned it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bridge.bundle import load
from bridge.language.llm import LLM, LanguageModel, load_llm
from bridge.language.quantise import is_quantised


def reading_language(llm: LLM | None = None, bundle: str | None = None, trust: Sequence[str] = ()) -> LanguageModel:
    """An LLM, on the GPU where there is one.

    Args:
        llm: The LLM; the default one when None. With a bundle, where its base is.
        bundle: Bundle whose adapters it wears.
        trust: Modules outside the packages whose classes may load.
    """
    if bundle:
        return load(bundle, language=_placed(load_llm(llm)) if llm else None, trust=tuple(trust)).language
    return _placed(load_llm(llm or LLM()))


def _placed(language: LanguageModel) -> LanguageModel:
    if torch.cuda.is_available() and not is_quantised(language.model):
        language.model.to("cuda")
    return language
