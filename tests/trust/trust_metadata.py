"""Metadata cannot steer: whatever stands in the names, headers and free fields of data files, the tokens that the LLM is given stay the same."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import anndata
import nibabel
import numpy as np
import pandas as pd
import torch
from figure import Figure
from injections import INJECTIONS
from tiny_checkpoints import save_checkpoint
from tiny_study import REGIONS, image_encoder, image_of, make_cohort, save_bundle

from bridge.__main__ import main

WIDTH = 12


def figures(fast: bool, folder: Path) -> list[Figure]:
    """Payloads by field, and how many of them changed a token."""
    llm = save_checkpoint(folder / "llm", "chatml")
    of_tables = save_bundle(folder / "of_tables", llm)
    of_images = save_bundle(folder / "of_images", llm, image_encoder(folder / "atlas"))
    payloads, found = INJECTIONS[:: 20 if fast else 1], []
    for number, (name, plant) in enumerate(FIELDS.items()):
        place, bundle = folder / str(number), of_images if plant == _image_header else of_tables
        expected = _tokens(bundle, plant(place / "plain", "plain"))
        if expected is None:
            raise ValueError(f"{name}: the input without a payload was refused")
        rows = [_tokens(bundle, plant(place / str(row), payload)) for row, payload in enumerate(payloads)]
        shutil.rmtree(place)
        changed, refused = sum(row not in (None, expected) for row in rows), rows.count(None)
        found.append(
            Figure(f"{len(payloads)} payloads in {name}: prompts that changed", changed, 0, note=f"{refused} of the inputs are refused" if refused else "")
        )
    return found


def _tokens(bundle: Path, given: str) -> list[list[int]] | None:
    """Every row of token ids that an embedding table is asked for in one report; None where the input is refused, and nothing is asked."""
    with _embedded() as rows, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        status = main(["report", str(bundle), *shlex.split(given), "--max-new-tokens", "3"])
    if status not in (0, 2) or bool(rows) == bool(status):
        raise ValueError(f"the report ended with {status} after {len(rows)} rows of tokens: {errors.getvalue()}")
    return rows or None


@contextlib.contextmanager
def _embedded() -> Iterator[list[list[int]]]:
    """Seen at the LLM itself, so that no way to it can be missed."""
    rows: list[list[int]] = []

    def see(module: torch.nn.Module, given: tuple) -> None:
        if isinstance(module, torch.nn.Embedding):
            rows.append(given[0].flatten().tolist())

    handle = torch.nn.modules.module.register_module_forward_pre_hook(see)
    try:
        yield rows
    finally:
        handle.remove()


def _vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, WIDTH)).astype(np.float32)


def _gene_file(folder: Path, *, name: str = "person", obs: str = "", uns: str = "", columns: list[str] | None = None) -> str:
    """One sample's gene vector in an AnnData file."""
    folder.mkdir(parents=True)
    values = pd.DataFrame(_vectors(), index=[name], columns=columns) if columns else _vectors()
    table = anndata.AnnData(obs=pd.DataFrame({"comment": [obs]}, index=[name]), obsm={"X_model": values})
    table.uns["comment"] = uns
    table.write_h5ad(folder / "genes.h5ad")
    return f"--gene {folder}/genes.h5ad"


def _id(folder: Path, payload: str) -> str:
    return _gene_file(folder, name=payload)


def _obs(folder: Path, payload: str) -> str:
    return _gene_file(folder, obs=payload)


def _uns(folder: Path, payload: str) -> str:
    return _gene_file(folder, uns=payload)


def _columns(folder: Path, payload: str) -> str:
    return _gene_file(folder, columns=[payload, *map(str, range(WIDTH - 1))])


def _free_column(folder: Path, payload: str) -> str:
    """A table of regions, whose id column is called by the payload."""
    folder.mkdir(parents=True)
    values = 0.5 + 0.1 * np.random.default_rng(0).normal(size=(1, len(REGIONS)))
    table = pd.DataFrame(values, columns=list(REGIONS))
    table.insert(0, payload.replace("\n", " ").replace("\r", " "), ["person"])
    table.to_csv(folder / "regions.csv", index=False)
    return f"--brain {folder}/regions.csv"


def _file_name(folder: Path, payload: str) -> str:
    _gene_file(folder)
    name = "".join(letter for letter in payload if letter.isprintable() and letter not in "/#'\"\\")[:60] or "x"
    (folder / "genes.h5ad").rename(folder / f"{name}.h5ad")
    return f"--gene {shlex.quote(str(folder / f'{name}.h5ad'))}"


def _image_header(folder: Path, payload: str) -> str:
    """An image whose free header fields, comment extension and JSON sidecar hold the payload."""
    folder.mkdir(parents=True)
    image = image_of(0.5 + 0.1 * np.random.default_rng(0).normal(size=len(REGIONS)))
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        image.header[field] = payload.encode()[: image.header[field].dtype.itemsize]
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", payload.encode()))
    nibabel.save(image, folder / "person.nii.gz")
    (folder / "person.json").write_text(json.dumps({"Name": payload, "SeriesDescription": payload}))
    return f"--brain {folder}/person.nii.gz"


def _cohort_fields(folder: Path, payload: str) -> str:
    """A cohort whose texts, facts, notes and cards hold the payload; its measurements are as they were."""
    folder.mkdir(parents=True)
    cohort = make_cohort()
    for column in ("anatomy", "clinical", "organ_systems", "inheritance"):
        cohort.table.obs[column] = [payload.replace("; ", ", ")] * cohort.table.n_obs
    about = json.loads(str(cohort.table.uns["bridge"]))
    about["notes"] = {"comment": payload, "stand_ins": payload}
    for card in about["cards"].values():
        card |= {"source": payload, "version": payload}
    cohort.table.uns["bridge"] = json.dumps(about)
    cohort.write(folder / "cohort.h5ad")
    return f"--cohort {folder}/cohort.h5ad --sample sample-30"


FIELDS: dict[str, Callable[[Path, str], str]] = {
    "the id of a sample": _id,
    "a column of obs": _obs,
    "uns": _uns,
    "names of columns": _columns,
    "the name of the id column": _free_column,
    "the name of a file": _file_name,
    "the header, extension and sidecar of an image": _image_header,
    "texts, facts, notes and cards of a cohort": _cohort_fields,
}
