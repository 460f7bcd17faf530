"""Vectors of clinical notes of any length: a long one is read in chunks that overlap, and nothing of it is cut away."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from bridge.language.llm import LanguageModel
from bridge.language.textbank import TEMPLATE, TOKENISED_AT_ONCE, TextBank

#: Adapters that a note is read with, the tuned one before that of the text side of stage 1.
ADAPTERS = ("default", "text")


class Embedded(NamedTuple):
    """Vectors of notes.

    Args:
        vectors: One per note; NaN for an empty note.
        chunks: Chunks of each note; 0 for an empty one.
    """

    vectors: Float[np.ndarray, "notes width"]
    chunks: Int[np.ndarray, " notes"]


def note_bank(language: LanguageModel, layers: Sequence[int] = (), pooling: str = "mean", chunk_tokens: int = 512) -> TextBank:
    """What reads notes: the LLM with the adapter of a tuned bundle, where it has one.

    Args:
        language: The LLM.
        layers: Layers whose states are concatenated; the one at two fifths of the depth when there are none.
        pooling: ``mean`` over tokens, or the ``last`` token.
        chunk_tokens: Tokens of a chunk, special tokens included.

    Raises:
        ValueError: the LLM cannot read so many tokens at once.
    """
    longest = language.model.config.max_position_embeddings
    if not 0 < chunk_tokens <= longest:
        raise ValueError(f"notes, field chunk_tokens: found {chunk_tokens}, expected 1 to {longest}, the tokens that {language.name} can read at once")
    worn = [name for name in ADAPTERS if isinstance(language.model, PeftModel) and name in language.model.peft_config]
    middle = max(1, 2 * language.model.config.num_hidden_layers // 5)
    return TextBank(language, layers or (middle,), pooling, max_tokens=chunk_tokens, adapter=next(iter(worn), ""))


def embed_notes(bank: TextBank, notes: Sequence[str], overlap: int = 64, *, show_progress: bool = True) -> Embedded:
    """Vectors of notes.

    With ``mean``, the vector of a long note is the mean of its chunks, each as heavy as it has tokens, those of the overlap in both.
    With ``last`` it is that of the last chunk, which has the last token; a warning says of how many notes.

    Args:
        bank: Reads chunks of its ``max_tokens``.
        notes: The notes, '' where there is none.
        overlap: Tokens that a chunk shares with the one before.
        show_progress: Draw a bar.
    """
    chunks = _chunks_of_notes(bank, notes, overlap)
    counts = np.array([len(each) for each in chunks], dtype=np.int64)
    if bank.pooling == "last":
        _say_what_is_left_out(counts)
        chunks = [each[-1:] for each in chunks]
    flat = [chunk for each in chunks for chunk in each]
    vectors = bank.embed_tokens(flat, show_progress=show_progress)
    return Embedded(_by_note(vectors, [[len(chunk) for chunk in each] for each in chunks]), counts)


def chunks_of(tokens: Int[np.ndarray, " tokens"], front: int, back: int, size: int, overlap: int) -> list[Int[np.ndarray, " _"]]:
    """Chunks of one note, each with the note's special tokens around it; a note that fits is its only chunk.

    Args:
        tokens: Token ids of the note.
        front: Special tokens in front of it.
        back: Special tokens behind it.
        size: Tokens of a chunk, special ones included.
        overlap: Tokens of the note that a chunk shares with the one before.

    Raises:
        ValueError: the overlap leaves no room for anything new.
    """
    room = size - front - back
    if not 0 <= overlap < room:
        raise ValueError(f"notes, field overlap: found {overlap}, expected 0 to {room - 1}, since a chunk of {size} tokens holds {room} of the note")
    if len(tokens) <= size:
        return [tokens]
    opening, body, closing = np.split(tokens, [front, len(tokens) - back])
    starts = range(0, len(body) - overlap, room - overlap)
    return [np.concatenate([opening, body[start : start + room], closing]) for start in starts]


def _chunks_of_notes(bank: TextBank, notes: Sequence[str], overlap: int) -> list[list[np.ndarray]]:
    """Chunks of each note, none of an empty one."""
    written = [row for row, note in enumerate(notes) if note]
    chunks: list[list[np.ndarray]] = [[] for _ in notes]
    for start in range(0, len(written), TOKENISED_AT_ONCE):
        rows = written[start : start + TOKENISED_AT_ONCE]
        for row, (tokens, front, back) in zip(rows, _tokens(bank.language.tokenizer, [notes[row] for row in rows]), strict=True):
            chunks[row] = chunks_of(tokens, front, back, bank.max_tokens, overlap)
    return chunks


def _tokens(tokenizer: PreTrainedTokenizerBase, notes: Sequence[str]) -> list[tuple[np.ndarray, int, int]]:
    """Token ids of each note, and how many special tokens stand in front of it and behind it."""
    read = tokenizer([TEMPLATE.format(text=note) for note in notes], return_special_tokens_mask=True, verbose=False)
    found = []
    for ids, special in zip(read["input_ids"], read["special_tokens_mask"], strict=True):
        own = [place for place, each in enumerate(special) if not each] or [len(ids)]
        found.append((np.array(ids, np.int32), own[0], max(0, len(ids) - 1 - own[-1])))
    return found


def _by_note(vectors: Float[np.ndarray, "chunks width"], lengths: Sequence[Sequence[int]]) -> Float[np.ndarray, "notes width"]:
    """The mean of each note's chunks, weighted by their tokens; of a single chunk its own vector, to the bit."""
    found = np.full((len(lengths), vectors.shape[1]), np.nan, np.float32)
    written = [row for row, each in enumerate(lengths) if each]
    if not written:
        return found
    counts = np.array([len(lengths[row]) for row in written])
    weights = np.concatenate([np.array(lengths[row]) / sum(lengths[row]) for row in written]).astype(np.float32)
    found[written] = np.add.reduceat(vectors * weights[:, None], np.cumsum(counts) - counts, axis=0)
    return found


def _say_what_is_left_out(counts: np.ndarray) -> None:
    long = int((counts > 1).sum())
    if long:
        message = f"notes: {long} of {len(counts)} are longer than a chunk; with pooling 'last' their vectors are of the last chunk alone; raise chunk_tokens"
        warnings.warn(message, stacklevel=3)
