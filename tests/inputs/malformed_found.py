"""Inputs that were once taken in silence, or refused in words that help nobody."""

from __future__ import annotations

import gzip
import io
import json
import os
import warnings
import zipfile

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
from input_world import IDS, WIDTH, Case, World, attempt, save
from malformed_tables import GOOD, HEADER, LINE, changed, csv, notes, npz, parquet
from scipy import sparse

from bridge.data.text_file import read_text
from encoders.atlas_labels import read_labels
from encoders.region_table import RegionTable


def folder(spoil):
    """A case of a folder of two images, one of them spoiled."""

    def try_it(world: World):
        path = world.new()
        save(world.volume, path / "p1.nii.gz")
        spoil(world, path)
        return attempt(lambda: world.encoders["brain"].read(path).values)

    return try_it


def image(**fields):
    return lambda world: world.report("brain", world.patched(**fields))


def labels(old, new):
    """A case of the atlas' table with one thing replaced."""

    def try_it(world: World):
        path = world.csv(world.table.read_text().replace(old, new), "labels.tsv")
        return attempt(lambda: read_labels(path))

    return try_it


def stored(edit, change=lambda table: None):
    """A case of an AnnData file with one thing edited in place."""

    def try_it(world: World):
        path = world.h5ad(change=change)
        with h5py.File(path, "r+") as file:
            edit(file)
        return world.report("gene", path, "sub-05")

    return try_it


def replaced(place, *, attributes=None, **dataset):
    """Another dataset in a place of the file."""

    def edit(file: h5py.File) -> None:
        del file[place]
        file.create_dataset(place, **dataset).attrs.update(attributes or {"encoding-type": "array", "encoding-version": "0.2.0"})

    return edit


def half_written(file: h5py.File) -> None:
    values = file["obsm/X_model"][()]
    del file["obsm/X_model"]
    file["obsm"].create_dataset("X_model", values.shape, values.dtype, chunks=(12, 4))[:, :4] = values[:, :4]


def nested(file: h5py.File) -> None:
    group = file["uns"]
    for _ in range(100):
        group = group.create_group("deeper")


def linked_obs(world: World):
    path = world.h5ad("notes.h5ad")
    with h5py.File(path, "r+") as file:
        del file["obs"]
        file["obs"] = h5py.ExternalLink("other.h5ad", "/obs")
    return world.build("--gene", world.genes, "--table", path)


def note(content):
    """A case of a clinical note."""

    def try_it(world: World):
        path = world.new() / "note.txt"
        content(path) if callable(content) else path.write_bytes(content)
        return attempt(lambda: read_text(path, "a clinical note"))

    return try_it


def thickness(old, new):
    """A case of FreeSurfer's stats with one thing replaced."""
    text = "# subjectname s1\n# hemi lh\n# AnnotationFile label/lh.aparc.annot\n# ColHeaders StructName NumVert ThickAvg\ncuneus 90 2.5\ninsula 80 2.9\n"

    def try_it(world: World):
        path = world.csv(text.replace(old, new), "lh.aparc.stats")
        return attempt(lambda: RegionTable(("lh_cuneus_thickness", "lh_insula_thickness")).read(path).values)

    return try_it


def twice_npz(world: World):
    path = world.new() / "genes.npz"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for name, values in (("ids", np.array(IDS)), ("values", world.vectors), ("values", world.vectors * 2)):
            content = io.BytesIO()
            np.save(content, values)
            archive.writestr(f"{name}.npy", content.getvalue())
    return world.report("gene", path, "sub-05")


def cohort(change):
    """A case of a cohort whose own record of itself is changed."""

    def try_it(world: World):
        world.new()
        made = world.build("--gene", world.genes)
        assert not made.refusal
        path = world.folder / "cohort.h5ad"
        with h5py.File(path, "r+") as file:
            about = json.loads(file["uns/bridge"][()])
            file["uns/bridge"][()] = change(about) or json.dumps(about)
        path.with_name("cohort.h5ad.sha256").unlink(missing_ok=True)
        return world.cohort(path)

    return try_it


WIDE = "id" + "," * 300_000 + "\ns1,1\n"

