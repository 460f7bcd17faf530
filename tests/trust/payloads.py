"""Files that carry code, in every form a file of the field can have, and whatever of ours would read them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch
import yaml
from safetensors.torch import load_file

from bridge.__main__ import main
from bridge.bundle import load
from bridge.corpora.build import read_config
from bridge.data.build import build_cohort
from bridge.data.cohort import Cohort
from bridge.data.manifest import MANIFEST, digest, digest_file, write_manifest
from bridge.language.llm import load_llm
from bridge.language.prompts import Prompt
from bridge.train.checkpoint import CheckpointFile


class Payload(NamedTuple):
    """One file with code in it, and one reader.

    Args:
        name: What it is.
        read: Gives it to the reader, which has to refuse it.
    """

    name: str
    read: Callable[[], object]


class Code:
    """What an object looks like whose reading runs code: it makes the folder ``marker``."""

    def __init__(self, marker: Path):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


#: Ending of a file to the encoder class that reads such files.
READERS = {
    **dict.fromkeys((".npz", ".npy", ".csv", ".tsv", ".parquet", ".h5ad", ".h5mu", ".pt", ".pkl", ".bin", ".ckpt", ".zarr"), "encoders.gene_table.GeneTable"),
    **dict.fromkeys((".nii", ".nii.gz"), "encoders.brain_volume.BrainVolume"),
}
FORMS = ("pickle", "torch", "object array", "object archive", "joblib-like")


def payloads(folder: Path, marker: Path, llm: Path, bundle: Path, cohort: Path) -> Iterator[Payload]:
    """All of them.

    Args:
        folder: Where the files are written.
        marker: A folder that exists afterwards where code was run.
        llm: A sound checkpoint of a LLaMA.
        bundle: A sound bundle over it.
        cohort: A sound cohort.
    """
    yield from _measurements(folder, marker)
    yield from _cohorts(folder, marker, cohort)
    yield from _checkpoints(folder, marker, llm)
    yield from _templates(folder, marker, llm)
    yield from _bundles(folder, marker, llm, bundle)
    yield from _records(folder, llm, bundle)
    yield from _runs(folder, marker)
    yield from _configs(folder, marker)
    yield from _functions(folder, marker, llm, cohort)
    yield from _addresses(folder)


def write_code(path: Path, marker: Path, form: str) -> Path:
    """A file of one of ``FORMS``, whatever its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if form == "pickle":
            pickle.dump(Code(marker), file)
        elif form == "torch":
            torch.save({"state_dict": Code(marker)}, file)
        elif form == "object array":
            np.save(file, np.array([Code(marker)], dtype=object), allow_pickle=True)
        elif form == "object archive":
            np.savez(file, ids=np.array(["a"]), values=np.array([[Code(marker)]], dtype=object))
        else:
            pickle.dump([np.zeros(3), Code(marker)], file, protocol=2)
    return path


def _measurements(folder: Path, marker: Path) -> Iterator[Payload]:
    """Every form of code under every ending that a reader of measurements knows."""
    for ending, reader in READERS.items():
        for form in FORMS:
            path = write_code(folder / f"{form.replace(' ', '-')}{ending}", marker, form)
            spec = {"source": str(path), "class_path": reader}
            yield Payload(f"{form} called {ending}", lambda spec=spec, path=path: build_cohort(path.with_suffix(".out.h5ad"), {"m": spec}, group="id"))
    archive = folder / "archive.zarr.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(".zattrs", pickle.dumps(Code(marker)))
    spec = {"source": str(archive), "class_path": "encoders.gene_table.GeneTable"}
    yield Payload("pickle in a zipped zarr", lambda: build_cohort(folder / "zarr.h5ad", {"m": spec}, group="id"))
    store = folder / "store.zarr" / "obsm" / "X"
    store.mkdir(parents=True)
    (store / ".zarray").write_text(json.dumps({"filters": [{"id": "pickle"}], "dtype": "|O", "shape": [1], "chunks": [1], "zarr_format": 2}))
    (store / "0").write_bytes(pickle.dumps(Code(marker)))
    spec = {"source": str(folder / "store.zarr"), "class_path": "encoders.gene_table.GeneTable"}
    yield Payload("zarr with a pickle filter", lambda: build_cohort(folder / "store.h5ad", {"m": spec}, group="id"))


