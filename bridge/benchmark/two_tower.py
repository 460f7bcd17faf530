"""The plain neural baseline: two small towers on the same features, trained with InfoNCE and nothing else."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bridge.evaluate.retrieval import cosine_similarity, ranks
from bridge.train.losses import Temperature, info_nce

EPOCHS, BATCH, DIM, HIDDEN, DROPOUT = 30, 1024, 256, 512, 0.5
PATIENCE = 5

Sides = tuple[Float[np.ndarray, "_ x"], Float[np.ndarray, "_ y"]]


def two_tower_retrieval(train: Sides, validation: Sides, test: Sides, *, seed: int = 0) -> Float[np.ndarray, "test test"]:
    """Similarity of the test sides after training on the training sides; the epoch is the best one on validation.

    Args:
        train: Features of both sides, row i with row i, on the scale of the training split.
        validation: The same, for the choice of the epoch.
        test: The same, scored.
        seed: Of weights, dropout and order.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        towers, temperature = nn.ModuleList([_tower(side.shape[1]) for side in train]), Temperature()
        return _trained(towers, temperature, train, validation, test)


def _trained(towers: nn.ModuleList, temperature: Temperature, train: Sides, validation: Sides, test: Sides) -> np.ndarray:
    optimiser = torch.optim.AdamW([*towers.parameters(), *temperature.parameters()], lr=1e-3, weight_decay=0.05)
    sides = [torch.from_numpy(np.asarray(side, dtype=np.float32)) for side in train]
    best, best_score, since = _similarity(towers, test), _score(towers, validation), 0
    for _ in range(EPOCHS):
        _epoch(towers, temperature, optimiser, sides)
        score = _score(towers, validation)
        since = 0 if score > best_score else since + 1
        if score > best_score:
            best, best_score = _similarity(towers, test), score
        if since == PATIENCE:
            break
    return best


def _epoch(towers: nn.ModuleList, temperature: Temperature, optimiser: torch.optim.Optimizer, sides: list[Tensor]) -> None:
    size = min(BATCH, len(sides[0]))
    for rows in torch.randperm(len(sides[0]))[: len(sides[0]) // size * size].view(-1, size):
        left, right = (F.normalize(tower(side[rows]), dim=-1) for tower, side in zip(towers, sides, strict=True))
        optimiser.zero_grad()
        info_nce(left, right, temperature.scale).backward()
        optimiser.step()


@torch.no_grad()
def _similarity(towers: nn.ModuleList, sides: Sides) -> np.ndarray:
    towers.eval()
    left, right = (tower(torch.from_numpy(np.asarray(side, dtype=np.float32))).double().numpy() for tower, side in zip(towers, sides, strict=True))
    towers.train()
    return cosine_similarity(left, right)


def _score(towers: nn.ModuleList, sides: Sides) -> float:
    similarity = _similarity(towers, sides)
    return float((1 / ranks(similarity)).mean() + (1 / ranks(similarity.T)).mean())


def _tower(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(0.2), nn.Linear(width, HIDDEN), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, DIM))
