"""Packed rows of a weighted mixture of domains, in an order that is a pure function of the seed and the number of the row."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import lightning
import numpy as np
import torch
from jaxtyping import Int
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase

from bridge.corpora.build import read_card, read_domain
from bridge.corpora.tokens import Documents, documents
from bridge.data.batch import Batch, Turn
from bridge.data.mixture import Drawn, Draws, Mixture, shuffled
from bridge.data.module import Resumable
from bridge.language.llm import tokenizer_digest

#: Me-LLaMA's (arXiv:2402.12749).
WEIGHTS = {"biomedical": 15.0, "clinical": 1.0, "general": 4.0}


class Piece(NamedTuple):
    """A part of a document: all of it, but where a row ends within it."""

    document: int
    start: int
    stop: int


class Stream:
    """A domain's documents one behind the other without end, each pass in another order, cut into rows of equal length.

    Args:
        lengths: Tokens of each document.
        row_tokens: Tokens of a row.
        seed: Of the order.
        name: Of the domain; each has an order of its own.
    """

    def __init__(self, lengths: Int[np.ndarray, " documents"], row_tokens: int, seed: int, name: str):
        self.lengths, self.row_tokens, self.seed, self.name = lengths, row_tokens, seed, name
        self.size = int(lengths.sum())
        self._order = functools.lru_cache(maxsize=2)(self._pass)

    def row(self, number: int) -> list[Piece]:
        """The pieces of a row; none of a domain without text."""
        place, missing, pieces = number * self.row_tokens, self.row_tokens, []
        while missing:
            epoch, offset = divmod(place, self.size)
            order, ends = self._order(epoch)
            rank = int(np.searchsorted(ends, offset, side="right"))
            start = offset - int(ends[rank] - self.lengths[order[rank]])
            taken = min(missing, int(ends[rank]) - offset)
            pieces.append(Piece(int(order[rank]), start, start + taken))
            place, missing = place + taken, missing - taken
        return pieces

    def _pass(self, epoch: int) -> tuple[Int[np.ndarray, " documents"], Int[np.ndarray, " documents"]]:
        order = shuffled(self.seed, self.name, epoch, len(self.lengths))
        return order, np.cumsum(self.lengths[order])


class MixtureData(lightning.LightningDataModule):
    """Rows of whole documents for continual pretraining; a row is of one domain, and none of its documents sees another.

    Args:
        corpus: Corpus folder, as written by ``bridge data corpus``.
        weights: Domain to its share of the tokens; by default Me-LLaMA's, 15 : 1 : 4. More of ``general`` forgets less.
        row_tokens: Tokens of a row; a longer document goes on in a row of its own.
        batch_size: Rows of a step.
        seed: Of the order.
        validation: Share of the documents that are held out, for the perplexity before and after.
        validation_tokens: Tokens of each domain that the perplexity is measured on, at most.
        workers: Worker processes.
    """

    def __init__(
        self,
        corpus: str,
        weights: dict[str, float] | None = None,
        row_tokens: int = 1024,
        batch_size: int = 4,
        seed: int = 0,
        validation: float = 0.02,
        validation_tokens: int = 20_000,
        workers: int = 0,
    ):
        super().__init__()
        for name, value in (("row_tokens", row_tokens), ("batch_size", batch_size)):
            if value < 1:
                raise ValueError(f"data, field {name}: found {value}, expected at least 1")
        if not 0 <= validation < 1:
            raise ValueError(f"data, field validation: found {validation}, expected a share from 0 to below 1")
        self.corpus, self.weights = Path(corpus), weights or WEIGHTS
        self.row_tokens, self.batch_size, self.seed, self.workers = row_tokens, batch_size, seed, workers
        self.validation, self.validation_tokens = validation, validation_tokens
        self.mixture = Mixture(self.weights)
        self.domains = read_card(self.corpus)["domains"]
        missing = [domain for domain in self.mixture.weights if domain not in self.domains]
        if missing:
            raise ValueError(f"{corpus}, field weights: there is no domain {missing[0]!r}; found {sorted(self.domains)}; name these, or give it the weight 0")
        self.train: dict[str, Documents] = {}
        self.held_out: dict[str, Documents] = {}

    def tokenise(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Make the token ids of every domain, or find them on disk.

        Raises:
            ValueError: a domain has no text to train on.
        """
        for domain in self.mixture.weights:
            key = f"{self.domains[domain]['sha256']} {tokenizer_digest(tokenizer)}"
            self.train[domain], self.held_out[domain] = documents(read_domain(self.corpus, domain), key, tokenizer, self.validation)
            if not len(self.train[domain]):
                raise ValueError(f"{self.corpus}: domain {domain!r} has no document to train on, expected some; give it the weight 0 or more text")
        self.streams = {domain: Stream(found.lengths, self.row_tokens, self.seed, domain) for domain, found in self.train.items()}

    @property
    def rows(self) -> int:
        """Rows of an epoch: as many as all documents fill, each domain by its weight."""
        return max(1, sum(found.size for found in self.train.values()) // self.row_tokens)

    def turns(self, drawn: Drawn) -> list[Turn]:
        """The documents of one row."""
        found = self.train[drawn.source]
        return [_document(found.read(*piece)) for piece in self.streams[drawn.source].row(drawn.number)]

    def batch(self, drawn: list[Drawn]) -> Batch:
        """Rows as samples without any measurement."""
        numbers = torch.tensor([each.number for each in drawn])
        return Batch([f"{each.source} row {each.number}" for each in drawn], numbers, numbers, {}, turns=[self.turns(each) for each in drawn])

    def train_dataloader(self) -> DataLoader:
        share = {} if self.trainer is None else self.trainer.distributed_sampler_kwargs or {}
        sampler = Draws(self.rows, share.get("rank", 0), share.get("num_replicas", 1))
        size = min(self.batch_size, max(1, len(sampler)))
        rest = {"num_workers": self.workers, "generator": torch.Generator().manual_seed(self.seed)}
        return Resumable(self.mixture, size, sampler=sampler, drop_last=True, collate_fn=self.batch, **rest)

    def held_out_rows(self, domain: str) -> Iterator[list[Turn]]:
        """Held-out documents of a domain, each cut at the length of a row, up to the tokens that are measured on."""
        found, counted = self.held_out[domain], 0
        for document in range(len(found)):
            if counted >= self.validation_tokens:
                return
            stop = min(int(found.lengths[document]), self.row_tokens)
            counted += stop
            yield [_document(found.read(document, 0, stop))]


def _document(ids: list[int]) -> Turn:
    """Every token of a document is learned, but the first, which nothing predicts."""
    return Turn(ids, ids)
