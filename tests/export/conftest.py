"""An export of a bundle whose adapter says something, and the stub that serves it."""

import contextlib
import functools
import shutil

import pytest
import torch
from stub_vllm import StubServer

from bridge.bundle import load, save
from bridge.export.client import Client
from bridge.export.export import read_export, write_export
from bridge.language.llm import Lora, add_lora, load_llm
from bridge.language.server import Server
from bridge.model import SemanticBridge
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.report.gate import training_reference

PROJECTORS = {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4), "brain": functools.partial(IdentityValue, extremes=4)}


@pytest.fixture(scope="session")
def bundle_folder(tiny_llm, tiny_cohort, tmp_path_factory):
    """``bundle_folder(form)``: a bundle over a tiny LLM, with an adapter that is not zero; made once per form."""

    @functools.cache
    def make(form):
        torch.manual_seed(0)
        language = add_lora(load_llm(tiny_llm(form)), Lora(r=2, dropout=0.0, targets=["q_proj", "v_proj", "down_proj"]))
        bridge = SemanticBridge.compose(language, tiny_cohort, PROJECTORS).eval()
        bridge.reference = training_reference(bridge, tiny_cohort)
        with torch.no_grad():
            for name, weight in language.model.named_parameters():
                if "lora_B" in name:
                    weight.normal_(0, 0.3)
        return save(bridge, tmp_path_factory.mktemp("bundles") / form)

    return make


@pytest.fixture(scope="session")
def export_folder(bundle_folder, tiny_llm, tiny_cohort, tmp_path_factory):
    """``export_folder(form)``: its export, with the soft tokens of all samples; made once per form, and not to be changed."""

    @functools.cache
    def make(form):
        folder = tmp_path_factory.mktemp("exports") / form
        write_export(load(bundle_folder(form), language=load_llm(tiny_llm(form))), bundle_folder(form), folder, cohort=tiny_cohort, split="all")
        return folder

    return make


@pytest.fixture
def bundle(bundle_folder, tiny_llm, tmp_path):
    """``bundle(form)``: the loaded bundle, and a folder of it to change."""

    def make(form="llama-3"):
        folder = shutil.copytree(bundle_folder(form), tmp_path / "bundle")
        return load(folder, language=load_llm(tiny_llm(form))), folder

    return make


@pytest.fixture
def exported(bundle_folder, export_folder, tiny_llm):
    """``exported(form)``: the loaded bundle and its export, which is not to be changed."""

    def make(form="llama-3"):
        return load(bundle_folder(form), language=load_llm(tiny_llm(form))), read_export(export_folder(form))

    return make


@pytest.fixture(scope="session")
def export(export_folder):
    """An export, not to be changed."""
    return read_export(export_folder("llama-3"))


@pytest.fixture
def served():
    """``served(export)``: a client of a stub that serves it, and the stub."""
    with contextlib.ExitStack() as stack:

        def serve(export, *, in_flight=4, key="", pauses=None, **settings):
            stub = StubServer(export.folder, key=key, **settings)
            url = stack.enter_context(stub.running())
            waited = [] if pauses is None else pauses
            return Client(Server(url, key=key, timeout=20, attempts=3, pause=waited.append), export.model, in_flight), stub

        yield serve
