"""Retrieval after stage 2: in the shared space where there is one, and in the LLM's token embeddings, where every bridge can be compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from bridge.benchmark.results import OURS, Record
from bridge.data.cohort import Cohort
from bridge.evaluate.retrieval import embedding_retrieval
from bridge.evaluate.token_space import token_embeddings
from bridge.model import SemanticBridge
from bridge.retrieve.embed import shared_embeddings

HEADING = "Retrieval after stage 2"
EXPLAINED = (
    "Shared space: unit vectors of stage 1, which stage 2 leaves as they are; without stage 1 there is none. Token space: mean soft token against mean token "
    "embedding of the text, each less the training mean, which every bridge has. The anatomy text is made from the map: a check, never a finding."
)


def put_retrieval(record: Record, bridge: SemanticBridge, cohort: Cohort, method: str) -> None:
    """Rows of every modality and text, both directions, on the whole test split; a bridge without a shared space has token space alone.

    Args:
        record: Of the run.
        bridge: A loaded bundle.
        cohort: The cohort it was trained on.
        method: Its name; in token space a bridge with a shared space stands as ``method (token space)``.
    """
    rows = cohort.rows("test")
    spaces = {} if bridge.space is None else {method: shared_embeddings(bridge, cohort, rows, cohort.texts)}
    spaces[f"{method} (token space)" if spaces else method] = token_embeddings(bridge, cohort, rows, cohort.texts)
    pairs = [(modality, text) for modality in bridge.projectors for text in cohort.texts]
    for name, vectors in spaces.items():
        for modality, text in pairs:
            _put_pair(record, name, vectors, (modality, text), cohort.groups[rows])
            _put_pair(record, name, vectors, (text, modality), cohort.groups[rows])
    if method == OURS and pairs:
        record.words(HEADING, EXPLAINED)


def _put_pair(record: Record, method: str, vectors: Mapping[str, Float[np.ndarray, "_ _"]], pair: tuple[str, str], groups: np.ndarray) -> None:
    query, candidates = (vectors[side] for side in pair)
    both = np.isfinite(query).all(axis=1) & np.isfinite(candidates).all(axis=1)
    found = embedding_retrieval(query[both], candidates[both], groups[both], seed=record.seed)
    place = {"n": found["n"], "candidates": found["candidates"], "direction": "->".join(pair)}
    record.row("r10", method, found["r10"], low=found["r10_low"], high=found["r10_high"], **place)
    record.row("mean_percentile", method, found["mean_percentile"], **place)
    if method == OURS:
        record.row("r10", "chance", found["chance_r10"], **place)
