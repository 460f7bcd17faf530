"""AnnData files that must not become vectors."""

from __future__ import annotations

import functools
import shutil
import warnings
import zipfile

import anndata
import h5py
import numpy as np
import pandas as pd
from input_world import IDS, SYMBOLS, WIDTH, Case, World
from scipy import sparse

ARRAY = {"encoding-type": "array", "encoding-version": "0.2.0"}
ENSEMBL = tuple(f"ENSG{number:011d}" for number in range(1, 13))
MANGLED = (*SYMBOLS[:-2], "2-Sep", "1-Mar")


def table(change, modality="gene", sample="sub-01"):
    """A case that changes the table before it is written."""
    return lambda world: world.report(modality, world.h5ad(change=change), sample)


def stored(change, modality="gene", sample="sub-01"):
    """A case that changes the file afterwards, with what HDF5 can do."""

    def try_it(world: World):
        path = world.h5ad()
        with h5py.File(path, "r+") as file:
            change(file)
        return world.report(modality, path, sample)

    return try_it


def vectors(change):
    """A case with other vectors under obsm."""

    def put(adata: anndata.AnnData) -> None:
        adata.obsm["X_model"] = change(adata.obsm["X_model"].astype(np.float64))

    return table(put)


def cell(value, row=3):
    """A case with one number of one vector, of the sample that is asked for."""

    def put(values: np.ndarray) -> np.ndarray:
        values[row, 2] = value
        return values

    return vectors(put)


def rows(value):
    def put(values: np.ndarray) -> np.ndarray:
        values[0] = value
        return values

    return vectors(put)


def renamed(ids, modality="gene", sample=None):
    """A case with other ids; anndata itself would warn of some of them."""

    def try_it(world: World):
        path = world.h5ad()
        with h5py.File(path, "r+") as file:
            del file["obs/_index"]
            file["obs"]["_index"] = np.array(ids, dtype=object)
            file["obs/_index"].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
        return world.report(modality, path, sample or ids[0])

    return try_it


def counts(values, modality, dtype=np.float32):
    """A case with another expression matrix."""

    def put(adata: anndata.AnnData) -> None:
        adata.X = np.asarray(values(np.random.default_rng(5).poisson(3.0, adata.shape)), dtype=dtype)

    return table(put, modality)


def broken_csr(field, change):
    """A case with a sparse X whose parts do not fit together."""

    def try_it(world: World):
        path = world.h5ad(change=lambda adata: setattr(adata, "X", sparse.csr_matrix(np.asarray(adata.X))))
        with h5py.File(path, "r+") as file:
            found = change(file[f"X/{field}"][()])
            del file[f"X/{field}"]
            file[f"X/{field}"] = found
        return world.report("levels", path, "sub-01")

    return try_it


def sparse_obsm(world: World):
    """A sparse obsm whose starts fall: scipy would read outside its memory."""
    path = world.h5ad(change=lambda adata: adata.obsm.update({"X_model": sparse.csr_matrix(adata.obsm["X_model"])}))
    with h5py.File(path, "r+") as file:
        file["obsm/X_model/indptr"][3] = 10**6
    return world.report("gene", path, "sub-01")


def sparse_obsm_indices(world: World):
    path = world.h5ad(change=lambda adata: adata.obsm.update({"X_model": sparse.csr_matrix(adata.obsm["X_model"])}))
    with h5py.File(path, "r+") as file:
        file["obsm/X_model/indices"][3] = 2**30
    return world.report("gene", path, "sub-01")


def external(file: h5py.File) -> None:
    del file["obsm/X_model"]
    file["obsm/X_model"] = h5py.ExternalLink("/etc/hostname.h5", "/secret")


def external_elsewhere(file: h5py.File) -> None:
    file["uns/notes"] = h5py.ExternalLink("elsewhere.h5", "/")


def dangling(file: h5py.File) -> None:
    del file["obsm/X_model"]
    file["obsm/X_model"] = h5py.SoftLink("/obsm/nowhere")


def soft_circle(file: h5py.File) -> None:
    file["uns/again"] = h5py.SoftLink("/uns")


def hard_circle(file: h5py.File) -> None:
    file["uns/deeper"] = file["uns"]


def doubling(file: h5py.File) -> None:
    """Each group stands twice in the one above: 2 to the power of 30 places."""
    group = file["uns"]
    for level in range(30):
        below = group.create_group(f"a{level}")
        group[f"b{level}"] = below
        group = below


