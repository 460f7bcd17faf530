"""Draws from several sources by weight, in an order that is a pure function of the seed and the number of the draw."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from torch.utils.data import DistributedSampler


class Drawn(NamedTuple):
    """One draw: which source, and how many draws of that source came before."""

    source: str
    number: int


class Mixture:
    """Which source each draw comes from.

    The k-th draw of a source of weight w falls due at (k + 1/2) / w, and draws follow one another as they fall due: after any number of
    draws each source has had its share to within one, or two where there are many. Nothing is remembered from one draw to the next.

    Args:
        weights: Source to its weight; one of weight 0 is never drawn.

    Raises:
        ValueError: no weight is above 0, or one is below it or not finite.
    """

    def __init__(self, weights: Mapping[str, float | int]):
        wrong = [source for source, weight in weights.items() if not (math.isfinite(weight) and weight >= 0)]
        if wrong or not any(weights.values()):
            raise ValueError(f"mixture, field weights: found {dict(weights)}, expected numbers of at least 0, one of them above it")
        self.weights = {source: weight / sum(weights.values()) for source, weight in weights.items() if weight}
        self._known: list[Drawn] = []

    def __getitem__(self, number: int) -> Drawn:
        """One draw by its number, for a loader that asks for them one by one."""
        if number >= len(self._known):
            self._known = self.draws(2 * (number + 1))
        return self._known[number]

    def draws(self, count: int) -> list[Drawn]:
        """The first draws."""
        sources = list(self.weights)
        numbers = [np.arange(math.ceil(weight * count) + 2) for weight in self.weights.values()]
        due = np.concatenate([(number + 0.5) / weight for number, weight in zip(numbers, self.weights.values(), strict=True)])
        which, number = np.repeat(np.arange(len(sources)), [len(each) for each in numbers]), np.concatenate(numbers)
        first = np.argsort(due, kind="stable")[:count]
        return [Drawn(sources[source], int(each)) for source, each in zip(which[first], number[first], strict=True)]


def shuffled(seed: int, source: str, epoch: int, size: int) -> Int[np.ndarray, " items"]:
    """Order of a source's items in one pass over them; another in every pass."""
    return np.random.default_rng([seed, zlib.crc32(source.encode()), epoch]).permutation(size)


class MixedItems:
    """Items of several sources, drawn by weight; a source that is used up begins again in another order.

    Args:
        sizes: Source to how many items it has.
        weights: Source to its weight, see :class:`Mixture`.
        seed: Of the order.

    Raises:
        ValueError: a source with a weight has no item.
    """

    def __init__(self, sizes: Mapping[str, int], weights: Mapping[str, float | int], seed: int = 0):
        self.mixture, self.sizes, self.seed = Mixture(weights), sizes, seed
        empty = [source for source in self.mixture.weights if not sizes.get(source)]
        if empty:
            raise ValueError(f"mixture, field weights: {empty[0]!r} has a weight and no item; found items of {sorted(name for name in sizes if sizes[name])}")
        self._order = functools.lru_cache(maxsize=2 * len(self.mixture.weights))(self._pass)

    def item(self, drawn: Drawn) -> int:
        """Number of the drawn item within its source."""
        epoch, place = divmod(drawn.number, self.sizes[drawn.source])
        return int(self._order(drawn.source, epoch)[place])

    def _pass(self, source: str, epoch: int) -> Int[np.ndarray, " items"]:
        return shuffled(self.seed, source, epoch, self.sizes[source])


class Draws(DistributedSampler):
    """The numbers of the draws of one process, epoch after epoch; Lightning calls ``set_epoch``.

    It divides the draws over the processes itself, a step of all of them being the step of one with the batch of all.

    Args:
        length: Draws of all processes in an epoch.
        rank: Which process this is, of
        world: So many, each taking every so-manieth draw.
    """

    def __init__(self, length: int, rank: int = 0, world: int = 1):
        super().__init__(range(length), world, rank, drop_last=True)
        self.each = length // world

    def __len__(self) -> int:
        return self.each

    def __iter__(self) -> Iterator[int]:
        start = self.epoch * self.each * self.num_replicas
        return iter(range(start + self.rank, start + self.each * self.num_replicas, self.num_replicas))
