"""Nothing of a person stays behind: canaries in ids, names, headers and notes, looked for in all that the commands leave beside what was asked for."""

from __future__ import annotations

import gzip
import os
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anndata
import nibabel
import numpy as np
import pandas as pd
from figure import Figure
from tiny_checkpoints import save_checkpoint

SUBJECTS, REGIONS, SEED = 24, 6, 0
CPU = "--trainer.accelerator cpu --trainer.enable_progress_bar false --trainer.max_steps 2 --checkpoint_every 1"
PROJECTOR = "'{class_path: bridge.project.identity.IdentityValue, init_args: {extremes: 2}}'"


def figures(fast: bool, folder: Path) -> list[Figure]:
    """Canaries planted, and hits by place; gzip headers of all that was written."""
    random = np.random.default_rng(SEED)
    canaries = [f"CANARY{random.integers(16**12):012X}" for _ in range(25)]
    places = {name: folder / name for name in ("temporary", "cache", "study", "out")}
    for place in places.values():
        place.mkdir()
    study = _study(places["study"], canaries, random)
    llm = save_checkpoint(folder / "llm", "chatml")
    checkpoints: list[bytes] = []
    commands = _commands(study, places["out"], llm)
    with _elsewhere(places), _kept(checkpoints), _captured(folder / "said.txt"):
        failed = [line for line in commands if _run(line)]
    left = {
        "what the commands print, errors among it": [folder / "said.txt"],
        "temporary folders": _files(places["temporary"]),
        "caches": _files(places["cache"]),
        "logs and settings of the runs": [path for run in places["out"].glob("*-*") for path in _files(run)],
        "bundles": [path for name in ("aligned", "bundle") for path in _files(places["out"] / name)],
    }
    found = [Figure("commands that ended as they should, two errors among them", len(commands) - len(failed), len(commands), SEED, "; ".join(failed))]
    for name, paths in left.items():
        hits = [f"{canary} in {path.name}" for path in paths for canary in _hits(path.read_bytes(), canaries)]
        found.append(Figure(f"25 canaries: hits in {name}", len(hits), 0, SEED, "; ".join(hits[:3])))
    hits = [canary for content in checkpoints for canary in _hits(content, canaries)]
    found.append(Figure("25 canaries: hits in checkpoints while they were there", len(hits), 0, SEED, f"{len(checkpoints)} files"))
    packed = [path for path in _files(places["out"]) if path.suffix == ".gz"]
    named = [path.name for path in packed if _tells(path)]
    return [*found, Figure("gzip headers written with a file name or a time", len(named), 0, note=f"of {len(packed)} files; {', '.join(named[:3])}")]


def _study(folder: Path, canaries: list[str], random: np.random.Generator) -> dict[str, Path]:
    """Gene vectors, images and a table of persons, with a canary in every field that says who they are."""
    ids = [f"sub-{canaries[row] if row < 5 else row:0>2}" for row in range(SUBJECTS)]
    names = [f"Ms {canaries[5 + row % 5]}" for row in range(SUBJECTS)]
    notes = [f"{canaries[10 + row % 5]} was seen for seizures and tremor." for row in range(SUBJECTS)]
    people = pd.DataFrame({"id": ids, "name": names, "summary": notes})
    people.to_csv(folder / "people.csv", index=False)
    genes = anndata.AnnData(obs=pd.DataFrame({"name": names}, index=ids), obsm={"X_model": random.normal(size=(SUBJECTS, 8)).astype(np.float32)})
    genes.uns["operator"] = canaries[15]
    genes.write_h5ad(folder / "genes.h5ad")
    labels = np.repeat(np.arange(REGIONS), 20).reshape(REGIONS, 4, 5) + 1
    nibabel.save(nibabel.Nifti1Image(labels.astype(np.int16), np.diag([2.0, 2.0, 2.0, 1.0])), folder / "atlas.nii.gz")
    pd.DataFrame({"index": range(1, REGIONS + 1), "name": [f"region {number}" for number in range(1, REGIONS + 1)]}).to_csv(
        folder / "atlas.tsv", sep="\t", index=False
    )
    (folder / "maps").mkdir()
    for name in ids:
        image = nibabel.Nifti1Image((labels + random.normal(size=labels.shape)).astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))
        for field, canary in zip(("descrip", "aux_file", "intent_name", "db_name"), canaries[16:20], strict=True):
            image.header[field] = canary[: image.header[field].dtype.itemsize]
        nibabel.save(image, folder / "maps" / f"{name}.nii.gz")
    (folder / "corpus.yaml").write_text(f"clinical: [{{format: csv, path: {folder}/people.csv, text_column: summary, identifiers: ignore}}]\n")
    (folder / "note.txt").write_text(" ".join(canaries[20:]) + " has had two seizures.")
    return {"folder": folder, "sample": ids[0]}


