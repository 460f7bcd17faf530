"""Unusual inputs that are in order: each has to give the values of the plain one."""

from __future__ import annotations

import gzip
import itertools
import shutil
from decimal import Decimal

import anndata
import h5py
import nibabel as nib
import numpy as np
import pandas as pd
from input_world import AFFINE, IDS, SYMBOLS, WIDTH, Case, World, save
from scipy import sparse


def image(make):
    """A case of an image that holds the good volume in another way."""

    def try_it(world: World):
        path = world.new() / "sub-01.nii.gz"
        made = make(world, path)
        return world.report("brain", made or path)

    return try_it


def oriented(axes):
    """The good image stored in another order of the axes."""

    def make(world: World, path):
        whole = nib.load(world.image)
        turn = nib.orientations.ornt_transform(nib.io_orientation(whole.affine), nib.orientations.axcodes2ornt(axes))
        nib.save(whole.as_reoriented(turn), path)

    return image(make)


def typed(dtype, kind=nib.Nifti1Image):
    return image(lambda world, path: save(np.rint(world.volume).astype(dtype), path, kind=kind) and None)


def scaled(world: World, path):
    """Whole numbers with a slope that gives the values back within the rounding of the compared numbers."""
    found = nib.Nifti1Image(world.volume.astype(np.float64), AFFINE)
    found.set_data_dtype(np.int32)
    found.set_sform(AFFINE, 4)
    found.set_qform(AFFINE, 4)
    nib.save(found, path)


def big_endian(world: World, path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.float32)
    found = nib.Nifti1Image(world.volume, AFFINE, header)
    found.set_sform(AFFINE, 4)
    found.set_qform(AFFINE, 4)
    nib.save(found, path)


def extended(world: World, path):
    found = nib.load(world.image)
    found.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"how it was made"))
    nib.save(found, path)


def members(world: World, path):
    """One stream in three gzip members, as pigz and bgzip write it."""
    content = gzip.decompress(world.image.read_bytes())
    cuts = (0, 1000, 50_000, len(content))
    path.write_bytes(b"".join(gzip.compress(content[first:last]) for first, last in itertools.pairwise(cuts)))


def plain(world: World, path):
    path.unlink(missing_ok=True)
    path = path.with_suffix("")
    path.write_bytes(gzip.decompress(world.image.read_bytes()))
    return path


def padded(world: World, path):
    path.write_bytes(gzip.compress(gzip.decompress(world.image.read_bytes()) + bytes(512)))


def outside_nan(world: World, path):
    save(np.where(world.labels > 0, world.volume, np.nan), path)


def one_form(world: World, path):
    found = nib.Nifti1Image(world.volume, AFFINE)
    found.set_sform(AFFINE, 2)
    nib.save(found, path)


def quaternion(world: World, path):
    found = nib.Nifti1Image(world.volume, AFFINE)
    found.set_sform(None, 0)
    found.set_qform(AFFINE, 1)
    nib.save(found, path)


def vectors(change):
    """A case of the good vectors under obsm in another form."""
    return lambda world: world.report("gene", world.h5ad(change=lambda adata: adata.obsm.update({"X_model": change(adata.obsm["X_model"])})), "sub-05")


def frame(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, index=list(IDS), columns=[f"d{number}" for number in range(WIDTH)])


def rewritten(change, sample="sub-05"):
    def try_it(world: World):
        path = world.h5ad()
        with h5py.File(path, "r+") as file:
            change(file)
        return world.report("gene", path, sample)

    return try_it


def packed(file: h5py.File) -> None:
    values = file["obsm/X_model"][()]
    del file["obsm/X_model"]
    file["obsm"].create_dataset("X_model", data=values, chunks=(5, 3), compression="gzip", shuffle=True, fletcher32=True)


def without_encodings(file: h5py.File) -> None:
    """Arrays as anndata wrote them before version 0.7: no encoding at all."""
    values = file["obsm/X_model"][()]
    del file["obsm/X_model"]
    file["obsm"].create_dataset("X_model", data=values)


def big_endian_obsm(file: h5py.File) -> None:
    values = file["obsm/X_model"][()]
    del file["obsm/X_model"]
    file["obsm"].create_dataset("X_model", data=values.astype(">f8"))


