"""Embeddings of an encoder, or of the LLM for notes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from bridge.commands.line import contents, run_function
from bridge.data.build import build_cohort
from bridge.evaluate.reader import reading_language
from bridge.language.llm import LLM
from bridge.language.note_files import FOLDER_COLUMN, read_notes, require_form, write_embeddings
from bridge.language.notes import note_bank


def embed(arguments: Sequence[str]) -> None:
    """``bridge embed``."""
    run_function(embed_modality, "embed", arguments)


def embed_modality(
    modality: str,
    out: str,
    table: str | None = None,
    column: list[str] | None = None,
    id_column: str | None = None,
    group: str | None = None,
    split: str | None = None,
    llm: LLM | None = None,
    bundle: str | None = None,
    layers: list[int] | None = None,
    pooling: Literal["mean", "last"] = "mean",
    chunk_tokens: int = 512,
    overlap: int = 64,
    source: str | None = None,
    class_path: str | None = None,
    init_args: dict[str, Any] | None = None,
    trust: list[str] | None = None,
    seed: int = 0,
) -> None:
    """Run an encoder over raw inputs, or the LLM over notes (``--modality text``), and write the embeddings.

    Args:
        modality: ``text`` for notes, read by the LLM; any other name for what an encoder class reads.
        out: File to write: a cohort (.h5ad), or of one text column its vectors (.parquet); notes get a card beside it (.card.json).
        table: Notes: csv, tsv, parquet, .h5ad or .jsonl, the ids in the first column; or a folder of .txt files.
        column: Text columns of the table; ``text`` by default.
        id_column: Column of the table with the sample ids; the first by default.
        group: Column of the table whose values stay whole in one split.
        split: Column of the table with train, validation or test; by default the split is drawn.
        llm: The LLM that reads notes.
        bundle: A bundle whose tuned LLM reads them; ``llm`` then says where its base is.
        layers: Layers whose states are concatenated; by default the one at two fifths of the depth.
        pooling: Mean over tokens, or the last token.
        chunk_tokens: A longer note is read in chunks of so many tokens.
        overlap: Tokens of a note that a chunk shares with the one before.
        source: File or folder the encoder reads.
        class_path: Encoder class.
        init_args: Arguments of the encoder that the file does not tell.
        trust: Modules outside the packages whose classes may load.
        seed: Of the split.
    """
    of_notes = {"table": table, "column": column, "id_column": id_column, "group": group, "split": split, "llm": llm, "bundle": bundle, "layers": layers}
    if modality != "text":
        _require_given(modality, {"source": source, "class_path": class_path}, of_notes)
        spec = {"source": source, "class_path": class_path, "init_args": init_args or {}}
        print(contents(build_cohort(Path(out), {modality: spec}, group="id", seed=seed, trust=trust or ()), Path(out)))
        return
    _require_given(modality, {"table": table}, {"source": source, "class_path": class_path, "init_args": init_args})
    columns = column or [FOLDER_COLUMN]
    require_form(Path(out), columns, {"group": group, "split": split})
    samples = read_notes(Path(table), columns, id_column)
    bank = note_bank(reading_language(llm, bundle, trust or ()), layers or (), pooling, chunk_tokens)
    print(write_embeddings(Path(out), samples, columns, bank, overlap, group=group, split=split, seed=seed))


def _require_given(modality: str, needed: dict[str, Any], foreign: dict[str, Any]) -> None:
    """Ask for what is missing, and refuse what would not be looked at."""
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise ValueError(f"embed, field {missing[0]}: found none, expected one for modality {modality!r}; see: bridge embed --help")
    ignored = [name for name, value in foreign.items() if value]
    if ignored:
        kind = "an encoder of another modality" if modality == "text" else "--modality text"
        raise ValueError(f"embed, field {ignored[0]}: modality {modality!r} does not use it, it is for {kind}; leave it out")
