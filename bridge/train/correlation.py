"""The linear part of the shared space: regularised canonical correlation, fitted on the training split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bridge.data.cohort import Cohort
from bridge.evaluate.baselines import canonical_directions, principal_axes
from bridge.evaluate.retrieval import cosine_similarity, ranks
from bridge.model import SemanticBridge
from bridge.project.space import JOINT

#: Shares of a covariance that are replaced by a multiple of the identity, and the pair of them where no validation split can choose.
SHRINKAGES, USUAL = (0.03, 0.1, 0.3, 0.6), (0.3, 0.3)
#: Weights of the linear part in a cosine; below 1, since pairs without a text have only the trained part.
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)


def linear_blocks(bridge: SemanticBridge, pairs: Iterable[tuple[str, str]], texts: Sequence[str], components: int) -> dict | None:
    """Settings of the linear part: a block for every pair of a side and a text column; None where no pair has a text."""
    named = [(side, column) for pair in pairs for side, column in (pair, pair[::-1]) if column in texts and side not in texts]
    if not (named and components):
        return None
    features = {modality: encoder.tokens * encoder.dim for modality, encoder in bridge.encoders.items()}
    return {"blocks": [list(block) for block in named], "components": components, "features": features}


@torch.no_grad()
def fit_linear_part(bridge: SemanticBridge, cohort: Cohort, texts: dict[str, Tensor]) -> None:
    """Set every block to the canonical directions of its pair, each weighted by its correlation (Gong et al., IJCV 2014, section 3.3).

    The shrinkage of either side is the one with the best retrieval on the validation split.

    Args:
        bridge: A bridge whose space has a linear part and knows the mean of the texts.
        cohort: The cohort; directions come from its training split alone.
        texts: Text column to vectors ``[samples, text_width]``, NaN where a sample has none.
    """
    part = bridge.space.linear
    for number, block in enumerate(part.blocks):
        modalities = block.side.split(JOINT)
        tables = [_tokens(bridge, cohort, modality) for modality in modalities]
        y = bridge.space.standardised(texts[block.column].to(bridge.space.text_mean.device)).cpu().double().numpy()
        left, right = _directions(np.concatenate(tables, axis=1), y, cohort, part.components)
        for modality, weight in zip(modalities, np.split(left, np.cumsum([table.shape[1] for table in tables])[:-1]), strict=True):
            _put(part.maps[modality], weight, part.rows(number))
        _put(part.text_map, right, part.rows(number))


@torch.no_grad()
def choose_share(bridge: SemanticBridge, cohort: Cohort, texts: dict[str, Tensor]) -> None:
    """Set the weight of the linear part to the one with the best retrieval of its pairs on the validation split, if there is one."""
    part, rows = bridge.space.linear, cohort.rows("validation")
    if len(rows) < 2:
        return
    scores = {share: _score(bridge, cohort, texts, rows, share) for share in SHARES}
    part.share.fill_(max(scores, key=scores.get))


def _score(bridge: SemanticBridge, cohort: Cohort, texts: dict[str, Tensor], rows: np.ndarray, share: float) -> float:
    """Reciprocal ranks over all blocks' pairs, with this share."""
    bridge.space.linear.share.fill_(share)
    training = bridge.training
    sides = bridge.eval().embed({modality: torch.from_numpy(cohort.values(modality)[rows]).to(bridge.llm.device) for modality in bridge.projectors})
    total = 0.0
    for block in bridge.space.linear.blocks:
        vectors = texts[block.column][rows].to(bridge.llm.device)
        both = sides[block.side][1] & torch.isfinite(vectors).all(dim=1)
        pair = sides[block.side][0][both], bridge.space.embed_text(vectors[both], block.column)
        total += _reciprocal_rank(*(side.double().cpu().numpy() for side in pair)) if both.sum() >= 2 else 0.0
    bridge.train(training)
    return total


def _directions(x: np.ndarray, y: np.ndarray, cohort: Cohort, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Weighted directions of x and of y ``[features, components]``."""
    known = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    train, validation = (np.array([row for row in cohort.rows(split) if known[row]], dtype=int) for split in ("train", "validation"))
    axes = principal_axes(x[train]), principal_axes(y[train])
    candidates = [(a, b) for a in SHRINKAGES for b in SHRINKAGES] if len(validation) >= 2 else [USUAL]
    found = []
    for shrinkage in candidates:
        left, right, correlations = canonical_directions(*axes, shrinkage, components)
        found.append((left * correlations, right * correlations))
    means = axes[0].mean, axes[1].mean
    return max(found, key=lambda pair: _reciprocal_rank((x[validation] - means[0]) @ pair[0], (y[validation] - means[1]) @ pair[1]) if len(validation) else 0.0)


def _reciprocal_rank(left: Float[np.ndarray, "samples a"], right: Float[np.ndarray, "samples b"]) -> float:
    similarity = cosine_similarity(left, right)
    return float((1 / ranks(similarity)).mean() + (1 / ranks(similarity.T)).mean())


def _tokens(bridge: SemanticBridge, cohort: Cohort, modality: str) -> np.ndarray:
    """Encoder tokens of every sample in a row, absent ones zero, as the linear part takes them; NaN where the sample lacks the modality."""
    tokens = bridge.encoders[modality](torch.from_numpy(cohort.values(modality)).to(bridge.llm.device))
    row = (tokens.values * tokens.mask.unsqueeze(-1)).flatten(1).cpu().double().numpy()
    return np.where(tokens.mask.any(dim=1, keepdim=True).cpu().numpy(), row, np.nan)


def _put(weight: Tensor, directions: np.ndarray, rows: slice) -> None:
    """Directions into the rows of a block; where there are fewer directions than rows the rest stays zero."""
    found = torch.from_numpy(directions.T)
    weight[rows.start : rows.start + len(found)] = found.to(weight)