def _commands(study: dict, out: Path, llm: Path) -> list[str]:
    """The whole way, and two commands that fail over a file of the study; each ends with 0, those two with 2."""
    folder, cohort = study["folder"], out / "cohort.h5ad"
    common = f"--data.cohort {cohort} --model.llm.path {llm} {CPU}"
    pairs = "--model.pairs '{brain~summary: 1.0, gene~summary: 1.0}' --model.text.layers '[0, 1]'"
    note = f"--note {folder}/note.txt --max-new-tokens 24"
    atlas = f"--atlas {folder}/atlas.nii.gz --labels {folder}/atlas.tsv"
    return [
        f"data build --out {cohort} --gene {folder}/genes.h5ad --brain {folder}/maps {atlas} --table {folder}/people.csv --texts summary --group id",
        f"align --config smoke.yaml --model.projectors.brain {PROJECTOR} {pairs} {common} --out {out}/aligned",
        f"tune --config tune.yaml {common} --model.start {out}/aligned --out {out}/bundle",
        f"report {out}/bundle --cohort {cohort} --sample {study['sample']} {note} --out {out}/report.md",
        f"report {out}/bundle --brain {folder}/maps/{study['sample']}.nii.gz {note} --format json --out {out}/report.json",
        f"evaluate --bundle {out}/bundle --cohort {cohort} --out {out}/evaluation --limit 2",
        f"data corpus --sources {folder}/corpus.yaml --out {out}/corpus",
        f"! report {out}/bundle --brain {folder}/note.txt {note}",
        f"! report {out}/bundle --gene {folder}/people.csv {note}",
    ]


def _run(line: str) -> bool:
    """Whether a command ended in another way than expected."""
    from bridge.__main__ import main

    return main(shlex.split(line.removeprefix("! "))) != (2 if line.startswith("!") else 0)


@contextmanager
def _elsewhere(places: dict[str, Path]) -> Iterator[None]:
    """Caches and temporary folders of this process, and of what it starts, in folders of their own."""
    os.environ |= {"BRIDGE_CACHE": str(places["cache"]), "TMPDIR": str(places["temporary"]), "XDG_CACHE_HOME": str(places["cache"])}
    tempfile.tempdir = None
    yield


@contextmanager
def _captured(path: Path) -> Iterator[None]:
    """All that is written to the terminal, by libraries and children too."""
    sys.stdout.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("wb") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)


@contextmanager
def _kept(contents: list[bytes]) -> Iterator[None]:
    """The bytes of every checkpoint as it was written; a run that ends takes them away."""
    from bridge.train.checkpoint import CheckpointFile

    save = CheckpointFile.save_checkpoint

    def saved(self, checkpoint, path, storage_options=None):
        save(self, checkpoint, path, storage_options)
        contents.extend(each.read_bytes() for each in Path(path).parent.rglob("*") if each.is_file())

    CheckpointFile.save_checkpoint = saved
    try:
        yield
    finally:
        CheckpointFile.save_checkpoint = save


def _hits(content: bytes, canaries: Iterable[str]) -> list[str]:
    """Canaries in a file, in one byte a letter or in two, as in HDF5 or UTF-16, packed or not."""
    content += gzip.decompress(content) if content[:2] == b"\x1f\x8b" else b""
    return [canary for canary in canaries if canary.encode() in content or canary.encode("utf-16-le") in content]


def _tells(path: Path) -> bool:
    """Whether the header of a gzip file has a name (flag 8) or a time (RFC 1952)."""
    head = path.read_bytes()[:10]
    return bool(head[3] & 8) or head[4:8] != b"\0\0\0\0"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