def _cohorts(folder: Path, marker: Path, cohort: Path) -> Iterator[Payload]:
    """A cohort whose records are, or name, code."""
    about = json.loads(Cohort.read(cohort).table.uns["bridge"])
    first = next(iter(about["encoders"]))
    nested = {"class_path": "encoders.gene_table.GeneTable", "init_args": {"dim": {"class_path": "os.mkdir", "init_args": {"path": str(marker)}}}}
    call = {"class_path": "os.mkdir", "init_args": {"path": str(marker)}}
    hostile = {
        "pickle in uns": pickle.dumps(Code(marker)).hex(),
        "class of the system in uns": _with_encoder(about, first, call),
        "nested class in uns": _with_encoder(about, first, nested),
        "module of the user in uns": _with_encoder(about, first, {"class_path": "hostile.Encoder", "init_args": {}}),
    }
    _module(folder / "hostile.py", marker)
    for name, text in hostile.items():
        path = folder / f"{name.replace(' ', '-')}.h5ad"
        shutil.copy(cohort, path)
        with h5py.File(path, "r+") as file:
            del file["uns/bridge"]
            file["uns"].create_dataset("bridge", data=text).attrs.update({"encoding-type": "string", "encoding-version": "0.2.0"})
        yield Payload(name, lambda path=path: [Cohort.read(path).encoder(modality) for modality in Cohort.read(path).modalities])


def _checkpoints(folder: Path, marker: Path, llm: Path) -> Iterator[Payload]:
    """A base LLM with code in its weights, its configuration or its tokenizer."""
    for name, form in (("pickle", "pickle"), ("torch", "torch")):
        for ending in ("pytorch_model.bin", "model.safetensors"):
            place = _copy(llm, folder / f"llm-{name}-{ending}")
            for weights in place.glob("*.safetensors"):
                weights.unlink()
            write_code(place / ending, marker, form)
            yield Payload(f"{name} as {ending}", lambda place=place: load_llm(str(place)))
    for file, field in (
        ("config.json", {"auto_map": {"AutoConfig": "hostile.Config", "AutoModelForCausalLM": "hostile.Model"}}),
        ("config.json", {"auto_map": {"AutoConfig": "hostile.Config"}, "model_type": "hostile"}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["hostile.Tokenizer", None]}, "tokenizer_class": "Hostile"}),
    ):
        place = _copy(llm, folder / f"llm-auto-{file}-{len(field)}")
        (place / file).write_text(json.dumps(json.loads((place / file).read_text()) | field))
        _module(place / "hostile.py", marker)
        yield Payload(f"auto_map in {file}, {len(field)} fields", lambda place=place: load_llm(str(place)))
    yield Payload("a pickle as gguf", lambda: load_llm(str(write_code(folder / "llm.gguf", marker, "pickle"))))


def _templates(folder: Path, marker: Path, llm: Path) -> Iterator[Payload]:
    """A base LLM whose chat template reaches for what it must not, or never ends, and one whose weights are said to lie elsewhere."""
    escapes = {
        "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "globals": f"{{{{ cycler.__init__.__globals__.os.mkdir('{marker}') }}}}",
        "include": "{% include '/etc/hostname' %}",
        "range": "{% for a in range(1000000000) %}{% endfor %}",
        "macro": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    }
    for name, template in escapes.items():
        place = _copy(llm, folder / f"llm-template-{name}")
        (place / "chat_template.jinja").write_text(template)
        yield Payload(f"a chat template with {name}", lambda place=place: Prompt(load_llm(str(place)).tokenizer, "chat").opening)
    for number, elsewhere in enumerate(("../../../../etc/passwd", "/etc/passwd", "http://127.0.0.1:9/model.safetensors", "code.bin")):
        place = _copy(llm, folder / f"llm-index-{number}")
        names = load_file(place / "model.safetensors")
        (place / "model.safetensors").unlink()
        write_code(place / "code.bin", marker, "torch")
        (place / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, elsewhere)}))
        yield Payload(f"weights at {elsewhere}", lambda place=place: load_llm(str(place)))