def fixed_ids(file: h5py.File) -> None:
    """Ids of a fixed length in bytes, as R and MATLAB write them."""
    ids = file["obs/_index"][()]
    del file["obs/_index"]
    file["obs"]["_index"] = np.array(ids, dtype="S10")


def inner_link(file: h5py.File) -> None:
    file.move("obsm/X_model", "obsm/X_kept")
    file["uns/kept"] = h5py.SoftLink("/obsm/X_kept")
    file.move("obsm/X_kept", "obsm/X_model")
    del file["uns/kept"]
    file["uns/kept"] = h5py.SoftLink("/obsm/X_model")


def levels(change):
    """A case of the expression matrix in another storage."""

    def put(adata: anndata.AnnData) -> None:
        adata.X = change(np.asarray(adata.X))

    return lambda world: world.report("levels", world.h5ad(change=put), "sub-05")


def old_sparse(world: World):
    """A sparse matrix as anndata wrote it before version 0.7."""
    path = world.h5ad(change=lambda adata: setattr(adata, "X", sparse.csr_matrix(np.asarray(adata.X))))
    with h5py.File(path, "r+") as file:
        shape = file["X"].attrs["shape"]
        for name in ("encoding-type", "encoding-version", "shape"):
            del file["X"].attrs[name]
        file["X"].attrs.update({"h5sparse_format": "csr", "h5sparse_shape": shape})
    return world.report("levels", path, "sub-05")


def csv(change, name="genes.csv"):
    """A case of the good table written in another way."""
    return lambda world: world.report("gene", world.csv(change(world.genes.read_bytes()), name), "sub-05")


def npz(world: World):
    path = world.new() / "genes.npz"
    np.savez_compressed(path, ids=np.array(IDS), values=world.vectors)
    return world.report("gene", path, "sub-05")


def npz_beside(world: World):
    path = world.new() / "genes.npz"
    np.savez(path, ids=np.array(IDS), values=world.vectors, about=np.array({"made": "by hand"}, dtype=object))
    return world.report("gene", path, "sub-05")


def decimals(world: World):
    path = world.new() / "genes.parquet"
    cells = {f"d{place}": [Decimal(f"{cell:.12f}") for cell in world.vectors[:, place].tolist()] for place in range(WIDTH)}
    pd.DataFrame(cells, index=pd.Index(IDS, name="id")).to_parquet(path)
    return world.report("gene", path, "sub-05")


def records(file: h5py.File) -> None:
    """The table of samples as anndata wrote it before version 0.7."""
    ids = [name.encode() for name in IDS]
    del file["obs"]
    file["obs"] = np.array([(each,) for each in ids], dtype=[("index", "S10")])


def parquet(reset):
    def try_it(world: World):
        path = world.new() / "genes.parquet"
        found = pd.DataFrame(world.vectors, index=pd.Index(IDS, name="id"), columns=[f"d{number}" for number in range(WIDTH)])
        (found.reset_index() if reset else found).to_parquet(path)
        return world.report("gene", path, "sub-05")

    return try_it


def one_row(world: World):
    path = world.csv("id,a,b,c,d,e,f,g,h\nsub-05," + ",".join(map(repr, world.vectors[4].tolist())) + "\n")
    return world.report("gene", path)


def turned(world: World):
    frame = world.regions.iloc[:, ::-1]
    return world.report("regions", world.csv(frame.to_csv(), "regions.csv"), "sub-05")


def spaced_path(world: World):
    folder = world.new() / "Ünïcode folder with blanks"
    folder.mkdir()
    return world.report("gene", shutil.copy(world.genes, folder / "genes.csv"), "sub-05")


