"""A domain's documents as token ids on disk, tokenised once for a corpus and a tokenizer, and read without being loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt
from rich.progress import track
from transformers import PreTrainedTokenizerBase

from bridge.corpora.record import Record
from bridge.data.sources import default_cache
from bridge.data.whole import shared_folder

AT_ONCE = 256  # documents that the tokenizer is given together
TOKENS, LENGTHS, HELD_OUT = "tokens.u32", "lengths.npy", "held_out.npy"


@dataclasses.dataclass(frozen=True)
class Documents:
    """Token ids of documents, end token included.

    Args:
        tokens: Of all documents, one after the other; memory-mapped.
        starts: Where each document begins.
        lengths: Its tokens.
    """

    tokens: UInt[np.ndarray, " tokens"]
    starts: Int[np.ndarray, " documents"]
    lengths: Int[np.ndarray, " documents"]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def size(self) -> int:
        """Tokens of all documents."""
        return int(self.lengths.sum())

    def read(self, document: int, start: int, stop: int) -> list[int]:
        """Token ids of a part of a document."""
        first = int(self.starts[document])
        return self.tokens[first + start : first + stop].tolist()


def documents(
    records: Iterable[Record], key: str, tokenizer: PreTrainedTokenizerBase, held_out: float, folder: Path | None = None
) -> tuple[Documents, Documents]:
    """Documents to train on, and those that are held out of it; tokenised at the first call, found on disk afterwards.

    Args:
        records: The documents; not read where they have been tokenised before.
        key: Tells this text and this tokenizer from all others.
        tokenizer: Of the LLM. Special tokens in a text are split into ordinary ones.
        held_out: Share that is held out, by a hash of the document's id: the same documents however the corpus grows.
        folder: Where they are kept; the cache folder by default.
    """
    place = (folder or default_cache() / "tokens") / hashlib.sha256(f"{key} {held_out}".encode()).hexdigest()[:16]
    if not place.is_dir():
        _write(place, _tokenised(records, tokenizer, held_out))
    lengths, held = np.load(place / LENGTHS), np.load(place / HELD_OUT)
    tokens = np.memmap(place / TOKENS, np.uint32, "r") if lengths.sum() else np.empty(0, np.uint32)
    return _chosen(tokens, lengths, ~held), _chosen(tokens, lengths, held)


def is_held_out(record: Record, share: float) -> bool:
    """Whether a document is held out: a pure function of its source and id."""
    digest = hashlib.sha256(f"{record.source} {record.id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def _chosen(tokens: UInt[np.ndarray, " tokens"], lengths: Int[np.ndarray, " documents"], which: Bool[np.ndarray, " documents"]) -> Documents:
    return Documents(tokens, (np.cumsum(lengths) - lengths)[which], lengths[which])


def _tokenised(records: Iterable[Record], tokenizer: PreTrainedTokenizerBase, share: float) -> Iterator[tuple[list[int], bool]]:
    remaining, end = iter(records), tokenizer.eos_token_id
    while part := list(itertools.islice(remaining, AT_ONCE)):
        found = tokenizer([record.text for record in part], split_special_tokens=True)["input_ids"]
        yield from (([*ids, end], is_held_out(record, share)) for record, ids in zip(part, found, strict=True))


def _write(place: Path, tokenised: Iterable[tuple[list[int], bool]]) -> None:
    """All files of a folder, whole or not at all."""
    lengths, held = [], []
    with shared_folder(place) as folder:
        with (folder / TOKENS).open("wb") as file:
            for ids, out in track(tokenised, "Tokenising", transient=True):
                file.write(np.array(ids, np.uint32).tobytes())
                lengths.append(len(ids))
                held.append(out)
        np.save(folder / LENGTHS, np.array(lengths, np.int64))
        np.save(folder / HELD_OUT, np.array(held, bool))