CASES = (
    Case("a link whose target was never fetched", folder(lambda world, path: os.symlink("gone", path / "p2.nii.gz"))),
    Case("a pipe by the name of an image", folder(lambda world, path: os.mkfifo(path / "p2.nii"))),
    Case("a pair of .hdr and .img beside images", folder(lambda world, path: nib.save(nib.Nifti1Pair(world.volume, None), path / "p2.img")), flagged=True),
    Case("a mask for an image", lambda world: world.report("brain", world.nifti((world.labels > 0).astype(np.uint8)))),
    Case("the atlas for an image", lambda world: world.report("brain", world.nifti(world.labels.astype(np.int16)))),
    Case("a slope that makes all values equal", image(scl_slope=1e-38, scl_inter=100)),
    Case("voxel sizes below 0 beside a qform", image(pixdim=[1, -4, 4, 4, 0, 0, 0, 0], sform_code=0)),
    Case("a unit of length that nobody knows", image(xyzt_units=7)),
    Case("half a gigabyte before the voxels", image(vox_offset=1 << 29)),
    Case("two regions alike but for blanks", labels("right back", "left  back")),
    Case("a label below 0", labels("6\t", "-6\t")),
    Case("a region's name with control signs", labels("right back", "right\x1b[31m back")),
    Case("a region's name with a zero-width blank", labels("right back", "left\u200b back")),
    Case("csv with a comma too many in every row", csv(GOOD.replace("\n", ",\n"))),
    Case("csv with a nameless column", changed("d3", "")),
    Case("csv with two names alike but for a blank", changed("d4", "d3 ")),
    Case("csv with a column of truth", csv(HEADER + "\n" + "".join(f"{each},TRUE,{LINE.split(',', 1)[1]}\n" for each in IDS))),
    Case("csv with 300,000 columns", csv(WIDE)),
    Case("csv with an id of a megabyte", changed("sub-02", "s" * (1 << 20))),
    *(Case(f"csv with {sign:x} in an id", changed("sub-02", f"sub-02{chr(sign)}")) for sign in (0x34F, 0x115F, 0x2800, 0x3164, 0xFE0F)),
    Case("csv with two ids alike but for composition", csv(GOOD.replace("sub-02", "sub-\u00e9").replace("sub-03", "sub-e\u0301"))),
    Case("csv with two ids alike but for a blank", changed("sub-02", "sub-03 ")),
    Case("npz of complex numbers", npz(ids=np.array(IDS), values=np.ones((12, WIDTH)) * 1j)),
    Case("npz with an array twice", twice_npz),
    Case("parquet with a column of truth", parquet(lambda frame: frame.assign(d3=[True, False] * 6))),
    Case("parquet with an id missing", parquet(lambda frame: frame.set_axis(pd.Index([None, *IDS[1:]], name="id")))),
    Case("parquet with ids that became 1.0", parquet(lambda frame: frame.set_axis(pd.Index(np.arange(12.0), name="id")))),
    Case(
        "parquet with an index of two levels", parquet(lambda frame: frame.set_axis(pd.MultiIndex.from_product([list("ab"), range(6)], names=["a", "b"])) * 2)
    ),
    Case("obsm of truth values", stored(replaced("obsm/X_model", data=np.ones((12, WIDTH), dtype=bool)))),
    Case("obsm of which half was never written", stored(half_written)),
    Case("groups a hundred deep", stored(nested)),
    Case("ids of h5ad that became 1.0", stored(replaced("obs/_index", data=np.arange(12.0)))),
    Case(
        "CSR with a cell twice",
        stored(
            lambda file: file["obsm/X_model/indices"].__setitem__(slice(0, 2), [0, 0]),
            lambda table: table.obsm.update({"X_model": sparse.csr_matrix(table.obsm["X_model"])}),
        ),
    ),
    Case("notes with bytes of zero", notes("id,note\nsub-01,fi\0ne\nsub-02,fine\n")),
    Case("notes with an id of blanks", notes("id,note\n   ,fine\nsub-02,fine\n")),
    Case("notes with a control sign in a column's name", notes("id,no\x07te\nsub-01,fine\nsub-02,fine\n")),
    Case("notes behind an external link", linked_obs),
    Case("note in UTF-16", note("Seizures.".encode("utf-16"))),
    Case("note in Latin-1", note("Müde.".encode("latin-1"))),
    Case("note with bytes of zero", note(b"Seizures\0\0.")),
    Case("note that is a document", note(b"PK\x03\x04" + bytes(200))),
    Case("note that is packed", note(gzip.compress(b"Seizures."))),
    Case("note of 50 MB", note(b"word " * (10 << 20))),
    Case("note that is a folder", note(lambda path: path.mkdir())),
    Case("note that is a pipe", note(os.mkfifo)),
    Case("note that is a device without end", note(lambda path: os.symlink("/dev/zero", path))),
    Case("note that is not there", note(lambda path: None)),
    Case("FreeSurfer's row cut short", thickness("insula 80 2.9", "insula 80")),
    Case("FreeSurfer's rows missing", thickness("cuneus 90 2.5\ninsula 80 2.9\n", "")),
    Case("FreeSurfer's region twice", thickness("insula", "cuneus")),
    Case("FreeSurfer's thickness below 0", thickness("2.9", "-2.9")),
    Case("FreeSurfer's thickness NaN", thickness("2.9", "nan")),
    Case("FreeSurfer's other hemisphere", thickness("hemi lh", "hemi rh")),
    Case("FreeSurfer's other parcellation", thickness("lh.aparc.annot", "lh.aparc.a2009s.annot")),
    Case("cohort whose record is nested without end", cohort(lambda about: "[" * 100_000)),
    Case("cohort whose card is a number", cohort(lambda about: about["cards"].update(gene=5))),
    Case("cohort whose scale is 0", cohort(lambda about: about["cards"]["gene"]["normalisation"].update(scale=[0.0] * WIDTH))),
    Case("cohort whose means are too few", cohort(lambda about: about["cards"]["gene"]["normalisation"].update(mean=[0.0, 1.0]))),
    Case("cohort with facts of a modality that is not", cohort(lambda about: about.update(facts={"split": "eeg"}))),
)
