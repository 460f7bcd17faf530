"""Text, parquet and array files that must not become numbers."""

from __future__ import annotations

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
from input_world import IDS, REGIONS, WIDTH, Case, World

HEADER = "id," + ",".join(f"d{number}" for number in range(WIDTH))
LINE = ",".join(f"{number}.5" for number in range(WIDTH))
GOOD = HEADER + "\n" + "".join(f"{each},{LINE}\n" for each in IDS)


def csv(text, name="genes.csv", modality="gene"):
    """A case of a text table."""
    return lambda world: world.report(modality, world.csv(text, name), "sub-01")


def changed(old, new):
    """A case of the good table with one thing replaced."""
    assert old in GOOD
    return csv(GOOD.replace(old, new, 1))


def regions(change):
    """A case of a table of regions."""
    return lambda world: world.report("regions", world.csv(change(world.regions.copy()).to_csv(), "regions.csv"), "sub-01")


def npz(name="genes.npz", **arrays):
    """A case of an npz file."""

    def try_it(world: World):
        path = world.new() / name
        np.savez(path, **arrays)
        return world.report("gene", path, "sub-01")

    return try_it


def tokens(values, ids=IDS):
    def try_it(world: World):
        path = world.new() / "tokens.npz"
        np.savez(path, ids=np.array(ids), values=values)
        return world.report("tokens", path, "sub-01")

    return try_it


def npz_bomb(world: World):
    """A member that says it is 4 GB and is a few kilobytes."""
    path = world.new() / "genes.npz"
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**5, 10**4)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("values.npy", head.getvalue() + bytes(1 << 20))
        archive.writestr("ids.npy", head.getvalue())
    return world.report("gene", path, "sub-01")


def zip_bomb(world: World):
    """Zeros that are unpacked in full."""
    path = world.new() / "genes.npz"
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (30, 10**6)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("values.npy", "w", force_zip64=True) as member:
        member.write(head.getvalue())
        for _ in range(30):
            member.write(bytes(8 * 10**6))
    return world.report("gene", path, "sub-01")


def renamed_zip(world: World):
    path = world.new() / "genes.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    return world.report("gene", path, "sub-01")


def csv_bomb(world: World):
    """Digits without end in a packed table."""
    path = world.new() / "genes.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(HEADER.encode() + b"\nsub-01,")
        for _ in range(100):
            stream.write(b"1" * (1 << 21))
    return world.report("gene", path, "sub-01")


def parquet(change, damage=lambda content: content):
    """A case of a parquet file."""

    def try_it(world: World):
        path = world.new() / "genes.parquet"
        frame = pd.DataFrame(world.vectors, index=pd.Index(IDS, name="id"), columns=[f"d{number}" for number in range(WIDTH)])
        change(frame).to_parquet(path)
        path.write_bytes(damage(path.read_bytes()))
        return world.report("gene", path, "sub-01")

    return try_it


def footless(content: bytes) -> bytes:
    """Zeros where a parquet file says what is in it."""
    return content[: -int.from_bytes(content[-8:-4], "little")] + bytes(400) + content[-8:]


def notes(text, *arguments, name="notes.csv"):
    """A case of the table beside the measurements."""
    return lambda world: world.build("--gene", world.genes, "--table", world.csv(text, name), *arguments)


NOTES = "id,family,note\n" + "".join(f"{each},f{place // 2},fine\n" for place, each in enumerate(IDS))