def _records(folder: Path, llm: Path, bundle: Path) -> Iterator[Payload]:
    """A bundle whose records are of other types, ask for all memory, or name what lies outside."""
    adapter = "adapters/default/adapter_config.json"
    fields = {
        "config.json": [{"adapters": [str(bundle / "adapters/default")]}, {"adapters": 5}, {"projectors": None}, {"encoders": [1]}, {"latent": "a"}],
        adapter: [
            {"lora_alpha": float("nan")},
            {"r": 10**9},
            {"init_lora_weights": "pissa"},
            {"corda_config": {"cache_file": "x.pt"}},
            {"peft_type": ["LORA"]},
        ],
    }
    for file, every in fields.items():
        for number, change in enumerate(every):
            place = _copy(bundle, folder / f"bundle-record-{Path(file).stem}-{number}")
            _edit(place / file, change)
            yield _bundle(f"{Path(file).name} with {change}"[:80], place, llm)
    for file in ("config.json", "cards.json", adapter):
        place = _copy(bundle, folder / f"bundle-deep-{Path(file).stem}")
        (place / file).write_text("[" * 200_000)
        yield _bundle(f"{Path(file).name} nested without end", place, llm)
    config = json.loads((bundle / "config.json").read_text())
    name, spec = next(iter(config["projectors"].items()))
    place = _copy(bundle, folder / "bundle-huge")
    _edit(place / "config.json", {"projectors": config["projectors"] | {name: spec | {"init_args": spec["init_args"] | {"hidden": 10**12}}}})
    yield _bundle("a projector of terabytes", place, llm)


def _bundles(folder: Path, marker: Path, llm: Path, bundle: Path) -> Iterator[Payload]:
    """A bundle with code in its weights, or with names of classes of its own; its manifest fits, as a hostile author's would."""
    for file in ("projectors.safetensors", "adapters/default/adapter_model.safetensors"):
        for form in FORMS[:3]:
            place = _copy(bundle, folder / f"bundle-{form}-{Path(file).stem}".replace(" ", "-"))
            write_code(place / file, marker, form)
            yield _bundle(f"{form} as {file}", place, llm)
    place = _copy(bundle, folder / "bundle-bin")
    (place / "adapters/default/adapter_model.safetensors").unlink()
    write_code(place / "adapters/default/adapter_model.bin", marker, "torch")
    yield _bundle("adapter_model.bin in place of safetensors", place, llm)
    settings = (
        {"megatron_config": {"tensor_model_parallel_size": 1}, "megatron_core": "hostile"},
        {"auto_mapping": {"base_model_class": "X", "parent_library": "hostile"}},
    )
    for number, hostile in enumerate((*settings, {"target_modules": "(a+)+$"}, {"peft_type": "HOSTILE"})):
        place = _copy(bundle, folder / f"bundle-adapter-{number}")
        _edit(place / "adapters/default/adapter_config.json", hostile)
        _module(folder / "hostile.py", marker)
        yield _bundle(f"adapter settings {sorted(hostile)}", place, llm)
    call = {"class_path": "os.mkdir", "init_args": {"path": str(marker)}}
    for part in ("encoders", "projectors"):
        config = json.loads((bundle / "config.json").read_text())
        for name, hostile in {
            "a function of the system": call,
            "a module beside": {"class_path": "hostile.Part", "init_args": {}},
            "a nested class": next(iter(config[part].values())) | {"init_args": {"k": call, "dim": call}},
            "a dotted way out": {"class_path": f"bridge.{'project' if part == 'projectors' else 'data'}.base.torch.os.mkdir", "init_args": call["init_args"]},
        }.items():
            place = _copy(bundle, folder / f"bundle-{part}-{name.replace(' ', '-')}")
            _edit(place / "config.json", {part: dict.fromkeys(config[part], hostile)})
            yield _bundle(f"{name} as one of the {part}", place, llm)
    place = _copy(bundle, folder / "bundle-field")
    _edit(place / "config.json", {"on_load": "os.mkdir"})
    yield _bundle("an unknown field of a bundle", place, llm)


def _runs(folder: Path, marker: Path) -> Iterator[Payload]:
    """A checkpoint to go on from that is code, and one from elsewhere."""
    for form in ("pickle", "torch", "joblib-like"):
        path = write_code(folder / f"run-{form}" / "last.ckpt", marker, form)
        digest_file(path).write_text(f"{digest(path)}  {path.name}\n")  # signed, as a hostile author would
        yield Payload(f"{form} as a run's checkpoint", lambda path=path: CheckpointFile(path.parent).load_checkpoint(path))
        elsewhere = folder / "another-run"
        yield Payload(f"{form} as another run's checkpoint", lambda path=path, run=elsewhere: CheckpointFile(run).load_checkpoint(path))
    yield Payload("a run's checkpoint by address", lambda: CheckpointFile(folder / "run").load_checkpoint("http://127.0.0.1:9/last.ckpt"))


