"""Tables of an atlas: which label of the image is which region, in the forms in which atlases come."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from encoders.files import decoding, existing
from encoders.ids import unseen
from encoders.tables import read_cells

#: Columns that hold the labels of the image, the surest first; they must hold whole numbers.
INDEX = ("index", "label", "value", "id", "key", "label_id", "region_id", "roi_id", "parcel_id", "roi", "parcel", "segid", "number", "no")

#: Columns that hold the names, the surest first. BIDS ``dseg.tsv`` has index and name.
NAME = (
    "name",
    "label",
    "region",
    "structure",
    "region_name",
    "roi_name",
    "label_name",
    "structname",
    "roi",
    "parcel",
    "full_name",
    "description",
    "abbreviation",
)
SIDE = ("hemisphere", "hemi", "side")
SIDES = {"l": "left ", "lh": "left ", "left": "left ", "r": "right ", "rh": "right ", "right": "right "}

#: A line of FreeSurfer's colour tables (FreeSurferColorLUT.txt, *.ctab, Schaefer's order files): label, name, red, green, blue, alpha.
COLOURED = re.compile(r"(?P<index>\d+)\s+(?P<name>\S.*?)(?:\s+\d+){4}")

#: A line of ITK-SNAP's label descriptions: label, colour, visibility, name in quotes.
DESCRIBED = re.compile(r'(?P<index>\d+)(?:\s+[\d.]+){6}\s+"(?P<name>[^"]*)"')

#: A line of a table without a header: label and name.
PLAIN = re.compile(r"(?P<index>\d+)\s*[,;\t ]\s*(?P<name>[^,;\t]*?[A-Za-z][^,;\t]*?)\s*(?:[,;\t].*)?")


def read_labels(path: str | Path, within: Collection[int] = ()) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and labels of the regions of a table. Label 0 is background.

    Args:
        path: A text table with a header, of which one column of whole numbers holds the labels (:data:`INDEX`) and another the names
            (:data:`NAME`), and perhaps ``hemisphere`` (its side becomes the first word of the name): BIDS ``dseg.tsv``, nilearn's tables. Or
            a table without a header: FreeSurfer's colour tables, ITK-SNAP's label descriptions, or label and name.
        within: Labels of the image. A colour table lists more regions than an image has: only these are taken.

    Raises:
        ValueError: names the file and the columns found.
    """
    path = existing(path)
    rows, coloured = _rows(path)
    below = [label for label, _ in rows if label < 0]
    if below:
        raise ValueError(f"{path}: found the label {below[0]}, expected whole numbers from 0 (background) as in the image; mend the table")
    listed = [(name, label) for label, name in rows if label > 0 and (not coloured or not within or label in within)]
    names, indices = [name for name, _ in listed], [label for _, label in listed]
    hidden = next((name for name in names if unseen(name)), None)
    if hidden is not None:
        raise ValueError(f"{path}: name {hidden!a} has signs that nobody sees, expected the name of a region as it is read; write it again")
    for found, what in ((indices, "label"), ([" ".join(name.split()) for name in names], "name")):
        twice = [each for each, count in Counter(found).items() if count > 1]
        if twice:
            others = f", and {len(twice) - 1} others do" if len(twice) > 1 else ""
            raise ValueError(
                f"{path}: {what} {str(twice[0])!r} occurs twice{others}; expected one row per region, with a name of its own (a column of sides helps)"
            )
    if not names:
        raise ValueError(f"{path}: found no region, expected rows with a label above 0 and a name; is it the table of this atlas?")
    return tuple(names), tuple(indices)


def differences(listed: Collection[int], found: Collection[int]) -> list[str]:
    """What a table and a label image say differently, one line each; nothing where they agree."""
    more, fewer = sorted(set(found) - set(listed)), sorted(set(listed) - set(found))
    said = []
    if more:
        said.append(f"{len(more)} labels of the image are not in the table and belong to no region: {_some(more)}")
    if fewer:
        said.append(f"{len(fewer)} labels of the table are not in the image, their regions will be missing: {_some(fewer)}")
    return said


def _rows(path: Path) -> tuple[list[tuple[int, str]], bool]:
    """Labels and names as listed, and whether they are from a colour table."""
    with decoding(path, "a table of labels"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and not re.match(r"\d+\b", lines[0]):
        return _with_header(path), False
    for form in (DESCRIBED, COLOURED, PLAIN):
        found = [form.fullmatch(line) for line in lines]
        if found and all(found):
            return [(int(match["index"]), match["name"].strip()) for match in found], form is COLOURED
    wrong = next((line for line in lines if not PLAIN.fullmatch(line)), "nothing")
    raise ValueError(f"{path}: found {wrong[:60]!r}, expected a header with index and name, or lines of a label and a name")


def _with_header(path: Path) -> list[tuple[int, str]]:
    cells = read_cells(path)
    columns = {str(name).strip().lower(): name for name in cells}
    numbers = {name: pd.to_numeric(cells[columns[name]], errors="coerce") for name in INDEX if name in columns}
    whole = [name for name, values in numbers.items() if len(values) and (values % 1 == 0).all()]
    index = next(iter([*whole, *numbers]), "")
    name = next((name for name in NAME if name in columns and name != index and name not in whole), "")
    if not index or not name:
        raise ValueError(f"{path}: found columns {list(cells.columns[:8])}, expected one with the labels (index) and one with the names (name)")
    if index not in whole:
        row = int((~(numbers[index] % 1 == 0)).argmax())
        found = f"found {cells[columns[index]].iloc[row]!r} in row {row + 1}" if len(cells) else "found no row"
        raise ValueError(f"{path}, column {columns[index]!r}: {found}, expected labels that are whole numbers")
    side = next((columns[each] for each in SIDE if each in columns), None)
    sides = cells[side].str.strip().str.lower().map(SIDES).fillna("") if side is not None else [""] * len(cells)
    names = [_with_side(text.strip(), each) for text, each in zip(cells[columns[name]], sides, strict=True)]
    if "" in names:
        raise ValueError(f"{path}, column {columns[name]!r}: found no name in row {names.index('') + 1}, expected one for every region")
    return [(int(label), text) for label, text in zip(numbers[index], names, strict=True)]


def _with_side(name: str, side: str) -> str:
    """The side before the name, where the name does not begin with it already."""
    return name if not name or name.lower().startswith(side) else side + name


def _some(labels: list[int]) -> str:
    return ", ".join(map(str, labels[:5])) + (" ..." if len(labels) > 5 else "")
