"""What every test may use: tiny LLaMA checkpoints, a tiny cohort, and a bridge over both."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # no test looks for anything on a hub

import functools
import gzip
import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from matplotlib.figure import Figure
from tiny_checkpoints import save_checkpoint

from bridge.corpora.record import Record
from bridge.data.cohort import Cohort
from bridge.language import textbank
from bridge.language.llm import load_llm
from bridge.model import SemanticBridge
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.report.gate import training_reference
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

torch.set_num_threads(1)  # several workers share the cores; the sizes here gain nothing from threads
transformers.logging.disable_progress_bar()

REGIONS = tuple(f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "insula", "pallidum", "caudate", "amygdala"))
ORGANS = ("eye", "skin", "kidney", "heart")
SAMPLES = 32


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
    """32 samples of 16 groups: a gene vector and ten brain regions that share a latent cause with two texts and two fact columns.

    Sample 3 has no gene, sample 5 no brain, sample 7 lacks one region, sample 9 has no clinical text.
    """
    random = np.random.default_rng(0)
    cause = random.normal(size=(SAMPLES, 3))
    gene = cause @ random.normal(size=(3, 12)) + 0.1 * random.normal(size=(SAMPLES, 12))
    brain = 0.5 + 0.1 * (cause @ random.normal(size=(3, len(REGIONS))) + 0.1 * random.normal(size=(SAMPLES, len(REGIONS))))
    gene[3], brain[5], brain[7, 2] = np.nan, np.nan, np.nan
    facts = {"modalities": {"gene": (_gene_encoder(), gene), "brain": (_brain_encoder(), brain)}, "facts": {"organ_systems": "gene", "inheritance": "gene"}}
    notes = {"stand_ins": "Made-up samples.", "acknowledgements": ["Nobody is thanked."]}
    return Cohort.assemble(_observations(cause, brain), texts=("anatomy", "clinical"), normalise={"brain": "global"}, notes=notes, source="tiny", **facts)


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
        torch.manual_seed(0)
        factories = projectors or {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4), "brain": functools.partial(IdentityValue, extremes=4)}
        bridge = SemanticBridge.compose(over or language, tiny_cohort, factories).eval()
        bridge.reference = training_reference(bridge, tiny_cohort)
        return bridge

    return make


@pytest.fixture
def bridge(make_bridge):
    """A factorised MLP for the gene, identity and value for the brain."""
    return make_bridge()


def _gene_encoder():
    return GeneTable(dim=12, provenance={"encoder": "made up", "licence": "CC0"})


def _brain_encoder():
    return RegionTable(REGIONS, provenance={"atlas": "ten regions", "units": "a.u."})


def _observations(cause, brain):
    """Groups of two samples; validation and test have four groups each."""
    names = [f"sample-{row:02d}" for row in range(SAMPLES)]
    obs = pd.DataFrame({"group": [f"family-{row // 2}" for row in range(SAMPLES)]}, index=names)
    obs["split"] = ["train"] * (SAMPLES - 16) + ["validation"] * 8 + ["test"] * 8
    ordered = [[REGIONS[number] for number in np.argsort(-np.nan_to_num(row))] for row in brain]
    obs["anatomy"] = [f"Highest in the {row[0]} and {row[1]}, lowest in the {row[-1]}." for row in ordered]
    systems = [[organ for organ, weight in zip(ORGANS, [*row, -row[0]], strict=True) if weight > 0] or ["eye"] for row in cause]
    obs["organ_systems"] = ["; ".join(row) for row in systems]
    obs["inheritance"] = ["autosomal recessive" if row[0] > 0 else "autosomal dominant" for row in cause]
    obs["clinical"] = [f"Affects the {' and the '.join(row)}; {kind}." for row, kind in zip(systems, obs["inheritance"], strict=True)]
    obs.loc["sample-09", "clinical"] = ""
    return obs


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