def external_storage(world: World):
    path = world.h5ad()
    secret = world.folder / "secret.bin"
    secret.write_bytes(np.zeros(len(IDS) * WIDTH).tobytes())
    with h5py.File(path, "r+") as file:
        del file["obsm/X_model"]
        file["obsm"].create_dataset("X_model", (len(IDS), WIDTH), "f8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
    return world.report("gene", path, "sub-01")


def virtual(world: World):
    path = world.h5ad()
    shutil.copy(path, world.folder / "other.h5ad")
    layout = h5py.VirtualLayout((len(IDS), WIDTH), "f4")
    layout[:] = h5py.VirtualSource(str(world.folder / "other.h5ad"), "obsm/X_model", (len(IDS), WIDTH))
    with h5py.File(path, "r+") as file:
        del file["obsm/X_model"]
        file["obsm"].create_virtual_dataset("X_model", layout)
    return world.report("gene", path, "sub-01")


def shape_bomb(file: h5py.File) -> None:
    del file["obsm/X_model"]
    file["obsm"].create_dataset("X_model", (10**7, 10**6), "f8", chunks=(1000, 1000))


def chunk_bomb(file: h5py.File) -> None:
    del file["obsm/X_model"]
    file["obsm"].create_dataset("X_model", (len(IDS), WIDTH), "f4", maxshape=(None, WIDTH), chunks=(10**7, WIDTH), compression="gzip")


def gzip_bomb(file: h5py.File) -> None:
    """Hundreds of times larger in memory than on disk."""
    del file["obsm/X_model"]
    found = file["obsm"].create_dataset("X_model", (10000, 4000), "f8", chunks=(10000, 400), compression="gzip", compression_opts=1)
    block = np.zeros((10000, 400))  # chunk after chunk: one assignment would pack each of them many times
    for start in range(0, 4000, 400):
        found[:, start : start + 400] = block


def heap_bomb(file: h5py.File) -> None:
    """Text cells that are a hundred million characters in all."""
    del file["obs/site"]
    file["obs"]["site"] = np.array(["x" * 10_000_000] * len(IDS), dtype=object)


def replaced(place, values, **attrs):
    def change(file: h5py.File) -> None:
        del file[place]
        file[place] = values
        file[place].attrs.update(attrs)

    return change


def index_gone(file: h5py.File) -> None:
    del file["obs/_index"]


def index_attribute(file: h5py.File) -> None:
    file["obs"].attrs["_index"] = "no such column"


def index_attribute_gone(file: h5py.File) -> None:
    del file["obs"].attrs["_index"]


def codes(file: h5py.File) -> None:
    """Anndata makes the column categorical when it writes it."""
    file["obs/site/codes"][0] = 77


def future(file: h5py.File) -> None:
    file["obsm/X_model"].attrs.update({"encoding-type": "awkward-array-of-tomorrow", "encoding-version": "9.9"})


def future_obs(file: h5py.File) -> None:
    file["obs"].attrs["encoding-version"] = "9.9.9"


def gone(*places):
    def change(file: h5py.File) -> None:
        for place in places:
            del file[place]

    return change


def bytes_of(change, name="genes.h5ad"):
    """A case that changes the bytes of the file."""

    def try_it(world: World):
        content = world.h5ad().read_bytes()
        path = world.new() / name
        path.write_bytes(change(content))
        return world.report("gene", path, "sub-01")

    return try_it


def zipped(world: World):
    path = world.new() / "genes.h5ad"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("genes.csv", "id,a\n")
    return world.report("gene", path, "sub-01")


def zarr(world: World):
    folder = world.new() / "genes.zarr"
    folder.mkdir()
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    return world.report("gene", folder, "sub-01")


def zarr_renamed(world: World):
    folder = world.new() / "genes.h5ad"
    folder.mkdir()
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    return world.report("gene", folder, "sub-01")


def twice_in_var(world: World):
    path = world.h5ad()
    with h5py.File(path, "r+") as file:
        file["var/_index"][1] = file["var/_index"][0]
    return world.report("levels", path, "sub-01")


def cohort(change):
    """A case of a cohort file that a build wrote and something changed."""

    def try_it(world: World):
        path = made_cohort(world)
        with h5py.File(path, "r+") as file:
            change(file)
        return world.cohort(path)

    return try_it


def made_cohort(world: World):
    world.new()
    path = world.good / "cohort.h5ad"
    if not path.exists():
        made = world.build("--gene", world.genes)
        assert not made.refusal, made.refusal
        shutil.copy(world.folder / "cohort.h5ad", path)
    return shutil.copy(path, world.new() / "changed.h5ad")


def in_two_splits(file: h5py.File) -> None:
    values = file["obs/group/codes"][()] if "codes" in file["obs/group"] else None
    if values is None:
        file["obs/group"][:] = file["obs/group"][0]
    else:
        file["obs/group/codes"][:] = 0


def leaked(world: World):
    """A file without the digest of the one that it was made from."""
    return cohort(in_two_splits)(world)


def excel(world: World):
    frame = pd.DataFrame(world.vectors, index=pd.Index(MANGLED, name="gene"))
    return world.report("symbols", world.csv(frame.to_csv(), "symbols.csv"), MANGLED[0])


def layers_missing(world: World):
    world.new()
    return world.build("--gene", f"{world.h5ad()}#layers:scaled")


CASES = (
    Case("not HDF5", bytes_of(lambda content: b"not HDF5 at all" * 100)),
    Case("empty h5ad", bytes_of(lambda content: b"")),
    Case("h5ad cut in half", bytes_of(lambda content: content[: len(content) // 2])),
    Case("h5ad with its end of zeros", bytes_of(lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2))),
    Case("h5ad with its first kilobyte of zeros behind the signature", bytes_of(lambda content: content[:8] + bytes(1016) + content[1024:])),
    Case("zip archive as h5ad", zipped),
    Case("zarr folder", zarr),
    Case("zarr folder as h5ad", zarr_renamed),
    Case("external link where the vectors are", stored(external)),
    Case("external link in a place nobody reads", stored(external_elsewhere)),
    Case("soft link to nowhere", stored(dangling)),
    Case("soft link in a circle", stored(soft_circle)),
    Case("hard link in a circle", stored(hard_circle)),
    Case("hard links that double at every level", stored(doubling)),
    Case("external storage", external_storage),
    Case("virtual dataset", virtual),
    Case("shape of 80 TB", stored(shape_bomb)),
    Case("chunk larger than memory", stored(chunk_bomb)),
    Case("320 MB of zeros in a small file", stored(gzip_bomb)),
    Case("names of rows missing", stored(index_gone)),
    Case("attribute _index of a column that is not", stored(index_attribute)),
    Case("attribute _index missing", stored(index_attribute_gone)),
    Case("no obs at all", stored(gone("obs"))),
    Case("no obsm at all", stored(gone("obsm"))),
    Case("obsm a dataset", stored(replaced("obsm", np.zeros(3)))),
    Case("obsm shorter than obs", stored(replaced("obsm/X_model", np.ones((5, WIDTH)), **ARRAY))),
    Case("obsm longer than obs", stored(replaced("obsm/X_model", np.ones((50, WIDTH)), **ARRAY))),
    Case("obsm of three dimensions", stored(replaced("obsm/X_model", np.ones((12, 2, 4)), **ARRAY))),
    Case("obsm of complex numbers", stored(replaced("obsm/X_model", np.ones((12, 8), complex), **ARRAY))),
    Case(
        "text where numbers are expected",
        stored(replaced("obsm/X_model", np.full((12, 8), b"high"), **ARRAY)),
    ),
    Case("encoding of tomorrow", stored(future)),
    Case("obs in an encoding of tomorrow", stored(future_obs)),
    Case("categories with a code that is not", stored(codes)),
    Case("vectors of another width", table(lambda adata: adata.obsm.update({"X_model": np.ones((12, 5)) * np.arange(5)}))),
    Case("two obsm and none named", table(lambda adata: adata.obsm.update({"X_other": adata.obsm["X_model"]}))),
    Case("a key that is not there", lambda world: world.report("gene", f"{world.h5ad()}#obsm:X_scgpt", "sub-01")),
    Case("a layer that is not there", layers_missing),
    Case("sample that is not in the file", lambda world: world.report("gene", world.h5ad(), "sub-1")),
    Case("no sample named of twelve", lambda world: world.report("gene", world.h5ad())),
    Case("ids twice", renamed((*IDS[:-1], IDS[0]))),
    Case("an empty id", renamed((*IDS[:-1], ""))),
    Case("all ids one", renamed(("sample",) * 12)),
    Case("gene names twice", twice_in_var),
    Case("infinite vector", rows(np.inf)),
    Case("one infinite number", cell(-np.inf)),
    Case("vector of NaN for the sample asked", rows(np.nan)),
    Case("one NaN in the vector asked", cell(np.nan, row=0)),
    Case("vector of zeros", rows(0.0)),
    Case("vector of one number", rows(3.25)),
    Case("all vectors zero", vectors(lambda values: values * 0)),
    Case("number beyond single precision", cell(1e200)),
    Case("whole number beyond single precision", cell(float(2**62) ** 3)),
    Case("symbols turned into dates by a spreadsheet", renamed(MANGLED, "symbols")),
    Case("symbols turned into dates in a csv", excel),
    Case("symbols turned into full dates", renamed((*SYMBOLS[:-1], "2023-09-02 00:00:00"), "symbols")),
    Case("ids turned into powers of ten", renamed((*SYMBOLS[:-1], "2.31E+13"), "symbols")),
    Case("Ensembl ids where symbols are expected", renamed(ENSEMBL, "symbols")),
    Case("symbols where Ensembl ids are expected", renamed(SYMBOLS, "ensembl")),
    Case("versioned Ensembl ids where symbols are expected", renamed(tuple(f"{each}.3" for each in ENSEMBL), "symbols")),
    Case("Ensembl transcripts where genes are expected", renamed(tuple(each.replace("ENSG", "ENST") for each in ENSEMBL), "ensembl")),
    Case("raw counts where log expression is expected", counts(lambda drawn: drawn, "levels")),
    Case("raw counts as whole numbers", counts(lambda drawn: drawn, "levels", np.int32)),
    Case("log expression where counts are expected", counts(np.log1p, "counts")),
    Case("negative counts", counts(lambda drawn: drawn - 5, "counts")),
    Case("counts that are all zero", counts(lambda drawn: drawn * 0, "counts")),
    Case("expression with an infinite level", counts(lambda drawn: np.where(drawn == drawn.max(), np.inf, drawn + 0.5), "levels")),
    Case("none of the genes in the file", table(lambda adata: setattr(adata, "var_names", list(ENSEMBL)), "levels")),
    Case("CSR starts that fall", broken_csr("indptr", lambda found: found[[0, 2, 1, *range(3, len(found))]])),
    Case("CSR starts past the end", broken_csr("indptr", lambda found: np.append(found[:-1], 10**9))),
    Case("CSR starts of another length", broken_csr("indptr", lambda found: found[:-2])),
    Case("CSR indices out of range", broken_csr("indices", lambda found: np.append(found[:-1], 10**6))),
    Case("CSR indices below zero", broken_csr("indices", lambda found: np.append(found[:-1], -5))),
    Case("CSR data of another length", broken_csr("data", lambda found: found[:-7])),
    Case("CSR data of text", broken_csr("data", lambda found: found.astype("S6"))),
    Case("sparse obsm with starts out of place", sparse_obsm),
    Case("sparse obsm with indices out of range", sparse_obsm_indices),
    Case("cohort without uns['bridge']", cohort(gone("uns/bridge"))),
    Case("cohort whose uns['bridge'] is no JSON", cohort(replaced("uns/bridge", "{not json", **{"encoding-type": "string", "encoding-version": "0.2.0"}))),
    Case("cohort whose uns['bridge'] lacks its cards", cohort(replaced("uns/bridge", "{}", **{"encoding-type": "string", "encoding-version": "0.2.0"}))),
    Case("cohort without its modality", cohort(gone("obsm/gene"))),
    Case("cohort with an infinite value", cohort(lambda file: file["obsm/gene"].write_direct(np.full((12, 8), np.inf, np.float32)))),
    Case("cohort without a split", cohort(gone("obs/split"))),
    Case("cohort with an external link", cohort(external_elsewhere)),
    Case("cohort with a group in two splits", leaked),
    Case("cohort that is a text file", lambda world: world.cohort(world.csv("not a cohort", "cohort.h5ad"))),
    Case("cohort that is a folder", lambda world: world.cohort(functools.reduce(lambda path, _: path, range(1), world.new()))),
)

warnings.filterwarnings("ignore", message="Variable names are not unique")
