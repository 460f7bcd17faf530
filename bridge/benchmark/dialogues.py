"""MTS-Dialog: conversations of doctors and patients, each with the section of the note that was written of it.

Source: Ben Abacha et al., EACL 2023; CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bridge.data.table import read_table

FILES = {
    "train": ("TrainingSet.csv",),
    "validation": ("ValidationSet.csv",),
    "test": ("TestSet-1-MEDIQA-Chat-2023.csv", "TestSet-2-MEDIQA-Sum-2023.csv"),
}
DIALOGUE, SECTION, HEADER = "dialogue", "section_text", "section_header"


def read_dialogues(folder: Path) -> tuple[pd.DataFrame, int]:
    """All pairs with their split, and how many held-out ones were dropped because training has their conversation.

    Columns: ``dialogue``, ``section_text``, ``section_header``, ``split``; the index is ``split-file-ID``.

    Raises:
        ValueError: a file or column is missing.
    """
    whole = pd.concat([_read(folder / name, split, number) for split, names in FILES.items() for number, name in enumerate(names, start=1)])
    spelled = whole[DIALOGUE].str.casefold().str.split().str.join(" ")
    copied = spelled.isin(spelled[whole["split"] == "train"]) & (whole["split"] != "train")
    return whole[~copied], int(copied.sum())


def _read(path: Path, split: str, number: int) -> pd.DataFrame:
    table = read_table(path, id_column="ID", needed=(DIALOGUE, SECTION, HEADER))
    index = pd.Index([f"{split}-{number}-{each}" for each in table.ids], dtype=object)
    return table.columns[[DIALOGUE, SECTION, HEADER]].fillna("").astype(str).set_axis(index).assign(split=split)
