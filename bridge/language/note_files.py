"""Notes from the files they come in, and their vectors as a cohort or a parquet file with a card beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from bridge.data.build import VECTORS
from bridge.data.cohort import Cohort, split_by_group
from bridge.data.splits import OWN_GROUP, given_split, group_column, own_groups
from bridge.data.table import MISSING, SampleTable, observations, read_table
from bridge.data.text_file import read_text
from bridge.data.whole import whole_file
from bridge.language.notes import Embedded, embed_notes
from bridge.language.textbank import TEMPLATE, TextBank
from encoders.base import Encoder, load_class

#: Column of the notes of a folder.
FOLDER_COLUMN = "text"
JSON_LINES = (".jsonl", ".ndjson")
FORMS = (".h5ad", ".parquet")

#: Largest file of notes in bytes; it is read whole.
LINES_BYTES = 4 << 30


class Modality(NamedTuple):
    """The notes of one column as a modality."""

    column: str
    encoder: Encoder
    embedded: Embedded


def read_notes(source: Path, columns: Sequence[str], id_column: str | None = None) -> SampleTable:
    """Notes with their ids, and whatever other columns their file has.

    Args:
        source: A table (.csv, .tsv, .parquet, .h5ad), a .jsonl file, or a folder of .txt files, whose ids are their paths in it.
        columns: Columns that have to be there; the one of a folder is ``text``.
        id_column: Column of the ids; the first by default.

    Raises:
        ValueError: nothing can be read, a column is missing, or an id is found twice.
    """
    if source.is_dir():
        table = _read_folder(source)
    elif source.suffix.lower() in JSON_LINES:
        table = _read_json_lines(source, id_column)
    else:
        table = read_table(source, id_column=id_column)
    for column in columns:
        table.require(column, "notes")
    repeated = pd.Index(table.ids)[pd.Index(table.ids).duplicated()]
    if len(repeated):
        raise ValueError(f"{source}: id {str(repeated[0])!r} is found twice; expected one row per note")
    return table


def texts_of(table: SampleTable, column: str) -> list[str]:
    """The notes of a column, '' where there is none or nothing is written in it."""
    return [text if not pd.isna(note) and (text := str(note)).strip() else "" for note in table.columns[column]]


def write_embeddings(
    out: Path, samples: SampleTable, columns: Sequence[str], bank: TextBank, overlap: int, *, group: str | None = None, split: str | None = None, seed: int = 0
) -> str:
    """Read the notes of each column and write their vectors with a card; says in a line what was done.

    Args:
        out: A cohort (.h5ad), or of one column a .parquet file.
        samples: As :func:`read_notes` gives them.
        columns: Columns of the notes.
        bank: Reads the notes.
        overlap: Tokens of a note that a chunk shares with the one before.
        group: As for :func:`note_cohort`.
        split: As for :func:`note_cohort`.
        seed: Of a split that is drawn.
    """
    found = [_modality(bank, samples, column, name, overlap) for column, name in modality_names(columns).items()]
    cards = {each.encoder.modality: note_card(bank, each, overlap=overlap, source=samples.file) for each in found}
    if out.suffix == ".parquet":
        write_vectors(out, samples.ids, found[0].embedded.vectors)
    else:
        note_cohort(samples, found, group=group, split=split, seed=seed, notes={"embeddings": cards}).write(out)
    beside = write_card(out, cards)
    chunks = np.concatenate([each.embedded.chunks for each in found])
    kinds = f"{(chunks == 0).sum()} empty, {(chunks > 1).sum()} in several chunks"
    return f"embed: {len(chunks)} notes ({kinds}), width {bank.width}, chunks encoded now {bank.encoded}; wrote {out} and {beside}"


def modality_names(columns: Sequence[str]) -> dict[str, str]:
    """Column to the name of its modality: ``text`` for the only one."""
    if len(columns) == 1:
        return {columns[0]: "text"}
    return {column: f"text_{column}" for column in columns}


def note_encoder(bank: TextBank, name: str, *, overlap: int, source: str) -> Encoder:
    """The encoder of vectors of notes; two that were not made alike have different cards."""
    provenance = {
        "encoder": f"{bank.language.name} {bank.weights[:12]}",
        "layer": ", ".join(map(str, bank.layers)),
        "pooling": f"{bank.pooling}; chunks of {bank.max_tokens} tokens, overlap {overlap}",
        "source": source,
    }
    return load_class(VECTORS)(dim=bank.width, modality=name, provenance=provenance)


def note_card(bank: TextBank, modality: Modality, *, overlap: int, source: str) -> dict[str, Any]:
    """Everything that decides what the vectors are: the encoder's card, and what that has no fields for."""
    chunks = modality.embedded.chunks
    return {
        "card": modality.encoder.card().to_dict(),
        "weights": bank.weights,
        "adapter": bank.adapter,
        "layers": list(bank.layers),
        "pooling": bank.pooling,
        "chunking": {"tokens": bank.max_tokens, "overlap": overlap, "notes_in_several_chunks": int((chunks > 1).sum())},
        "width": bank.width,
        "template": TEMPLATE,
        "source": source,
        "column": modality.column,
        "notes": int((chunks > 0).sum()),
    }