#: What each modality gives from the plain file, and the cases that must give the same.
IMAGES = tuple(
    Case(name, try_it)
    for name, try_it in (
        ("LAS", oriented("LAS")),
        ("RPI", oriented("RPI")),
        ("axes in the order PSR", oriented("PSR")),
        ("int32 scaled", image(scaled)),
        ("double precision", image(lambda world, path: save(world.volume.astype(np.float64), path) and None)),
        ("4-D of one volume", image(lambda world, path: save(world.volume[..., None], path) and None)),
        ("big endian", image(big_endian)),
        ("NIfTI-2", image(lambda world, path: save(world.volume, path, kind=nib.Nifti2Image) and None)),
        ("a header with an extension", image(extended)),
        ("a stream of three gzip members", image(members)),
        ("not packed", image(plain)),
        ("NaN outside the brain", image(outside_nan)),
        ("sform alone, aligned", image(one_form)),
        ("qform alone, scanner", image(quaternion)),
        (
            "zeros behind the last voxel",
            image(padded),
        ),
        ("seven dimensions, four of one", lambda world: world.report("brain", world.nifti(world.volume.reshape(*world.volume.shape, 1, 1, 1, 1)))),
        ("slope 0 beside an intercept", lambda world: world.report("brain", world.patched(scl_slope=0, scl_inter=77))),
        ("voxel sizes of nothing beside an sform", lambda world: world.report("brain", world.patched(pixdim=[1, 0, 0, 0, 0, 0, 0, 0], qform_code=0))),
        ("ending in capitals", lambda world: world.report("brain", shutil.copy(world.image, world.new() / "sub-01.NII.GZ"))),
    )
)
WHOLE = (Case("int16", typed(np.int16)), Case("uint8", typed(np.uint8)))
VECTORS = tuple(
    Case(name, try_it)
    for name, try_it in (
        ("obsm in double precision", vectors(lambda values: values.astype(np.float64))),
        ("obsm in Fortran order", vectors(np.asfortranarray)),
        ("obsm a DataFrame", vectors(frame)),
        ("obsm CSR", vectors(sparse.csr_matrix)),
        ("obsm CSC", vectors(sparse.csc_matrix)),
        ("obsm packed in chunks with checksums", rewritten(packed)),
        ("obsm without encodings", rewritten(without_encodings)),
        ("obsm big endian", rewritten(big_endian_obsm)),
        ("ids of a fixed length", rewritten(fixed_ids)),
        ("soft link inside the file", rewritten(inner_link)),
        ("csv with a byte order mark", csv(lambda content: b"\xef\xbb\xbf" + content)),
        ("csv with line ends of Windows", csv(lambda content: content.replace(b"\n", b"\r\n"))),
        ("csv packed", csv(gzip.compress, "genes.csv.gz")),
        ("csv packed in two members", csv(lambda content: gzip.compress(content[:100]) + gzip.compress(content[100:]), "genes.csv.gz")),
        ("tsv", csv(lambda content: content.replace(b",", b"\t"), "genes.tsv")),
        ("csv with quotes", csv(lambda content: content.replace(b"sub-05", b'"sub-05"'))),
        ("csv packed, ending in capitals", csv(gzip.compress, "GENES.CSV.GZ")),
        ("npz", npz),
        ("npz with an array of objects beside", npz_beside),
        ("parquet of exact decimals", decimals),
        ("obs as one array of records", rewritten(records)),
        ("parquet with the ids as index", parquet(False)),
        ("parquet with the ids as a column", parquet(True)),
        ("one row, no sample named", one_row),
        ("a path with blanks and accents", spaced_path),
    )
)
LEVELS = (
    Case("expression CSR", levels(sparse.csr_matrix)),
    Case("expression CSC", levels(sparse.csc_matrix)),
    Case("expression in double precision", levels(lambda values: values.astype(np.float64))),
    Case("expression CSR in the encoding before 0.7", old_sparse),
    Case("genes in another order", lambda world: world.report("levels", _reordered(world), "sub-05")),
)
TABLES = (Case("regions in another order", turned),)


def _reordered(world: World):
    """The file of the good matrix with its columns turned round."""
    adata = anndata.read_h5ad(world.h5ad())[:, list(SYMBOLS)[::-1]].copy()
    path = world.new() / "genes.h5ad"
    adata.write_h5ad(path)
    return path


def families(world: World):
    """Cases with what the plain file gives."""
    plain_image = world.report("brain", world.nifti()).values
    whole = world.report("brain", world.nifti(np.rint(world.volume))).values
    genes = world.report("gene", world.genes, "sub-05").values
    expression = world.report("levels", world.h5ad(), "sub-05").values
    regions = world.regions.loc["sub-05"].to_numpy()
    return ((IMAGES, plain_image), (WHOLE, whole), (VECTORS, genes), (LEVELS, expression), (TABLES, regions))
