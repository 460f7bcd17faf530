"""What every test may use: tiny LLaMA checkpoints, a tiny cohort, and a bridge over both."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # no test looks for anything on a hub

import functools
import gzip
import hashlib
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from matplotlib.figure import Figure
from tiny_checkpoints import save_checkpoint
from tiny_study import make_cohort
from tiny_study import untrained as make_bridge_over

from bridge.corpora.record import Record
from bridge.language import textbank
from bridge.language.llm import load_llm

OFFLINE = Path(__file__).parent / "offline"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH", "")]))  # for what a test starts
runpy.run_path(str(OFFLINE / "sitecustomize.py"))  # and for this process
torch.set_num_threads(1)  # several workers share the cores; the sizes here gain nothing from threads
transformers.logging.disable_progress_bar()


@pytest.fixture(scope="session", autouse=True)
def text_vectors_in_a_temporary_folder(tmp_path_factory):
    """Tests leave nothing in the user's cache, and find nothing there."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textbank, "default_cache", lambda: folder)
        yield


@pytest.fixture
def drawn(monkeypatch):
    """The figure objects as they are written."""
    seen, write = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        seen.append(figure)
        write(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return seen


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory):
    """``tiny_llm(form, **kind)``: the folder of a checkpoint, see ``tiny_checkpoints.save_checkpoint``; made once per kind."""

    @functools.cache
    def make(form="llama-3", **kind):
        return save_checkpoint(tmp_path_factory.mktemp(form) / "checkpoint", form, **kind)

    return make


@pytest.fixture(scope="session")
def tiny_cohort():
    """See ``tiny_cohort.make_cohort``."""
    return make_cohort()


@pytest.fixture(scope="session")
def tiny_cohort_file(tiny_cohort, tmp_path_factory):
    """The same cohort as a file."""
    path = tmp_path_factory.mktemp("cohort") / "cohort.h5ad"
    tiny_cohort.write(path)
    return path


@pytest.fixture
def language(tiny_llm):
    """A tiny LLM of its own for each test, since adapters are put into the model in place."""
    return load_llm(tiny_llm())


@pytest.fixture
def make_bridge(language, tiny_cohort):
    """``make_bridge()``: an untrained bridge over the tiny cohort, in evaluation mode, with what a bundle keeps of the training split."""

    def make(projectors=None, over=None):
        return make_bridge_over(over or language, tiny_cohort, projectors)

    return make


@pytest.fixture
def bridge(make_bridge):
    """A factorised MLP for the gene, identity and value for the brain."""
    return make_bridge()


@pytest.fixture(scope="session")
def make_corpus(tmp_path_factory):
    """``make_corpus(documents by domain)``: a corpus folder whose documents each say their domain in every sentence."""

    def make(counts):
        folder, card = tmp_path_factory.mktemp("corpus"), {"domains": {}}
        for domain, count in counts.items():
            lines = [json.dumps(_document(domain, number)._asdict()) for number in range(count)]
            content = gzip.compress("\n".join(lines).encode(), mtime=0)
            (folder / f"{domain}.jsonl.gz").write_bytes(content)
            card["domains"][domain] = {"sha256": hashlib.sha256(content).hexdigest()}
        (folder / "card.json").write_text(json.dumps(card))
        return folder

    return make


def _document(domain, number):
    random = np.random.default_rng([len(domain), number])
    words = (" ".join(random.choice(["gene", "brain", "region", "map", "cortex", "variant"], 4)) for _ in range(random.integers(1, 9)))
    return Record(f"{number}", " ".join(f"The {domain} text {number} tells of {each}." for each in words), "made-up", "CC0-1.0")