def note_cohort(
    table: SampleTable,
    modalities: Sequence[Modality],
    *,
    group: str | None = None,
    split: str | None = None,
    seed: int = 0,
    notes: dict | None = None,
) -> Cohort:
    """Vectors of notes as a cohort that keeps the table's columns; the split is drawn by group, or is a column of the table."""
    columns = [each.column for each in modalities]
    rows, group = np.arange(len(table.ids)), group_column(table, group)
    given = [name for name in (group, split) if name not in (None, OWN_GROUP)]
    obs = observations(table, rows, table.ids, as_text=(*columns, *given))
    obs = obs.assign(**{column: texts_of(table, column) for column in columns})
    groups = own_groups(table.ids, asked=group == OWN_GROUP) if group in (None, OWN_GROUP) else list(table.values(group, "groups", rows, table.ids))
    drawn = split_by_group(groups, seed=seed)  # a few notes may be too few for three splits
    splits = given_split(table.values(split, "split", rows, table.ids), table.file, split) if split else drawn
    found = {each.encoder.modality: (each.encoder, each.embedded.vectors) for each in modalities}
    return Cohort.assemble(obs.assign(split=splits, group=groups), found, texts=columns, notes=notes, source=table.file)


def write_vectors(path: Path, ids: Sequence[str], vectors: Float[np.ndarray, "notes width"], name: str = "text") -> None:
    """Vectors as a parquet file: a column per number, ids in front."""
    frame = pd.DataFrame(vectors, index=pd.Index(ids, name="id", dtype=object), columns=[f"{name}_{number}" for number in range(vectors.shape[1])])
    with whole_file(path) as partial:
        frame.to_parquet(partial)


def write_card(path: Path, cards: dict[str, dict]) -> Path:
    """The cards of a file of vectors, in a JSON file beside it."""
    beside = path.with_suffix(".card.json")
    with whole_file(beside) as partial:
        partial.write_text(json.dumps(cards, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return beside


def require_form(out: Path, columns: Sequence[str], of_cohort: dict[str, str | None]) -> None:
    """Refuse an output of another form, and what a parquet file cannot hold, before anything is read."""
    if out.suffix not in FORMS:
        raise ValueError(f"out {out}: found suffix {out.suffix!r}, expected {' or '.join(FORMS)}")
    if out.suffix == ".parquet" and len(columns) > 1:
        raise ValueError(f"out {out}: found {len(columns)} text columns, a parquet file holds the vectors of one; write an .h5ad, or one file per column")
    given = [name for name, value in of_cohort.items() if value]
    if out.suffix == ".parquet" and given:
        raise ValueError(f"out {out}, field {given[0]}: a parquet file holds vectors and ids alone; write an .h5ad, or leave {given[0]} out")


def _modality(bank: TextBank, samples: SampleTable, column: str, name: str, overlap: int) -> Modality:
    embedded = embed_notes(bank, texts_of(samples, column), overlap)
    return Modality(column, note_encoder(bank, name, overlap=overlap, source=samples.file), embedded)


def _read_folder(folder: Path) -> SampleTable:
    files = sorted(folder.rglob("*.txt"))
    if not files:
        raise ValueError(f"{folder}: found no .txt file, expected one per note")
    records = [{"id": file.relative_to(folder).with_suffix("").as_posix(), FOLDER_COLUMN: read_text(file, "a note")} for file in files]
    return _sample_table(folder.name, records, "id")


def _read_json_lines(source: Path, id_column: str | None) -> SampleTable:
    if not source.is_file():
        raise ValueError(f"{source}: no such file; expected one JSON object per line, with an id and the note")
    lines = read_text(source, "notes as JSON, one a line", LINES_BYTES).split("\n")
    records = [_record(source, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not records:
        raise ValueError(f"{source}: found no line, expected one JSON object per note")
    chosen = id_column or next(iter(records[0][1]))
    for number, record in records:
        if record.get(chosen) in (None, ""):
            raise ValueError(f"{source}, line {number}: no value of {chosen!r}, expected the id of the note; name its field with --id_column")
    return _sample_table(source.name, [record for _, record in records], chosen)


def _record(source: Path, number: int, line: str) -> tuple[int, dict[str, Any]]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{source}, line {number}: not JSON ({error}); expected one object per line") from error
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{source}, line {number}: found {line[:40]!r}, expected an object with an id and the note")
    return number, found


def _sample_table(file: str, records: Sequence[dict[str, Any]], id_column: str) -> SampleTable:
    """Records as a table; what is neither text nor a number stays JSON."""
    plain = [{name: json.dumps(each) if isinstance(each, dict | list) else each for name, each in record.items()} for record in records]
    frame = pd.DataFrame(plain, dtype=object).rename(columns=lambda name: str(name).replace("/", "_"))
    columns = frame.drop(columns=id_column)
    return SampleTable(file, id_column, [str(each) for each in frame[id_column]], columns.where(~columns.isin(MISSING)))
