"""HDF5 files of strangers: the tree is walked before anything in it is read.

A file of this format may name other files (external links, external storage, virtual datasets), run in a circle, or
claim a shape of terabytes in a few bytes; the libraries above follow all of that without a word.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import h5py
import pandas as pd
from anndata.io import read_elem
from scipy import sparse

from encoders.files import decoding, existing

#: First bytes of every HDF5 file without a user block.
SIGNATURE = b"\x89HDF\r\n\x1a\n"

#: Deflate makes nothing smaller than a 1032nd (zlib's own documentation); what claims more was never stored.
MOST_INFLATION = 1032

#: Claims below this are not worth a refusal: an array of zeros may be stored as nothing at all.
SMALL_BYTES = 64 << 20

#: More groups and datasets than any table of this field has.
MOST_OBJECTS = 200_000

#: Groups inside groups; a table needs a handful.
DEEPEST = 32

#: Parts of a table whose numbers are read as measured; elsewhere (``uns``) an array that nobody filled does no harm.
MEASURED = ("X", "layers", "obs", "obsm", "raw", "var", "varm")


def require_plain(source: str | Path) -> None:
    """Refuse an HDF5 file that reaches outside itself, runs in a circle, or claims more than it can hold.

    Raises:
        ValueError: names the file, the place in it, what was found, and what to do.
    """
    source = existing(source)
    if not source.is_file():
        raise ValueError(f"{source}: found a folder, expected an HDF5 file (.h5ad); a zarr folder has to be written as .h5ad first")
    with source.open("rb") as stream:
        start = stream.read(len(SIGNATURE))
    if start != SIGNATURE and not h5py.is_hdf5(source):  # MuData puts a block of text of its own before the signature
        found = f"found {start!r} at its beginning, expected the signature of HDF5"
        raise ValueError(f"{source}: cannot be read as {source.suffix or 'HDF5'}: {found}; it is another kind of file under this name")
    told = source.stat()
    wrong = _wrong(str(source.absolute()), told.st_ino, told.st_size, told.st_mtime_ns)
    if wrong:
        raise ValueError(f"{source}, {wrong}; write the file again with anndata's write_h5ad")


def read_frame(node: h5py.Group | h5py.Dataset) -> pd.DataFrame:
    """A data frame of an AnnData file; before anndata 0.7 it was one array of records, the names in its first field."""
    frame = pd.DataFrame(node[()]) if isinstance(node, h5py.Dataset) else read_elem(node)
    return frame.set_index(frame.columns[0]) if isinstance(node, h5py.Dataset) else frame


def require_each_once(matrix: sparse.spmatrix | sparse.sparray, place: str) -> None:
    """Refuse a sparse matrix that holds one cell twice: readers add such numbers up."""
    if matrix.has_canonical_format:
        return
    stored = matrix.nnz
    matrix.sum_duplicates()
    if matrix.nnz < stored:
        raise ValueError(f"{place}: found {stored - matrix.nnz} cells that are stored twice, expected each once; write the file again")


@functools.lru_cache(maxsize=64)
def _wrong(source: str, *version: int) -> str:
    """What a walk through this version of a file finds; several readers open the same one."""
    with decoding(Path(source), ".h5ad"), h5py.File(source, "r") as file:
        return _Walk(file).wrong()


class _Walk:
    """Every link of a file, each group entered once."""

    def __init__(self, file: h5py.File):
        self.file, self.entered = file, {_address(file): "/"}

    def wrong(self) -> str:
        """The first thing that is wrong, with its place; '' where nothing is."""
        waiting = [("", self.file)]
        while waiting:
            place, group = waiting.pop()
            for name in group:
                path = f"{place}/{name}"
                if path.count("/") > DEEPEST:
                    return f"{path[:80]}...: found groups more than {DEEPEST} deep, expected a table"
                node, wrong = self._followed(group, name, path)
                if wrong:
                    return wrong
                if isinstance(node, h5py.Group):
                    waiting.append((path, node))
        return ""

    def _followed(self, group: h5py.Group, name: str, path: str) -> tuple[h5py.HLObject | None, str]:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            return None, f"{path}: found an external link to another file, expected everything in this one"
        node = group.get(name)
        if node is None:
            return None, f"{path}: found a link that leads nowhere, expected a group or a dataset"
        if isinstance(node, h5py.Group):
            return node, self._entered_twice(node, path)
        return node, dataset_wrong(node, path) if isinstance(node, h5py.Dataset) else ""

    def _entered_twice(self, group: h5py.Group, path: str) -> str:
        """A group under two names is a circle, or doubles what a reader sees at every level."""
        first = self.entered.setdefault(_address(group), path)
        if first != path:
            return f"{path}: found the group {first} again under another name (a link in a circle), expected each group once"
        return f"{path}: found more than {MOST_OBJECTS} groups, expected a table" if len(self.entered) > MOST_OBJECTS else ""


def dataset_wrong(node: h5py.Dataset, path: str) -> str:
    """What is wrong with how a dataset is stored, '' where nothing is."""
    if node.is_virtual:
        return f"{path}: found a virtual dataset, whose values are in other files, expected them in this one"
    if node.external:
        return f"{path}: found external storage, expected the values in this file"
    if not node.shape:
        return ""
    claimed, stored = math.prod(node.shape) * node.dtype.itemsize, node.id.get_storage_size()
    if claimed > SMALL_BYTES and claimed > MOST_INFLATION * stored:
        return f"{path}: found shape {node.shape} ({claimed:.3g} bytes) of which {stored} bytes are stored, expected values for the whole shape"
    if claimed and set(path.split("/")) & set(MEASURED) and not _written(node):
        return f"{path}: found values that were never written, which would be read as {node.fillvalue}, expected values for the whole shape"
    chunk = math.prod(node.chunks) * node.dtype.itemsize if node.chunks else 0
    if chunk > SMALL_BYTES and chunk > 4 * claimed:
        return f"{path}: found chunks {node.chunks} ({chunk:.3g} bytes) for shape {node.shape}, expected chunks no larger than the data"
    return ""


def _written(node: h5py.Dataset) -> bool:
    """Whether something is stored for every part of a dataset."""
    if not node.chunks:
        return node.id.get_storage_size() > 0
    return node.id.get_num_chunks() == math.prod(-(-side // chunk) for side, chunk in zip(node.shape, node.chunks, strict=True))


def _address(group: h5py.Group) -> int:
    return h5py.h5o.get_info(group.id).addr
