"""Good files of every kind, and the ways in which the commands take them; a case spoils one file and tries it."""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import anndata
import nibabel as nib
import numpy as np
import pandas as pd

from bridge.__main__ import main
from bridge.data.cohort import Cohort
from bridge.data.limited import Limits
from bridge.model import SemanticBridge
from bridge.report.write import read_input
from encoders.base import Encoder
from encoders.brain_tokens import BrainTokens
from encoders.brain_volume import BrainVolume
from encoders.expression import Expression
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

#: A grid of 4 mm around the brain in MNI space, RAS+.
SHAPE, AFFINE = (44, 54, 46), np.array([[4.0, 0, 0, -86], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
REGIONS = ("left frontal", "right frontal", "left middle", "right middle", "left back", "right back")
IDS = tuple(f"sub-{number:02d}" for number in range(1, 13))
SYMBOLS = ("SCN1A", "HTT", "APOE", "BDNF", "GRIN2B", "FMR1", "MECP2", "TSC2", "LRRK2", "SNCA", "MAPT", "PSEN1")
WIDTH = 8

#: A tight child: what a case needs is far below, what a bomb needs is far above.
LIMITS = Limits(memory_bytes=160 << 20, cpu_s=20, wall_s=30)


class Outcome(NamedTuple):
    """What came of a try: accepted values or the lines of the refusal, and the warnings on the way."""

    values: np.ndarray | None
    refusal: str
    said: tuple[str, ...]


class Case(NamedTuple):
    """One input: what is wrong with it (or unusual), how to make and try it, and where it may be said instead of refused."""

    name: str
    try_it: Callable[[World], Outcome]
    flagged: bool = False


class World:
    """Good inputs in one folder, and an empty folder for every case.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path):
        self.good, self.folder = folder / "good", folder / "case"
        self.good.mkdir()
        self.tried = 0
        self.labels = brain_labels()
        self.volume = np.where(self.labels > 0, smooth(), 0).astype(np.float32)
        self.atlas = save(self.labels.astype(np.int16), self.good / "tpl-MNI152NLin6Asym_atlas-six_dseg.nii.gz")
        self.table = self.good / "labels.tsv"
        self.table.write_text("index\tname\n" + "".join(f"{number}\t{name}\n" for number, name in enumerate(REGIONS, start=1)))
        self.image = save(self.volume, self.good / "sub-01.nii.gz")
        self.vectors = np.random.default_rng(1).normal(size=(len(IDS), WIDTH)).astype(np.float32)
        self.regions = pd.DataFrame(np.random.default_rng(2).normal(2.5, 0.4, (len(IDS), len(REGIONS))), index=pd.Index(IDS, name="id"), columns=REGIONS)
        self.genes = self._genes()
        self.region_file = self.good / "regions.csv"
        self.regions.to_csv(self.region_file)

    @functools.cached_property
    def encoders(self) -> dict[str, Encoder]:
        """What a bundle would hold."""
        return {
            "brain": BrainVolume(str(self.atlas), str(self.table), dimensions=3),
            "regions": RegionTable(REGIONS),
            "gene": GeneTable(dim=WIDTH),
            "symbols": GeneTable(dim=WIDTH, provenance={"gene_ids": "HGNC symbol"}),
            "ensembl": GeneTable(dim=WIDTH, provenance={"gene_ids": "Ensembl gene"}),
            "levels": Expression(SYMBOLS[:4]),
            "counts": Expression(SYMBOLS[:4], log1p=True),
            "tokens": BrainTokens(tokens=3, dim=4),
        }

    def new(self) -> Path:
        """An empty folder; the one before is gone."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        return self.folder

    def report(self, modality: str, source: Path | str, sample: str | None = None) -> Outcome:
        """The file as an input of ``bridge report``."""
        bridge = mock.Mock(spec=SemanticBridge)
        bridge.encoders, bridge.cards = self.encoders, {name: SimpleNamespace(normalisation=None) for name in self.encoders}
        return attempt(lambda: read_input(bridge, modality, Path(source), sample, LIMITS)[0])

    def build(self, *arguments: str | Path) -> Outcome:
        """``bridge data build`` with these arguments, as typed."""
        out = self.folder / "cohort.h5ad"
        return command("data", "build", "--out", out, "--group", "id", *arguments, made=lambda: Cohort.read(out).values("gene"))

    def cohort(self, path: Path) -> Outcome:
        """The file as a cohort."""
        return attempt(lambda: Cohort.read(path).table.obsm["gene"])

    def h5ad(self, name: str = "genes.h5ad", change: Callable[[anndata.AnnData], None] = lambda table: None) -> Path:
        """The good AnnData file, changed before it is written."""
        table = anndata.AnnData(obs=pd.DataFrame({"site": ["a", "b"] * 6}, index=list(IDS)), var=pd.DataFrame(index=list(SYMBOLS)))
        table.X = np.log1p(np.random.default_rng(3).poisson(4.0, (len(IDS), len(SYMBOLS)))).astype(np.float32)
        table.obsm["X_model"] = self.vectors.copy()
        change(table)
        path = self.new() / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table.write_h5ad(path)
        return path

    def csv(self, text: str | bytes, name: str = "genes.csv") -> Path:
        """A text table."""
        path = self.new() / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def gene_csv(self, ids: tuple[str, ...] = IDS, name: str = "genes.csv") -> Path:
        """The good vectors under these ids."""
        frame = pd.DataFrame(self.vectors[: len(ids)], index=pd.Index(ids, name="id"), columns=[f"d{number}" for number in range(WIDTH)])
        return self.csv(frame.to_csv(), name)

    def nifti(self, array: np.ndarray | None = None, affine: np.ndarray = AFFINE, name: str = "sub-01.nii.gz", **options) -> Path:
        """An image, the good one by default."""
        return save(self.volume if array is None else array, self.new() / name, affine, **options)

    def patched(self, name: str = "sub-01.nii.gz", **fields: object) -> Path:
        """The good image with other values in its header, whatever they do to it."""
        content = bytearray(gzip.decompress(self.image.read_bytes()))
        header = np.frombuffer(content, nib.nifti1.header_dtype, count=1)
        for field, value in fields.items():
            header[field] = value
        path = self.new() / name
        path.write_bytes(gzip.compress(bytes(content), mtime=0))
        return path

    def _genes(self) -> Path:
        path = self.good / "genes.csv"
        pd.DataFrame(self.vectors, index=pd.Index(IDS, name="id")).to_csv(path)
        return path


def brain_labels() -> np.ndarray:
    """An ellipsoid as large as a brain, in six parts."""
    x, y, z = (np.arange(length) for length in SHAPE)
    x, y, z = np.meshgrid(x * 4 - 86, y * 4 - 126, z * 4 - 72, indexing="ij")
    inside = (x / 68) ** 2 + ((y + 18) / 86) ** 2 + ((z - 8) / 62) ** 2 <= 1
    third = np.digitize(-y, [-10, 46])
    return np.where(inside, 1 + 2 * third + (x > 0), 0)


def smooth() -> np.ndarray:
    """Values of about 100 that differ between the regions."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, length) for length in SHAPE), indexing="ij")
    return 100 + 20 * x + 10 * y**2 - 5 * z


def save(array: np.ndarray, path: Path, affine: np.ndarray = AFFINE, code: int = 4, kind: type = nib.Nifti1Image) -> Path:
    """Write an image whose space is told twice, as the field's software does."""
    image = kind(array, affine)
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    nib.save(image, path)
    return path


def attempt(reading: Callable[[], np.ndarray]) -> Outcome:
    """Values, or the message of a ValueError; any other error is one of the program."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            values, refusal = reading(), ""
        except ValueError as error:
            values, refusal = None, str(error)
    return Outcome(values, refusal, tuple(str(each.message) for each in caught))


def command(*arguments: object, made: Callable[[], np.ndarray]) -> Outcome:
    """A command as typed: what it made, or what it printed to say why not."""
    shown, hidden = io.StringIO(), io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stderr(shown), contextlib.redirect_stdout(hidden):
        warnings.simplefilter("always", UserWarning)
        status = main([str(argument) for argument in arguments])
    said = tuple(str(each.message) for each in caught)
    if status == 0:
        return Outcome(made(), "", said)
    lines = [line for line in shown.getvalue().splitlines() if line.strip() and not line.startswith(("gene:", "brain:", "regions:"))]
    return Outcome(None, "\n".join(lines), said)