CASES = (
    Case("csv divided by semicolons with decimal commas", csv(GOOD.replace(".", ",").replace(",", ";"))),
    Case("csv with decimal commas in quotes", changed("0.5", '"0,5"')),
    Case("tsv that is divided by bars", csv(GOOD.replace(",", "|"), "genes.tsv")),
    Case("csv with a row too long", changed(LINE, LINE + ",7")),
    Case("csv with every row too long", csv(GOOD.replace(LINE, LINE + ",7"))),
    Case("csv with a row too short", changed(LINE, "0.5,1.5")),
    Case("csv with a column twice", changed("d1", "d0")),
    Case("csv without a header", csv(GOOD.split("\n", 1)[1])),
    Case("csv with a header alone", csv(HEADER + "\n")),
    Case("csv with one column", csv("id\n" + "\n".join(IDS))),
    Case("empty csv", csv("")),
    Case("csv of blank lines", csv("\n\n\n")),
    Case("csv in Latin-1", csv(GOOD.replace("sub-02", "patiént-02").encode("latin-1"))),
    Case("csv in UTF-16", csv(GOOD.encode("utf-16"))),
    Case("csv with NUL bytes", csv(GOOD.replace("sub-03", "sub\0-03").encode())),
    Case("csv with an id twice", changed("sub-02", "sub-01")),
    Case("csv with an id missing", changed("sub-02,", ",")),
    Case("csv with an id of blanks", changed("sub-02,", "   ,")),
    Case("csv with a word for a number", changed("3.5", "high")),
    Case("csv with a currency", changed("3.5", "$3.5")),
    Case("csv with a spreadsheet's error", changed("3.5", "#DIV/0!")),
    Case("csv with a thousands separator", changed("3.5", "1'003.5")),
    Case("csv with infinity", changed("3.5", "inf")),
    Case("csv with a number beyond single precision", changed("3.5", "3.5e99")),
    Case("csv with a whole number of 60 digits", changed("3.5", "1" + "0" * 60)),
    Case("csv with the sample's numbers missing", changed(f"sub-01,{LINE}", "sub-01," + "," * (WIDTH - 1))),
    Case("csv with one number of the sample missing", changed(f"sub-01,{LINE}", "sub-01," + LINE.replace("3.5", ""))),
    Case("csv of zeros", csv(GOOD.replace(LINE, ",".join("0" * WIDTH)))),
    Case("csv of one number", csv(GOOD.replace(LINE, ",".join("4" * WIDTH)))),
    Case("a web page as csv", csv("<!DOCTYPE html>\n<html><body>Sign in to continue</body></html>\n")),
    Case("a spreadsheet as csv", csv(b"PK\x03\x04" + bytes(500))),
    Case("a git-lfs pointer as csv", csv("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")),
    Case("csv.gz that is not packed", csv(GOOD, "genes.csv.gz")),
    Case("csv.gz cut", csv(gzip.compress(GOOD.encode(), mtime=0)[:-20], "genes.csv.gz")),
    Case("csv.gz with a wrong checksum", csv(gzip.compress(GOOD.encode(), mtime=0)[:-8] + b"abcd" + (len(GOOD)).to_bytes(4, "little"), "genes.csv.gz")),
    Case("csv.gz of digits without end", csv_bomb),
    Case("spreadsheet by its own ending", csv("anything", "genes.xlsx")),
    Case("region nobody knows", regions(lambda frame: frame.rename(columns={"left frontal": "left elbow"}))),
    Case("regions transposed", regions(lambda frame: frame.T)),
    Case("region twice", lambda world: world.report("regions", world.csv(f"id,{REGIONS[0]},{REGIONS[0]}\nsub-01,1,2\n", "regions.csv"), "sub-01")),
    Case("regions of zeros", regions(lambda frame: frame * 0)),
    Case("regions of one number", regions(lambda frame: frame * 0 + 2.5)),
    Case("regions with a code for a missing value", regions(lambda frame: frame.mask(frame == frame.iloc[1, 0], -999))),
    Case("regions with another sample's code for a missing value", regions(lambda frame: frame.mask(frame == frame.iloc[-1, 1], 9999))),
    Case("regions, none below zero, with a code below zero", regions(lambda frame: (frame.abs() * 1000).mask(frame == frame.iloc[1, 0], -99))),
    Case("vectors with a code for a missing value", changed("3.5", "-9999")),
    Case("regions all missing", regions(lambda frame: frame * np.nan)),
    Case("npz with pickled objects", npz(ids=np.array(IDS, dtype=object), values=np.ones((12, WIDTH)))),
    Case("npz with objects for values", npz(ids=np.array(IDS), values=np.array([[None] * WIDTH] * 12, dtype=object))),
    Case("npz with other names", npz(names=np.array(IDS), vectors=np.ones((12, WIDTH)))),
    Case("npz with fewer ids than values", npz(ids=np.array(IDS[:5]), values=np.random.default_rng(0).normal(size=(12, WIDTH)))),
    Case("npz of one dimension", npz(ids=np.array(IDS), values=np.arange(12.0))),
    Case("npz that says 8 GB", npz_bomb),
    Case("npz that unpacks to 240 MB", zip_bomb),
    Case("another zip as npz", renamed_zip),
    Case("npz cut", lambda world: world.report("gene", world.csv(b"PK\x03\x04" + bytes(100), "genes.npz"), "sub-01")),
    Case("npy with a pickle", lambda world: world.report("tokens", world.csv(b"\x80\x04cos\nsystem\n.", "tokens.npy"), "sub-01")),
    Case("token grid of whole numbers", tokens(np.ones((12, 3, 4), dtype=np.int64))),
    Case("token grid of another shape", tokens(np.random.default_rng(0).normal(size=(12, 4, 3)))),
    Case("token grid with infinity", tokens(np.where(np.arange(144).reshape(12, 3, 4) == 0, np.inf, 1.5))),
    Case("token grid of zeros", tokens(np.zeros((12, 3, 4)))),
    Case("parquet cut", parquet(lambda frame: frame, lambda content: content[: len(content) // 2])),
    Case(
        "parquet with a damaged foot",
        parquet(lambda frame: frame, footless),
    ),
    Case("parquet with words", parquet(lambda frame: frame.assign(d3="high"))),
    Case("parquet with vectors of unlike width", parquet(lambda frame: pd.DataFrame({"v": [[1.0] * (3 + each % 2) for each in range(12)]}, index=frame.index))),
    Case("parquet without an id", parquet(lambda frame: frame.reset_index(drop=True))),
    Case("csv as parquet", lambda world: world.report("gene", world.csv(GOOD, "genes.parquet"), "sub-01")),
    Case("notes without the column of groups", notes(NOTES, "--group", "site")),
    Case("notes without the column of texts", notes(NOTES, "--texts", "report")),
    Case("notes with a group missing", notes(NOTES.replace("sub-03,f1", "sub-03,"), "--group", "family")),
    Case("notes in Latin-1", notes(NOTES.replace("fine", "Müde").encode("latin-1"))),
    Case("notes with ragged rows", notes(NOTES.replace("fine", "fine,and,more", 1))),
    Case("notes with a column twice", notes(NOTES.replace("family", "note", 1))),
    Case("notes with an id twice", notes(NOTES.replace("sub-02", "sub-01"))),
    Case("notes with a header alone", notes("id,family,note\n")),
    Case("notes with a split nobody knows", notes(NOTES.replace("family", "split").replace(",f", ",fold"), "--split", "split")),
    Case("notes as a spreadsheet", notes("anything", name="notes.xlsx")),
    Case("notes as damaged parquet", notes("PAR1 rubbish PAR1", name="notes.parquet")),
    Case("notes as damaged h5ad", notes("rubbish", name="notes.h5ad")),
)