def _configs(folder: Path, marker: Path) -> Iterator[Payload]:
    """YAML that makes objects."""
    tags = {
        "object/apply": f"!!python/object/apply:os.mkdir ['{marker}']",
        "object/new": f"!!python/object/new:os.mkdir ['{marker}']",
        "name": "!!python/name:os.mkdir",
        "module": "!!python/module:os",
    }
    for name, tag in tags.items():
        path = folder / f"{name.replace('/', '-')}.yaml"
        path.write_text(f"domain: {tag}\nmodel: {tag}\nsource: {tag}\nclass_path: {tag}\n")
        yield Payload(f"{name} in a corpus config", lambda path=path: read_config(path))
        yield Payload(f"{name} in a stage's config", lambda path=path: _command("align", "--config", str(path), "--out", str(folder / "aligned")))
        yield Payload(f"{name} in a modality", lambda path=path: _command("data", "build", "--out", str(folder / "c.h5ad"), "--modalities.gene", str(path)))
    spec = folder / "spec.yaml"
    spec.write_text(yaml.safe_dump({"source": "x.csv", "class_path": "os.mkdir", "init_args": {"path": str(marker)}}))
    yield Payload(
        "a function of the system as encoder class", lambda: _command("data", "build", "--out", str(folder / "c.h5ad"), "--modalities.gene", str(spec))
    )


def _functions(folder: Path, marker: Path, llm: Path, cohort: Path) -> Iterator[Payload]:
    """A function where a stage's configuration names a class, and configurations that are no files."""
    call = {"os.mkdir": {"path": str(marker)}, "builtins.eval": {"source": "1"}, "torch.hub.load": {"repo_or_dir": "a/b", "model": "c"}}
    given = ("--config", "smoke.yaml", "--data.cohort", str(cohort), "--model.llm.path", str(llm), "--out", str(folder / "aligned"))
    for path, arguments in call.items():
        spec = json.dumps({"class_path": path, "init_args": arguments})
        yield Payload(f"{path} as a projector of a stage", lambda spec=spec: _command("align", *given, "--model.projectors.gene", spec))
    other = folder / "names-another.yaml"
    other.write_text("config: /etc/passwd\n")
    for place in (str(other), "http://127.0.0.1:9/align.yaml", "/dev/zero"):
        yield Payload(f"{place} as a stage's config", lambda place=place: _command("align", *given, "--config", place))


def _addresses(folder: Path) -> Iterator[Payload]:
    """Addresses where files are expected."""
    for name in (
        "http://127.0.0.1:9/genes.csv",
        "https://127.0.0.1:9/genes.parquet",
        "ftp://127.0.0.1:9/genes.h5ad",
        "file:///etc/passwd.csv",
        "s3://bucket/genes.npz",
    ):
        spec = {"source": name, "class_path": "encoders.gene_table.GeneTable"}
        yield Payload(f"{name.partition(':')[0]} for measurements", lambda spec=spec: build_cohort(folder / "address.h5ad", {"m": spec}, group="id"))
    yield Payload("http for a bundle", lambda: load("http://127.0.0.1:9/bundle"))
    yield Payload("http for a cohort", lambda: Cohort.read("http://127.0.0.1:9/cohort.h5ad"))
    yield Payload("http for an LLM", lambda: load_llm("http://127.0.0.1:9/llm"))


def _with_encoder(about: dict, modality: str, spec: dict) -> str:
    return json.dumps(about | {"encoders": about["encoders"] | {modality: spec}})


def _bundle(name: str, place: Path, llm: Path) -> Payload:
    write_manifest(place, json.loads((place / MANIFEST).read_text())["about"])
    return Payload(name, lambda: load(place, llm=str(llm)))


def _command(*arguments: str) -> None:
    """A command as typed; its status 2 is a refusal."""
    if main(arguments) == 2:
        raise ValueError("refused")


def _copy(source: Path, place: Path) -> Path:
    shutil.copytree(source, place)
    return place


def _edit(path: Path, fields: dict) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def _module(path: Path, marker: Path) -> None:
    """A module whose import runs code."""
    path.write_text(f"import os\nos.makedirs({str(marker)!r}, exist_ok=True)\nclass Part: pass\nConfig = Model = Tokenizer = Encoder = Part\n")
